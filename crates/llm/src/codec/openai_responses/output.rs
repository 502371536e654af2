//! Items of an answer, as they are built up and as the client gets them.

use serde::Deserialize;

use super::PROTOCOL;
use super::envelope::ToolTable;
use super::marks;
use crate::chat::{Extension, Json, Object, array};
use crate::protocol::Protocol;

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

/// The annotations that an extension holds: one of this protocol as it is, or the citations of OpenAI chat.
pub(super) fn annotations(extension: &Extension) -> Vec<Json> {
    if extension.protocol() == PROTOCOL {
        return vec![Object::new().extend(extension, PROTOCOL).finish()];
    }
    let list = extension.get(Protocol::OpenAiChat, "annotations");
    let list: Vec<Json> = list.and_then(|list| list.read()).unwrap_or_default();
    list.iter().filter_map(flat_citation).collect()
}

/// A citation, whose members stand beside its type here.
fn flat_citation(annotation: &Json) -> Option<Json> {
    let citation = annotation.fields()?.json("url_citation")?;
    let mut object = Object::new().set("type", "url_citation");
    marks::put_kept(&mut object, &citation);
    Some(object.finish())
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
