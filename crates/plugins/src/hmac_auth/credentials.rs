//! What an `Authorization: Signature …` header says, and what its signature is made of.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512};
use serde::Deserialize;
use sluice_core::Context;

/// The hash function of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "hmac-sha1")]
    Sha1,
    #[serde(rename = "hmac-sha256")]
    Sha256,
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

impl Algorithm {
    pub(super) const NAMES: [&str; 3] = ["hmac-sha1", "hmac-sha256", "hmac-sha512"];

    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "hmac-sha1" => Some(Self::Sha1),
            "hmac-sha256" => Some(Self::Sha256),
            "hmac-sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(super) fn function(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => HMAC_SHA256,
            Self::Sha512 => HMAC_SHA512,
        }
    }
}

/// What the header says after its scheme.
pub(super) struct Credentials<'h> {
    pub(super) key_id: &'h str,
    pub(super) algorithm: &'h str,
    /// What the client says it signed, in that order.
    pub(super) headers: Vec<&'h str>,
    /// Base64.
    pub(super) signature: &'h str,
}

impl<'h> Credentials<'h> {
    /// Takes the pieces between commas apart; the error is for the log.
    pub(super) fn parse(pieces: &'h str) -> Result<Self, &'static str> {
        let (mut key_id, mut algorithm, mut headers, mut signature) = (None, None, None, None);
        for (name, value) in pieces.split(',').filter_map(assignment) {
            match name {
                "keyId" => key_id = Some(value),
                "algorithm" => algorithm = Some(value),
                "headers" => headers = Some(value),
                "signature" => signature = Some(value),
                _ => {}
            }
        }
        let (Some(key_id), Some(signature)) = (key_id, signature) else {
            return Err("keyId or signature missing");
        };
        Ok(Self {
            key_id,
            algorithm: algorithm.ok_or("algorithm missing")?,
            headers: headers
                .map(|names| names.split(' ').collect())
                .unwrap_or_default(),
            signature,
        })
    }

    /// What the signature is made of: the key id, then a line for each header that was sent, and for
    /// `@request-target`.
    pub(super) fn signing_string(&self, cx: &Context) -> Vec<u8> {
        let mut text = self.key_id.as_bytes().to_vec();
        text.push(b'\n');
        for name in &self.headers {
            if let Some(value) = cx.request.headers.get(*name) {
                text.extend([name.as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
            } else if *name == "@request-target" {
                let query = cx.request.uri.query().map(|query| format!("?{query}"));
                let line = format!(
                    "{} {}{}\n",
                    cx.request.method,
                    cx.request.path,
                    query.unwrap_or_default()
                );
                text.extend(line.into_bytes());
            }
        }
        text
    }
}

/// The first `name="value"` in a piece.
fn assignment(piece: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    loop {
        let equals = at + piece[at..].find("=\"")?;
        let before = &piece[..equals];
        let name_length = before
            .bytes()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let rest = &piece[equals + 2..];
        if name_length > 0
            && let Some(end) = rest.find('"')
        {
            return Some((&before[equals - name_length..], &rest[..end]));
        }
        at = equals + 2;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn headers_are_cut_at_commas() {
        let parsed = Credentials::parse(
            " keyId=\"k\",algorithm=\"hmac-sha256\", x headers=\"@request-target  Date\",other=\"1\",signature=\"a+/=\"",
        );
        let parsed = parsed.ok().unwrap();
        assert_eq!(
            (parsed.key_id, parsed.algorithm, parsed.signature),
            ("k", "hmac-sha256", "a+/=")
        );
        assert_eq!(parsed.headers, ["@request-target", "", "Date"]);

        let last = Credentials::parse("keyId=\"1\",algorithm=\"a\",signature=\"s\",keyId=\"2\"");
        let last = last.ok().unwrap();
        assert_eq!((last.key_id, last.headers.len()), ("2", 0));
    }

    #[test]
    fn what_must_be_there() {
        let error = |text| Credentials::parse(text).err();
        for text in [
            "",
            "keyId=\"k\",algorithm=\"a\"",
            "signature=\"s\",algorithm=\"a\"",
            "keyid=\"k\",algorithm=\"a\",signature=\"s\"",
            "keyId=k,algorithm=\"a\",signature=\"s\"",
            "keyId=\"k,1\",algorithm=\"a\",signature=\"s\"",
        ] {
            assert_eq!(error(text), Some("keyId or signature missing"), "{text}");
        }
        assert_eq!(error("keyId=\"k\",signature=\"s\""), Some("algorithm missing"));
    }

    #[test]
    fn the_first_assignment_of_a_piece_counts() {
        assert_eq!(assignment("a=\"1\" b=\"2\""), Some(("a", "1")));
        assert_eq!(assignment("=\"0\"b=\"2\""), Some(("b", "2")));
        assert_eq!(assignment("a=\"\""), Some(("a", "")));
        assert_eq!(assignment("a=\"1"), None);
        assert_eq!(assignment("a=1"), None);
        assert_eq!(assignment("é=\"1\""), None);
    }

    #[tokio::test]
    async fn lines_stand_in_the_order_in_which_they_were_signed() {
        let mut cx = Fixture::new().context("POST", "/a%20b?c=%20d");
        // As the listener normalises it.
        cx.request.path = "/a b".into();
        for (name, value) in [("date", "today"), ("x-two", "first"), ("x-two", "second")] {
            cx.request.headers.append(name, HeaderValue::from_static(value));
        }
        let credentials = |headers| Credentials {
            key_id: "k",
            algorithm: "hmac-sha256",
            headers,
            signature: "",
        };
        let signed = |headers| String::from_utf8(credentials(headers).signing_string(&cx)).unwrap();
        assert_eq!(
            signed(vec!["X-Two", "@request-target", "none", "", "date"]),
            "k\nX-Two: first\nPOST /a b?c=%20d\ndate: today\n"
        );
        assert_eq!(signed(Vec::new()), "k\n");
    }
}
