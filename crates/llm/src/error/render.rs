//! A [`PublicError`] in every dialect, as a body and as the event that ends a stream (llm-protocols §17).

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use sluice_wire::{write_event_message, write_frame};

use super::{Dialect, ErrorKind, PublicError};

impl PublicError {
    /// The body of an error answer, in JSON.
    ///
    /// Anthropic's bodies name the request; other dialects do so in headers only.
    #[must_use]
    pub fn body(&self, dialect: Dialect, request_id: Option<&str>) -> Bytes {
        self.json(dialect, request_id).to_string().into()
    }

    /// What ends a stream whose head is already out.
    ///
    /// `events_sent` is the number of events that the client got before; the events of OpenAI Responses are numbered.
    #[must_use]
    pub fn event(&self, dialect: Dialect, request_id: Option<&str>, events_sent: u64) -> Bytes {
        let (name, data) = match dialect {
            Dialect::OpenAi | Dialect::Gemini => (None, self.json(dialect, request_id)),
            Dialect::Anthropic => (Some("error"), self.json(dialect, request_id)),
            Dialect::OpenAiResponses => (
                Some("error"),
                json!({
                    "type": "error", "code": self.openai_code(), "message": self.message, "param": self.param,
                    "sequence_number": events_sent,
                }),
            ),
            Dialect::Cohere => {
                let delta = json!({ "finish_reason": "ERROR", "error": self.message });
                (
                    Some("message-end"),
                    json!({ "type": "message-end", "delta": delta }),
                )
            }
            Dialect::Ollama => return format!("{}\n", self.json(dialect, request_id)).into(),
            Dialect::Bedrock => {
                let headers = [
                    (":exception-type", self.bedrock_exception()),
                    (":content-type", "application/json"),
                    (":message-type", "exception"),
                ];
                let payload = self.json(dialect, request_id).to_string();
                let mut out = BytesMut::new();
                write_event_message(&mut out, &headers, payload.as_bytes());
                return out.freeze();
            }
        };
        let mut out = BytesMut::new();
        write_frame(&mut out, name, data.to_string().as_bytes());
        out.freeze()
    }

    fn json(&self, dialect: Dialect, request_id: Option<&str>) -> Value {
        let message = &self.message;
        match dialect {
            Dialect::OpenAi | Dialect::OpenAiResponses => json!({ "error": {
                "message": message, "type": self.openai_type(), "param": self.param, "code": self.openai_code(),
            } }),
            Dialect::Anthropic => {
                let mut body = json!({ "type": "error", "error": { "type": self.anthropic_type(), "message": message } });
                if let Some(id) = request_id {
                    body["request_id"] = id.into();
                }
                body
            }
            Dialect::Gemini => json!({ "error": {
                "code": self.status(dialect).as_u16(), "message": message, "status": self.gemini_status(),
            } }),
            Dialect::Bedrock | Dialect::Cohere => json!({ "message": message }),
            Dialect::Ollama => json!({ "error": message }),
        }
    }

    fn openai_type(&self) -> &'static str {
        match self.kind {
            ErrorKind::InvalidRequest
            | ErrorKind::Authentication
            | ErrorKind::NotFound
            | ErrorKind::RequestTooLarge => "invalid_request_error",
            ErrorKind::Permission => "permission_error",
            ErrorKind::RateLimit => "rate_limit_error",
            ErrorKind::Timeout | ErrorKind::Upstream | ErrorKind::Overloaded | ErrorKind::Internal => {
                "server_error"
            }
        }
    }

    fn openai_code(&self) -> Option<&str> {
        self.code().or(match self.kind {
            ErrorKind::Authentication => Some("invalid_api_key"),
            ErrorKind::RateLimit => Some("rate_limit_exceeded"),
            _ => None,
        })
    }

    fn anthropic_type(&self) -> &'static str {
        match self.kind {
            ErrorKind::InvalidRequest => "invalid_request_error",
            ErrorKind::Authentication => "authentication_error",
            ErrorKind::Permission => "permission_error",
            ErrorKind::NotFound => "not_found_error",
            ErrorKind::RequestTooLarge => "request_too_large",
            ErrorKind::RateLimit => "rate_limit_error",
            ErrorKind::Timeout => "timeout_error",
            ErrorKind::Overloaded => "overloaded_error",
            ErrorKind::Upstream | ErrorKind::Internal => "api_error",
        }
    }

    /// The header that tells clients of Bedrock the class of an error; other dialects have it in the body.
    #[must_use]
    pub fn class_header(&self, dialect: Dialect) -> Option<(HeaderName, HeaderValue)> {
        if dialect != Dialect::Bedrock {
            return None;
        }
        let class = match self.kind {
            ErrorKind::InvalidRequest | ErrorKind::RequestTooLarge => "ValidationException",
            ErrorKind::Authentication | ErrorKind::Permission => "AccessDeniedException",
            ErrorKind::NotFound => "ResourceNotFoundException",
            ErrorKind::RateLimit => "ThrottlingException",
            ErrorKind::Timeout => "ModelTimeoutException",
            ErrorKind::Overloaded => "ServiceUnavailableException",
            ErrorKind::Upstream | ErrorKind::Internal => "InternalServerException",
        };
        let name = HeaderName::from_static("x-amzn-errortype");
        Some((name, HeaderValue::from_static(class)))
    }

    /// The exceptions that a Converse stream can end with.
    fn bedrock_exception(&self) -> &'static str {
        match self.kind {
            ErrorKind::InvalidRequest
            | ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::NotFound
            | ErrorKind::RequestTooLarge => "validationException",
            ErrorKind::RateLimit => "throttlingException",
            ErrorKind::Upstream | ErrorKind::Timeout => "modelStreamErrorException",
            ErrorKind::Overloaded => "serviceUnavailableException",
            ErrorKind::Internal => "internalServerException",
        }
    }

    fn gemini_status(&self) -> &'static str {
        match self.kind {
            ErrorKind::InvalidRequest | ErrorKind::RequestTooLarge => "INVALID_ARGUMENT",
            ErrorKind::Authentication => "UNAUTHENTICATED",
            ErrorKind::Permission => "PERMISSION_DENIED",
            ErrorKind::NotFound => "NOT_FOUND",
            ErrorKind::RateLimit => "RESOURCE_EXHAUSTED",
            ErrorKind::Timeout => "DEADLINE_EXCEEDED",
            ErrorKind::Upstream | ErrorKind::Overloaded
                if self.status == StatusCode::INTERNAL_SERVER_ERROR =>
            {
                "INTERNAL"
            }
            ErrorKind::Upstream | ErrorKind::Overloaded => "UNAVAILABLE",
            ErrorKind::Internal => "INTERNAL",
        }
    }
}
