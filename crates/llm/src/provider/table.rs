//! The providers, one row each (compat §5.2; headers: llm-protocols §1, §3, §6, §10).

use super::{
    CallIds, EffortMember, Endpoint, Headers, KeyHeader, Location, MaxTokens, Needs, Provider, Quirks,
    ReasoningBack, StreamUsageAsk,
};
use crate::protocol::Protocol;

const MAX_TOKENS: MaxTokens = MaxTokens::Member("max_tokens");
const MAX_COMPLETION_TOKENS: MaxTokens = MaxTokens::Member("max_completion_tokens");
const MAX_OUTPUT_TOKENS: MaxTokens = MaxTokens::Member("max_output_tokens");

const BEARER: Headers = Headers {
    key: KeyHeader::Bearer,
    fixed: &[],
    from_client: &[],
    to_client: &[],
};

/// OpenAI's own.
const OPENAI_HEADERS: Headers = Headers {
    from_client: &["idempotency-key", "openai-beta"],
    to_client: &["openai-processing-ms", "openai-version"],
    ..BEARER
};

/// What servers of one's own differ in: they take the thoughts of earlier turns where they write them.
const LOCAL_QUIRKS: Quirks = Quirks {
    reasoning_back: ReasoningBack::Content,
    refuses: &["store", "metadata", "service_tier"],
    ..Quirks::COMPATIBLE
};

/// OpenAI's own paths, as most servers have them that are compatible with it.
const OPENAI_PATHS: &[Endpoint] = &[
    endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
    endpoint(Protocol::OpenAiCompletions, "/v1/completions", MAX_TOKENS),
    endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
];

/// The same, with the rerank endpoint that servers of one's own have beside them.
const SERVER_PATHS: &[Endpoint] = &[
    endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
    endpoint(Protocol::OpenAiCompletions, "/v1/completions", MAX_TOKENS),
    endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
    endpoint(Protocol::JinaRerank, "/v1/rerank", MaxTokens::Unmapped),
];

/// Headers of an answer that any provider may send and any client may see.
pub(super) const RETURNED_BY_ALL: &[&str] = &[
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-*",
    "x-request-id",
    "x-should-retry",
];

pub(super) const PROVIDERS: &[Provider] = &[
    Provider {
        endpoints: &[
            endpoint(
                Protocol::OpenAiChat,
                "/v1/chat/completions",
                MaxTokens::Displacing {
                    member: "max_completion_tokens",
                    removed: "max_tokens",
                },
            ),
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
        ],
        native: &[
            endpoint(
                Protocol::OpenAiChat,
                "/v1/chat/completions",
                MaxTokens::Displacing {
                    member: "max_completion_tokens",
                    removed: "max_tokens",
                },
            ),
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiCompletions, "/v1/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
            endpoint(
                Protocol::OpenAiInputTokens,
                "/v1/responses/input_tokens",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks::NONE,
        headers: OPENAI_HEADERS,
        ..compatible("openai", Location::Host("api.openai.com"))
    },
    Provider {
        endpoints: &[endpoint(
            Protocol::OpenAiResponses,
            "/v1/responses",
            MAX_OUTPUT_TOKENS,
        )],
        native: &[
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
            endpoint(
                Protocol::OpenAiInputTokens,
                "/v1/responses/input_tokens",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks::NONE,
        headers: OPENAI_HEADERS,
        ..compatible("openai-responses", Location::Host("api.openai.com"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
        ],
        native: SERVER_PATHS,
        ..compatible("openai-compatible", Location::Configured)
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/completions", MAX_TOKENS)],
        native: &[
            endpoint(
                Protocol::OpenAiChat,
                "/openai/deployments/{model}/chat/completions",
                MAX_COMPLETION_TOKENS,
            ),
            endpoint(
                Protocol::OpenAiCompletions,
                "/openai/deployments/{model}/completions",
                MAX_TOKENS,
            ),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/openai/deployments/{model}/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        query: &[("api-version", "2024-10-21")],
        quirks: Quirks::NONE,
        drops_model: true,
        headers: Headers {
            key: KeyHeader::Named("api-key"),
            to_client: &["apim-request-id", "x-ms-region"],
            ..BEARER
        },
        ..compatible("azure-openai", Location::Configured)
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::AnthropicMessages, "/v1/messages", MAX_TOKENS),
        ],
        native: &[
            endpoint(Protocol::AnthropicMessages, "/v1/messages", MAX_TOKENS),
            endpoint(
                Protocol::AnthropicCountTokens,
                "/v1/messages/count_tokens",
                MaxTokens::Unmapped,
            ),
        ],
        headers: Headers {
            key: KeyHeader::Named("x-api-key"),
            fixed: &[("anthropic-version", "2023-06-01")],
            from_client: &["anthropic-beta", "anthropic-version"],
            to_client: &["anthropic-ratelimit-*"],
        },
        ..compatible("anthropic", Location::Host("api.anthropic.com"))
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/chat/completions", MAX_TOKENS)],
        quirks: Quirks {
            reasoning_back: ReasoningBack::Content,
            json_schema: false,
            effort: EffortMember::Nowhere,
            refuses: &["logit_bias", "seed", "n", "parallel_tool_calls", "user"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("deepseek", Location::Host("api.deepseek.com"))
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/chat/completions", MAX_TOKENS)],
        native: &[
            endpoint(Protocol::OpenAiChat, "/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/embeddings", MaxTokens::Unmapped),
        ],
        ..compatible("aimlapi", Location::Host("api.aimlapi.com"))
    },
    Provider {
        endpoints: &[endpoint(
            Protocol::OpenAiChat,
            "/api/v1/chat/completions",
            MAX_TOKENS,
        )],
        native: &[
            endpoint(Protocol::OpenAiChat, "/api/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiCompletions, "/api/v1/completions", MAX_TOKENS),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/api/v1/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks {
            reasoning_back: ReasoningBack::Details,
            effort: EffortMember::Reasoning,
            ..Quirks::COMPATIBLE
        },
        headers: Headers {
            from_client: &["http-referer", "x-title"],
            ..BEARER
        },
        ..compatible("openrouter", Location::Host("openrouter.ai"))
    },
    Provider {
        endpoints: &[endpoint(
            Protocol::OpenAiChat,
            "/v1beta/openai/chat/completions",
            MAX_COMPLETION_TOKENS,
        )],
        native: &[
            Endpoint {
                protocol: Protocol::GeminiGenerate,
                path: "/v1beta/models/{model}:generateContent",
                stream_path: Some("/v1beta/models/{model}:streamGenerateContent"),
                max_tokens: MaxTokens::GenerationConfig,
            },
            endpoint(
                Protocol::GeminiBatchEmbed,
                "/v1beta/models/{model}:batchEmbedContents",
                MaxTokens::Unmapped,
            ),
            endpoint(
                Protocol::GeminiEmbed,
                "/v1beta/models/{model}:embedContent",
                MaxTokens::Unmapped,
            ),
            endpoint(
                Protocol::GeminiCountTokens,
                "/v1beta/models/{model}:countTokens",
                MaxTokens::Unmapped,
            ),
        ],
        headers: Headers {
            key: KeyHeader::Named("x-goog-api-key"),
            ..BEARER
        },
        ..compatible("gemini", Location::Host("generativelanguage.googleapis.com"))
    },
    Provider {
        endpoints: &[
            endpoint(
                Protocol::OpenAiChat,
                "/v1beta1/projects/{project}/locations/{region}/endpoints/openapi/chat/completions",
                MAX_COMPLETION_TOKENS,
            ),
            endpoint(
                Protocol::VertexPredict,
                "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:predict",
                MaxTokens::Unmapped,
            ),
        ],
        native: &[
            Endpoint {
                protocol: Protocol::GeminiGenerate,
                path: "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:generateContent",
                stream_path: Some(
                    "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:streamGenerateContent",
                ),
                max_tokens: MaxTokens::GenerationConfig,
            },
            endpoint(
                Protocol::VertexPredict,
                "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:predict",
                MaxTokens::Unmapped,
            ),
            endpoint(
                Protocol::GeminiCountTokens,
                "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:countTokens",
                MaxTokens::Unmapped,
            ),
        ],
        needs: Needs::ProjectAndRegionOrEndpoint,
        ..compatible("vertex-ai", Location::Vertex)
    },
    Provider {
        // Claude on Vertex AI: Messages without the model, with a version in the body (llm-protocols §9).
        endpoints: &[Endpoint {
            protocol: Protocol::AnthropicMessages,
            path: "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
            stream_path: Some(
                "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:streamRawPredict",
            ),
            max_tokens: MAX_TOKENS,
        }],
        native: &[
            Endpoint {
                protocol: Protocol::AnthropicMessages,
                path: "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
                stream_path: Some(
                    "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:streamRawPredict",
                ),
                max_tokens: MAX_TOKENS,
            },
            endpoint(
                Protocol::AnthropicCountTokens,
                "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/count-tokens:rawPredict",
                MaxTokens::Unmapped,
            ),
        ],
        drops_model: true,
        body: &[("anthropic_version", "vertex-2023-10-16")],
        needs: Needs::ProjectAndRegionOrEndpoint,
        headers: Headers {
            from_client: &["anthropic-beta"],
            ..BEARER
        },
        ..compatible("vertex-anthropic", Location::Vertex)
    },
    Provider {
        endpoints: &[Endpoint {
            protocol: Protocol::BedrockConverse,
            path: "/model/{model}/converse",
            stream_path: Some("/model/{model}/converse-stream"),
            max_tokens: MaxTokens::InferenceConfig,
        }],
        drops_model: true,
        needs: Needs::RegionAndAwsKeys,
        headers: Headers {
            to_client: &["x-amzn-errortype", "x-amzn-requestid"],
            ..BEARER
        },
        ..compatible(
            "bedrock",
            Location::Host("bedrock-runtime.{region}.amazonaws.com"),
        )
    },
    Provider {
        endpoints: &[endpoint(
            Protocol::OpenAiChat,
            "/compatibility/v1/chat/completions",
            MAX_TOKENS,
        )],
        native: &[
            endpoint(Protocol::CohereChat, "/v2/chat", MAX_TOKENS),
            endpoint(Protocol::CohereEmbed, "/v2/embed", MaxTokens::Unmapped),
            endpoint(Protocol::CohereRerank, "/v2/rerank", MaxTokens::Unmapped),
        ],
        ..compatible("cohere", Location::Host("api.cohere.com"))
    },
    Provider {
        endpoints: OPENAI_PATHS,
        native: &[
            endpoint(Protocol::OllamaChat, "/api/chat", MaxTokens::Options),
            endpoint(Protocol::OllamaGenerate, "/api/generate", MaxTokens::Options),
            endpoint(Protocol::OllamaEmbed, "/api/embed", MaxTokens::Unmapped),
            endpoint(Protocol::OllamaEmbeddings, "/api/embeddings", MaxTokens::Unmapped),
            endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiCompletions, "/v1/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
        ],
        ..compatible("ollama", Location::Local(11434))
    },
    Provider {
        endpoints: OPENAI_PATHS,
        quirks: Quirks {
            seed: "random_seed",
            required: Some("any"),
            call_ids: CallIds::Nine,
            stream_usage: StreamUsageAsk::Unasked,
            effort: EffortMember::Nowhere,
            refuses: &[
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "user",
                "store",
                "metadata",
                "service_tier",
                "top_k",
            ],
            ..Quirks::COMPATIBLE
        },
        ..compatible("mistral", Location::Host("api.mistral.ai"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
        ],
        quirks: Quirks {
            refuses: &["logit_bias", "top_k"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("xai", Location::Host("api.x.ai"))
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/chat/completions", MAX_TOKENS)],
        quirks: Quirks {
            json_object: false,
            refuses: &["logit_bias", "logprobs", "top_logprobs", "n", "seed", "user"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("perplexity", Location::Host("api.perplexity.ai"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/openai/v1/chat/completions", MAX_TOKENS),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/openai/v1/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks {
            refuses: &[
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                "top_k",
                "store",
                "metadata",
            ],
            ..Quirks::COMPATIBLE
        },
        ..compatible("groq", Location::Host("api.groq.com"))
    },
    Provider {
        endpoints: OPENAI_PATHS,
        native: SERVER_PATHS,
        quirks: Quirks {
            required: None,
            ..Quirks::COMPATIBLE
        },
        ..compatible("together", Location::Host("api.together.xyz"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/inference/v1/chat/completions", MAX_TOKENS),
            endpoint(
                Protocol::OpenAiCompletions,
                "/inference/v1/completions",
                MAX_TOKENS,
            ),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/inference/v1/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        ..compatible("fireworks", Location::Host("api.fireworks.ai"))
    },
    Provider {
        endpoints: &[
            endpoint(
                Protocol::OpenAiChat,
                "/v1/chat/completions",
                MAX_COMPLETION_TOKENS,
            ),
            endpoint(Protocol::OpenAiCompletions, "/v1/completions", MAX_TOKENS),
        ],
        quirks: Quirks {
            max_tokens: "max_completion_tokens",
            refuses: &[
                "frequency_penalty",
                "presence_penalty",
                "logit_bias",
                "n",
                "top_k",
            ],
            ..Quirks::COMPATIBLE
        },
        ..compatible("cerebras", Location::Host("api.cerebras.ai"))
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS)],
        quirks: Quirks {
            reasoning_back: ReasoningBack::Content,
            json_schema: false,
            effort: EffortMember::Nowhere,
            refuses: &["logit_bias", "logprobs", "top_logprobs", "seed", "top_k"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("moonshot", Location::Host("api.moonshot.ai"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/api/paas/v4/chat/completions", MAX_TOKENS),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/api/paas/v4/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks {
            required: None,
            json_schema: false,
            effort: EffortMember::Nowhere,
            refuses: &[
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                "seed",
                "frequency_penalty",
                "presence_penalty",
                "parallel_tool_calls",
                "top_k",
            ],
            ..Quirks::COMPATIBLE
        },
        ..compatible("zhipu", Location::Host("open.bigmodel.cn"))
    },
    Provider {
        endpoints: &[
            endpoint(
                Protocol::OpenAiChat,
                "/compatible-mode/v1/chat/completions",
                MAX_TOKENS,
            ),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/compatible-mode/v1/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks {
            effort: EffortMember::Nowhere,
            refuses: &["logit_bias", "frequency_penalty", "store", "metadata"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("dashscope", Location::Host("dashscope.aliyuncs.com"))
    },
    Provider {
        endpoints: OPENAI_PATHS,
        quirks: Quirks {
            refuses: &["logit_bias", "n", "store", "metadata"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("nvidia", Location::Host("integrate.api.nvidia.com"))
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS)],
        quirks: Quirks {
            refuses: &["store", "metadata"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("huggingface", Location::Host("router.huggingface.co"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/inference/chat/completions", MAX_TOKENS),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/inference/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        quirks: Quirks {
            refuses: &["store", "metadata", "top_k"],
            ..Quirks::COMPATIBLE
        },
        ..compatible("github", Location::Host("models.github.ai"))
    },
    Provider {
        endpoints: &[endpoint(
            Protocol::OpenAiEmbeddings,
            "/v1/embeddings",
            MaxTokens::Unmapped,
        )],
        native: &[
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
            endpoint(Protocol::JinaRerank, "/v1/rerank", MaxTokens::Unmapped),
        ],
        ..compatible("jina", Location::Host("api.jina.ai"))
    },
    local("vllm", 8000),
    local("sglang", 30000),
    local("llama.cpp", 8080),
    Provider {
        quirks: Quirks {
            json_object: false,
            ..LOCAL_QUIRKS
        },
        ..local("lmstudio", 1234)
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/api/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiCompletions, "/api/v1/completions", MAX_TOKENS),
            endpoint(
                Protocol::OpenAiEmbeddings,
                "/api/v1/embeddings",
                MaxTokens::Unmapped,
            ),
        ],
        native: &[],
        ..local("lemonade", 8000)
    },
    local("localai", 8080),
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
            endpoint(Protocol::AnthropicMessages, "/v1/messages", MAX_TOKENS),
        ],
        ..compatible("echo", Location::BuiltIn)
    },
];

/// A row with what most providers have in common, and no endpoint.
const fn compatible(name: &'static str, location: Location) -> Provider {
    Provider {
        name,
        location,
        endpoints: &[],
        native: &[],
        quirks: Quirks::COMPATIBLE,
        drops_model: false,
        body: &[],
        query: &[],
        needs: Needs::Nothing,
        headers: BEARER,
    }
}

/// A row for a server that one runs oneself, with OpenAI's paths.
const fn local(name: &'static str, port: u16) -> Provider {
    Provider {
        endpoints: OPENAI_PATHS,
        native: SERVER_PATHS,
        quirks: LOCAL_QUIRKS,
        ..compatible(name, Location::Local(port))
    }
}

const fn endpoint(protocol: Protocol, path: &'static str, max_tokens: MaxTokens) -> Endpoint {
    Endpoint {
        protocol,
        path,
        stream_path: None,
        max_tokens,
    }
}
