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
        let Some(object) = self.request.as_ref().and_then(RequestView::object) else {
            return 0;
        };
        [
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
        ]
        .iter()
        .filter_map(|name| object.get(name))
        .filter_map(|member| std::str::from_utf8(member.raw()).ok())
        .map(TokenCounter::estimate)
        .sum()
    }
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
