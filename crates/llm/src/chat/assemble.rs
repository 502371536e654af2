//! Between whole answers and streamed ones.

use super::{
    ChatAnswer, ChatEvent, Choice, Extension, Json, Part, PartDelta, PartKind, PartStart, Reasoning,
    StopReason, ToolCall,
};
use crate::protocol::Protocol;

/// Puts the events of a stream together to the whole answer that they are.
#[derive(Debug)]
pub(crate) struct Assembler {
    answer: ChatAnswer,
    is_complete: bool,
}

impl Assembler {
    /// An assembler for a stream in that protocol, the provider's.
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            answer: ChatAnswer {
                id: None,
                model: None,
                created: None,
                choices: Vec::new(),
                usage: None,
                service_tier: None,
                extension: Extension::of(protocol),
            },
            is_complete: false,
        }
    }

    /// Takes an event.
    pub(crate) fn push(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Start { id, model, extension } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
                self.answer.extension = extension.clone();
            }
            ChatEvent::PartStart { choice, start, .. } => {
                let part = self.begun(start);
                if let Some(choice) = self.choice(*choice) {
                    choice.parts.push(part);
                }
            }
            ChatEvent::Delta { choice, part, delta } => {
                let part = *part as usize;
                if let Some(part) = self.choice(*choice).and_then(|choice| choice.parts.get_mut(part)) {
                    add(part, delta);
                }
            }
            ChatEvent::Logprobs { choice, logprobs } => {
                if let Some(choice) = self.choice(*choice) {
                    choice.logprobs = Some(match choice.logprobs.take() {
                        Some(before) => joined(&before, logprobs),
                        None => logprobs.clone(),
                    });
                }
            }
            ChatEvent::Stop {
                choice,
                reason,
                stop_sequence,
            } => {
                if let Some(choice) = self.choice(*choice) {
                    choice.stop = *reason;
                    choice.stop_sequence.clone_from(stop_sequence);
                }
            }
            ChatEvent::Usage(usage) => self.answer.usage = Some(*usage),
            ChatEvent::End => self.is_complete = true,
            ChatEvent::PartEnd { .. } | ChatEvent::Error(_) => {}
        }
    }

    /// The answer so far, and whether it is whole.
    pub(crate) fn finish(self) -> (ChatAnswer, bool) {
        (self.answer, self.is_complete)
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        /// More alternatives than any provider gives; a number beyond it is nonsense, not a reason to allocate.
        const CHOICES_MAX: usize = 1024;
        let index = index as usize;
        while self.answer.choices.len() <= index && index < CHOICES_MAX {
            self.answer.choices.push(Choice {
                parts: Vec::new(),
                stop: StopReason::Stop,
                stop_sequence: None,
                logprobs: None,
                extension: Extension::of(self.answer.extension.protocol()),
            });
        }
        self.answer.choices.get_mut(index)
    }

    fn begun(&self, start: &PartStart) -> Part {
        let nothing = || Extension::of(self.answer.extension.protocol());
        match start {
            PartStart::Text => Part::new(PartKind::Text(String::new()), nothing()),
            PartStart::Refusal => Part::new(PartKind::Refusal(String::new()), nothing()),
            PartStart::Reasoning {
                is_summary,
                is_redacted,
                id,
            } => {
                let reasoning = Reasoning {
                    is_summary: *is_summary,
                    is_redacted: *is_redacted,
                    id: id.clone(),
                    ..Reasoning::default()
                };
                Part::new(PartKind::Reasoning(reasoning), nothing())
            }
            PartStart::ToolCall { id, name, is_custom } => {
                let call = ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    is_custom: *is_custom,
                    signature: None,
                };
                Part::new(PartKind::ToolCall(call), nothing())
            }
            PartStart::Foreign(extension) => Part::new(PartKind::Foreign, extension.clone()),
        }
    }
}

fn add(part: &mut Part, delta: &PartDelta) {
    match (&mut part.kind, delta) {
        (PartKind::Text(text) | PartKind::Refusal(text), PartDelta::Text(more)) => text.push_str(more),
        (PartKind::Reasoning(reasoning), PartDelta::Text(more)) => reasoning.text.push_str(more),
        (PartKind::Reasoning(reasoning), PartDelta::Signature(signature)) => {
            reasoning.signature = Some(signature.clone());
        }
        (PartKind::ToolCall(call), PartDelta::Arguments(more)) => call.arguments.push_str(more),
        (PartKind::ToolCall(call), PartDelta::Signature(signature)) => {
            call.signature = Some(signature.clone());
        }
        _ => {}
    }
}

/// Two pieces of OpenAI's `logprobs` as one.
fn joined(before: &Json, more: &Json) -> Json {
    type Lists = serde_json::Map<String, serde_json::Value>;
    let (Some(mut all), Some(more)) = (before.read::<Lists>(), more.read::<Lists>()) else {
        return more.clone();
    };
    for (name, value) in more {
        match (all.get_mut(&name), value) {
            (Some(serde_json::Value::Array(list)), serde_json::Value::Array(items)) => list.extend(items),
            (None | Some(serde_json::Value::Null), value) => {
                all.insert(name, value);
            }
            _ => {}
        }
    }
    Json::of(&all)
}

/// The events of a whole answer, for a client that asked for a stream and a provider that did not send one.
pub(crate) fn replay(answer: ChatAnswer) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::Start {
        id: answer.id,
        model: answer.model,
        extension: answer.extension,
    }];
    for (choice, said) in (0..).zip(answer.choices) {
        for (part, it) in (0..).zip(said.parts) {
            replay_part(choice, part, it, &mut events);
        }
        if let Some(logprobs) = said.logprobs {
            events.push(ChatEvent::Logprobs { choice, logprobs });
        }
        events.push(ChatEvent::Stop {
            choice,
            reason: said.stop,
            stop_sequence: said.stop_sequence,
        });
    }
    events.extend(answer.usage.map(ChatEvent::Usage));
    events.push(ChatEvent::End);
    events
}

fn replay_part(choice: u32, part: u32, it: Part, events: &mut Vec<ChatEvent>) {
    let (start, deltas) = match it.kind {
        PartKind::Text(text) => (PartStart::Text, vec![PartDelta::Text(text)]),
        PartKind::Refusal(text) => (PartStart::Refusal, vec![PartDelta::Text(text)]),
        PartKind::Reasoning(reasoning) => {
            let mut deltas = Vec::new();
            if !reasoning.text.is_empty() {
                deltas.push(PartDelta::Text(reasoning.text));
            }
            deltas.extend(reasoning.signature.map(PartDelta::Signature));
            let start = PartStart::Reasoning {
                is_summary: reasoning.is_summary,
                is_redacted: reasoning.is_redacted,
                id: reasoning.id,
            };
            (start, deltas)
        }
        PartKind::ToolCall(call) => {
            let mut deltas = vec![PartDelta::Arguments(call.arguments)];
            deltas.extend(call.signature.map(PartDelta::Signature));
            let start = PartStart::ToolCall {
                id: call.id,
                name: call.name,
                is_custom: call.is_custom,
            };
            (start, deltas)
        }
        PartKind::Media(_) | PartKind::ToolResult(_) | PartKind::Foreign => {
            (PartStart::Foreign(it.extension), Vec::new())
        }
    };
    events.push(ChatEvent::PartStart { choice, part, start });
    let deltas = deltas
        .into_iter()
        .map(|delta| ChatEvent::Delta { choice, part, delta });
    events.extend(deltas);
    events.push(ChatEvent::PartEnd { choice, part });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    #[test]
    fn a_replayed_answer_assembles_to_itself() {
        let nothing = || Extension::of(Protocol::OpenAiChat);
        let call = ToolCall {
            id: "c".into(),
            name: "t".into(),
            arguments: "{\"a\":1}".into(),
            is_custom: false,
            signature: None,
        };
        let answer = ChatAnswer {
            id: Some("1".into()),
            model: Some("m".into()),
            created: None,
            choices: vec![Choice {
                parts: vec![
                    Part::new(
                        PartKind::Reasoning(Reasoning {
                            text: "hm".into(),
                            ..Reasoning::default()
                        }),
                        nothing(),
                    ),
                    Part::new(PartKind::Text("hi".into()), nothing()),
                    Part::new(PartKind::ToolCall(call), nothing()),
                ],
                stop: StopReason::ToolCalls,
                stop_sequence: None,
                logprobs: Json::parse(r#"{"content":[{"token":"hi"}]}"#),
                extension: nothing(),
            }],
            usage: Some(Usage {
                input: 3,
                output: 2,
                ..Usage::default()
            }),
            service_tier: None,
            extension: nothing(),
        };
        let mut assembler = Assembler::new(Protocol::OpenAiChat);
        for event in replay(answer.clone()) {
            assembler.push(&event);
        }
        assert_eq!(assembler.finish(), (answer, true));
    }
}
