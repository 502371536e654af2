//! What kind of trouble a provider's refusal is: what decides whether another target may do better.

use http::StatusCode;

use super::ProviderMessage;

/// The class of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke before there was anything for the client.
    Connection,
    /// A rate or quota at the provider is used up.
    RateLimit,
    /// The provider takes no more work at present.
    Overloaded,
    /// The provider failed.
    ServerError,
    /// The provider refuses the gateway's key or account.
    Auth,
    /// The provider does not have the model.
    NotFound,
    /// The request is longer than the model can read.
    ContextOverflow,
    /// The provider refuses to answer this content.
    ContentFilter,
}

/// Codes and kinds that say that a request is too long (llm-protocols §17).
const OVERFLOW_CODES: [&str; 4] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "context_window_exceeded",
    "model_context_window_exceeded",
];

/// The same in words, lower case: OpenAI, vLLM, Mistral and Together; Anthropic; Gemini; Bedrock; llama.cpp; Cohere;
/// Groq; Ollama; xAI.
const OVERFLOW_WORDS: [&str; 14] = [
    "maximum context length",
    "context length exceeded",
    "context_length_exceeded",
    "prompt is too long",
    "exceed context limit",
    "input token count",
    "input is too long for requested model",
    "available context size",
    "context window",
    "too many tokens: ",
    "reduce the length of the messages",
    "input length exceeds",
    "maximum prompt length",
    "must be <= ",
];

const FILTER_CODES: [&str; 6] = [
    "content_filter",
    "content_policy_violation",
    "responsible_ai_policy_violation",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
    "moderation_blocked",
];

const FILTER_WORDS: [&str; 6] = [
    "content management policy",
    "content filtering policy",
    "content policy",
    "safety system",
    "prohibited_content",
    "inappropriate content",
];

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::Timeout,
        Self::Connection,
        Self::RateLimit,
        Self::Overloaded,
        Self::ServerError,
        Self::Auth,
        Self::NotFound,
        Self::ContextOverflow,
        Self::ContentFilter,
    ];

    /// Name in configurations and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::ContextOverflow => "context_overflow",
            Self::ContentFilter => "content_filter",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The class of an answer that is an error, by its status and what the provider says. `None` for what is the
    /// client's own fault and fails everywhere.
    ///
    /// ```
    /// use http::StatusCode;
    /// use sluice_llm::ErrorClass;
    ///
    /// let body = br#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#;
    /// assert_eq!(ErrorClass::of(StatusCode::BAD_REQUEST, body), Some(ErrorClass::ContextOverflow));
    /// ```
    #[must_use]
    pub fn of(status: StatusCode, body: &[u8]) -> Option<Self> {
        let code = status.as_u16();
        if let Some(class) = Self::of_status(code) {
            return Some(class);
        }
        if !(400..500).contains(&code) {
            return None;
        }
        let said = ProviderMessage::read(body)?;
        let names = [said.code.as_deref(), said.kind.as_deref()];
        let named = |known: &[&str]| {
            names
                .into_iter()
                .flatten()
                .any(|name| known.iter().any(|known| name.eq_ignore_ascii_case(known)))
        };
        let message = said.message.to_lowercase();
        let says = |known: &[&str]| known.iter().any(|words| message.contains(words));
        if named(&["rate_limit_exceeded", "insufficient_quota"]) {
            Some(Self::RateLimit)
        } else if named(&OVERFLOW_CODES) || says(&OVERFLOW_WORDS) {
            Some(Self::ContextOverflow)
        } else if named(&FILTER_CODES) || says(&FILTER_WORDS) {
            Some(Self::ContentFilter)
        } else if code == 404 || named(&["model_not_found", "model_not_supported"]) {
            Some(Self::NotFound)
        } else {
            None
        }
    }

    /// The class that a status has whatever the body says.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            408 | 504 => Self::Timeout,
            429 => Self::RateLimit,
            401..=403 => Self::Auth,
            503 | 529 => Self::Overloaded,
            500..=599 => Self::ServerError,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str) -> Option<&'static str> {
        let status = StatusCode::from_u16(status).unwrap();
        ErrorClass::of(status, body.as_bytes()).map(ErrorClass::name)
    }

    #[test]
    fn statuses_say_most() {
        for (status, expected) in [
            (200, None),
            (400, None),
            (401, Some("auth")),
            (402, Some("auth")),
            (404, None),
            (408, Some("timeout")),
            (429, Some("rate_limit")),
            (500, Some("server_error")),
            (502, Some("server_error")),
            (503, Some("overloaded")),
            (504, Some("timeout")),
            (529, Some("overloaded")),
        ] {
            assert_eq!(class(status, "<html>"), expected, "{status}");
        }
    }

    #[test]
    fn overflow_is_recognised_in_every_providers_words() {
        for body in [
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 tokens > 1 maximum"}}"#,
            r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
            r#"{"message":"Input is too long for requested model."}"#,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            r#"{"message":"too many tokens: size limit exceeded by 9 tokens"}"#,
            r#"{"object":"error","message":"Prompt contains 9 tokens, too large for model with 8 maximum context length"}"#,
            r#"{"error":{"message":"Please reduce the length of the messages or completion.","code":"context_length_exceeded"}}"#,
        ] {
            assert_eq!(class(400, body), Some("context_overflow"), "{body}");
        }
    }

    #[test]
    fn filters_and_missing_models_are_recognised() {
        for (status, body, expected) in [
            (
                400,
                r#"{"error":{"code":"content_filter","message":"The response was filtered"}}"#,
                Some("content_filter"),
            ),
            (
                400,
                r#"{"error":{"code":"content_policy_violation","message":"no"}}"#,
                Some("content_filter"),
            ),
            (
                404,
                r#"{"error":{"code":"model_not_found","message":"no such model"}}"#,
                Some("not_found"),
            ),
            (400, r#"{"error":{"message":"temperature is too high"}}"#, None),
            (
                413,
                r#"{"error":{"code":"rate_limit_exceeded","message":"Request too large"}}"#,
                Some("rate_limit"),
            ),
        ] {
            assert_eq!(class(status, body), expected, "{body}");
        }
    }

    #[test]
    fn names_read_back() {
        for class in ErrorClass::ALL {
            assert_eq!(ErrorClass::from_name(class.name()), Some(class));
        }
        assert_eq!(ErrorClass::from_name("all"), None);
    }
}
