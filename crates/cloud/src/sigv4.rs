//! AWS Signature Version 4, in the `Authorization` header.

use std::fmt;
use std::time::SystemTime;

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sluice_wire::{hex, hmac_sha256, sha256_hex};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const TIMESTAMP: StaticFormatDescription = format_description!("[year][month][day]T[hour][minute][second]Z");
/// Length of the date in front of a timestamp.
const DATE: usize = 8;

/// What stays as it is in names and values of a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// What stays as it is when a path is encoded for the second time.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// An access key pair, with the token of a session if it belongs to one.
#[derive(Clone, Debug, Deserialize)]
pub struct AwsCredentials {
    /// Id of the key; not secret.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// Token of a temporary session.
    pub session_token: Option<SecretString>,
}

impl AwsCredentials {
    /// A key pair without a session.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: SecretString::from(secret_access_key.into()),
            session_token: None,
        }
    }

    /// The key pair of a temporary session.
    #[must_use]
    pub fn with_session_token(self, token: impl Into<String>) -> Self {
        Self {
            session_token: Some(SecretString::from(token.into())),
            ..self
        }
    }
}

/// What is signed beside the headers.
#[derive(Clone, Copy, Debug)]
pub struct AwsRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as it goes over the wire, its segments percent-encoded once. Must be free of `.`, `..` and empty
    /// segments, which AWS would remove before it checks.
    pub path: &'a str,
    /// The query as it goes over the wire, without `?`; may be empty.
    pub query: &'a str,
    /// The whole body.
    pub body: &'a [u8],
}

/// Why a request cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsSignError {
    /// AWS demands that the host is signed.
    #[error("a request without a host header cannot be signed")]
    NoHost,
    /// The named value contains what no header can carry.
    #[error("{0} contains characters that a header cannot carry")]
    NotAHeader(&'static str),
    /// The time lies outside what a timestamp can express.
    #[error("the clock shows a time that cannot be signed")]
    Clock,
}

/// Signs requests to one service in one region.
///
/// All services but S3, whose paths are canonical as they are.
#[derive(Clone)]
pub struct AwsSigner {
    credentials: AwsCredentials,
    region: Box<str>,
    service: Box<str>,
}

impl AwsSigner {
    /// A signer for a region such as `us-east-1` and a service by its signing name, such as `bedrock`.
    #[must_use]
    pub fn new(credentials: AwsCredentials, region: &str, service: &str) -> Self {
        Self {
            credentials,
            region: region.into(),
            service: service.into(),
        }
    }

    /// Signs a request as of `at`: sets `x-amz-date`, `authorization` and, for a session, `x-amz-security-token`.
    ///
    /// Signed are `host`, which must be there, `content-type` and every `x-amz-` header; what else the headers contain
    /// may change on the way. What is left of a signature that the headers came with is removed.
    ///
    /// # Errors
    /// [`AwsSignError`]; the headers may then have been changed.
    pub fn sign(
        &self,
        request: &AwsRequest<'_>,
        headers: &mut HeaderMap,
        at: SystemTime,
    ) -> Result<(), AwsSignError> {
        let timestamp = OffsetDateTime::from(at)
            .format(TIMESTAMP)
            .map_err(|_| AwsSignError::Clock)?;
        headers.remove(X_AMZ_SECURITY_TOKEN);
        headers.remove(X_AMZ_CONTENT_SHA256);
        headers.insert(X_AMZ_DATE, value(&timestamp, "the timestamp")?);
        if let Some(token) = &self.credentials.session_token {
            let mut token = value(token.expose_secret(), "session_token")?;
            token.set_sensitive(true);
            headers.insert(X_AMZ_SECURITY_TOKEN, token);
        }
        let signed = signed_headers(headers);
        if !signed.contains(&header::HOST) {
            return Err(AwsSignError::NoHost);
        }
        let names: Vec<_> = signed.iter().map(HeaderName::as_str).collect();
        let names = names.join(";");
        let canonical = canonical_request(request, headers, &signed, &names);

        let date = timestamp.get(..DATE).ok_or(AwsSignError::Clock)?;
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", sha256_hex(&canonical));
        let signature = hex(&hmac_sha256(&self.key(date), to_sign.as_bytes()));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.credentials.access_key_id
        );
        let mut authorization = value(&authorization, "access_key_id or region")?;
        authorization.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, authorization);
        Ok(())
    }

    /// The key of a day.
    fn key(&self, date: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.credentials.secret_access_key.expose_secret());
        let mut key = hmac_sha256(secret.as_bytes(), date.as_bytes());
        for part in [&*self.region, &*self.service, "aws4_request"] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        key
    }
}

impl fmt::Debug for AwsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsSigner({}, {})", self.region, self.service)
    }
}

fn value(text: &str, what: &'static str) -> Result<HeaderValue, AwsSignError> {
    HeaderValue::from_str(text).map_err(|_| AwsSignError::NotAHeader(what))
}

/// Names of the headers that are signed, in order.
fn signed_headers(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names: Vec<_> = headers
        .keys()
        .filter(|name| {
            matches!(**name, header::HOST | header::CONTENT_TYPE) || name.as_str().starts_with("x-amz-")
        })
        .cloned()
        .collect();
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names
}

fn canonical_request(
    request: &AwsRequest<'_>,
    headers: &HeaderMap,
    signed: &[HeaderName],
    names: &str,
) -> Vec<u8> {
    let path = if request.path.is_empty() {
        "/"
    } else {
        request.path
    };
    let mut out = format!(
        "{}\n{}\n{}\n",
        request.method,
        utf8_percent_encode(path, PATH),
        canonical_query(request.query)
    )
    .into_bytes();
    for name in signed {
        out.extend_from_slice(name.as_str().as_bytes());
        for (index, value) in headers.get_all(name).iter().enumerate() {
            out.push(if index == 0 { b':' } else { b',' });
            push_collapsed(&mut out, value.as_bytes());
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(names.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(sha256_hex(request.body).as_bytes());
    out
}

/// Appends a header's value without spaces at its ends, and with single ones inside.
fn push_collapsed(out: &mut Vec<u8>, value: &[u8]) {
    let mut words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    out.extend_from_slice(words.next().unwrap_or_default());
    for word in words {
        out.push(b' ');
        out.extend_from_slice(word);
    }
}

/// The arguments in order of their encoded names, then values.
fn canonical_query(query: &str) -> String {
    let encode = |part: &str| {
        let raw: Vec<u8> = percent_decode_str(part).collect();
        percent_encode(&raw, UNRESERVED).to_string()
    };
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests;
