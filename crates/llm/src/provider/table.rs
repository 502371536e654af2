//! The providers, one row each (compat §5.2; headers: llm-protocols §1, §3, §6, §10).

use super::{Endpoint, Headers, KeyHeader, Location, MaxTokens, Needs, Provider, Quirks};
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
        headers: Headers {
            from_client: &["idempotency-key", "openai-beta"],
            to_client: &["openai-processing-ms", "openai-version"],
            ..BEARER
        },
        ..compatible("openai", Location::Host("api.openai.com"))
    },
    Provider {
        endpoints: &[
            endpoint(Protocol::OpenAiChat, "/v1/chat/completions", MAX_TOKENS),
            endpoint(Protocol::OpenAiResponses, "/v1/responses", MAX_OUTPUT_TOKENS),
            endpoint(Protocol::OpenAiEmbeddings, "/v1/embeddings", MaxTokens::Unmapped),
        ],
        ..compatible("openai-compatible", Location::Configured)
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/completions", MAX_TOKENS)],
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
        ..compatible("deepseek", Location::Host("api.deepseek.com"))
    },
    Provider {
        endpoints: &[endpoint(Protocol::OpenAiChat, "/chat/completions", MAX_TOKENS)],
        ..compatible("aimlapi", Location::Host("api.aimlapi.com"))
    },
    Provider {
        endpoints: &[endpoint(
            Protocol::OpenAiChat,
            "/api/v1/chat/completions",
            MAX_TOKENS,
        )],
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
        needs: Needs::ProjectAndRegionOrEndpoint,
        ..compatible("vertex-ai", Location::Vertex)
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
        needs: Needs::Nothing,
        headers: BEARER,
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
