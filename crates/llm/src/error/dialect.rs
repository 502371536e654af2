//! The dialects in which clients read errors.

use bytes::Bytes;
use http::HeaderMap;

/// The API family that a client takes the gateway for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI chat, completions, embeddings and everything that is not known better.
    OpenAi,
    /// OpenAI Responses: bodies as [`OpenAi`](Self::OpenAi), streams of its own.
    OpenAiResponses,
    /// Anthropic.
    Anthropic,
    /// Google Gemini.
    Gemini,
    /// AWS Bedrock.
    Bedrock,
    /// Cohere v2.
    Cohere,
    /// Ollama.
    Ollama,
}

impl Dialect {
    /// Tells the dialect by the normalised path, and by headers where several dialects share a path. Needs no body, so
    /// that it works for a request that is refused before it was read.
    #[must_use]
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        Self::by(path, |name| headers.contains_key(name))
    }

    /// The same, where `has` says whether a request came with a header of that name, also one that is gone since.
    #[must_use]
    pub fn by(path: &str, has: impl Fn(&str) -> bool) -> Self {
        let ends_with_any = |suffixes: &[&str]| suffixes.iter().any(|suffix| path.ends_with(suffix));
        if path.contains("/v1/messages") {
            Self::Anthropic
        } else if (path.contains("/v1beta/") && !path.contains("/v1beta/openai/"))
            || names_gemini_method(path)
        {
            Self::Gemini
        } else if path.contains("/v1/responses") {
            Self::OpenAiResponses
        } else if ends_with_any(&[
            "/converse",
            "/converse-stream",
            "/invoke",
            "/invoke-with-response-stream",
        ]) {
            Self::Bedrock
        } else if ends_with_any(&["/v2/chat", "/v2/embed", "/v2/rerank"]) {
            Self::Cohere
        } else if ends_with_any(&[
            "/api/chat",
            "/api/generate",
            "/api/embed",
            "/api/embeddings",
            "/api/tags",
        ]) {
            Self::Ollama
        } else if ends_with_any(&["/completions", "/embeddings"]) {
            Self::OpenAi
        } else if has("anthropic-version") {
            Self::Anthropic
        } else if has("x-goog-api-key") {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }

    /// What can be sent into a silent stream to keep the connection open. `None` where every byte is taken for
    /// content, or where no harmless event exists (llm-protocols §2).
    #[must_use]
    pub fn keep_alive(self) -> Option<Bytes> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some(Bytes::from_static(b": keep-alive\n\n")),
            Self::Anthropic => Some(Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n")),
            Self::Gemini | Self::Bedrock | Self::Cohere | Self::Ollama => None,
        }
    }
}

/// Whether a path calls one of Gemini's methods on a model, under whatever version of the API.
fn names_gemini_method(path: &str) -> bool {
    const METHODS: [&str; 5] = [
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "embedContent",
        "batchEmbedContents",
    ];
    path.rsplit_once(':')
        .is_some_and(|(model, method)| model.contains("/models/") && METHODS.contains(&method))
}
