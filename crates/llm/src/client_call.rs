//! What a client asks by the path it calls, on native routes.

use std::borrow::Cow;

use crate::protocol::Protocol;

/// What path and query of a request say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCall<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// The model that the path names.
    pub model: Option<Cow<'a, str>>,
    /// Whether the path asks for a stream; `None` where the body says.
    pub stream: Option<bool>,
    /// Whether a stream is read as server-sent events, in a protocol that has two forms.
    pub is_sse: bool,
}

/// Ends of paths whose protocol they name (llm-protocols §1).
const ENDS: [(&str, Protocol); 9] = [
    ("/chat/completions", Protocol::OpenAiChat),
    ("/v1/completions", Protocol::OpenAiCompletions),
    ("/v1/responses", Protocol::OpenAiResponses),
    ("/v1/embeddings", Protocol::OpenAiEmbeddings),
    ("/v1/messages", Protocol::AnthropicMessages),
    ("/v2/chat", Protocol::CohereChat),
    ("/api/chat", Protocol::OllamaChat),
    ("/api/generate", Protocol::OllamaGenerate),
    ("/openai/v1/responses", Protocol::OpenAiResponses),
];

impl<'a> ClientCall<'a> {
    /// What a normalised path (percent-decoded) means; a path that is not known means [`Protocol::Passthrough`].
    ///
    /// ```
    /// use sluice_llm::{ClientCall, Protocol};
    ///
    /// let call = ClientCall::of("/v1beta/models/gemini-2.5-flash:streamGenerateContent", Some("alt=sse"));
    /// assert_eq!(call.protocol, Protocol::GeminiGenerate);
    /// assert_eq!(call.model.as_deref(), Some("gemini-2.5-flash"));
    /// assert_eq!((call.stream, call.is_sse), (Some(true), true));
    /// ```
    #[must_use]
    pub fn of(path: &'a str, query: Option<&str>) -> Self {
        if let Some(call) = gemini(path, query).or_else(|| bedrock(path)) {
            return call;
        }
        let protocol = ENDS
            .iter()
            .find(|(end, _)| path.ends_with(end))
            .map_or(Protocol::Passthrough, |(_, protocol)| *protocol);
        Self {
            protocol,
            model: None,
            stream: None,
            is_sse: true,
        }
    }

    /// A call in that protocol about which the path says nothing more.
    #[must_use]
    pub fn in_protocol(protocol: Protocol) -> Self {
        Self {
            protocol,
            model: None,
            stream: None,
            is_sse: true,
        }
    }
}

/// `/v1beta/models/{model}:{method}`, the model also as `tunedModels/…` or behind publishers of Vertex.
fn gemini<'a>(path: &'a str, query: Option<&str>) -> Option<ClientCall<'a>> {
    let (before, method) = path.rsplit_once(':')?;
    let (_, model) = before.rsplit_once("/models/")?;
    let stream = match method {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => return None,
    };
    Some(ClientCall {
        protocol: Protocol::GeminiGenerate,
        model: Some(Cow::Borrowed(model)),
        stream: Some(stream),
        is_sse: query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .any(|pair| pair == "alt=sse"),
    })
}

/// `/model/{model}/converse` and `/converse-stream`.
fn bedrock(path: &str) -> Option<ClientCall<'_>> {
    let (before, stream) = match path.strip_suffix("/converse") {
        Some(before) => (before, false),
        None => (path.strip_suffix("/converse-stream")?, true),
    };
    let model = before.split_once("/model/").map(|(_, model)| model);
    Some(ClientCall {
        protocol: Protocol::BedrockConverse,
        model: model.map(Cow::Borrowed),
        stream: Some(stream),
        is_sse: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_protocol_model_and_stream() {
        let read = |path, query| {
            let call = ClientCall::of(path, query);
            (call.protocol, call.model.map(Cow::into_owned), call.stream)
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            read("/v1/chat/completions", None),
            (Protocol::OpenAiChat, None, None)
        );
        assert_eq!(
            read("/v1/completions", None),
            (Protocol::OpenAiCompletions, None, None)
        );
        assert_eq!(
            read("/model/us.anthropic.claude:0/converse-stream", None),
            (
                Protocol::BedrockConverse,
                named("us.anthropic.claude:0"),
                Some(true)
            )
        );
        assert_eq!(
            read("/v1/models/gemini-2.5-pro:generateContent", None),
            (Protocol::GeminiGenerate, named("gemini-2.5-pro"), Some(false))
        );
        assert_eq!(read("/api/chat", None), (Protocol::OllamaChat, None, None));
        assert_eq!(read("/v1/moderations", None), (Protocol::Passthrough, None, None));
        assert!(!ClientCall::of("/v1beta/models/g:streamGenerateContent", Some("key=alt=sse")).is_sse);
    }
}
