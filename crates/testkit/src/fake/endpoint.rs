//! Which endpoint of which provider a request is for.

use http::Method;

use super::record::Recorded;

/// The wire format of answers and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenAi,
    /// OpenAI's errors, events with names.
    Responses,
    Anthropic,
    Bedrock,
    Gemini,
    Cohere,
    Ollama,
}

/// An endpoint. A name is that of the model asked for, empty for the list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Moderations,
    Images,
    Speech,
    Transcriptions,
    /// OpenAI's files and batches: the rest of the path.
    Files(String),
    Batches(String),
    OpenAiModels(String),
    /// The rerank endpoint of Jina, vLLM and others.
    Rerank,
    Messages,
    CountMessageTokens,
    AnthropicModels(String),
    Converse {
        stream: bool,
    },
    /// Messages on Bedrock.
    Invoke {
        stream: bool,
    },
    Generate {
        stream: bool,
    },
    CountTokens,
    EmbedContent {
        batch: bool,
    },
    GeminiModels(String),
    /// Messages on Vertex AI.
    RawPredict {
        stream: bool,
    },
    /// Embeddings of Vertex AI.
    Predict,
    /// Google's token endpoint.
    Token,
    CohereChat,
    CohereEmbed,
    CohereRerank,
    OllamaChat,
    OllamaGenerate,
    OllamaEmbed,
    OllamaTags,
    Unknown,
}

impl Endpoint {
    pub(super) fn of(request: &Recorded) -> Self {
        let path = &*request.path;
        for (mark, make) in [
            ("/files", Self::Files as fn(String) -> Self),
            ("/batches", Self::Batches),
        ] {
            if let Some((before, rest)) = path.split_once(mark)
                && before.ends_with("/v1")
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return make(rest.trim_start_matches('/').to_owned());
            }
        }
        if request.method == Method::GET {
            return Self::of_get(request);
        }
        if let Some((_, method)) = path.rsplit_once(':')
            && let Some(endpoint) = Self::of_google(path, method)
        {
            return endpoint;
        }
        let ends: [(&str, Self); 25] = [
            ("/token", Self::Token),
            ("/messages/count_tokens", Self::CountMessageTokens),
            ("/messages", Self::Messages),
            ("/converse", Self::Converse { stream: false }),
            ("/converse-stream", Self::Converse { stream: true }),
            ("/invoke", Self::Invoke { stream: false }),
            ("/invoke-with-response-stream", Self::Invoke { stream: true }),
            ("/embeddings", Self::Embeddings),
            ("/moderations", Self::Moderations),
            ("/chat/completions", Self::Chat),
            ("/completions", Self::Completions),
            ("/responses", Self::Responses),
            ("/images/generations", Self::Images),
            ("/images/edits", Self::Images),
            ("/images/variations", Self::Images),
            ("/audio/speech", Self::Speech),
            ("/audio/transcriptions", Self::Transcriptions),
            ("/audio/translations", Self::Transcriptions),
            ("/v2/chat", Self::CohereChat),
            ("/v2/embed", Self::CohereEmbed),
            ("/v2/rerank", Self::CohereRerank),
            ("/rerank", Self::Rerank),
            ("/api/chat", Self::OllamaChat),
            ("/api/generate", Self::OllamaGenerate),
            ("/api/embed", Self::OllamaEmbed),
        ];
        ends.into_iter()
            .find_map(|(end, endpoint)| path.ends_with(end).then_some(endpoint))
            .unwrap_or(Self::Unknown)
    }

    fn of_get(request: &Recorded) -> Self {
        let path = &*request.path;
        if path.ends_with("/api/tags") {
            return Self::OllamaTags;
        }
        let Some((before, id)) = path.split_once("/models") else {
            return Self::Unknown;
        };
        let id = id.trim_start_matches('/').to_owned();
        if before.ends_with("/v1beta") || request.headers.contains_key("x-goog-api-key") {
            Self::GeminiModels(id)
        } else if request.headers.contains_key("anthropic-version") {
            Self::AnthropicModels(id)
        } else {
            Self::OpenAiModels(id)
        }
    }

    /// Google's methods, which stand behind the colon.
    fn of_google(path: &str, method: &str) -> Option<Self> {
        Some(match method {
            "generateContent" => Self::Generate { stream: false },
            "streamGenerateContent" => Self::Generate { stream: true },
            "countTokens" => Self::CountTokens,
            "embedContent" => Self::EmbedContent { batch: false },
            "batchEmbedContents" => Self::EmbedContent { batch: true },
            "predict" => Self::Predict,
            "rawPredict" if path.ends_with("/count-tokens:rawPredict") => Self::CountMessageTokens,
            "rawPredict" => Self::RawPredict { stream: false },
            "streamRawPredict" => Self::RawPredict { stream: true },
            _ => return None,
        })
    }

    /// The wire format that `request` expects.
    pub(super) fn dialect(&self, request: &Recorded) -> Dialect {
        match self {
            Self::Responses => Dialect::Responses,
            Self::Messages
            | Self::CountMessageTokens
            | Self::AnthropicModels(_)
            | Self::RawPredict { .. } => Dialect::Anthropic,
            Self::Converse { .. } | Self::Invoke { .. } => Dialect::Bedrock,
            Self::Generate { .. }
            | Self::CountTokens
            | Self::EmbedContent { .. }
            | Self::GeminiModels(_)
            | Self::Predict => Dialect::Gemini,
            Self::CohereChat | Self::CohereEmbed | Self::CohereRerank => Dialect::Cohere,
            Self::OllamaChat | Self::OllamaGenerate | Self::OllamaEmbed | Self::OllamaTags => Dialect::Ollama,
            Self::Unknown if request.headers.contains_key("anthropic-version") => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        }
    }
}

/// The model that a path names: what stands behind `marker`, up to the end or the method.
pub(super) fn model_in<'a>(path: &'a str, marker: &str) -> &'a str {
    let rest = path.split_once(marker).map_or("", |(_, rest)| rest);
    let rest = rest.rsplit_once(':').map_or(rest, |(model, _)| model);
    rest.split('/').next().unwrap_or_default()
}
