//! Forms as browsers and SDKs upload them (`multipart/form-data`, RFC 7578): found in a body without copying it, and
//! changed without touching the other bytes.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::memmem::Finder;
use thiserror::Error;

/// Most parts of a form.
const MAX_PARTS: usize = 1000;
/// Most bytes of the headers of a part.
const MAX_HEADERS: usize = 16 * 1024;
/// Longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Why a body is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// The content type names no boundary, or one that is too long.
    #[error("the content type names no boundary")]
    NoBoundary,
    /// The body does not begin with the boundary.
    #[error("the body does not begin with the boundary that the content type names")]
    NoParts,
    /// The body ends before the closing boundary.
    #[error("the form is cut off: the closing boundary is missing")]
    Truncated,
    /// A part has no headers that can be read.
    #[error("a part of the form has no readable headers")]
    Headers,
    /// There are too many parts.
    #[error("the form has more than {MAX_PARTS} parts")]
    TooManyParts,
}

/// A form within a body.
///
/// ```
/// use bytes::Bytes;
/// use sluice_wire::FormView;
///
/// # fn main() -> Result<(), sluice_wire::FormError> {
/// let body = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nsmall\r\n--b--\r\n";
/// let form = FormView::parse("multipart/form-data; boundary=b", Bytes::from(body))?;
/// assert_eq!(form.text("model"), Some("small"));
/// let changed = form.with_text("model", "large").concat();
/// assert_eq!(changed, body.replace("small", "large").as_bytes());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FormView {
    body: Bytes,
    boundary: Box<str>,
    /// Where the first boundary stands.
    first: usize,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    name: Option<Box<str>>,
    is_file: bool,
    data: Range<usize>,
}

impl FormView {
    /// Reads a body. Its length bounds the work: every byte is looked at once.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn parse(content_type: &str, body: Bytes) -> Result<Self, FormError> {
        let boundary = boundary(content_type).ok_or(FormError::NoBoundary)?;
        let delimiter = format!("\r\n--{boundary}");
        let finder = Finder::new(&delimiter);
        // The first boundary may stand at the very beginning.
        let opening = delimiter.get(2..).unwrap_or_default().as_bytes();
        let first = match body.starts_with(opening) {
            true => 0,
            false => finder.find(&body).ok_or(FormError::NoParts)? + 2,
        };
        let mut form = Self {
            boundary: boundary.into(),
            first,
            parts: Vec::new(),
            body,
        };
        let mut at = first + opening.len();
        while let Some(begin) = form.part_begins(at)? {
            if form.parts.len() == MAX_PARTS {
                return Err(FormError::TooManyParts);
            }
            let (name, is_file, data) = form.headers(begin)?;
            // A part without data has its boundary right after the line that ends its headers.
            let from = data.saturating_sub(2);
            let rest = form.body.get(from..).ok_or(FormError::Truncated)?;
            let end = from + finder.find(rest).ok_or(FormError::Truncated)?;
            form.parts.push(Part {
                name,
                is_file,
                data: data..end.max(data),
            });
            at = end + delimiter.len();
        }
        Ok(form)
    }

    /// The first field of that name that is text and no file.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let part = self.field(name)?;
        std::str::from_utf8(self.body.get(part.data.clone())?).ok()
    }

    /// The data of the first file.
    #[must_use]
    pub fn file(&self) -> Option<Bytes> {
        let part = self.parts.iter().find(|part| part.is_file)?;
        Some(self.body.slice(part.data.clone()))
    }

    /// The body with other data in the first file.
    #[must_use]
    pub fn with_file(&self, data: &[u8]) -> Bytes {
        match self.parts.iter().find(|part| part.is_file) {
            Some(part) => {
                let Range { start, end } = part.data.clone();
                [&self.body.slice(..start)[..], data, &self.body.slice(end..)[..]]
                    .concat()
                    .into()
            }
            None => self.body.clone(),
        }
    }

    /// The texts of all fields that are no files, in their order. What is no UTF-8 is shown with replacement characters.
    pub fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let fields = self.parts.iter().filter(|part| !part.is_file);
        fields.map(|part| String::from_utf8_lossy(self.body.get(part.data.clone()).unwrap_or_default()))
    }

    /// The body with other [texts](Self::texts). Those that are missing stay.
    #[must_use]
    pub fn with_texts(&self, texts: &[String]) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len());
        let mut at = 0;
        let fields = self.parts.iter().filter(|part| !part.is_file);
        for (part, text) in fields.zip(texts) {
            out.extend_from_slice(self.body.get(at..part.data.start).unwrap_or_default());
            out.extend_from_slice(text.as_bytes());
            at = part.data.end;
        }
        out.extend_from_slice(self.body.get(at..).unwrap_or_default());
        out.into()
    }

    /// The body with a field set to that text, in pieces that share its bytes. A field that there is not comes first.
    #[must_use]
    pub fn with_text(&self, name: &str, text: &str) -> Vec<Bytes> {
        match self.field(name) {
            Some(part) => vec![
                self.body.slice(..part.data.start),
                Bytes::copy_from_slice(text.as_bytes()),
                self.body.slice(part.data.end..),
            ],
            None => {
                let part = format!(
                    "--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n",
                    self.boundary
                );
                vec![
                    self.body.slice(..self.first),
                    part.into(),
                    self.body.slice(self.first..),
                ]
            }
        }
    }

    fn field(&self, name: &str) -> Option<&Part> {
        let is_meant = |part: &&Part| !part.is_file && part.name.as_deref() == Some(name);
        self.parts.iter().find(is_meant)
    }

    /// Where the headers of the part after a boundary begin; `None` after the closing one.
    fn part_begins(&self, at: usize) -> Result<Option<usize>, FormError> {
        let rest = self.body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(None);
        }
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        match rest.get(blanks..) {
            Some(line) if line.starts_with(b"\r\n") => Ok(Some(at + blanks + 2)),
            Some(line) if line.len() > 1 => Err(FormError::Headers),
            _ => Err(FormError::Truncated),
        }
    }

    /// Name and kind of a part, and where its data begin.
    fn headers(&self, at: usize) -> Result<(Option<Box<str>>, bool, usize), FormError> {
        let rest = self.body.get(at..).unwrap_or_default();
        if rest.starts_with(b"\r\n") {
            return Ok((None, false, at + 2));
        }
        let window = rest.get(..MAX_HEADERS.min(rest.len())).unwrap_or_default();
        let Some(end) = memchr::memmem::find(window, b"\r\n\r\n") else {
            return Err(match rest.len() > MAX_HEADERS {
                true => FormError::Headers,
                false => FormError::Truncated,
            });
        };
        let text = String::from_utf8_lossy(window.get(..end).unwrap_or_default());
        let disposition = text.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim()
                .eq_ignore_ascii_case("content-disposition")
                .then(|| value.trim())
        });
        let disposition = disposition.ok_or(FormError::Headers)?;
        let name = parameter(disposition, "name").map(Into::into);
        let is_file = ["filename", "filename*"]
            .iter()
            .any(|file| parameter(disposition, file).is_some());
        Ok((name, is_file, at + end + 4))
    }
}

/// The boundary that a content type names.
fn boundary(content_type: &str) -> Option<String> {
    let kind = content_type.split(';').next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(content_type, "boundary").filter(|name| (1..=MAX_BOUNDARY).contains(&name.len()))
}

/// A parameter of a header, whose value may be quoted.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_matches([' ', '\t', ';']);
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, next) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), next)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
}

/// What stands before the closing quotation mark, and what follows it.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x y\"";

    fn form() -> String {
        [
            "--x y\r\ncontent-disposition: form-data; filename=\"model\"; name=\"file\"\r\n",
            "Content-Type: audio/wav\r\n\r\n\r\n--x\0\r\n\r\n",
            "--x y \r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n",
            "--x y\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n",
            "--x y--\r\nepilogue",
        ]
        .concat()
    }

    fn parse(body: &str) -> Result<FormView, FormError> {
        FormView::parse(TYPE, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn fields_are_found_and_set() {
        let body = form();
        let view = parse(&body).unwrap();
        assert_eq!(view.text("model"), Some("whisper-1"));
        assert_eq!(view.text("empty"), Some(""));
        assert_eq!(view.text("file"), None, "a file is no text");
        assert_eq!(view.text("other"), None);
        let changed = view.with_text("model", "large-v3").concat();
        assert_eq!(changed, body.replace("whisper-1", "large-v3").as_bytes());
        let filled = view.with_text("empty", "v").concat();
        let filled = FormView::parse(TYPE, filled.into()).unwrap();
        assert_eq!(
            (filled.text("empty"), filled.text("model")),
            (Some("v"), Some("whisper-1"))
        );
        assert_eq!(view.texts().collect::<Vec<_>>(), ["whisper-1", ""]);
        let both = view.with_texts(&["large".to_owned(), "v".to_owned()]);
        let both = FormView::parse(TYPE, both).unwrap();
        assert_eq!(both.texts().collect::<Vec<_>>(), ["large", "v"]);
        assert_eq!(view.with_texts(&[]), body.as_bytes());
        let added = view.with_text("new", "v").concat();
        let added = FormView::parse(TYPE, added.into()).unwrap();
        assert_eq!(
            (added.text("new"), added.text("model")),
            (Some("v"), Some("whisper-1"))
        );
        let preamble = parse(&format!("preamble\r\n{body}")).unwrap();
        assert_eq!(preamble.text("model"), Some("whisper-1"));
    }

    #[test]
    fn what_is_no_form() {
        let fault = |content_type: &str, body: &str| {
            FormView::parse(content_type, Bytes::copy_from_slice(body.as_bytes())).unwrap_err()
        };
        for content_type in [
            "multipart/form-data",
            "multipart/mixed; boundary=a",
            "",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(
                fault(content_type, &form()),
                FormError::NoBoundary,
                "{content_type}"
            );
        }
        assert_eq!(fault(TYPE, ""), FormError::NoParts);
        assert_eq!(fault(TYPE, "{}"), FormError::NoParts);
        assert_eq!(fault(TYPE, "--x yz\r\n"), FormError::Headers);
        assert_eq!(
            fault(TYPE, "--x y\r\nContent-Type: a\r\n\r\nb\r\n--x y--"),
            FormError::Headers
        );
        let long = format!("--x y\r\nA: {}\r\n\r\n", "a".repeat(MAX_HEADERS));
        assert_eq!(fault(TYPE, &long), FormError::Headers);
        let part = "--x y\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
        let many = part.repeat(MAX_PARTS + 1) + "--x y--";
        assert_eq!(fault(TYPE, &many), FormError::TooManyParts);
        assert!(parse(&(part.repeat(MAX_PARTS) + "--x y--")).is_ok());
    }

    #[test]
    fn a_form_that_is_cut_off_is_none() {
        let body = form();
        let closing = body.find("--x y--").unwrap();
        for cut in 0..closing + "--x y-".len() {
            assert!(parse(&body[..cut]).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn only_the_field_changes(data in proptest::collection::vec(any::<u8>(), 0..200), text in "[a-z/.]{0,20}") {
            prop_assume!(!data.windows(4).any(|window| window == b"--b\r" || window == b"--b-"));
            let mut body = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n".to_vec();
            body.extend_from_slice(&data);
            body.extend_from_slice(b"\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n");
            let parse = |body: Vec<u8>| FormView::parse("multipart/form-data; boundary=b", body.into());
            if let Ok(form) = parse(body.clone()) {
                let changed = form.with_text("model", &text).concat();
                prop_assert_eq!(changed.len(), body.len() + text.len() - 1);
                prop_assert!(changed.windows(data.len().max(1)).any(|window| data.is_empty() || window == data));
                let again = parse(changed).unwrap();
                prop_assert_eq!(again.text("model"), Some(text.as_str()));
            }
        }

        #[test]
        fn no_bytes_are_too_odd(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = FormView::parse("multipart/form-data; boundary=-", body.into());
        }
    }
}
