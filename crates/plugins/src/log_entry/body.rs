//! Bodies in log entries: which, when, and how much of them.

use std::borrow::Cow;

use http_body::Body as _;
use serde_json::Value;
use sluice_core::{BodyCopy, CompileError, Context};
use sluice_net::Body;
use sluice_resource::Expr;

/// Bytes of a body that are logged when the configuration sets no limit.
const MAX_BYTES: usize = 524_288;

/// `include_<req|resp>_body` and what belongs to it.
pub(super) struct BodyRule {
    pub(super) include: bool,
    when: Option<Expr>,
    /// Bytes of the body that are logged at most.
    pub(super) max: usize,
}

impl BodyRule {
    /// The rule for the body that the configuration calls `what`: `req` or `resp`.
    pub(super) fn compile(conf: &Value, what: &str) -> Result<Self, CompileError> {
        let when = conf
            .get(format!("include_{what}_body_expr"))
            .map(Expr::parse)
            .transpose();
        let max = conf.get(format!("max_{what}_body_bytes")).and_then(Value::as_u64);
        Ok(Self {
            include: conf.get(format!("include_{what}_body")).and_then(Value::as_bool) == Some(true),
            when: when.map_err(|error| CompileError(error.to_string()))?,
            max: max.map_or(MAX_BYTES, |max| usize::try_from(max).unwrap_or(usize::MAX)),
        })
    }

    /// Whether the entry of this request has the body.
    pub(super) fn holds(&self, cx: &Context) -> bool {
        self.include && self.when.as_ref().is_none_or(|when| when.eval(cx))
    }
}

/// Has up to `max` bytes of the request's body copied on its way upstream, unless it has been read or there is none.
pub(super) fn copy_request(cx: &mut Context, max: usize) {
    if let Some(copy) = &cx.captured.request {
        return copy.raise_limit(max);
    }
    let captured = &mut cx.captured.request;
    cx.request.body.wrap(|body| {
        if body.is_end_stream() {
            return body;
        }
        let (copy, body) = BodyCopy::of(body, max);
        *captured = Some(copy);
        body
    });
}

/// Has up to `max` bytes of the answer's body copied on its way to the client. Loggers share one copy.
pub(super) fn copy_response(cx: &mut Context, body: Body, max: usize) -> Body {
    if let Some(copy) = &cx.captured.response {
        copy.raise_limit(max);
        return body;
    }
    let (copy, body) = BodyCopy::of(body, max);
    cx.captured.response = Some(copy);
    body
}

/// The beginning of the request's body. Nothing when it is empty, or never came.
pub(super) fn request_text(cx: &Context, max: usize) -> Option<Cow<'_, str>> {
    let text = match cx.request.body.bytes() {
        Some(bytes) => beginning(bytes, max),
        None => Cow::Owned(copied(cx.captured.request.as_ref()?, max)),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The beginning of the answer's body, as far as it was copied.
pub(super) fn response_text(cx: &Context, max: usize) -> Option<String> {
    Some(copied(cx.captured.response.as_ref()?, max))
}

fn copied(copy: &BodyCopy, max: usize) -> String {
    copy.read(|bytes| beginning(bytes, max).into_owned())
}

/// Up to `max` bytes as text; a character that the cut went through is left out.
fn beginning(bytes: &[u8], max: usize) -> Cow<'_, str> {
    let cut = &bytes[..bytes.len().min(max)];
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&cut[..error.valid_up_to()]),
        _ => String::from_utf8_lossy(cut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        for (max, expected) in [(100, "aéz"), (3, "aé"), (2, "a"), (1, "a"), (0, "")] {
            assert_eq!(beginning("aéz".as_bytes(), max), expected, "{max}");
        }
    }

    #[test]
    fn shows_bytes_that_are_no_text() {
        assert_eq!(beginning(b"a\xffb", 100), "a\u{fffd}b");
    }
}
