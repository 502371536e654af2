//! The trace that a request belongs to (W3C Trace Context, level 1).

use std::fmt;

/// A span, as `traceparent` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never 0.
    pub trace_id: u128,
    /// The span; never 0.
    pub span_id: u64,
    /// Whether it is recorded.
    pub sampled: bool,
}

/// The span of a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The span itself.
    pub span: TraceParent,
    /// The caller's span, if it named one.
    pub parent: Option<u64>,
}

impl TraceParent {
    /// Reads the value of a `traceparent` header. Nothing when it is not valid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.trim().split('-').collect();
        let [version, trace_id, span_id, flags, rest @ ..] = &fields[..] else {
            return None;
        };
        // Later versions may add fields; this one has none.
        if hex(version, 2)? == 0xff || (*version == "00" && !rest.is_empty()) {
            return None;
        }
        let (trace_id, span_id) = (hex(trace_id, 32)?, hex(span_id, 16)?);
        if trace_id == 0 || span_id == 0 {
            return None;
        }
        Some(Self {
            trace_id,
            span_id: u64::try_from(span_id).ok()?,
            sampled: hex(flags, 2)? & 1 == 1,
        })
    }
}

fn hex(text: &str, length: usize) -> Option<u128> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != length || !text.bytes().all(is_hex) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = TraceParent::parse(text).unwrap();
        assert_eq!((parent.span_id, parent.sampled), (0xb7ad_6b71_6920_3331, true));
        assert_eq!(parent.to_string(), text);
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02-more";
        assert!(!TraceParent::parse(later).unwrap().sampled);
    }

    #[test]
    fn what_is_not_valid_is_nothing() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }
}
