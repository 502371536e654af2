//! What a client sent, what went upstream and what came back, where its payloads are logged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use sluice_core::{Context, MASK};
use sluice_record::{PAYLOAD_BODY_MAX, Payload, PayloadPart};

/// Headers that carry secrets of either side, beside those of keys.
const COOKIES: [&str; 2] = ["cookie", "set-cookie"];

/// Headers to a provider that are shown with their values: under any other name there may be a credential.
const HARMLESS: [&str; 9] = [
    "accept",
    "accept-encoding",
    "anthropic-beta",
    "anthropic-version",
    "content-encoding",
    "content-type",
    "openai-beta",
    "traceparent",
    "user-agent",
];

/// The payload of a finished request, if it is kept.
pub(crate) fn of(cx: &Context) -> Option<Box<Payload>> {
    if !cx.keeps_payload {
        return None;
    }
    let request = &cx.request;
    let hides = |name: &str| cx.hides_header(name) || COOKIES.contains(&name);
    let read = request.body.bytes().map(|bytes| &**bytes).unwrap_or_default();
    let sent = cx.captured.sent.as_ref();
    let answer = cx.captured.response.as_ref().map(|copy| {
        copy.read(|bytes| {
            let headers = cx.answer.headers.as_ref().map(|headers| shown(headers, hides));
            let rest = cx.answer.body_bytes > bytes.len() as u64;
            part(headers.unwrap_or_default(), bytes, rest)
        })
    });
    Some(Box::new(Payload {
        client_request: part(shown(&request.headers, hides), read, false),
        upstream_request: sent.map(|sent| {
            let headers = shown(&sent.headers, |name| !HARMLESS.contains(&name));
            part(headers, &sent.body, false)
        }),
        response: answer,
    }))
}

fn shown(headers: &HeaderMap, hides: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let pairs = headers.iter().map(|(name, value)| {
        let name = name.as_str();
        let value = match hides(name) {
            true => MASK.to_owned(),
            false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        (name.to_owned(), value)
    });
    pairs.collect()
}

fn part(headers: Vec<(String, String)>, body: &[u8], rest: bool) -> PayloadPart {
    let kept = body.get(..PAYLOAD_BODY_MAX).unwrap_or(body);
    let truncated = rest || kept.len() < body.len();
    let text = match str::from_utf8(kept) {
        Ok(text) => Some(text),
        // A character that was cut is left out.
        Err(error) if truncated && error.error_len().is_none() => kept
            .get(..error.valid_up_to())
            .and_then(|kept| str::from_utf8(kept).ok()),
        Err(_) => None,
    };
    PayloadPart {
        headers,
        body: text.map_or_else(|| STANDARD.encode(kept), str::to_owned),
        base64: text.is_none(),
        truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_bounded_and_texts_stay_texts() {
        let long = "é".repeat(PAYLOAD_BODY_MAX);
        let odd = [b"x", long.as_bytes()].concat();
        let kept = part(Vec::new(), &odd, false);
        assert!(kept.truncated && !kept.base64);
        assert_eq!(kept.body.len(), PAYLOAD_BODY_MAX - 1);
        let binary = part(Vec::new(), b"\xff\xfe", false);
        assert_eq!(
            (binary.body.as_str(), binary.base64, binary.truncated),
            ("//4=", true, false)
        );
        assert!(part(Vec::new(), b"data", true).truncated);
    }
}
