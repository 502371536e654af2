//! How Lua shows values: APISIX's messages quote types, numbers and strings the way Lua prints them.

use std::fmt;

use serde_json::Value;

/// The name that Lua's `type` gives a decoded JSON value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "userdata",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Object(_) => "table",
    }
}

/// What `tostring` makes of an id: a number loses its JSON form (`1.0` is `1`), a string stays.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_f64().map(|n| Number(n).to_string()),
        _ => None,
    }
}

/// Equality of decoded JSON: numbers by value, empty array and empty object are one and the same.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, x)| b.get(name).is_some_and(|y| same(x, y)))
        }
        (Value::Array(a), Value::Object(b)) | (Value::Object(b), Value::Array(a)) => {
            a.is_empty() && b.is_empty()
        }
        _ => left == right,
    }
}

/// A number as Lua prints it: `%.14g`.
pub(crate) struct Number(pub(crate) f64);

/// Significant digits of `%.14g`.
const DIGITS: i32 = 14;

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scientific = format!("{:.*e}", (DIGITS - 1) as usize, self.0);
        let Some((mantissa, exponent)) = scientific.split_once('e') else {
            return f.write_str(&scientific);
        };
        let exponent: i32 = exponent.parse().unwrap_or_default();
        if (-4..DIGITS).contains(&exponent) {
            let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or_default();
            return f.write_str(without_trailing_zeros(&format!("{:.decimals$}", self.0)));
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(
            f,
            "{}e{sign}{:02}",
            without_trailing_zeros(mantissa),
            exponent.unsigned_abs()
        )
    }
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

/// A string as Lua's `%q` quotes it.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;

        f.write_char('"')?;
        let mut chars = self.0.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' | '\\' | '\n' => write!(f, "\\{c}")?,
                // Three digits where a digit follows, or the escape would swallow it.
                _ if c.is_ascii_control() && chars.peek().is_some_and(char::is_ascii_digit) => {
                    write!(f, "\\{:03}", u32::from(c))?;
                }
                _ if c.is_ascii_control() => write!(f, "\\{}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_fourteen_digits() {
        let cases = [
            (0.0, "0"),
            (5.0, "5"),
            (-20.0, "-20"),
            (0.5, "0.5"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.33333333333333"),
            (99_999_999_999_999.0, "99999999999999"),
            (1e14, "1e+14"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
        ];
        for (number, text) in cases {
            assert_eq!(Number(number).to_string(), text);
        }
    }

    #[test]
    fn quoting_escapes_what_lua_escapes() {
        assert_eq!(Quoted(r#"a\b"c"#).to_string(), r#""a\\b\"c""#);
        assert_eq!(Quoted("a\nb").to_string(), "\"a\\\nb\"");
        assert_eq!(Quoted("a\r1\tb\u{7f}").to_string(), "\"a\\0131\\9b\\127\"");
        assert_eq!(Quoted("é").to_string(), "\"é\"");
    }

    #[test]
    fn equality_is_of_decoded_values() {
        assert!(same(&json!(1), &json!(1.0)));
        assert!(same(&json!([]), &json!({})));
        assert!(same(&json!({"a": [1], "b": {}}), &json!({"b": [], "a": [1.0]})));
        assert!(!same(&json!([1]), &json!({})));
        assert!(!same(&json!("1"), &json!(1)));
        assert!(!same(&json!({"a": 1}), &json!({"b": 1})));
    }

    #[test]
    fn ids_compare_as_text() {
        assert_eq!(id_text(&json!(7.0)).as_deref(), Some("7"));
        assert_eq!(id_text(&json!("a")).as_deref(), Some("a"));
        assert_eq!(id_text(&json!(null)), None);
    }
}
