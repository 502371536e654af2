//! What the rules of all dialects use.

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
