//! The protocols that clients and providers speak, and how a client's is recognised.

use std::fmt;

use sluice_wire::{JsonView, Kind};

use crate::request::RequestView;
use crate::stream_event::Framing;

/// A wire protocol of an LLM API. The names of the first are APISIX's (compat §4.1.2); it does not know the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Anthropic's counting of a request's tokens.
    AnthropicCountTokens,
    /// Anthropic Messages.
    AnthropicMessages,
    /// AWS Bedrock Converse.
    BedrockConverse,
    /// Cohere v2 chat.
    CohereChat,
    /// Cohere v2 embeddings.
    CohereEmbed,
    /// Cohere v2 rerank.
    CohereRerank,
    /// Gemini `batchEmbedContents`.
    GeminiBatchEmbed,
    /// Gemini `countTokens`.
    GeminiCountTokens,
    /// Gemini `embedContent`.
    GeminiEmbed,
    /// Gemini `generateContent` and `streamGenerateContent`.
    GeminiGenerate,
    /// Rerank as Jina, vLLM and others have it.
    JinaRerank,
    /// Ollama `/api/chat`.
    OllamaChat,
    /// Ollama `/api/embed`.
    OllamaEmbed,
    /// Ollama's older `/api/embeddings`, one text at a time.
    OllamaEmbeddings,
    /// Ollama `/api/generate`.
    OllamaGenerate,
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// OpenAI's legacy Completions.
    OpenAiCompletions,
    /// OpenAI Embeddings.
    OpenAiEmbeddings,
    /// OpenAI's counting of the tokens of a request to Responses.
    OpenAiInputTokens,
    /// OpenAI's images and audio: relayed, their usage read.
    OpenAiMedia,
    /// OpenAI's files, batches, stored responses and moderations: relayed.
    OpenAiObjects,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Any other JSON body: relayed, not understood.
    Passthrough,
    /// Vertex AI `:predict` for embeddings. Providers speak it, clients do not.
    VertexPredict,
}

/// What a call asks for. A call goes to any provider that does the same, in whichever protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The next turn of a conversation.
    Chat,
    /// Vectors for texts.
    Embed,
    /// The order of documents by how well they answer a query.
    Rerank,
    /// How many tokens a conversation has.
    CountTokens,
    /// One of OpenAI's other endpoints: relayed to where the provider has it.
    Relay,
    /// Not known: relayed as it is.
    Unknown,
}

impl Protocol {
    /// All protocols, ordered by name.
    pub const ALL: [Self; 24] = [
        Self::AnthropicCountTokens,
        Self::AnthropicMessages,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::CohereEmbed,
        Self::CohereRerank,
        Self::GeminiBatchEmbed,
        Self::GeminiCountTokens,
        Self::GeminiEmbed,
        Self::GeminiGenerate,
        Self::JinaRerank,
        Self::OllamaChat,
        Self::OllamaEmbed,
        Self::OllamaEmbeddings,
        Self::OllamaGenerate,
        Self::OpenAiChat,
        Self::OpenAiCompletions,
        Self::OpenAiEmbeddings,
        Self::OpenAiInputTokens,
        Self::OpenAiMedia,
        Self::OpenAiObjects,
        Self::OpenAiResponses,
        Self::Passthrough,
        Self::VertexPredict,
    ];

    /// The name in configuration, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnthropicCountTokens => "anthropic-count-tokens",
            Self::AnthropicMessages => "anthropic-messages",
            Self::BedrockConverse => "bedrock-converse",
            Self::CohereChat => "cohere-chat",
            Self::CohereEmbed => "cohere-embed",
            Self::CohereRerank => "cohere-rerank",
            Self::GeminiBatchEmbed => "gemini-batch-embed",
            Self::GeminiCountTokens => "gemini-count-tokens",
            Self::GeminiEmbed => "gemini-embed",
            Self::GeminiGenerate => "gemini-generate",
            Self::JinaRerank => "jina-rerank",
            Self::OllamaChat => "ollama-chat",
            Self::OllamaEmbed => "ollama-embed",
            Self::OllamaEmbeddings => "ollama-embeddings",
            Self::OllamaGenerate => "ollama-generate",
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiCompletions => "openai-completions",
            Self::OpenAiEmbeddings => "openai-embeddings",
            Self::OpenAiInputTokens => "openai-input-tokens",
            Self::OpenAiMedia => "openai-media",
            Self::OpenAiObjects => "openai-objects",
            Self::OpenAiResponses => "openai-responses",
            Self::Passthrough => "passthrough",
            Self::VertexPredict => "vertex-predict",
        }
    }

    /// The protocol of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Recognises a client's protocol by the normalised path and the body (compat §5.1). `None` for a body that no
    /// protocol could mean: an empty object or array, or no object or array at all.
    #[must_use]
    pub fn detect(path: &str, request: &RequestView) -> Option<Self> {
        let members = match request.json() {
            JsonView::Object(members) => members,
            JsonView::Array { count, .. } => return (*count > 0).then_some(Self::Passthrough),
            JsonView::Scalar { .. } => return None,
        };
        let has_messages = matches!(request.messages_kind(), Some(Kind::Array | Kind::Object));
        let has_input = request.input_kind().is_some();
        if has_messages && path.ends_with("/converse") {
            Some(Self::BedrockConverse)
        } else if path.ends_with("/v1/messages") {
            Some(Self::AnthropicMessages)
        } else if has_input && path.ends_with("/v1/responses") {
            Some(Self::OpenAiResponses)
        } else if has_messages {
            Some(Self::OpenAiChat)
        } else if has_input {
            Some(Self::OpenAiEmbeddings)
        } else {
            (!members.is_empty()).then_some(Self::Passthrough)
        }
    }

    /// Whether it is a conversation with a model, which can be translated to any other such protocol.
    #[must_use]
    pub const fn is_chat(self) -> bool {
        matches!(self.operation(), Operation::Chat)
    }

    /// What is asked of a provider.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::AnthropicMessages
            | Self::BedrockConverse
            | Self::CohereChat
            | Self::GeminiGenerate
            | Self::OllamaChat
            | Self::OllamaGenerate
            | Self::OpenAiChat
            | Self::OpenAiCompletions
            | Self::OpenAiResponses => Operation::Chat,
            Self::CohereEmbed
            | Self::GeminiBatchEmbed
            | Self::GeminiEmbed
            | Self::OllamaEmbed
            | Self::OllamaEmbeddings
            | Self::OpenAiEmbeddings
            | Self::VertexPredict => Operation::Embed,
            Self::CohereRerank | Self::JinaRerank => Operation::Rerank,
            Self::AnthropicCountTokens | Self::GeminiCountTokens | Self::OpenAiInputTokens => {
                Operation::CountTokens
            }
            Self::OpenAiMedia | Self::OpenAiObjects => Operation::Relay,
            Self::Passthrough => Operation::Unknown,
        }
    }

    /// How streams in this protocol are framed.
    #[must_use]
    pub const fn framing(self) -> Framing {
        match self {
            Self::BedrockConverse => Framing::EventStream,
            Self::OllamaChat | Self::OllamaGenerate => Framing::Lines,
            _ => Framing::Sse,
        }
    }

    /// Whether a client that speaks this protocol asks for a stream with that body.
    #[must_use]
    pub fn wants_stream(self, request: &RequestView) -> bool {
        match self {
            _ if matches!(
                self.operation(),
                Operation::Embed | Operation::Rerank | Operation::CountTokens
            ) =>
            {
                false
            }
            // The one family where a stream is what a client gets that says nothing (llm-protocols §1).
            Self::OllamaChat | Self::OllamaGenerate => request.stream_or(true),
            _ => request.stream(),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn detect(path: &str, body: &'static str) -> Option<Protocol> {
        Protocol::detect(
            path,
            &RequestView::parse(Bytes::from_static(body.as_bytes())).unwrap(),
        )
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        use Protocol::*;
        let cases = [
            ("/model/a.b/converse", r#"{"messages":[]}"#, Some(BedrockConverse)),
            (
                "/model/a.b/converse",
                r#"{"messages":"x","input":1}"#,
                Some(OpenAiEmbeddings),
            ),
            (
                "/v1/messages",
                r#"{"messages":[],"input":"x"}"#,
                Some(AnthropicMessages),
            ),
            ("/proxy/v1/messages", "{}", Some(AnthropicMessages)),
            ("/v1/messages", "[1]", Some(Passthrough)),
            ("/v1/responses", r#"{"input":null}"#, Some(OpenAiResponses)),
            ("/v1/responses", r#"{"messages":[]}"#, Some(OpenAiChat)),
            ("/v1/responses/", r#"{"input":"x"}"#, Some(OpenAiEmbeddings)),
            ("/anything", r#"{"messages":{},"input":"x"}"#, Some(OpenAiChat)),
            ("/anything", r#"{"messages":"x"}"#, Some(Passthrough)),
            ("/anything", r#"{"input":["a"]}"#, Some(OpenAiEmbeddings)),
            ("/anything", r#"{"prompt":"x"}"#, Some(Passthrough)),
            ("/anything", r#"[{"messages":[]}]"#, Some(Passthrough)),
            ("/anything", "{}", None),
            ("/anything", "[]", None),
            ("/anything", "\"messages\"", None),
        ];
        for (path, body, expected) in cases {
            assert_eq!(detect(path, body), expected, "{path} {body}");
        }
    }

    #[test]
    fn names_round_trip_and_are_ordered() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::from_name(protocol.name()), Some(protocol));
        }
        assert!(Protocol::ALL.is_sorted_by_key(|protocol| protocol.name()));
        assert_eq!(Protocol::from_name("openai"), None);
    }

    #[test]
    fn embeddings_never_stream() {
        let request = RequestView::parse(Bytes::from_static(br#"{"input":"x","stream":true}"#)).unwrap();
        assert!(!Protocol::OpenAiEmbeddings.wants_stream(&request));
        assert!(Protocol::OpenAiResponses.wants_stream(&request));
    }
}
