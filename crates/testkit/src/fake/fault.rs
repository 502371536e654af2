//! Errors, as each provider words them: as an answer and within a stream.

use bytes::Bytes;
use serde_json::{Value, json};

use super::bedrock;
use super::contract::{Contracted, data, named};
use super::endpoint::Dialect;

/// What goes wrong.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// HTTP status, of the answer or that the error in a stream stands for.
    pub(super) status: u16,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// An error that says nothing.
    pub(super) fn plain(status: u16) -> Self {
        Self::new(status, format!("fake error {status}"))
    }

    /// The error as an answer.
    pub(super) fn answer(&self, dialect: Dialect, number: usize) -> Contracted {
        match dialect {
            Dialect::OpenAi | Dialect::Responses => self.openai(),
            Dialect::Anthropic => self.anthropic(number),
            Dialect::Bedrock => Contracted::json(self.status, &json!({"message": self.message}))
                .with_header("x-amzn-errortype", self.bedrock_kind())
                .with_header("x-amzn-requestid", format!("req-fake-{number}")),
            Dialect::Gemini => Contracted::json(self.status, &self.gemini_body()),
            Dialect::Cohere => {
                let id = format!("00000000-0000-0000-0000-{number:012}");
                self.with_retry(Contracted::json(
                    self.status,
                    &json!({"id": id, "message": self.message}),
                ))
            }
            Dialect::Ollama => Contracted::json(self.status, &json!({"error": self.message})),
        }
    }

    /// The error as the event that ends a stream after `sent` others.
    pub(super) fn event(&self, dialect: Dialect, sent: usize) -> Bytes {
        match dialect {
            Dialect::OpenAi => data(&json!({"error": self.openai_error()})),
            Dialect::Responses => named(&json!({
                "type": "error",
                "code": self.openai_error()["type"],
                "message": self.message,
                "param": null,
                "sequence_number": sent,
            })),
            Dialect::Anthropic => named(&json!({"type": "error", "error": self.anthropic_error()})),
            Dialect::Bedrock => {
                bedrock::exception(self.bedrock_exception(), &json!({"message": self.message}))
            }
            Dialect::Gemini => data(&self.gemini_body()),
            Dialect::Cohere => named(&json!({
                "type": "message-end",
                "delta": {"finish_reason": "ERROR", "error": self.message},
            })),
            Dialect::Ollama => format!("{}\n", json!({"error": self.message})).into(),
        }
    }

    /// The error as the last element of a stream that is a JSON array.
    pub(super) fn element(&self, sent: usize) -> Bytes {
        let opening = if sent == 0 { "[" } else { ",\r\n" };
        format!("{opening}{}\r\n]", self.gemini_body()).into()
    }

    fn openai(&self) -> Contracted {
        self.with_retry(Contracted::json(
            self.status,
            &json!({"error": self.openai_error()}),
        ))
    }

    fn openai_error(&self) -> Value {
        let (kind, code) = match self.status {
            401 => ("invalid_request_error", json!("invalid_api_key")),
            403 => ("permission_error", json!("model_not_allowed")),
            404 => ("invalid_request_error", json!("not_found")),
            408 => ("timeout", Value::Null),
            429 => ("rate_limit_error", json!("rate_limit_exceeded")),
            500.. => ("server_error", Value::Null),
            _ => ("invalid_request_error", json!("invalid_value")),
        };
        json!({"message": self.message, "type": kind, "param": null, "code": code})
    }

    fn anthropic(&self, number: usize) -> Contracted {
        let id = format!("req_fake_{number}");
        let body = json!({"type": "error", "error": self.anthropic_error(), "request_id": id});
        self.with_retry(Contracted::json(self.status, &body).with_header("request-id", id))
    }

    fn anthropic_error(&self) -> Value {
        let kind = match self.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            400..500 => "invalid_request_error",
            _ => "api_error",
        };
        json!({"type": kind, "message": self.message})
    }

    fn bedrock_kind(&self) -> &'static str {
        match self.status {
            401 | 403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 | 529 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        }
    }

    fn bedrock_exception(&self) -> &'static str {
        match self.status {
            424 => "modelStreamErrorException",
            429 => "throttlingException",
            503 | 529 => "serviceUnavailableException",
            500.. => "internalServerException",
            _ => "validationException",
        }
    }

    fn gemini_body(&self) -> Value {
        let status = match self.status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            408 | 504 => "DEADLINE_EXCEEDED",
            429 => "RESOURCE_EXHAUSTED",
            503 | 529 => "UNAVAILABLE",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        let mut error = json!({"code": self.status, "message": self.message, "status": status});
        if self.status == 429 {
            error["details"] =
                json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]);
        }
        json!({"error": error})
    }

    fn with_retry(&self, answer: Contracted) -> Contracted {
        if self.status == 429 {
            answer.with_header("retry-after", "7")
        } else {
            answer
        }
    }
}
