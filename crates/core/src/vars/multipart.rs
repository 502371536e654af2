//! Fields of `multipart/form-data` bodies (RFC 7578).

use memchr::memmem;

/// The boundary that a content type names.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The value of the first part of that name, if it is text. One pass over the body.
pub(super) fn field<'a>(body: &'a [u8], boundary: &str, name: &str) -> Option<&'a str> {
    let delimiter = format!("--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    let is_delimiter = |at: &usize| {
        let is_whole = matches!(body.get(at + delimiter.len()), Some(b'\r' | b'-' | b' ' | b'\t'));
        is_whole && (*at == 0 || body[..*at].ends_with(b"\r\n"))
    };
    let mut marks = finder.find_iter(body).filter(is_delimiter);
    let mut start = marks.next()? + delimiter.len();
    for end in marks {
        // Blanks may follow a delimiter on its line; a closing one is followed by no part.
        let part = body.get(start..end - 2).unwrap_or_default();
        let part = &part[memmem::find(part, b"\r\n").map_or(part.len(), |line| line)..];
        if let Some(head_end) = memmem::find(part, b"\r\n\r\n")
            && is_named(&part[..head_end], name)
        {
            return std::str::from_utf8(&part[head_end + 4..]).ok();
        }
        start = end + delimiter.len();
    }
    None
}

fn is_named(head: &[u8], name: &str) -> bool {
    let lines = std::str::from_utf8(head).unwrap_or_default().split("\r\n");
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let disposition = headers.find(|(header, _)| header.trim().eq_ignore_ascii_case("content-disposition"));
    disposition.and_then(|(_, value)| parameter(value, "name")) == Some(name)
}

/// A parameter of a header value. Quoted values end at the next quote: clients write quotes in them as `%22`.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = value;
    loop {
        rest = rest.split_once(';')?.1.trim_start();
        let (key, value) = rest.split_once('=')?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim_end(), &value[end..])
            }
        };
        if key.trim_end().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = "preamble\r\n--XX\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a;b.wav\"\r\nContent-Type: audio/wav\r\n\r\n\
        no --XX delimiter\r\n--XXY neither\r\n--XX \t\r\n\
        content-disposition: form-data; name=model\r\n\r\nwhisper-1\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--XX--\r\n";

    #[test]
    fn fields_by_name() {
        let field = |name| field(BODY.as_bytes(), "XX", name);
        assert_eq!(field("model"), Some("whisper-1"));
        assert_eq!(field("file"), Some("no --XX delimiter\r\n--XXY neither"));
        assert_eq!(field("empty"), Some(""));
        assert_eq!(field("other"), None);
        assert_eq!(field("filename"), None);
    }

    #[test]
    fn what_is_no_text_or_not_whole() {
        let binary = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\xff\r\n--b--";
        assert_eq!(field(binary, "b", "x"), None);
        let cut = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nhalf";
        assert_eq!(field(cut, "b", "x"), None);
        assert_eq!(field(b"", "b", "x"), None);
        assert_eq!(field(b"--b--b--b", "b", "x"), None);
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
        assert_eq!(
            boundary("multipart/form-data; charset=utf-8; Boundary=\"a b\""),
            Some("a b")
        );
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(body in "[-b\r\n: ;=\"a]{0,60}", content_type in "[b;=\" oundary]{0,30}") {
            field(body.as_bytes(), "b", "a");
            boundary(&content_type);
        }
    }
}
