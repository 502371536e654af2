//! Writes frames.

use bytes::{BufMut, BytesMut};

/// Appends a frame. Data with line ends in it becomes several `data` lines. `event` must not contain line ends.
///
/// ```
/// let mut out = bytes::BytesMut::new();
/// sluice_wire::write_frame(&mut out, Some("ping"), b"{}");
/// assert_eq!(out, "event: ping\ndata: {}\n\n");
/// ```
pub fn write_frame(out: &mut BytesMut, event: Option<&str>, data: &[u8]) {
    if let Some(event) = event {
        out.put_slice(b"event: ");
        out.put_slice(event.as_bytes());
        out.put_u8(b'\n');
    }
    for line in data.split(|&byte| byte == b'\n') {
        out.put_slice(b"data: ");
        // A lone CR would end the line as well; before an LF it belongs to the line end.
        for (position, part) in line
            .strip_suffix(b"\r")
            .unwrap_or(line)
            .split(|&byte| byte == b'\r')
            .enumerate()
        {
            if position > 0 {
                out.put_slice(b"\ndata: ");
            }
            out.put_slice(part);
        }
        out.put_u8(b'\n');
    }
    out.put_u8(b'\n');
}

/// Appends a comment, which readers skip. `text` must not contain line ends.
pub fn write_comment(out: &mut BytesMut, text: &str) {
    out.put_slice(b": ");
    out.put_slice(text.as_bytes());
    out.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sse::{SseFrame, SsePart, SseSplitter};

    proptest! {
        #[test]
        fn what_is_written_is_read(event in prop::option::of("[a-z._]{1,12}"), data in "([ab: é]{0,5}\n?){0,5}") {
            let mut out = BytesMut::new();
            write_comment(&mut out, "wait");
            write_frame(&mut out, event.as_deref(), data.as_bytes());
            let mut splitter = SseSplitter::new();
            splitter.push(out.freeze());
            prop_assert!(matches!(splitter.next_part(), Some(SsePart::Frame(_))));
            let Some(SsePart::Frame(frame)) = splitter.next_part() else { panic!("not a frame") };
            let read = SseFrame::parse(&frame);
            prop_assert_eq!(read.event, event.as_deref());
            prop_assert_eq!(read.data.as_deref(), Some(data.as_bytes()));
            prop_assert_eq!(splitter.next_part(), None);
        }
    }

    #[test]
    fn carriage_returns_cannot_break_out_of_the_data() {
        let mut out = BytesMut::new();
        write_frame(&mut out, None, b"a\r\nb\revent: evil");
        assert_eq!(out, "data: a\ndata: b\ndata: event: evil\n\n");
    }
}
