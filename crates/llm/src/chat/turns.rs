//! Rearranging conversations and events for protocols that are stricter than where they came from.

use std::collections::HashMap;

use super::{ChatEvent, ChatRequest, Extension, Part, PartKind, Role, StopReason, Turn};

/// Turns of one side of a conversation, run together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Side<'a> {
    /// Whether the model speaks; else the user does, tools included.
    pub(crate) is_assistant: bool,
    /// What is said, tool results first where it is the user's side.
    pub(crate) parts: Vec<&'a Part>,
}

impl ChatRequest {
    /// The system and developer messages before the first other turn, one slice of parts each.
    pub(crate) fn leading_system(&self) -> &[Turn] {
        let end = self
            .turns
            .iter()
            .position(|turn| !matches!(turn.role, Role::System | Role::Developer))
            .unwrap_or(self.turns.len());
        self.turns.get(..end).unwrap_or_default()
    }

    /// Everything behind [`leading_system`](Self::leading_system), run together into sides that alternate. Later system
    /// messages count as the user's.
    pub(crate) fn sides(&self) -> Vec<Side<'_>> {
        let mut sides: Vec<Side<'_>> = Vec::new();
        for turn in self.turns.iter().skip(self.leading_system().len()) {
            let is_assistant = turn.role == Role::Assistant;
            match sides.last_mut() {
                Some(side) if side.is_assistant == is_assistant => side.parts.extend(&turn.parts),
                _ => sides.push(Side {
                    is_assistant,
                    parts: turn.parts.iter().collect(),
                }),
            }
        }
        for side in sides.iter_mut().filter(|side| !side.is_assistant) {
            side.parts
                .sort_by_key(|part| !matches!(part.kind, PartKind::ToolResult(_)));
        }
        sides
    }

    /// Fills in the names of the tools in results that lack them, from the calls before.
    pub(crate) fn name_results(&mut self) {
        let mut names: HashMap<String, String> = HashMap::new();
        for turn in &mut self.turns {
            for part in &mut turn.parts {
                match &mut part.kind {
                    PartKind::ToolCall(call) => {
                        names.insert(call.id.clone(), call.name.clone());
                    }
                    PartKind::ToolResult(result) if result.name.is_none() => {
                        result.name = names.get(&result.call_id).cloned();
                    }
                    _ => {}
                }
            }
        }
    }

    /// Answers calls that the conversation leaves unanswered, and takes out results that answer nothing: providers
    /// refuse both, and clients that cut their history produce both.
    pub(crate) fn mend_tool_results(&mut self, missing: &str) {
        let mut turns: Vec<Turn> = Vec::with_capacity(self.turns.len());
        let mut open: Vec<(String, String, bool)> = Vec::new();
        for mut turn in std::mem::take(&mut self.turns) {
            if turn.role == Role::Tool {
                turn.parts.retain(|part| match &part.kind {
                    PartKind::ToolResult(result) => {
                        let asked = open.iter().position(|(id, ..)| *id == result.call_id);
                        asked.map(|index| open.remove(index)).is_some()
                    }
                    _ => true,
                });
                if turn.parts.is_empty() {
                    continue;
                }
            } else if !open.is_empty() {
                turns.push(unanswered(&mut open, missing, &turn.extension));
            }
            if turn.role == Role::Assistant {
                open.extend(turn.parts.iter().filter_map(|part| match &part.kind {
                    PartKind::ToolCall(call) => Some((call.id.clone(), call.name.clone(), call.is_custom)),
                    _ => None,
                }));
            }
            turns.push(turn);
        }
        if !open.is_empty() {
            let extension = self.extension.clone();
            turns.push(unanswered(&mut open, missing, &extension));
        }
        self.turns = turns;
    }
}

fn unanswered(open: &mut Vec<(String, String, bool)>, missing: &str, like: &Extension) -> Turn {
    let nothing = || Extension::of(like.protocol());
    let parts = open.drain(..).map(|(call_id, name, is_custom)| {
        let text = Part::new(PartKind::Text(missing.to_owned()), nothing());
        let result = super::ToolResult {
            call_id,
            name: Some(name),
            content: vec![text],
            is_error: Some(true),
            is_custom,
        };
        Part::new(PartKind::ToolResult(result), nothing())
    });
    Turn::new(Role::Tool, parts.collect(), nothing())
}

/// Puts the events of one choice into an order in which parts do not overlap: each part's events are held until the
/// parts before it are complete. Other choices are left out; strict protocols have one.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    /// The part whose events pass.
    open: u32,
    /// Events of later parts, in the order in which they came.
    held: Vec<ChatEvent>,
}

impl Sequencer {
    /// Takes an event and appends to `out` what may go out.
    pub(crate) fn push(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) {
        match part_of(&event) {
            Some((choice, _)) if choice > 0 => {}
            Some((_, part)) if part > self.open => self.held.push(event),
            Some(_) => {
                let ends = matches!(event, ChatEvent::PartEnd { .. });
                out.push(event);
                if ends {
                    self.advance(out);
                }
            }
            None => out.push(event),
        }
    }

    /// The part that passed is complete: lets the next one pass, and any that are complete already.
    fn advance(&mut self, out: &mut Vec<ChatEvent>) {
        loop {
            self.open += 1;
            let mut ended = false;
            let mut later = Vec::new();
            for event in std::mem::take(&mut self.held) {
                if part_of(&event).is_some_and(|(_, part)| part == self.open) {
                    ended |= matches!(event, ChatEvent::PartEnd { .. });
                    out.push(event);
                } else {
                    later.push(event);
                }
            }
            self.held = later;
            if !ended {
                return;
            }
        }
    }
}

/// Choice and part that an event belongs to. Events of choices that strict protocols do not have count as parts of them.
fn part_of(event: &ChatEvent) -> Option<(u32, u32)> {
    match event {
        ChatEvent::PartStart { choice, part, .. }
        | ChatEvent::Delta { choice, part, .. }
        | ChatEvent::PartEnd { choice, part } => Some((*choice, *part)),
        ChatEvent::Logprobs { choice, .. } | ChatEvent::Stop { choice, .. } if *choice > 0 => {
            Some((*choice, 0))
        }
        _ => None,
    }
}

impl StopReason {
    /// The reason, given that the answer calls tools or does not: several providers say `stop` for both.
    pub(crate) fn with_tools(self, calls_tools: bool) -> Self {
        match self {
            Self::Stop | Self::ToolCalls if calls_tools => Self::ToolCalls,
            Self::ToolCalls => Self::Stop,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PartDelta, PartStart, ToolCall, ToolResult};
    use super::*;
    use crate::protocol::Protocol;

    fn nothing() -> Extension {
        Extension::of(Protocol::OpenAiChat)
    }

    fn text(text: &str) -> Part {
        Part::new(PartKind::Text(text.to_owned()), nothing())
    }

    fn call(id: &str) -> Part {
        let call = ToolCall {
            id: id.to_owned(),
            name: format!("tool_{id}"),
            arguments: String::new(),
            is_custom: false,
            signature: None,
        };
        Part::new(PartKind::ToolCall(call), nothing())
    }

    fn result(id: &str) -> Part {
        let result = ToolResult {
            call_id: id.to_owned(),
            name: None,
            content: vec![text("ok")],
            is_error: None,
            is_custom: false,
        };
        Part::new(PartKind::ToolResult(result), nothing())
    }

    fn request(turns: Vec<(Role, Vec<Part>)>) -> ChatRequest {
        let mut request = ChatRequest::new(nothing());
        request.turns = turns
            .into_iter()
            .map(|(role, parts)| Turn::new(role, parts, nothing()))
            .collect();
        request
    }

    #[test]
    fn sides_alternate_with_results_first() {
        let request = request(vec![
            (Role::System, vec![text("be kind")]),
            (Role::User, vec![text("hi")]),
            (Role::Assistant, vec![call("a")]),
            (Role::Assistant, vec![call("b")]),
            (Role::User, vec![text("and")]),
            (Role::Tool, vec![result("a"), result("b")]),
        ]);
        assert_eq!(request.leading_system().len(), 1);
        let sides = request.sides();
        let shape: Vec<_> = sides
            .iter()
            .map(|side| (side.is_assistant, side.parts.len()))
            .collect();
        assert_eq!(shape, [(false, 1), (true, 2), (false, 3)]);
        assert!(matches!(sides[2].parts[0].kind, PartKind::ToolResult(_)));
        assert!(matches!(sides[2].parts[2].kind, PartKind::Text(_)));
    }

    #[test]
    fn open_calls_are_answered_and_stray_results_go() {
        let mut request = request(vec![
            (Role::Tool, vec![result("stray")]),
            (Role::User, vec![text("hi")]),
            (Role::Assistant, vec![call("a"), call("b")]),
            (Role::Tool, vec![result("b")]),
            (Role::User, vec![text("go on")]),
        ]);
        request.mend_tool_results("no result");
        request.name_results();
        let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
        assert_eq!(
            roles,
            [Role::User, Role::Assistant, Role::Tool, Role::Tool, Role::User]
        );
        let PartKind::ToolResult(made) = &request.turns[3].parts[0].kind else {
            panic!("no result")
        };
        assert_eq!((made.call_id.as_str(), made.is_error), ("a", Some(true)));
        let PartKind::ToolResult(named) = &request.turns[2].parts[0].kind else {
            panic!("no result")
        };
        assert_eq!(named.name.as_deref(), Some("tool_b"));
    }

    #[test]
    fn overlapping_parts_come_one_after_the_other() {
        let start = |part| ChatEvent::PartStart {
            choice: 0,
            part,
            start: PartStart::Text,
        };
        let delta = |part, text: &str| ChatEvent::Delta {
            choice: 0,
            part,
            delta: PartDelta::Text(text.to_owned()),
        };
        let end = |part| ChatEvent::PartEnd { choice: 0, part };
        let mut sequencer = Sequencer::default();
        let mut out = Vec::new();
        for event in [
            start(0),
            start(1),
            delta(1, "b"),
            delta(0, "a"),
            start(2),
            end(2),
            end(1),
            end(0),
        ] {
            sequencer.push(event, &mut out);
        }
        assert_eq!(
            out,
            [
                start(0),
                delta(0, "a"),
                end(0),
                start(1),
                delta(1, "b"),
                end(1),
                start(2),
                end(2)
            ]
        );
    }
}
