//! The fields of one frame.

use std::borrow::Cow;

/// A frame's fields, borrowed from its bytes. Comments and unknown fields are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseFrame<'a> {
    /// `event`: the last one given, unless it is not UTF-8.
    pub event: Option<&'a str>,
    /// `data`: all lines, joined by LF; `None` without any. Borrowed if there is one line.
    pub data: Option<Cow<'a, [u8]>>,
    /// `id`, as the server sent it.
    pub id: Option<&'a [u8]>,
    /// `retry`, in milliseconds.
    pub retry: Option<u64>,
}

impl<'a> SseFrame<'a> {
    /// Reads a frame as [`SseSplitter`](super::SseSplitter) cuts it. A byte order mark before it is skipped.
    ///
    /// ```
    /// use sluice_wire::SseFrame;
    ///
    /// let frame = SseFrame::parse(b"event: ping\ndata: {}\n\n");
    /// assert_eq!(frame.event, Some("ping"));
    /// assert_eq!(frame.data.as_deref(), Some(b"{}".as_slice()));
    /// ```
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Self {
        let mut frame = Self::default();
        let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            frame.field(&rest[..end]);
            rest = &rest[(end + 1).min(rest.len())..];
        }
        frame
    }

    fn field(&mut self, line: &'a [u8]) {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.add_data(value),
            b"event" => self.event = std::str::from_utf8(value).ok(),
            b"id" => self.id = Some(value),
            b"retry" => {
                self.retry = std::str::from_utf8(value)
                    .ok()
                    .and_then(|value| value.parse().ok())
            }
            _ => {}
        }
    }

    fn add_data(&mut self, line: &'a [u8]) {
        match &mut self.data {
            None => self.data = Some(Cow::Borrowed(line)),
            Some(data) => {
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(bytes: &[u8]) -> Option<String> {
        SseFrame::parse(bytes)
            .data
            .map(|data| String::from_utf8(data.into_owned()).unwrap())
    }

    #[test]
    fn all_fields() {
        let frame = SseFrame::parse(
            b": comment\r\nid: 7\r\nevent: delta\r\nretry: 1500\r\nfoo: bar\r\ndata:x\r\n\r\n",
        );
        assert_eq!(frame.event, Some("delta"));
        assert_eq!(frame.id, Some(b"7".as_slice()));
        assert_eq!(frame.retry, Some(1500));
        assert!(matches!(frame.data, Some(Cow::Borrowed(b"x"))));
    }

    #[test]
    fn data_lines_are_joined_and_only_one_blank_is_stripped() {
        assert_eq!(
            data(b"data: a\ndata:  b\ndata\ndata:c\n\n").unwrap(),
            "a\n b\n\nc"
        );
    }

    #[test]
    fn a_frame_without_data_has_none() {
        assert_eq!(data(b": keep-alive\n\n"), None);
        assert_eq!(data(b"\n"), None);
        assert_eq!(data(b"data:\n\n").unwrap(), "");
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(data("\u{feff}data: a\n\n".as_bytes()).unwrap(), "a");
    }

    #[test]
    fn odd_values_are_ignored() {
        let frame = SseFrame::parse(b"retry: soon\nevent: \xff\ndata: a\r\r");
        assert_eq!((frame.retry, frame.event), (None, None));
    }
}
