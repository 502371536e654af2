//! What a provider says in an error answer.

use serde_json::Value;

/// Longest message that is handed on, in characters.
const MAX_MESSAGE: usize = 2000;

/// Largest body that is searched for a message; no provider's error is longer.
const MAX_BODY: usize = 256 * 1024;

/// The message in a provider's error body, whatever its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMessage {
    /// The text, cut after 2000 characters.
    pub message: String,
    /// The provider's name for the kind of error.
    pub kind: Option<String>,
    /// Its machine-readable code.
    pub code: Option<String>,
    /// The member of the request that it complains about.
    pub param: Option<String>,
}

impl ProviderMessage {
    /// Finds the message. `None` if there is none that is meant for a client, as in an HTML page.
    ///
    /// Known shapes: `{"error":{…}}` (OpenAI, Anthropic, Gemini, Groq), the same in an array (Gemini's OpenAI
    /// endpoint), `{"error":"…"}` (Ollama), `{"message":"…"}` (Bedrock, Cohere, vLLM), `{"detail":"…"}` and
    /// `{"detail":[{"msg":"…"}]}` (FastAPI), `{"error_msg":"…"}` (APISIX).
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        if body.len() > MAX_BODY {
            return None;
        }
        let body: Value = serde_json::from_slice(body).ok()?;
        let body = body.get(0).unwrap_or(&body);
        match &body["error"] {
            Value::String(message) => Some(Self::text(message)),
            error @ Value::Object(_) => Self::object(error),
            _ => Self::object(body).or_else(|| Self::detail(&body["detail"])),
        }
    }

    fn object(error: &Value) -> Option<Self> {
        let message = error["message"]
            .as_str()
            .or_else(|| error["error_msg"].as_str())?;
        // Gemini's `code` repeats the HTTP status; its `status` is the code.
        let code = error["code"].as_str().or_else(|| error["status"].as_str());
        Some(Self {
            kind: error["type"].as_str().map(str::to_owned),
            code: code.map(str::to_owned),
            param: error["param"].as_str().map(str::to_owned),
            ..Self::text(message)
        })
    }

    fn detail(detail: &Value) -> Option<Self> {
        detail
            .as_str()
            .or_else(|| detail[0]["msg"].as_str())
            .map(Self::text)
    }

    fn text(message: &str) -> Self {
        Self {
            message: message.chars().take(MAX_MESSAGE).collect(),
            kind: None,
            code: None,
            param: None,
        }
    }
}
