//! Texts that are JSON: the arguments of a tool call. Rules see each string as what it says, and what they put there is
//! written so that the JSON stays JSON.

use super::chain::{Chain, Outcome, Piece};

/// A JSON text that comes in pieces.
#[derive(Default)]
pub(super) struct JsonText {
    in_string: bool,
    /// Beginning of an escape.
    escape: String,
}

impl JsonText {
    /// Takes the next piece. The pieces of the outcome are JSON.
    pub(super) fn feed(&mut self, chain: &mut Chain, piece: &str, end: bool) -> Outcome {
        let mut outcome = Outcome::default();
        let mut run = String::with_capacity(piece.len());
        for sign in piece.chars() {
            // Half a surrogate pair that no other half follows.
            if (self.escape.len() == 6 && sign != '\\') || (self.escape.len() == 7 && sign != 'u') {
                run.push(char::REPLACEMENT_CHARACTER);
                self.escape.drain(..6);
            }
            if !self.escape.is_empty() {
                self.escape.push(sign);
                if let Some(said) = unescaped(&self.escape) {
                    run.push_str(&said);
                    self.escape.clear();
                }
            } else if sign == '\\' && self.in_string {
                self.escape.push(sign);
            } else if sign == '"' {
                let text = std::mem::take(&mut run);
                outcome.extend(written(chain.feed(&text, true), self.in_string));
                outcome.pieces.push(Piece::Text("\"".to_owned()));
                self.in_string = !self.in_string;
            } else {
                run.push(sign);
            }
        }
        outcome.extend(written(chain.feed(&run, end), self.in_string));
        if end {
            // An escape that never ended stays what it was.
            let rest = std::mem::take(self).escape;
            outcome
                .pieces
                .extend((!rest.is_empty()).then_some(Piece::Text(rest)));
        }
        outcome
    }
}

/// What an escape says, once it is complete. Half a surrogate pair waits for the other half.
fn unescaped(escape: &str) -> Option<String> {
    let is_half = escape
        .get(2..6)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .is_some_and(|unit| (0xD800..0xDC00).contains(&unit));
    let length = match escape.as_bytes() {
        [b'\\', b'u', ..] if is_half => 12,
        [b'\\', b'u', ..] => 6,
        _ => 2,
    };
    let read = |escape: &str| serde_json::from_str::<String>(&format!("\"{escape}\"")).ok();
    let broken = || {
        format!(
            "{}{}",
            char::REPLACEMENT_CHARACTER,
            escape.get(6..).and_then(read).unwrap_or_default()
        )
    };
    (escape.len() >= length).then(|| read(escape).unwrap_or_else(broken))
}

/// The outcome of a part as JSON: within a string escaped; what was put in the place of a number becomes a string.
fn written(outcome: Outcome, in_string: bool) -> Outcome {
    let write = |piece| match piece {
        Piece::Text(text) if !in_string => Piece::Text(text),
        Piece::Placed(text) if !in_string => Piece::Placed(serde_json::Value::from(text).to_string()),
        Piece::Text(text) => Piece::Text(escaped(text)),
        Piece::Placed(text) => Piece::Placed(escaped(text)),
    };
    Outcome {
        pieces: outcome.pieces.into_iter().map(write).collect(),
        ..outcome
    }
}

fn escaped(text: String) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
        .to_owned()
}
