//! What the rules of all dialects use.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Why a request is refused, if it is.
pub(super) type Refusal = Result<(), String>;

/// The items of a list; none of anything else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; an empty one of anything else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a name is made of letters, digits and `marks`, and no longer than that.
pub(super) fn is_name(name: &str, most: usize, marks: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    (1..=most).contains(&name.len()) && name.chars().all(fits)
}

/// The first two neighbours with the same role, and that role.
pub(super) fn same_roles(turns: &[Value]) -> Option<(usize, &str)> {
    let neighbours = turns.iter().zip(turns.iter().skip(1)).enumerate();
    let mut same = neighbours.filter(|(_, (a, b))| a["role"] == b["role"]);
    same.next().map(|(index, (a, _))| (index, text(&a["role"])))
}

pub(super) fn is_base64(text: &str) -> bool {
    BASE64_STANDARD.decode(text).is_ok()
}

/// The same for Protobuf's JSON, which takes the alphabet of URLs as well, with and without padding.
pub(super) fn is_protobuf_base64(text: &str) -> bool {
    let text = text.replace('-', "+").replace('_', "/");
    base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .is_ok()
}

/// Whether everything is base64 that stands as `member` in an object called `holder`, wherever that is; what an object
/// holds whose type is `text` is text.
pub(super) fn holds_base64(value: &Value, holder: &str, member: &str) -> bool {
    holds(value, holder, member, is_base64)
}

/// Whether `test` holds for all that stands so.
pub(super) fn holds(value: &Value, holder: &str, member: &str, test: fn(&str) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| holds(item, holder, member, test)),
        Value::Object(members) => members.iter().all(|(name, value)| {
            let data = value.get(member).and_then(Value::as_str);
            let is_data = name == holder && value["type"] != "text";
            data.filter(|_| is_data).is_none_or(test) && holds(value, holder, member, test)
        }),
        _ => true,
    }
}
