//! What an MCP server says, as server-sent events.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body::Frame;
use serde_json::json;
use sluice_net::BodyError;
use sluice_process::{Output, Process, Stream};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Time between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The body of a session: where to post messages, then what the server says, and pings between. Ends with the server;
/// the server ends with it.
pub(super) struct EventStream {
    server: Process,
    /// The first events, until they are sent.
    opening: Option<Bytes>,
    pings: Interval,
    pings_sent: u64,
}

impl EventStream {
    pub(super) fn new(server: Process, endpoint: &str) -> Self {
        let mut opening = BytesMut::from(format!("event: endpoint\ndata: {endpoint}\n\n").as_bytes());
        put_ping(&mut opening, 1);
        let mut pings = tokio::time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            server,
            opening: Some(opening.freeze()),
            pings,
            pings_sent: 1,
        }
    }

    fn ping(&mut self) -> Bytes {
        self.pings_sent += 1;
        let mut event = BytesMut::new();
        put_ping(&mut event, self.pings_sent);
        event.freeze()
    }
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let data = |bytes: Bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if let Some(opening) = this.opening.take() {
            return data(opening);
        }
        if this.pings.poll_tick(cx).is_ready() {
            return data(this.ping());
        }
        loop {
            let Some(output) = ready!(this.server.poll_next(cx)) else {
                return Poll::Ready(None);
            };
            let events = events_of(&output);
            // Empty lines say nothing.
            if !events.is_empty() {
                return data(events);
            }
        }
    }
}

/// One event per line. What is no message of the protocol, being standard error, is wrapped in one.
fn events_of(output: &Output) -> Bytes {
    let mut events = BytesMut::with_capacity(output.lines.len() + 64);
    for line in output.lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match output.stream {
            Stream::Stdout => put_message(&mut events, line),
            Stream::Stderr => {
                let content = String::from_utf8_lossy(line);
                let notice = json!({
                    "jsonrpc": "2.0", "method": "notifications/stderr", "params": { "content": content },
                });
                put_message(&mut events, notice.to_string().as_bytes());
            }
        }
    }
    events.freeze()
}

fn put_ping(events: &mut BytesMut, number: u64) {
    let ping = json!({ "jsonrpc": "2.0", "method": "ping", "id": format!("ping:{number}") });
    put_message(events, ping.to_string().as_bytes());
}

fn put_message(events: &mut BytesMut, message: &[u8]) {
    events.put_slice(b"event: message\ndata: ");
    let start = events.len();
    events.put_slice(message);
    // It would end the line, and what follows could pass for another event. In JSON it is a blank.
    for byte in &mut events[start..] {
        if *byte == b'\r' {
            *byte = b' ';
        }
    }
    events.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stream: Stream, lines: &'static str) -> String {
        let output = Output {
            stream,
            lines: Bytes::from(lines),
        };
        String::from_utf8(events_of(&output).to_vec()).unwrap()
    }

    #[test]
    fn every_line_is_a_message() {
        assert_eq!(
            events(Stream::Stdout, "{\"id\":1}\r\n\n{\"id\":2}\nlast"),
            "event: message\ndata: {\"id\":1}\n\nevent: message\ndata: {\"id\":2}\n\nevent: message\ndata: last\n\n"
        );
        assert_eq!(events(Stream::Stdout, "\n\r\n"), "");
    }

    #[test]
    fn no_line_makes_an_event_of_its_own() {
        assert_eq!(
            events(Stream::Stdout, "a\rdata: b\r\revent: endpoint\n"),
            "event: message\ndata: a data: b  event: endpoint\n\n"
        );
    }

    #[test]
    fn standard_error_is_wrapped() {
        let expected = json!({
            "jsonrpc": "2.0", "method": "notifications/stderr", "params": { "content": "bad \"thing\"" },
        });
        assert_eq!(
            events(Stream::Stderr, "bad \"thing\"\n"),
            format!("event: message\ndata: {expected}\n\n")
        );
    }
}
