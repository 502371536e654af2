//! What the tests of every codec need.

use bytes::{Bytes, BytesMut};

use super::{ChatCodec, ReplyFacts};
use crate::chat::{Assembler, ChatAnswer, ChatEvent, replay};

/// Facts of a call whose numbers are the same in every run.
pub(crate) fn facts(body: &str) -> ReplyFacts {
    ReplyFacts {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "asked".to_owned(),
        stream_usage: true,
        is_sse: true,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

/// The events of a stream, which must be the same however it is cut.
pub(crate) fn decode_stream(codec: &dyn ChatCodec, stream: &[u8]) -> Vec<ChatEvent> {
    let whole = cut(codec, stream, stream.len().max(1));
    for size in [1, 2, 3, 7, 64] {
        let pieces = cut(codec, stream, size);
        assert_eq!(joined(&pieces), joined(&whole), "pieces of {size} bytes");
    }
    check_order(&whole);
    whole
}

fn cut(codec: &dyn ChatCodec, stream: &[u8], size: usize) -> Vec<ChatEvent> {
    let mut decoder = codec.stream_decoder();
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        decoder.push(&Bytes::copy_from_slice(piece), &mut events);
    }
    decoder.finish(&mut events);
    events
}

/// The answer that events make, whether it is whole, and the error that ended it.
fn joined(events: &[ChatEvent]) -> (ChatAnswer, bool, Option<String>) {
    let protocol = crate::protocol::Protocol::Passthrough;
    let mut assembler = Assembler::new(protocol);
    events.iter().for_each(|event| assembler.push(event));
    let error = events.iter().find_map(|event| match event {
        ChatEvent::Error(error) => Some(error.message().to_owned()),
        _ => None,
    });
    let (answer, whole) = assembler.finish();
    (answer, whole, error)
}

/// The answer that a stream makes; it must be whole.
pub(crate) fn assemble(codec: &dyn ChatCodec, stream: &[u8]) -> ChatAnswer {
    let events = decode_stream(codec, stream);
    let (answer, whole, error) = joined(&events);
    assert!(whole, "{error:?} {events:?}");
    answer
}

/// The stream that a client gets of events.
pub(crate) fn encode_stream(codec: &dyn ChatCodec, facts: ReplyFacts, events: Vec<ChatEvent>) -> String {
    let mut encoder = codec.stream_encoder(facts);
    let mut out = BytesMut::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The stream that a client gets of a whole answer.
pub(crate) fn replayed(codec: &dyn ChatCodec, facts: ReplyFacts, answer: ChatAnswer) -> String {
    encode_stream(codec, facts, replay(answer))
}

/// Asserts the order that [`ChatEvent`] promises.
pub(crate) fn check_order(events: &[ChatEvent]) {
    let mut open: Vec<(u32, u32)> = Vec::new();
    let mut next: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
    let mut stopped: Vec<u32> = Vec::new();
    for (position, event) in events.iter().enumerate() {
        let is_last = position + 1 == events.len();
        match event {
            ChatEvent::Start { .. } => assert_eq!(position, 0, "{events:?}"),
            ChatEvent::PartStart { choice, part, .. } => {
                assert!(!stopped.contains(choice), "{event:?} behind its stop");
                let expected = next.entry(*choice).or_default();
                assert_eq!(part, expected, "{events:?}");
                *expected += 1;
                open.push((*choice, *part));
            }
            ChatEvent::Delta { choice, part, .. } => {
                assert!(open.contains(&(*choice, *part)), "{event:?} of no open part");
            }
            ChatEvent::PartEnd { choice, part } => {
                let index = open.iter().position(|it| it == &(*choice, *part));
                open.remove(index.expect("an end without a start"));
            }
            ChatEvent::Stop { choice, .. } => {
                assert!(!open.iter().any(|(of, _)| of == choice), "{events:?}");
                assert!(!stopped.contains(choice), "{events:?}");
                stopped.push(*choice);
            }
            ChatEvent::End => {
                assert!(is_last && open.is_empty(), "{events:?}");
            }
            ChatEvent::Error(_) => assert!(is_last, "{events:?}"),
            ChatEvent::Logprobs { .. } | ChatEvent::Usage(_) => {}
        }
    }
    assert!(
        matches!(events.last(), Some(ChatEvent::End | ChatEvent::Error(_))),
        "{events:?}"
    );
}
