//! What the gateway must know of a client's body, read from one scan of it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use sluice_wire::{JsonError, JsonView, Kind, Member, ObjectView};

use crate::protocol::Protocol;

/// A client's request body, validated once and shared by everything that looks at it.
///
/// The accessors read single members; none of them builds a tree. A body that is not an object has no members.
///
/// ```
/// use sluice_llm::RequestView;
///
/// # fn main() -> Result<(), sluice_wire::JsonError> {
/// let request = RequestView::parse(r#"{"model":"gpt-4o","stream":true,"messages":[]}"#.into())?;
/// assert_eq!(request.model().as_deref(), Some("gpt-4o"));
/// assert!(request.stream());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RequestView {
    json: JsonView,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl From<JsonView> for RequestView {
    /// A body that has been scanned already.
    fn from(json: JsonView) -> Self {
        Self { json }
    }
}

impl RequestView {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`JsonError`] as [`JsonView::parse`]: in particular a member named twice, so that gateway and provider cannot
    /// read different models from one body.
    pub fn parse(body: Bytes) -> Result<Self, JsonError> {
        JsonView::parse(body).map(|json| Self { json })
    }

    /// The body as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.json.bytes()
    }

    /// The body as JSON of any type.
    #[must_use]
    pub fn json(&self) -> &JsonView {
        &self.json
    }

    /// The body's members, if it is an object.
    #[must_use]
    pub fn object(&self) -> Option<&ObjectView> {
        self.json.as_object()
    }

    /// `model`, if it is a string.
    #[must_use]
    pub fn model(&self) -> Option<Cow<'_, str>> {
        self.member("model")?.as_str()
    }

    /// Whether `stream` is `true`; no other value counts (compat §5.1).
    #[must_use]
    pub fn stream(&self) -> bool {
        self.member("stream")
            .is_some_and(|stream| stream.kind() == Kind::True)
    }

    /// Whether a stream is asked for where one that says nothing means `default`: only `true` and `false` count.
    #[must_use]
    pub fn stream_or(&self, default: bool) -> bool {
        match self.member("stream").map(|stream| stream.kind()) {
            Some(Kind::True) => true,
            Some(Kind::False) => false,
            _ => default,
        }
    }

    /// Type of `messages`, if present.
    #[must_use]
    pub fn messages_kind(&self) -> Option<Kind> {
        self.member("messages").map(|messages| messages.kind())
    }

    /// Type of `input`, if present.
    #[must_use]
    pub fn input_kind(&self) -> Option<Kind> {
        self.member("input").map(|input| input.kind())
    }

    /// Length of `tools`; 0 unless it is an array.
    #[must_use]
    pub fn tool_count(&self) -> usize {
        self.member("tools")
            .filter(|tools| tools.kind() == Kind::Array)
            .map_or(0, |tools| tools.count())
    }

    /// Whether the client asked for the usage chunk of a chat stream (`stream_options.include_usage`).
    #[must_use]
    pub fn asks_for_usage(&self) -> bool {
        self.member("stream_options")
            .filter(|options| options.kind() == Kind::Object)
            .and_then(|options| serde_json::from_slice::<StreamOptions>(options.raw()).ok())
            .is_some_and(|options| options.include_usage == Some(true))
    }

    /// The end user that the client names (`llm_end_user_id`, compat §4.1.6).
    #[must_use]
    pub fn end_user(&self, protocol: Protocol) -> Option<Cow<'_, str>> {
        match protocol {
            Protocol::AnthropicMessages => {
                let metadata = ObjectView::parse(self.member("metadata")?.raw_bytes()).ok()?;
                metadata
                    .get("user_id")?
                    .as_str()
                    .map(|user| Cow::Owned(user.into_owned()))
            }
            Protocol::OpenAiChat
            | Protocol::OpenAiCompletions
            | Protocol::OpenAiEmbeddings
            | Protocol::OpenAiMedia
            | Protocol::OpenAiResponses => self
                .member("safety_identifier")
                .and_then(|user| user.as_str())
                .or_else(|| self.member("user").and_then(|user| user.as_str())),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Option<Member<'_>> {
        self.object()?.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(body: &str) -> RequestView {
        RequestView::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    #[test]
    fn only_true_streams() {
        for (body, expected) in [
            (r#"{"stream":true}"#, true),
            (r#"{"stream":1}"#, false),
            (r#"{"stream":"true"}"#, false),
            (r#"{"stream":null}"#, false),
            ("{}", false),
            ("[true]", false),
        ] {
            assert_eq!(view(body).stream(), expected, "{body}");
        }
    }

    #[test]
    fn the_model_must_be_a_string() {
        assert_eq!(view(r#"{"model":"a\/b"}"#).model().unwrap(), "a/b");
        assert_eq!(view(r#"{"model":7}"#).model(), None);
        assert_eq!(view("[]").model(), None);
    }

    #[test]
    fn usage_is_asked_for_by_true_only() {
        assert!(
            view(r#"{"stream_options":{"include_obfuscation":false,"include_usage":true}}"#).asks_for_usage()
        );
        assert!(!view(r#"{"stream_options":{"include_usage":false}}"#).asks_for_usage());
        assert!(!view(r#"{"stream_options":{"include_usage":1}}"#).asks_for_usage());
        assert!(!view(r#"{"stream_options":null}"#).asks_for_usage());
    }

    #[test]
    fn tools_are_counted() {
        assert_eq!(
            view(r#"{"tools":[{"type":"function"},{"type":"custom"}]}"#).tool_count(),
            2
        );
        assert_eq!(view(r#"{"tools":{"a":1}}"#).tool_count(), 0);
        assert_eq!(view("{}").tool_count(), 0);
    }

    #[test]
    fn the_end_user_by_protocol() {
        let body = r#"{"user":"u","safety_identifier":"s","metadata":{"user_id":"m"}}"#;
        let user = |protocol| view(body).end_user(protocol).map(Cow::into_owned);
        assert_eq!(user(Protocol::OpenAiChat).unwrap(), "s");
        assert_eq!(user(Protocol::AnthropicMessages).unwrap(), "m");
        assert_eq!(user(Protocol::Passthrough), None);
        assert_eq!(
            view(r#"{"user":"u"}"#)
                .end_user(Protocol::OpenAiResponses)
                .unwrap(),
            "u"
        );
        assert_eq!(
            view(r#"{"metadata":[]}"#).end_user(Protocol::AnthropicMessages),
            None
        );
    }
}
