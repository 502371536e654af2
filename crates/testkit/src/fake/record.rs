//! What a fake provider was asked.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its query, without the question mark; `None` without one.
    pub query: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// When its body was complete.
    pub at: Instant,
    /// The connection it came on, counted from 0.
    pub connection: usize,
}

impl Recorded {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the request's body is not JSON: {error}: {:?}", self.body),
        }
    }

    /// A header's value, if there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The parts of a `multipart/form-data` body; none when it is something else.
    #[must_use]
    pub fn form(&self) -> Vec<FormPart> {
        let boundary = self
            .header("content-type")
            .filter(|kind| kind.starts_with("multipart/form-data"))
            .and_then(|kind| kind.split_once("boundary="))
            .map(|(_, boundary)| boundary.split(';').next().unwrap_or_default().trim_matches('"'));
        let Some(boundary) = boundary else {
            return Vec::new();
        };
        let delimiter = format!("\r\n--{boundary}");
        let body = [b"\r\n", &*self.body].concat();
        let mut parts = split(&body, delimiter.as_bytes()).into_iter().skip(1);
        let parts = parts.by_ref().take_while(|part| !part.starts_with(b"--"));
        parts.filter_map(FormPart::parse).collect()
    }
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPart {
    /// The field's name.
    pub name: String,
    /// The file's name, for parts that are files.
    pub filename: Option<String>,
    /// Its own content type, if it has one.
    pub content_type: Option<String>,
    /// Its content.
    pub data: Bytes,
}

impl FormPart {
    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }

    fn parse(part: &[u8]) -> Option<Self> {
        let part = part.strip_prefix(b"\r\n")?;
        let end = part.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, data) = (String::from_utf8_lossy(&part[..end]), &part[end + 4..]);
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (given, value) = line.split_once(':')?;
                given.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let disposition = header("content-disposition")?;
        let parameter = |name: &str| {
            disposition.split(';').find_map(|parameter| {
                let value = parameter.trim().strip_prefix(name)?.strip_prefix('=')?;
                Some(value.trim_matches('"').to_owned())
            })
        };
        Some(Self {
            name: parameter("name")?,
            filename: parameter("filename"),
            content_type: header("content-type"),
            data: Bytes::copy_from_slice(data),
        })
    }
}

fn split<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest
        .windows(delimiter.len())
        .position(|window| window == delimiter)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    parts.push(rest);
    parts
}
