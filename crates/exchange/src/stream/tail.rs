//! How the bytes that went to a client end.

use bytes::Bytes;
use sluice_llm::Dialect;

/// The last bytes of a stream that passes as it is, for an error that has to begin where an event could.
#[derive(Debug, Default)]
pub(super) struct Tail {
    last: [u8; 3],
    begun: bool,
}

impl Tail {
    /// Takes what passes.
    pub(super) fn note(&mut self, data: &[u8]) {
        for &byte in data.get(data.len().saturating_sub(3)..).unwrap_or_default() {
            self.last = [self.last[1], self.last[2], byte];
            self.begun = true;
        }
    }

    /// What has to come before another event: the end of one that the provider broke off in its middle.
    pub(super) fn gap(&self, dialect: Dialect) -> Bytes {
        let gap: &[u8] = match (dialect, self.last) {
            (Dialect::Bedrock, _) | (Dialect::Ollama, [.., b'\n']) => b"",
            (Dialect::Ollama, _) => b"\n",
            (_, [b'\n', b'\r', b'\n'] | [_, b'\n', b'\n'] | [_, b'\r', b'\r']) => b"",
            _ => b"\n\n",
        };
        Bytes::from_static(if self.begun { gap } else { b"" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_event_is_ended() {
        let gap = |pieces: &[&str], dialect| {
            let mut tail = Tail::default();
            pieces.iter().for_each(|piece| tail.note(piece.as_bytes()));
            tail.gap(dialect)
        };
        assert_eq!(gap(&[], Dialect::OpenAi), "");
        assert_eq!(gap(&["data: 1\n", "\n"], Dialect::OpenAi), "");
        assert_eq!(gap(&["data: 1\r\n\r", "\n"], Dialect::Anthropic), "");
        assert_eq!(gap(&["data: {\"a"], Dialect::OpenAi), "\n\n");
        assert_eq!(gap(&["data: {}\n"], Dialect::OpenAi), "\n\n");
        assert_eq!(gap(&["{\"done\":fal"], Dialect::Ollama), "\n");
        assert_eq!(gap(&["{}\n"], Dialect::Ollama), "");
    }
}
