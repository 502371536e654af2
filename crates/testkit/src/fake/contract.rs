//! Answers by the prompt contract, in the wire format of each endpoint.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::prompt::outcome;
use super::record::Recorded;
use super::{anthropic, bedrock, openai, responses, vertex};

/// A complete answer.
pub(super) struct Contracted {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
    /// Frames after which the connection breaks.
    pub(super) cut_after: Option<usize>,
}

pub(super) enum Content {
    /// Known whole, sent with its length.
    Whole(Bytes),
    /// Sent piece by piece.
    Frames(Vec<Bytes>),
}

impl Contracted {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".into())],
            content: Content::Whole(body.to_string().into()),
            cut_after: None,
        }
    }

    pub(super) fn events(frames: Vec<Bytes>, cut_after: Option<usize>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "text/event-stream".into())],
            content: Content::Frames(frames),
            cut_after,
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The answer to a request. `number` makes ids that differ between requests.
pub(super) fn answer(request: &Recorded, number: usize) -> Contracted {
    let anthropic = request.headers.contains_key("anthropic-version");
    if request.method == Method::GET {
        return match request.path.split_once("/models") {
            Some((_, id)) if anthropic => anthropic::models(id.trim_start_matches('/')),
            Some((_, id)) => openai::models(id.trim_start_matches('/')),
            None => openai::error(404),
        };
    }
    if request.path.ends_with("/token") {
        return vertex::token(request, number);
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return if anthropic {
            anthropic::error(400, number)
        } else {
            openai::error(400)
        };
    };
    let streams = body["stream"] == json!(true);
    match request.path.as_str() {
        path if path.ends_with("/messages/count_tokens") => anthropic::count_tokens(&body),
        path if path.ends_with("/messages") => match outcome(&body) {
            Err(status) => anthropic::error(status, number),
            Ok(outcome) if streams => anthropic::stream(&body, &outcome, number),
            Ok(outcome) => anthropic::message(&body, &outcome, number),
        },
        path if path.ends_with("/converse") || path.ends_with("/converse-stream") => {
            bedrock::answer(request, &body, number)
        }
        path if path.ends_with(":predict") => match vertex::check(request) {
            Err(refusal) => refusal,
            Ok(()) => vertex::predict(&body),
        },
        path if path.ends_with("/embeddings") => openai::embeddings(&body),
        path if path.ends_with("/moderations") => openai::moderations(&body, number),
        path => match outcome(&body) {
            Err(status) => openai::error(status),
            Ok(outcome) if path.ends_with("/chat/completions") => openai::chat(&body, &outcome, number),
            Ok(outcome) if path.ends_with("/completions") => openai::completions(&body, &outcome, number),
            Ok(outcome) if path.ends_with("/responses") => responses::respond(&body, &outcome, number),
            Ok(_) => openai::error(404),
        },
    }
}

/// An event without a name, as OpenAI's streams have them.
pub(super) fn data(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}

/// An event named after its `type`, as Anthropic's messages and OpenAI's responses have them.
pub(super) fn named(value: &Value) -> Bytes {
    let name = value["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n").into()
}
