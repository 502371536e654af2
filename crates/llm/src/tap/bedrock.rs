//! Bedrock Converse streams: binary messages (compat §5.6, llm-protocols §8).

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_wire::EventMessage;

use super::{FrameKind, StreamEnd, StreamTap, raw};
use crate::lenient::NonEmpty;
use crate::usage::BedrockUsage;

#[derive(Deserialize)]
struct BlockStart {
    #[serde(default)]
    start: Start,
}

#[derive(Default, Deserialize)]
struct Start {
    #[serde(default, rename = "toolUse")]
    tool_use: NonEmpty,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    tool_use: Option<ToolUse<'a>>,
    reasoning_content: Option<Reasoning<'a>>,
}

#[derive(Deserialize)]
struct ToolUse<'a> {
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Reasoning<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    usage: Option<BedrockUsage<'a>>,
}

impl StreamTap {
    /// Sees bytes of a binary stream; says what the most telling of the messages that they complete is.
    pub(super) fn observe_bedrock(&mut self, chunk: &[u8]) -> FrameKind {
        self.messages.push(chunk);
        let mut told = FrameKind::Plain;
        while let Some(message) = self.messages.next_message() {
            match self.message(&message) {
                FrameKind::Plain => {}
                kind => told = kind,
            }
        }
        told
    }

    fn message(&mut self, message: &EventMessage) -> FrameKind {
        if self.end.is_some() {
            return FrameKind::Plain;
        }
        let payload = message.payload();
        if self.options.keep_usage {
            raw::merge_event(&mut self.raw_usage, payload);
        }
        if self.options.keep_signatures {
            self.note_signatures(payload);
        }
        if matches!(message.header(":message-type"), Some("exception" | "error")) {
            return self.ended(StreamEnd::Failed);
        }
        match message.header(":event-type") {
            Some("contentBlockDelta") => {
                self.read_bedrock_delta(payload);
                self.content()
            }
            Some("contentBlockStart") => {
                let start = serde_json::from_slice::<BlockStart>(payload);
                if start.is_ok_and(|block| block.start.tool_use.0) {
                    self.has_tool_calls = true;
                    return self.content();
                }
                FrameKind::Plain
            }
            Some("messageStop") => {
                self.stopped = true;
                FrameKind::Plain
            }
            Some("metadata") => {
                let metadata = serde_json::from_slice::<Metadata<'_>>(payload).ok();
                if let Some(usage) = metadata.and_then(|metadata| metadata.usage) {
                    self.report(&usage.tally(), true);
                }
                match self.stopped {
                    true => self.ended(StreamEnd::Complete),
                    false => FrameKind::Plain,
                }
            }
            _ => FrameKind::Plain,
        }
    }

    fn read_bedrock_delta(&mut self, payload: &[u8]) {
        if !self.reads_text() {
            return;
        }
        let parsed = serde_json::from_slice::<BlockDelta<'_>>(payload).ok();
        if let Some(delta) = parsed.and_then(|parsed| parsed.delta) {
            self.generated(delta.text, true);
            self.generated(delta.tool_use.and_then(|tool| tool.input), false);
            self.generated(
                delta.reasoning_content.and_then(|reasoning| reasoning.text),
                false,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use sluice_wire::write_event_message;

    use super::super::TapOptions;
    use super::*;
    use crate::protocol::Protocol;
    use crate::usage::{ReportedCounts, Usage};

    const EVENTS: [(&str, &str); 8] = [
        ("messageStart", r#"{"role":"assistant","p":"ab"}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"Hel"}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"lo"}}"#,
        ),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}"#,
        ),
        ("messageStop", r#"{"stopReason":"tool_use"}"#),
        (
            "metadata",
            r#"{"usage":{"inputTokens":7,"outputTokens":5,"totalTokens":12,"cacheReadInputTokens":3},"metrics":{"latencyMs":1}}"#,
        ),
    ];

    fn stream(events: &[(&str, &str)]) -> Bytes {
        let mut out = BytesMut::new();
        for (name, payload) in events {
            let headers = [(":event-type", *name), (":message-type", "event")];
            write_event_message(&mut out, &headers, payload.as_bytes());
        }
        out.freeze()
    }

    fn tap() -> StreamTap {
        let options = TapOptions {
            keep_text: true,
            keep_usage: true,
            ..TapOptions::default()
        };
        StreamTap::new(Protocol::BedrockConverse, options)
    }

    #[test]
    fn a_stream_in_pieces_of_any_size() {
        let bytes = stream(&EVENTS);
        for step in [1, 7, 100, bytes.len()] {
            let mut tap = tap();
            for chunk in bytes.chunks(step) {
                tap.feed(&Bytes::copy_from_slice(chunk));
            }
            assert_eq!(tap.end(), Some(StreamEnd::Complete), "{step}");
            assert_eq!(tap.text(), Some("Hello"));
            assert!(tap.has_tool_calls() && tap.has_content());
            assert_eq!(tap.content_frames(), 4);
            let usage = tap.usage().unwrap();
            assert_eq!(
                usage.counts,
                ReportedCounts {
                    prompt: 7,
                    completion: 5,
                    total: 12,
                    ..ReportedCounts::default()
                }
            );
            assert_eq!(
                usage.usage,
                Usage {
                    input: 7,
                    output: 5,
                    cache_read: 3,
                    ..Usage::default()
                }
            );
            assert_eq!(
                tap.raw_usage().unwrap(),
                r#"{"inputTokens":7,"outputTokens":5,"totalTokens":12,"cacheReadInputTokens":3}"#
            );
        }
    }

    #[test]
    fn a_message_without_metadata_is_whole_when_the_stream_ends() {
        let mut tap = tap();
        tap.feed(&stream(&EVENTS[..7]));
        assert_eq!(tap.end(), None);
        tap.finish();
        assert_eq!((tap.end(), tap.usage()), (Some(StreamEnd::Complete), None));
    }

    #[test]
    fn a_stream_that_breaks_off_has_no_end() {
        let bytes = stream(&EVENTS);
        let mut late = tap();
        late.feed(&bytes.slice(..bytes.len() - 1));
        assert!(late.usage().is_none(), "its message is not whole");
        let mut early = tap();
        early.feed(&stream(&EVENTS[..3]));
        early.finish();
        assert_eq!(early.end(), None);
    }

    #[test]
    fn exceptions_end_it() {
        let mut tap = tap();
        tap.feed(&stream(&EVENTS[..2]));
        let mut out = BytesMut::new();
        let headers = [
            (":exception-type", "throttlingException"),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        write_event_message(&mut out, &headers, br#"{"message":"Too many requests"}"#);
        tap.feed(&out.freeze());
        assert_eq!(tap.end(), Some(StreamEnd::Failed));
    }
}
