//! The output of whole answers.

use serde::Deserialize;

use super::PROTOCOL;
use super::envelope::ToolTable;
use super::marks;
use super::opaque;
use super::output::{Call, Content, Message, Output, Thought, annotations, item_id, token_logprobs};
use crate::chat::{
    Choice, Extension, Json, Media, MediaKind, Object, Part, PartKind, Reasoning, Source, StopReason,
    ToolCall,
};

/// The output of a whole answer, each item with its status.
pub(super) fn outputs(choice: &Choice, id: &str, tools: &ToolTable) -> Vec<Json> {
    let mut builder = Builder {
        id,
        tools,
        items: Vec::new(),
    };
    for part in &choice.parts {
        builder.part(part);
    }
    builder.add_logprobs(choice.logprobs.as_ref());
    let is_cut = matches!(
        choice.stop,
        StopReason::Length | StopReason::ContextWindow | StopReason::ContentFilter
    );
    let last = builder.items.len().saturating_sub(1);
    let json = |(index, (output, status)): (usize, (Output, Option<String>))| {
        let usual = if is_cut && index == last {
            "incomplete"
        } else {
            "completed"
        };
        output.json(status.as_deref().unwrap_or(usual))
    };
    builder.items.into_iter().enumerate().map(json).collect()
}

struct Builder<'a> {
    id: &'a str,
    tools: &'a ToolTable,
    /// Items, with their status where the provider said it in this protocol.
    items: Vec<(Output, Option<String>)>,
}

/// What is kept of an item of a provider's that speaks this protocol.
#[derive(Default, Deserialize)]
struct Kept {
    id: Option<String>,
    status: Option<String>,
}

impl Kept {
    fn of(extension: &Extension) -> Option<Self> {
        extension.kept(PROTOCOL, marks::ITEM)?.read()
    }
}

impl Builder<'_> {
    fn next_id(&self, prefix: &str) -> String {
        item_id(prefix, self.id, self.items.len())
    }

    fn part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Text(text) => self.content(part, text, false),
            PartKind::Refusal(text) => self.content(part, text, true),
            PartKind::Reasoning(thought) => self.thought(part, thought),
            PartKind::ToolCall(call) => self.call(part, call),
            PartKind::Media(media) => self.image(media),
            PartKind::Foreign if part.extension.protocol() == PROTOCOL => {
                self.items
                    .push((Output::Whole(marks::whole(&part.extension)), None));
            }
            PartKind::Foreign | PartKind::ToolResult(_) => {}
        }
    }

    /// Text goes on the message before it unless it began one of its own.
    fn content(&mut self, part: &Part, text: &str, is_refusal: bool) {
        let mut content = Content {
            is_refusal,
            text: text.to_owned(),
            ..Content::default()
        };
        let mut members = Vec::new();
        for (name, value) in part.extension.members(PROTOCOL) {
            match name.strip_prefix(marks::MESSAGE) {
                Some(name) => members.push((name.to_owned(), value.clone())),
                None => content.members.push((name.clone(), value.clone())),
            }
        }
        if part.extension.protocol() != PROTOCOL {
            content.annotations = annotations(&part.extension);
        }
        let kept = Kept::of(&part.extension);
        if kept.is_none()
            && let Some((Output::Message(message), _)) = self.items.last_mut()
        {
            message.contents.push(content);
            return;
        }
        let kept = kept.unwrap_or_default();
        let message = Message {
            id: kept.id.unwrap_or_else(|| self.next_id("msg")),
            contents: vec![content],
            members,
        };
        self.items.push((Output::Message(message), kept.status));
    }

    fn thought(&mut self, part: &Part, thought: &Reasoning) {
        if let Some(raw) = part.extension.kept(PROTOCOL, marks::RAW) {
            self.items.push((Output::Whole(raw.clone()), None));
            return;
        }
        let encrypted = thought.signature.as_ref();
        let output = Thought {
            id: thought.id.clone().unwrap_or_else(|| self.next_id("rs")),
            text: thought.text.clone(),
            is_summary: thought.is_summary || part.extension.protocol() != PROTOCOL,
            encrypted: encrypted.map(|signature| opaque::thought(signature, thought.is_redacted)),
        };
        self.items.push((Output::Thought(output), None));
    }

    fn call(&mut self, part: &Part, call: &ToolCall) {
        let kept = Kept::of(&part.extension).unwrap_or_default();
        let prefix = if call.is_custom { "ctc" } else { "fc" };
        let mut output = Call {
            id: kept.id.unwrap_or_else(|| self.next_id(prefix)),
            call_id: call.id.clone(),
            name: call.name.clone(),
            namespace: None,
            arguments: call.arguments.clone(),
            is_custom: call.is_custom,
            members: part.extension.members(PROTOCOL).to_vec(),
        };
        output.known_as(self.tools);
        if part.extension.protocol() != PROTOCOL {
            output.complete();
        }
        let read = |mark| part.extension.kept(PROTOCOL, mark)?.read::<String>();
        if let (Some(namespace), Some(name)) = (read(marks::NAMESPACE), read(marks::NAME)) {
            output.namespace = Some(namespace);
            output.name = name;
        }
        self.items.push((Output::Call(output), kept.status));
        if let Some(signature) = &call.signature {
            let carrier = Thought {
                id: self.next_id("rs"),
                text: String::new(),
                is_summary: true,
                encrypted: Some(opaque::call(signature, &call.id)),
            };
            self.items.push((Output::Thought(carrier), None));
        }
    }

    /// A picture that the model made, as this protocol's own tool for it gives one.
    fn image(&mut self, media: &Media) {
        if let (MediaKind::Image, Source::Base64(data)) = (media.kind, &media.source) {
            let item = Object::new()
                .set("id", &self.next_id("ig"))
                .set("type", "image_generation_call")
                .set("status", "completed")
                .set("result", data);
            self.items.push((Output::Whole(item.finish()), None));
        }
    }

    /// Probabilities stand with the first text, unless the texts have brought their own.
    fn add_logprobs(&mut self, logprobs: Option<&Json>) {
        let Some(logprobs) = logprobs.map(token_logprobs) else {
            return;
        };
        let messages = self.items.iter_mut().filter_map(|(output, _)| match output {
            Output::Message(message) => Some(message),
            _ => None,
        });
        let text = messages
            .flat_map(|message| &mut message.contents)
            .find(|content| !content.is_refusal);
        if let Some(text) = text {
            text.logprobs = logprobs;
        }
    }
}
