//! A JSON Web Token in its compact form (RFC 7515 §7.1), taken apart but not believed.

use base64::Engine;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::auth::BASE64_URL;

/// What a token says.
pub(super) struct Token<'t> {
    /// Header and claims as they stand: what is signed.
    pub(super) signed: &'t str,
    /// `alg`.
    pub(super) algorithm: String,
    /// Whether it must be refused by who does not know its extensions (RFC 7515 §4.1.11); this gateway knows none.
    pub(super) has_critical_extensions: bool,
    /// Its claims.
    pub(super) claims: Map<String, Value>,
    /// Its signature.
    pub(super) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<Value>,
}

impl<'t> Token<'t> {
    /// `None` for what is no token.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| BASE64_URL.decode(part).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        Some(Self {
            signed,
            algorithm: header.alg,
            has_critical_extensions: header.crit.is_some(),
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            signature: decode(signature)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn joined(parts: &[&str]) -> String {
        let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        parts.join(".")
    }

    #[test]
    fn tokens_have_three_parts() {
        let text = joined(&[r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"key":"k?>"}"#, "signature"]);
        let token = Token::parse(&text).unwrap();
        assert_eq!(
            (token.algorithm.as_str(), token.has_critical_extensions),
            ("HS256", false)
        );
        assert_eq!(token.claims["key"], "k?>");
        assert_eq!(token.signature, b"signature");
        assert_eq!(
            format!("{}.{}", token.signed, URL_SAFE_NO_PAD.encode("signature")),
            text
        );
    }

    #[test]
    fn extensions_that_must_be_known_show() {
        let text = joined(&[r#"{"alg":"HS256","crit":["b64"]}"#, "{}", ""]);
        assert!(Token::parse(&text).unwrap().has_critical_extensions);
    }

    #[test]
    fn what_is_no_token() {
        let header = r#"{"alg":"HS256"}"#;
        for text in [
            String::new(),
            "a.b.c".to_owned(),
            joined(&[header, "{}"]),
            joined(&[header, "{}", "x", "y"]),
            joined(&["{}", "{}", "x"]),
            joined(&[r#"{"alg":256}"#, "{}", "x"]),
            joined(&["[]", "{}", "x"]),
            joined(&[header, "[]", "x"]),
            joined(&[header, "{", "x"]),
            format!("{}.?", joined(&[header, "{}"])),
        ] {
            assert!(Token::parse(&text).is_none(), "{text}");
        }
    }
}
