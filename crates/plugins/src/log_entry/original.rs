//! A request as it came: `meta_format: origin` of kafka-logger.

use std::fmt::Write;

use sluice_core::{Context, MASK};

use super::body::{self, BodyRule};

/// Request line, headers and, where the rule holds, the body.
pub(super) fn text(cx: &Context, rule: &BodyRule) -> String {
    let line = cx.logged("request").unwrap_or_default();
    let mut text = format!("{line}\r\n");
    for (name, value) in &cx.request.headers {
        let shown = if cx.hides_header(name.as_str()) {
            MASK.into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        // Writing to a String does not fail.
        let _ = write!(text, "{name}: {shown}\r\n");
    }
    text.push_str("\r\n");
    if rule.holds(cx)
        && let Some(body) = body::request_text(cx, rule.max)
    {
        text.push_str(&body);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::EntryFormat;
    use crate::fixture::Fixture;
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    #[tokio::test]
    async fn shows_the_request_and_no_key() {
        let fixture = Fixture::new();
        let mut cx = fixture.context("POST", "/hello?ab=cd&key=secret");
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        headers.insert("authorization", HeaderValue::from_static("secret"));
        cx.request.headers = headers;
        cx.request.body.replace("abcdef".into());
        let head = "POST /hello?ab=cd&key=*** HTTP/1.1\r\nhost: localhost\r\nauthorization: ***\r\n\r\n";
        for (conf, body) in [(json!({}), ""), (json!({ "include_req_body": true }), "abcdef")] {
            let format = fixture.with_env(|env| EntryFormat::compile(&conf, env)).unwrap();
            assert_eq!(format.original(&cx), None);
            let text = format.of_request_as_it_came().original(&cx).unwrap();
            assert_eq!(text, format!("{head}{body}"));
        }
    }
}
