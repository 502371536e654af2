use proptest::prelude::*;

use super::*;

/// As botocore 1.43 reads it: `messageStop` with the payload `{"stopReason":"end_turn"}`.
const STOP: &str = "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d7479\
                    70650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f7052\
                    6561736f6e223a22656e645f7475726e227d5fbf09fc";

const STOP_HEADERS: [(&str, &str); 3] = [
    (":event-type", "messageStop"),
    (":content-type", "application/json"),
    (":message-type", "event"),
];

fn unhex(text: &str) -> Vec<u8> {
    let nibbles: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    nibbles
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    write_event_message(&mut out, headers, payload);
    out.freeze()
}

fn read(bytes: &[u8]) -> (Vec<EventMessage>, bool) {
    let mut splitter = EventStreamSplitter::new();
    splitter.push(bytes);
    let messages = std::iter::from_fn(|| splitter.next_message()).collect();
    (messages, splitter.is_lost())
}

#[test]
fn known_message() {
    assert_eq!(
        message(&STOP_HEADERS, br#"{"stopReason":"end_turn"}"#),
        unhex(STOP)
    );
    let (messages, lost) = read(&unhex(STOP));
    assert!(!lost);
    assert_eq!(messages[0].header(":event-type"), Some("messageStop"));
    assert_eq!(messages[0].header(":message-type"), Some("event"));
    assert_eq!(messages[0].header(":exception-type"), None);
    assert_eq!(messages[0].payload(), br#"{"stopReason":"end_turn"}"#);
}

#[test]
fn headers_of_other_types_are_skipped() {
    let mut block = BytesMut::new();
    for (kind, value) in [
        (0, &[][..]),
        (2, &[1]),
        (3, &[1; 2]),
        (4, &[1; 4]),
        (6, &[0, 1, 9]),
        (8, &[1; 8]),
        (9, &[1; 16]),
    ] {
        block.put_slice(&[1, b'x', kind]);
        block.put_slice(value);
    }
    let strings = message(&[("name", "value")], b"");
    block.put_slice(&strings[PRELUDE..strings.len() - TRAILER]);
    let found = EventMessage {
        frame: frame(&block, b"old"),
        headers: block.len(),
    };
    assert_eq!(found.header("name"), Some("value"));
    assert_eq!(found.header("x"), None);
    let changed = found.with_payload(b"new one");
    let (read, lost) = read(changed.frame());
    assert!(!lost);
    assert_eq!(read, [changed]);
    assert_eq!(read[0].payload(), b"new one");
    assert_eq!(read[0].header_block(), found.header_block());
}

#[test]
fn an_event_of_our_own_is_what_others_write() {
    let stop = EventMessage::json_event("messageStop", br#"{"stopReason":"end_turn"}"#);
    assert_eq!(*stop.frame(), unhex(STOP));
    assert_eq!(stop.payload(), br#"{"stopReason":"end_turn"}"#);
}

#[test]
fn what_cannot_be_cut_can_be_taken() {
    let good = unhex(STOP);
    let mut splitter = EventStreamSplitter::new();
    splitter.push(&good);
    splitter.push(&good[..9]);
    assert!(splitter.next_message().is_some() && splitter.next_message().is_none());
    assert_eq!(splitter.take_rest(), good[..9]);
    let mut bad = good.clone();
    bad[40] ^= 1;
    splitter.push(&bad);
    assert!(splitter.next_message().is_none() && splitter.is_lost());
    assert_eq!(splitter.take_rest(), bad);
    splitter.push(&good);
    assert!(splitter.next_message().is_none());
    assert_eq!(splitter.take_rest(), "");
}

#[test]
fn what_was_altered_loses_the_splitter() {
    let good = unhex(STOP);
    for position in [0, 5, 9, 30, good.len() - 20, good.len() - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        bad.extend_from_slice(&good);
        let (messages, lost) = read(&bad);
        assert!(messages.is_empty() && lost, "{position}");
    }
}

#[test]
fn an_impossible_length_is_not_waited_for() {
    for (total, headers) in [(MAX_MESSAGE + 1, 0), (15, 0), (20, 5)] {
        let mut prelude = BytesMut::new();
        prelude.put_u32(u32::try_from(total).unwrap());
        prelude.put_u32(headers);
        prelude.put_u32(crc32(&prelude[..]));
        assert_eq!(read(&prelude), (Vec::new(), true), "{total} {headers}");
    }
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6), step in 1_usize..90,
    ) {
        let mut stream = BytesMut::new();
        for payload in &payloads {
            write_event_message(&mut stream, &STOP_HEADERS, payload);
        }
        let mut splitter = EventStreamSplitter::new();
        let mut found = Vec::new();
        for chunk in stream.chunks(step) {
            splitter.push(chunk);
            while let Some(message) = splitter.next_message() {
                prop_assert_eq!(message.header(":event-type"), Some("messageStop"));
                found.push(message.payload().to_vec());
            }
        }
        prop_assert_eq!(found, payloads);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (messages, _) = read(&bytes);
        for message in messages {
            let _ = message.header("name");
        }
        let loose = EventMessage { headers: bytes.len(), frame: frame(&bytes, b"") };
        let _ = loose.header("name");
    }
}
