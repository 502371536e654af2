//! Escaping of text inside log lines.

/// How a template escapes what it inserts (nginx's `log_format … escape=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\`, control bytes and everything past ASCII become `\xXX`; what is absent prints as `-`.
    #[default]
    Default,
    /// As inside a JSON string; what is absent prints as nothing.
    Json,
    /// As it stands, save for line ends, which become blanks: one request is one line. What is absent prints as
    /// nothing.
    None,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Escape {
    /// What stands for an absent value.
    pub(super) fn absent(self) -> &'static str {
        match self {
            Self::Default => "-",
            Self::Json | Self::None => "",
        }
    }

    /// Appends `text` escaped.
    pub(super) fn write(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Default => write_runs(
                text,
                out,
                |b| !(0x20..0x7f).contains(&b) | is_quoted(b),
                hex_escape,
            ),
            Self::Json => write_runs(text, out, |b| (b < 0x20) | is_quoted(b), json_escape),
            Self::None => write_runs(text, out, |b| matches!(b, b'\n' | b'\r'), |_, out| out.push(b' ')),
        }
    }
}

fn is_quoted(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\')
}

/// Copies runs of plain bytes whole and gives every other byte to `escape`.
fn write_runs(text: &str, out: &mut Vec<u8>, special: impl Fn(u8) -> bool, escape: fn(u8, &mut Vec<u8>)) {
    let mut rest = text.as_bytes();
    // Nearly every text is plain. Without an early exit the compiler looks at many bytes at once.
    if !rest.iter().fold(false, |any, &byte| any | special(byte)) {
        out.extend_from_slice(rest);
        return;
    }
    while let Some(at) = rest.iter().position(|&byte| special(byte)) {
        out.extend_from_slice(&rest[..at]);
        escape(rest[at], out);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn hex_escape(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[
        b'\\',
        b'x',
        HEX[usize::from(byte >> 4)],
        HEX[usize::from(byte & 15)],
    ]);
}

fn json_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => out.extend_from_slice(&[
            b'\\',
            b'u',
            b'0',
            b'0',
            HEX[usize::from(byte >> 4)],
            HEX[usize::from(byte & 15)],
        ]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(escape: Escape, text: &str) -> String {
        let mut out = Vec::new();
        escape.write(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn default_is_nginx() {
        assert_eq!(
            escaped(Escape::Default, "a\"b\\c\nü~\u{7f}"),
            r"a\x22b\x5Cc\x0A\xC3\xBC~\x7F"
        );
    }

    #[test]
    fn json_keeps_utf8() {
        assert_eq!(
            escaped(Escape::Json, "a\"b\\c\n\tü\u{1}"),
            "a\\\"b\\\\c\\n\\tü\\u0001"
        );
    }

    #[test]
    fn none_keeps_the_line_whole() {
        assert_eq!(escaped(Escape::None, "a\"b\r\nc"), "a\"b  c");
    }

    proptest! {
        #[test]
        fn json_reads_back(text in any::<String>()) {
            let line = format!("\"{}\"", escaped(Escape::Json, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }

        #[test]
        fn no_escape_lets_a_line_end_through(text in "[\r\n\"a]*") {
            for escape in [Escape::Default, Escape::Json, Escape::None] {
                prop_assert!(!escaped(escape, &text).contains(['\r', '\n']));
            }
        }
    }
}
