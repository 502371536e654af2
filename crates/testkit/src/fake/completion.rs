//! What a model answers, in no wire format.

/// What a model answers, in no wire format yet: each dialect of the fakes renders it as the real provider would.
///
/// It is a list of blocks in the order in which the model makes them, the split of each into the pieces of a stream,
/// why the model stopped, and what it used. Blocks are added at the end.
///
/// Unless said otherwise the answer took 10 tokens and made 5, it stops on its own ([`Stop::ToolCalls`] where a tool
/// is called), and texts are cut as the prompt contract cuts them: before spaces and after each fifth character.
#[derive(Clone, Debug)]
pub struct Completion {
    pub(super) blocks: Vec<Block>,
    pub(super) usage: Usage,
    pub(super) logprobs: Vec<(String, f64)>,
    /// Frames of a stream after which the connection breaks.
    pub(super) cut_after: Option<usize>,
    pub(super) interleaved: bool,
    stop: Option<Stop>,
}

/// A part of an answer. Texts are held in the pieces in which they are streamed.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Thinking {
        pieces: Vec<String>,
        signature: String,
    },
    /// Thoughts that only the provider can read.
    Redacted(String),
    Text {
        pieces: Vec<String>,
        citations: Vec<Citation>,
    },
    ToolCall(ToolCall),
}

/// A call of a tool. An empty id lets each dialect make one, or leave it out where it has none.
#[derive(Clone, Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON, in fragments.
    pub(super) arguments: Vec<String>,
}

/// Where a part of the text comes from.
#[derive(Clone, Debug)]
pub(super) struct Citation {
    pub(super) url: String,
    pub(super) title: String,
    /// The words of the answer that it stands for.
    pub(super) text: String,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It had said everything.
    End,
    /// It came upon this stop sequence.
    Sequence(String),
    /// It reached the limit of output tokens.
    Length,
    /// It waits for the results of tools.
    ToolCalls,
    /// The provider's filter stopped it.
    Filtered,
}

/// Tokens of an answer, in buckets that do not overlap; each dialect adds them up as its provider does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input that was read anew.
    pub input: u64,
    /// Input that came from a cache.
    pub cached: u64,
    /// Input that was written to a cache.
    pub cache_write: u64,
    /// Output that is no thoughts.
    pub output: u64,
    /// Thoughts.
    pub reasoning: u64,
}

impl Usage {
    /// Everything that the model read.
    #[must_use]
    pub fn prompt(self) -> u64 {
        self.input + self.cached + self.cache_write
    }

    /// Everything that the model made.
    #[must_use]
    pub fn completion(self) -> u64 {
        self.output + self.reasoning
    }

    /// All tokens.
    #[must_use]
    pub fn total(self) -> u64 {
        self.prompt() + self.completion()
    }
}

impl Default for Completion {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            usage: Usage {
                input: 10,
                output: 5,
                ..Usage::default()
            },
            logprobs: Vec::new(),
            cut_after: None,
            interleaved: false,
            stop: None,
        }
    }
}

impl Completion {
    /// An answer without anything in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.block(Block::Text {
            pieces: owned(pieces(text)),
            citations: Vec::new(),
        })
    }

    /// Adds thoughts. Without a signature when that is empty.
    #[must_use]
    pub fn thinking(self, text: &str, signature: &str) -> Self {
        self.block(Block::Thinking {
            pieces: owned(pieces(text)),
            signature: signature.to_owned(),
        })
    }

    /// Adds thoughts that only the provider can read; base64.
    #[must_use]
    pub fn redacted_thinking(self, data: &str) -> Self {
        self.block(Block::Redacted(data.to_owned()))
    }

    /// Adds a call of a tool. `arguments` is JSON, as a [`Value`](serde_json::Value) or as text, which is kept to the
    /// letter where a dialect has arguments as text. An empty `id` lets each dialect make one of its own.
    #[must_use]
    pub fn tool_call(self, id: &str, name: &str, arguments: impl ToString) -> Self {
        self.block(Block::ToolCall(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: owned(pieces(&arguments.to_string())),
        }))
    }

    /// Splits the last block into these pieces: its text, its thoughts or its arguments become what they make up.
    ///
    /// # Panics
    /// When there is no block that can be split.
    #[must_use]
    pub fn in_pieces<P: Into<String>>(mut self, split: impl IntoIterator<Item = P>) -> Self {
        let split = split.into_iter().map(Into::into).collect();
        match self.blocks.last_mut() {
            Some(Block::Thinking { pieces, .. } | Block::Text { pieces, .. }) => *pieces = split,
            Some(Block::ToolCall(call)) => call.arguments = split,
            Some(Block::Redacted(_)) | None => panic!("no block to split"),
        }
        self
    }

    /// Adds a web page as the source of these words of the last block.
    ///
    /// # Panics
    /// When that is no text.
    #[must_use]
    pub fn cite(mut self, url: &str, title: &str, text: &str) -> Self {
        let Some(Block::Text { citations, .. }) = self.blocks.last_mut() else {
            panic!("no text to cite for")
        };
        citations.push(Citation {
            url: url.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
        });
        self
    }

    /// Why the model stops.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
    }

    /// What the answer took.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Probabilities of the tokens of the text, for requests that ask for them. A stream sends one with each piece of
    /// the text, the rest with the last.
    #[must_use]
    pub fn logprobs<T: Into<String>>(mut self, logprobs: impl IntoIterator<Item = (T, f64)>) -> Self {
        self.logprobs = logprobs
            .into_iter()
            .map(|(token, logprob)| (token.into(), logprob))
            .collect();
        self
    }

    /// Streams the fragments of several tool calls in turns, in the dialects that can (chat completions).
    #[must_use]
    pub fn interleaved(mut self) -> Self {
        self.interleaved = true;
        self
    }

    pub(super) fn cut_after(mut self, frames: usize) -> Self {
        self.cut_after = Some(frames);
        self
    }

    fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    pub(super) fn why(&self) -> Stop {
        self.stop.clone().unwrap_or(if self.calls().next().is_some() {
            Stop::ToolCalls
        } else {
            Stop::End
        })
    }

    /// All texts as one.
    pub(super) fn whole_text(&self) -> String {
        self.text_pieces().concat()
    }

    pub(super) fn text_pieces(&self) -> Vec<&str> {
        let pieces = self.blocks.iter().filter_map(|block| match block {
            Block::Text { pieces, .. } => Some(pieces),
            _ => None,
        });
        pieces.flatten().map(String::as_str).collect()
    }

    /// All thoughts that can be read, as one; `None` without any.
    pub(super) fn thoughts(&self) -> Option<String> {
        let pieces = self.thought_pieces();
        (!pieces.is_empty()).then(|| pieces.concat())
    }

    pub(super) fn thought_pieces(&self) -> Vec<&str> {
        let pieces = self.blocks.iter().filter_map(|block| match block {
            Block::Thinking { pieces, .. } => Some(pieces),
            _ => None,
        });
        pieces.flatten().map(String::as_str).collect()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    pub(super) fn citations(&self) -> impl Iterator<Item = &Citation> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Text { citations, .. } => citations.as_slice(),
            _ => &[],
        })
    }

    /// Those of the probabilities that go with a piece of `count`.
    pub(super) fn logprobs_of(&self, piece: usize, count: usize) -> &[(String, f64)] {
        let from = piece.min(self.logprobs.len());
        let to = if piece + 1 == count {
            self.logprobs.len()
        } else {
            (piece + 1).min(self.logprobs.len())
        };
        &self.logprobs[from..to]
    }
}

impl ToolCall {
    /// The arguments as text.
    pub(super) fn text(&self) -> String {
        self.arguments.concat()
    }

    /// The arguments as an object; an empty one where they are no JSON.
    pub(super) fn object(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|_| serde_json::json!({}))
    }

    /// The id, or one that the dialect makes of the call's number.
    pub(super) fn id_or(&self, prefix: &str, number: usize) -> String {
        if self.id.is_empty() {
            format!("{prefix}{number}")
        } else {
            self.id.clone()
        }
    }
}

fn owned(pieces: Vec<&str>) -> Vec<String> {
    pieces.into_iter().map(str::to_owned).collect()
}

/// Cuts a text before each space and after each fifth character without one.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut chars) = (0, 0);
    for (index, char) in text.char_indices() {
        if index > start && (char == ' ' || chars == 5) {
            pieces.push(&text[start..index]);
            (start, chars) = (index, 0);
        }
        chars += 1;
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::UNICODE_TEXT;

    #[test]
    fn pieces_make_up_the_text() {
        for text in ["", "Hello from the upstream.", UNICODE_TEXT, "  two  spaces "] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(
            pieces("Hello from the upstream."),
            ["Hello", " from", " the", " upst", "ream."]
        );
    }

    #[test]
    fn stops_for_tools_unless_told_otherwise() {
        let call = Completion::new().tool_call("", "f", "{}");
        assert_eq!(call.why(), Stop::ToolCalls);
        assert_eq!(call.stop(Stop::Length).why(), Stop::Length);
        assert_eq!(Completion::new().text("x").why(), Stop::End);
    }

    #[test]
    fn the_last_piece_takes_the_remaining_probabilities() {
        let answer = Completion::new().logprobs([("a", -0.1), ("b", -0.2), ("c", -0.3)]);
        assert_eq!(answer.logprobs_of(0, 2).len(), 1);
        assert_eq!(answer.logprobs_of(1, 2).len(), 2);
        assert_eq!(answer.logprobs_of(5, 7).len(), 0);
    }
}
