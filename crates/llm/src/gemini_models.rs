//! The model within bodies of Gemini's methods, which must be the one that the path names (llm-protocols §7).

use std::borrow::Cow;

use bytes::Bytes;

use crate::chat::{Fields, Json, Object, Unsayable, items};
use crate::protocol::Protocol;

/// The body with the model in it that its path names, wherever it names one within an object; as it came where it does
/// so already, or is no body of such a method.
#[must_use]
pub fn with_gemini_model(protocol: Protocol, body: Bytes, model: &str) -> Bytes {
    let changed = match protocol {
        Protocol::GeminiBatchEmbed => in_requests(&body, model),
        Protocol::GeminiCountTokens => in_request(&body, model),
        _ => Ok(None),
    };
    match changed {
        Ok(Some(changed)) => Bytes::copy_from_slice(changed.text().as_bytes()),
        _ => body,
    }
}

fn in_requests(body: &[u8], model: &str) -> Result<Option<Json>, Unsayable> {
    replaced(Fields::from_slice(body)?, "requests", |requests| {
        let Some(requests) = items(requests) else {
            return Ok(None);
        };
        let mut is_changed = false;
        let mut out = Vec::with_capacity(requests.len());
        for request in requests {
            let renamed = named(Fields::read(request)?, model)?;
            is_changed |= renamed.is_some();
            out.push(renamed.unwrap_or_else(|| Json::from(request)));
        }
        Ok(is_changed.then(|| Json::of(&out)))
    })
}

fn in_request(body: &[u8], model: &str) -> Result<Option<Json>, Unsayable> {
    let fields = Fields::from_slice(body)?;
    let name = match fields.peek("generateContentRequest") {
        Some(_) => "generateContentRequest",
        None => "generate_content_request",
    };
    replaced(fields, name, |request| named(Fields::read(request)?, model))
}

/// The object with `models/<model>` as its model; `None` if it has that or none.
fn named(request: Fields<'_>, model: &str) -> Result<Option<Json>, Unsayable> {
    let wanted = format!("models/{model}");
    replaced(request, "model", |named| {
        let named: Option<Cow<'_, str>> = serde_json::from_str(named.get()).ok();
        Ok((named.as_deref() != Some(&wanted)).then(|| Json::of(&wanted)))
    })
}

/// The object with another value for a member that it has.
fn replaced(
    fields: Fields<'_>,
    name: &str,
    change: impl FnOnce(&serde_json::value::RawValue) -> Result<Option<Json>, Unsayable>,
) -> Result<Option<Json>, Unsayable> {
    let Some(value) = fields.peek(name) else {
        return Ok(None);
    };
    let Some(changed) = change(value)? else {
        return Ok(None);
    };
    let mut out = Object::new();
    for (known, value) in fields.all() {
        match known == name {
            true => out.put(known, &changed),
            false => out.put(known, value),
        }
    }
    Ok(Some(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_in(protocol: Protocol, body: &'static str) -> Bytes {
        with_gemini_model(protocol, Bytes::from_static(body.as_bytes()), "m")
    }

    #[test]
    fn models_are_those_of_the_path() {
        assert_eq!(
            named_in(
                Protocol::GeminiBatchEmbed,
                r#"{"requests":[{"model":"models/x","content":{"parts":[ ]}},{"content":1}]}"#
            ),
            r#"{"requests":[{"model":"models/m","content":{"parts":[ ]}},{"content":1}]}"#
        );
        assert_eq!(
            named_in(
                Protocol::GeminiCountTokens,
                r#"{"generateContentRequest":{"model":"models/x","contents":[]}}"#
            ),
            r#"{"generateContentRequest":{"model":"models/m","contents":[]}}"#
        );
        for same in [
            r#"{"requests": [{"model":"models/m"}]}"#,
            r#"{"requests":7}"#,
            "[]",
            r#"{"contents":[]}"#,
        ] {
            for protocol in [Protocol::GeminiBatchEmbed, Protocol::GeminiCountTokens] {
                assert_eq!(named_in(protocol, same), same);
            }
        }
    }
}
