use proptest::prelude::*;

use super::*;

fn cut(framing: Framing, stream: &[u8], size: usize) -> Vec<StreamEvent> {
    let mut splitter = EventSplitter::new(framing);
    let mut events = Vec::new();
    for chunk in stream.chunks(size) {
        splitter.push(Bytes::copy_from_slice(chunk));
        events.extend(std::iter::from_fn(|| splitter.next_event()));
    }
    events.extend(splitter.finish());
    events
}

fn joined(events: Vec<StreamEvent>) -> Vec<u8> {
    events.into_iter().flat_map(StreamEvent::into_frame).collect()
}

#[test]
fn data_is_replaced_under_the_same_name() {
    let event = StreamEvent::new(Bytes::from_static(b"event: a\ndata: {}\n\n"));
    assert_eq!(
        (event.name(), event.data().as_deref()),
        (Some("a"), Some(b"{}".as_slice()))
    );
    assert_eq!(event.with_data(b"[1]").frame(), "event: a\ndata: [1]\n\n");
    assert_eq!(StreamEvent::new(Bytes::from_static(b": ping\n\n")).data(), None);
}

#[test]
fn binary_events_are_written_anew() {
    let event = StreamEvent::bedrock("contentBlockDelta", br#"{"delta":{"text":"a"}}"#);
    assert_eq!(event.name(), Some("contentBlockDelta"));
    let changed = event.with_data(br#"{"delta":{"text":"something longer"}}"#);
    let read = cut(Framing::EventStream, changed.frame(), 1000);
    assert_eq!(read, [changed]);
    assert_eq!(read[0].name(), Some("contentBlockDelta"));
    assert_eq!(
        read[0].data().as_deref(),
        Some(br#"{"delta":{"text":"something longer"}}"#.as_slice())
    );
}

#[test]
fn what_cannot_be_cut_passes_as_fragments() {
    let good = StreamEvent::bedrock("messageStop", b"{}");
    let mut stream = good.frame().to_vec();
    let mut bad = good.frame().to_vec();
    bad[20] ^= 1;
    stream.extend_from_slice(&bad);
    stream.extend_from_slice(good.frame());
    for size in [1, 30, stream.len()] {
        let events = cut(Framing::EventStream, &stream, size);
        assert_eq!(events[0], good, "{size}");
        assert!(events[1..].iter().all(StreamEvent::is_fragment), "{size}");
        assert!(events[1].data().is_some(), "it is no comment");
        assert_eq!(joined(events), stream, "{size}");
    }
    let broken_off = &good.frame()[..20];
    let events = cut(Framing::EventStream, broken_off, 7);
    assert!(events.len() == 1 && events[0].is_fragment());
    assert_eq!(events[0].with_data(b"{}").frame(), broken_off);
}

#[test]
fn lines_have_data_unless_they_are_blank() {
    let events = cut(Framing::Lines, b"{\"a\":1}\r\n\n{}", 4);
    let data: Vec<_> = events
        .iter()
        .map(|event| event.data().map(Cow::into_owned))
        .collect();
    assert_eq!(data, [Some(b"{\"a\":1}".to_vec()), None, Some(b"{}".to_vec())]);
    assert_eq!(events[2].with_data(b"[]").frame(), "[]\n");
}

#[test]
fn ends_are_known() {
    let end =
        |protocol, frame: &'static str| StreamEvent::new(Bytes::from_static(frame.as_bytes())).end(protocol);
    assert_eq!(
        end(Protocol::OpenAiChat, "data: [DONE]\n\n"),
        Some(StreamEnd::Complete)
    );
    assert_eq!(end(Protocol::OpenAiChat, "data: {\"choices\":[]}\n\n"), None);
    assert_eq!(
        end(
            Protocol::AnthropicMessages,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        ),
        Some(StreamEnd::Complete)
    );
    let bedrock = |name| StreamEvent::bedrock(name, b"{}").end(Protocol::BedrockConverse);
    assert_eq!(bedrock("messageStop"), Some(StreamEnd::Complete));
    assert_eq!(bedrock("contentBlockStop"), None);
}

proptest! {
    #[test]
    fn no_byte_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1_usize..80) {
        for framing in [Framing::Sse, Framing::EventStream, Framing::Lines] {
            prop_assert_eq!(joined(cut(framing, &bytes, size)), bytes.clone());
        }
    }
}
