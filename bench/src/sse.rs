//! Server-sent events as the load generator needs them: told apart, not parsed.

use crate::chat;

/// One event of a streamed answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A content chunk, and when the mock sent it.
    Chunk {
        /// [`crate::clock::now`] at the mock.
        sent: u64,
    },
    /// `[DONE]`.
    Done,
    /// Anything else: the finish reason, usage, a comment.
    Other,
}

/// Takes all complete events from the front of `payload` and shows each to `see`.
pub fn take_events(payload: &mut Vec<u8>, mut see: impl FnMut(Event)) {
    let mut taken = 0;
    for end in memchr::memmem::find_iter(payload, b"\n\n") {
        // A third line feed in a row would start inside the separator.
        if end >= taken {
            see(kind_of(&payload[taken..end]));
            taken = end + 2;
        }
    }
    payload.drain(..taken);
}

fn kind_of(event: &[u8]) -> Event {
    match chat::stamp_of(event) {
        Some(sent) => Event::Chunk { sent },
        None if event.ends_with(b"data: [DONE]") => Event::Done,
        None => Event::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Chunk;

    #[test]
    fn events_are_seen_once_however_they_arrive() {
        let mut chunk = Chunk::new("mock");
        let framed = chunk.stamped(42).to_vec();
        let from = memchr::memmem::find(&framed, b"data:").unwrap();
        let mut bytes = framed[from..framed.len() - 2].to_vec();
        bytes.extend_from_slice(b": ping\n\ndata: [DONE]\n\n");
        for step in 1..bytes.len() {
            let (mut payload, mut seen) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(step) {
                payload.extend_from_slice(piece);
                take_events(&mut payload, |event| seen.push(event));
            }
            assert_eq!(
                seen,
                [Event::Chunk { sent: 42 }, Event::Other, Event::Done],
                "step {step}"
            );
            assert!(payload.is_empty());
        }
    }

    #[test]
    fn an_incomplete_event_stays() {
        let mut payload = b"data: [DONE]\n".to_vec();
        take_events(&mut payload, |event| panic!("{event:?}"));
        assert_eq!(payload, b"data: [DONE]\n");
    }
}
