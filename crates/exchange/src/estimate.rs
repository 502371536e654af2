//! Usage where the provider reported none: sized by what was sent and what passed.

use bytes::Bytes;
use sluice_core::Context;
use sluice_llm::{AnswerFacts, Operation, Protocol, RequestView, TokenCounter, Usage};

/// The input side of an estimate, taken when the call is made and computed only if it is needed.
pub(crate) struct Input {
    request: Option<RequestView>,
    costs: bool,
}

impl Input {
    pub(crate) fn of(cx: &Context) -> Self {
        let ai = cx.ai.as_deref();
        Self {
            request: ai.and_then(|ai| ai.request.clone()),
            costs: ai.is_some_and(|ai| costs(ai.protocol)),
        }
    }

    /// The usage of a call that generated so many tokens; `None` for calls that cost none.
    pub(crate) fn with_output(&self, output: u64) -> Option<Usage> {
        self.costs.then(|| Usage {
            input: self.tokens(),
            output,
            ..Usage::default()
        })
    }

    fn tokens(&self) -> u64 {
        let request = self.request.as_ref();
        request
            .map(spoken)
            .into_iter()
            .flatten()
            .map(TokenCounter::estimate)
            .sum()
    }
}

/// Members of a request that the model reads, as they stand.
fn spoken(request: &RequestView) -> impl Iterator<Item = &str> {
    const MEMBERS: [&str; 11] = [
        "messages",
        "input",
        "system",
        "instructions",
        "tools",
        "contents",
        "systemInstruction",
        "prompt",
        "texts",
        "content",
        "requests",
    ];
    let members = request.object().into_iter();
    members
        .flat_map(|object| MEMBERS.iter().filter_map(move |name| object.get(name)))
        .filter_map(|member| std::str::from_utf8(member.raw()).ok())
}

/// Shortest base64 text that is taken for a picture, a document or a recording, in bytes.
const MEDIA_MIN: usize = 2048;

/// What such a thing is taken for: its true size is known to its model only.
const MEDIA_TOKENS: u64 = 1000;

/// How many tokens a request has, guessed from its length before it is sent. One pass over its bytes.
#[must_use]
pub fn input_tokens(request: &RequestView) -> u64 {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-:;,.".contains(&byte);
    let mut tokens = 0;
    for member in spoken(request) {
        tokens += TokenCounter::estimate(member);
        for text in member.split('"').filter(|text| text.len() >= MEDIA_MIN) {
            if text.bytes().all(is_base64) {
                tokens = tokens.saturating_sub(TokenCounter::estimate(text)) + MEDIA_TOKENS;
            }
        }
    }
    tokens
}

/// Whether answers in a protocol are generated text, which costs tokens and, as a stream, has an event that ends it.
pub(crate) fn generates(protocol: Protocol) -> bool {
    protocol.is_chat()
}

/// Whether calls in a protocol cost tokens.
pub(crate) fn costs(protocol: Protocol) -> bool {
    matches!(protocol.operation(), Operation::Chat | Operation::Embed)
}

/// The usage of a whole answer that reports none.
pub(crate) fn whole(cx: &Context, protocol: Protocol, answer: &Bytes) -> Option<Usage> {
    let facts = AnswerFacts::read(protocol, answer, true)?;
    let output = facts.text.map_or(0, |text| TokenCounter::estimate(&text));
    Input::of(cx).with_output(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(body: String) -> u64 {
        input_tokens(&RequestView::parse(body.into()).unwrap())
    }

    #[test]
    fn a_picture_counts_as_one_and_a_long_text_as_what_it_is() {
        let body = |text: &str| format!(r#"{{"messages":[{{"content":"{text}"}}],"user":"{text}"}}"#);
        assert_eq!(tokens(body("hello there")), 7);
        let picture = tokens(body(&format!("data:image/png;base64,{}", "QUJD".repeat(100_000))));
        assert!((1000..1020).contains(&picture), "{picture}");
        let words = tokens(body(&"word ".repeat(1000)));
        assert!((1250..1270).contains(&words), "{words}");
    }
}
