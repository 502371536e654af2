//! Strings of deltas, one of which may end in the first half of a surrogate pair.

use serde_json::value::RawValue;

/// What waits for its second half: the escape, as it stood.
#[derive(Debug, Default)]
pub(super) struct Halves {
    first: String,
}

impl Halves {
    /// The text of a delta. What is no string is taken as JSON, `null` as nothing.
    pub(super) fn read(&mut self, delta: &RawValue) -> String {
        let json = delta.get();
        let Some(inner) = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) else {
            return if json == "null" {
                String::new()
            } else {
                json.to_owned()
            };
        };
        if self.first.is_empty()
            && let Ok(text) = serde_json::from_str(json)
        {
            return text;
        }
        let mut inner = std::mem::take(&mut self.first) + inner;
        if let Some(start) = first_half(&inner) {
            self.first = inner.split_off(start);
        }
        serde_json::from_str(&format!("\"{inner}\"")).unwrap_or_default()
    }
}

/// Where the escape of a first half starts that a text ends in.
fn first_half(inner: &str) -> Option<usize> {
    let start = inner.len().checked_sub(6)?;
    let escape = inner.get(start..)?;
    let digits = escape.strip_prefix("\\u")?;
    let is_first = u32::from_str_radix(digits, 16).is_ok_and(|unit| (0xd800..0xdc00).contains(&unit));
    // An even number of backslashes before it, or it is no escape.
    let before = inner.get(..start)?;
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    (is_first && backslashes % 2 == 0).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(deltas: &[&str]) -> Vec<String> {
        let mut halves = Halves::default();
        let read = deltas.iter().map(|delta| {
            let raw: &RawValue = serde_json::from_str(delta).unwrap();
            halves.read(raw)
        });
        read.collect()
    }

    #[test]
    fn pairs_are_joined_over_deltas() {
        assert_eq!(read(&[r#""a\ud83c""#, r#""\udf89b""#]), ["a", "🎉b"]);
        assert_eq!(read(&[r#""\ud83c""#, r#""""#, r#""\udf89""#]).concat(), "🎉");
        assert_eq!(read(&[r#""a\\ud83c""#]), ["a\\ud83c"]);
        assert_eq!(
            read(&[r#""\ud83c\udf89""#, "null", r#"{"a":1}"#]),
            ["🎉", "", r#"{"a":1}"#]
        );
    }
}
