//! What a client asks by the path it calls, on native routes.

use std::borrow::Cow;

use crate::protocol::{Operation, Protocol};

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
const ENDS: [(&str, Protocol); 24] = [
    ("/chat/completions", Protocol::OpenAiChat),
    ("/v1/completions", Protocol::OpenAiCompletions),
    ("/v1/responses", Protocol::OpenAiResponses),
    ("/v1/embeddings", Protocol::OpenAiEmbeddings),
    ("/v1/messages", Protocol::AnthropicMessages),
    ("/v2/chat", Protocol::CohereChat),
    ("/api/chat", Protocol::OllamaChat),
    ("/api/generate", Protocol::OllamaGenerate),
    ("/v1/messages/count_tokens", Protocol::AnthropicCountTokens),
    ("/v1/responses/input_tokens", Protocol::OpenAiInputTokens),
    ("/v2/embed", Protocol::CohereEmbed),
    ("/v2/rerank", Protocol::CohereRerank),
    ("/v1/rerank", Protocol::JinaRerank),
    ("/api/embed", Protocol::OllamaEmbed),
    ("/api/embeddings", Protocol::OllamaEmbeddings),
    ("/v1/images/generations", Protocol::OpenAiMedia),
    ("/v1/images/edits", Protocol::OpenAiMedia),
    ("/v1/images/variations", Protocol::OpenAiMedia),
    ("/v1/audio/speech", Protocol::OpenAiMedia),
    ("/v1/audio/transcriptions", Protocol::OpenAiMedia),
    ("/v1/audio/translations", Protocol::OpenAiMedia),
    ("/v1/moderations", Protocol::OpenAiObjects),
    ("/v1/files", Protocol::OpenAiObjects),
    ("/v1/batches", Protocol::OpenAiObjects),
];

/// The same without `/v1`, as clients call whose base URL lacks it.
const BARE: [(&str, Protocol); 3] = [
    ("/completions", Protocol::OpenAiCompletions),
    ("/responses", Protocol::OpenAiResponses),
    ("/embeddings", Protocol::OpenAiEmbeddings),
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
            .or_else(|| BARE.iter().find(|(whole, _)| *whole == path))
            .map(|(_, protocol)| *protocol)
            .or_else(|| is_openai_object(path).then_some(Protocol::OpenAiObjects))
            .unwrap_or(Protocol::Passthrough);
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

/// What follows `/v1` in the path of one of OpenAI's endpoints that are relayed: providers have it beside their chat.
#[must_use]
pub fn openai_resource(path: &str) -> Option<&str> {
    let call = ClientCall::of(path, None);
    if call.protocol.operation() != Operation::Relay {
        return None;
    }
    OPENAI_ROOTS
        .iter()
        .find_map(|root| path.rfind(root))
        .and_then(|at| path.get(at + "/v1".len()..))
}

/// Where the paths of OpenAI's relayed endpoints begin.
const OPENAI_ROOTS: [&str; 6] = [
    "/v1/images/",
    "/v1/audio/",
    "/v1/moderations",
    "/v1/files",
    "/v1/batches",
    "/v1/responses/",
];

/// A file, a batch or a stored response, or something of one.
fn is_openai_object(path: &str) -> bool {
    ["/v1/files/", "/v1/batches/", "/v1/responses/"]
        .iter()
        .any(|root| path.split_once(root).is_some_and(|(_, id)| !id.is_empty()))
}

/// `/v1beta/models/{model}:{method}`, the model also as `tunedModels/…` or behind publishers of Vertex.
fn gemini<'a>(path: &'a str, query: Option<&str>) -> Option<ClientCall<'a>> {
    let (before, method) = path.rsplit_once(':')?;
    let (_, model) = before.rsplit_once("/models/")?;
    let (protocol, stream) = match method {
        "generateContent" => (Protocol::GeminiGenerate, false),
        "streamGenerateContent" => (Protocol::GeminiGenerate, true),
        "countTokens" => (Protocol::GeminiCountTokens, false),
        "embedContent" => (Protocol::GeminiEmbed, false),
        "batchEmbedContents" => (Protocol::GeminiBatchEmbed, false),
        _ => return None,
    };
    Some(ClientCall {
        protocol,
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
        for (path, protocol) in BARE {
            assert_eq!(read(path, None), (protocol, None, None));
        }
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
        assert_eq!(read("/v1/unknown", None), (Protocol::Passthrough, None, None));
        assert_eq!(
            read("/v1beta/models/e:batchEmbedContents", None),
            (Protocol::GeminiBatchEmbed, named("e"), Some(false))
        );
        assert!(!ClientCall::of("/v1beta/models/g:streamGenerateContent", Some("key=alt=sse")).is_sse);
    }

    #[test]
    fn what_providers_have_beside_their_chat() {
        for (path, expected) in [
            ("/v1/images/edits", Some("/images/edits")),
            ("/team/v1/audio/speech", Some("/audio/speech")),
            ("/v1/files", Some("/files")),
            ("/v1/files/file-1/content", Some("/files/file-1/content")),
            ("/v1/batches/batch_1/cancel", Some("/batches/batch_1/cancel")),
            ("/v1/responses/resp_1", Some("/responses/resp_1")),
            ("/v1/responses", None),
            ("/v1/responses/input_tokens", None),
            ("/v1/chat/completions", None),
            ("/v1/files/", None),
        ] {
            assert_eq!(openai_resource(path), expected, "{path}");
        }
    }
}
