//! Items of an answer, as they are built up and as the client gets them.

use serde::Deserialize;

use super::PROTOCOL;
use super::envelope::ToolTable;
use super::marks;
use super::opaque;
use crate::chat::{
    Choice, Extension, Json, Media, MediaKind, Object, Part, PartKind, Reasoning, Source, StopReason,
    ToolCall, array,
};

/// An item of the output.
pub(super) enum Output {
    Message(Message),
    Thought(Thought),
    Call(Call),
    /// One that is complete as it is.
    Whole(Json),
}

/// A message of the model.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) contents: Vec<Content>,
    /// Further members of the item.
    pub(super) members: Vec<(String, Json)>,
}

/// A content part of a message.
#[derive(Default)]
pub(super) struct Content {
    pub(super) is_refusal: bool,
    pub(super) text: String,
    pub(super) annotations: Vec<Json>,
    pub(super) logprobs: Vec<Json>,
    /// Further members of the part.
    pub(super) members: Vec<(String, Json)>,
}

/// A thought.
pub(super) struct Thought {
    pub(super) id: String,
    pub(super) text: String,
    /// Whether the text is shown as a summary and not as content.
    pub(super) is_summary: bool,
    pub(super) encrypted: Option<String>,
}

/// A call of a tool, under the names that the client knows.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) arguments: String,
    pub(super) is_custom: bool,
    /// Further members of the item.
    pub(super) members: Vec<(String, Json)>,
}

/// Id of an item by its place in the output.
pub(super) fn item_id(prefix: &str, id: &str, index: usize) -> String {
    format!("{prefix}_{id}_{index}")
}

impl Output {
    /// The item, its texts as far as they are there.
    pub(super) fn json(&self, status: &str) -> Json {
        match self {
            Self::Message(message) => message.json(status),
            Self::Thought(thought) => thought.json(),
            Self::Call(call) => call.json(status),
            Self::Whole(json) => json.clone(),
        }
    }
}

impl Message {
    fn json(&self, status: &str) -> Json {
        let contents: Vec<_> = self.contents.iter().map(Content::json).collect();
        let object = Object::new()
            .set("id", &self.id)
            .set("type", "message")
            .set("status", status)
            .set("role", "assistant")
            .set("content", &array(&contents));
        with(object, &self.members).finish()
    }
}

impl Content {
    /// The part.
    pub(super) fn json(&self) -> Json {
        if self.is_refusal {
            let object = Object::new().set("type", "refusal").set("refusal", &self.text);
            return with(object, &self.members).finish();
        }
        let has = |name: &str| self.members.iter().any(|(known, _)| known == name);
        let mut object = Object::new().set("type", "output_text").set("text", &self.text);
        if !has("annotations") {
            object.put("annotations", &array(&self.annotations));
        }
        if !has("logprobs") {
            object.put("logprobs", &array(&self.logprobs));
        }
        with(object, &self.members).finish()
    }
}

impl Thought {
    fn json(&self) -> Json {
        let object = Object::new().set("id", &self.id).set("type", "reasoning");
        let parts: &[Json] = match self.text.is_empty() {
            true => &[],
            false => &[self.part()],
        };
        let object = if self.is_summary {
            object.set("summary", &array(parts))
        } else {
            object.set("summary", &[(); 0]).set("content", &array(parts))
        };
        object
            .set_some("encrypted_content", self.encrypted.as_ref())
            .finish()
    }

    /// The one part of the summary or the content.
    pub(super) fn part(&self) -> Json {
        text_part(self.is_summary, &self.text)
    }
}

/// A part of a summary or of the content of a thought.
pub(super) fn text_part(is_summary: bool, text: &str) -> Json {
    let kind = if is_summary {
        "summary_text"
    } else {
        "reasoning_text"
    };
    Object::new().set("type", kind).set("text", text).finish()
}

impl Call {
    fn json(&self, status: &str) -> Json {
        let (kind, member) = match self.is_custom {
            true => ("custom_tool_call", "input"),
            false => ("function_call", "arguments"),
        };
        let object = Object::new()
            .set("id", &self.id)
            .set("type", kind)
            .set("status", status)
            .set(member, &self.arguments)
            .set("call_id", &self.call_id)
            .set("name", &self.name)
            .set_some("namespace", self.namespace.as_ref());
        with(object, &self.members).finish()
    }

    /// The call as the client knows it: tools of namespaces under their own names, and what was sent as a function with
    /// one text argument, because the provider has no custom tools, as the custom tool that it is.
    pub(super) fn known_as(&mut self, tools: &ToolTable) {
        let Some(known) = tools.get(&self.name) else {
            return;
        };
        self.namespace.clone_from(&known.namespace);
        self.name.clone_from(&known.name);
        if known.is_custom && !self.is_custom {
            self.is_custom = true;
            self.unwrap_input();
        }
    }

    /// The call is complete: clients read arguments as JSON, and no text is none.
    pub(super) fn complete(&mut self) {
        if !self.is_custom && self.arguments.trim().is_empty() {
            "{}".clone_into(&mut self.arguments);
        }
    }

    /// Takes the input of a custom tool out of the arguments that it was wrapped in.
    pub(super) fn unwrap_input(&mut self) {
        #[derive(Deserialize)]
        struct Wrapped {
            input: String,
        }

        if let Ok(wrapped) = serde_json::from_str::<Wrapped>(&self.arguments) {
            self.arguments = wrapped.input;
        }
    }
}

fn with(mut object: Object, members: &[(String, Json)]) -> Object {
    for (name, value) in members {
        object.put(name, value);
    }
    object
}

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
                let whole = Object::new().extend(&part.extension, PROTOCOL).finish();
                self.items.push((Output::Whole(whole), None));
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

/// The probabilities of the text's tokens in OpenAI chat's `logprobs`.
pub(super) fn token_logprobs(logprobs: &Json) -> Vec<Json> {
    #[derive(Deserialize)]
    struct Logprobs {
        content: Option<Vec<Json>>,
    }

    let read = logprobs.read::<Logprobs>();
    read.and_then(|logprobs| logprobs.content).unwrap_or_default()
}
