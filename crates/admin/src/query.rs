//! Query strings, as nginx hands them to APISIX.

use percent_encoding::percent_decode_str;

/// Most arguments that are looked at; further ones are ignored, as in nginx's Lua module.
const MAX_ARGUMENTS: usize = 100;

/// The arguments of a query string, decoded.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`. An argument without a value has the empty one.
    pub(crate) fn parse(query: &str) -> Self {
        let arguments = query.split('&').filter(|argument| !argument.is_empty());
        let pairs = arguments.take(MAX_ARGUMENTS).map(|argument| {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    /// The first argument of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value)
    }

    /// The first argument of that name, if it is a number.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        number(self.get(name)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decoded(text: &str) -> String {
    let spaces = text.replace('+', " ");
    percent_decode_str(&spaces).decode_utf8_lossy().into_owned()
}

/// Lua's `tonumber`: decimal, or hexadecimal integers; white space around it is ignored.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let magnitude = if let Some(hex) = lower.strip_prefix("0x") {
        let plain = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        #[expect(clippy::cast_precision_loss, reason = "Lua numbers are floats")]
        let parsed = u64::from_str_radix(hex, 16)
            .ok()
            .filter(|_| plain)
            .map(|n| n as f64);
        parsed?
    } else {
        // Rust also reads `inf` and `nan`, and a second sign.
        lower
            .bytes()
            .next()
            .filter(|byte| matches!(byte, b'0'..=b'9' | b'.'))?;
        lower.parse().ok()?
    };
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_decoded() {
        let query = Query::parse("a=1&b=x+y%20z%26&c&&=d&a=2&%61b=%C3%A9&bad=%zz%");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("x y z&"));
        assert_eq!(query.get("c"), Some(""));
        assert_eq!(query.get(""), Some("d"));
        assert_eq!(query.get("ab"), Some("é"));
        assert_eq!(query.get("bad"), Some("%zz%"));
        assert_eq!(query.get("d"), None);
    }

    #[test]
    fn endless_queries_are_cut() {
        let query = Query::parse(&"x=1&".repeat(10_000));
        assert_eq!(query.iter().count(), MAX_ARGUMENTS);
    }

    #[test]
    fn numbers_are_those_of_lua() {
        for (text, value) in [
            ("10", 10.0),
            (" 1e2 ", 100.0),
            ("0x10", 16.0),
            ("-1.5", -1.5),
            (".5", 0.5),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in [
            "", " ", "x", "10s", "nan", "inf", "-inf", "+-1", "--1", "-+1", "0x", "0x+1", "1 2", "é",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
