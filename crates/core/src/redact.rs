//! What no log may show: the keys of callers (DESIGN §8).

use std::borrow::Cow;

use http::HeaderName;

use crate::context::Context;
use crate::request::decode;

/// What logs show in place of a secret.
pub const MASK: &str = "***";

/// Headers that carry keys, whatever plugin reads them.
const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "apikey",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
];

/// Query arguments that carry keys, whatever plugin reads them.
const SECRET_ARGUMENTS: [&str; 4] = ["key", "api_key", "apikey", "access_token"];

/// Where an auth plugin found a key, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In this header.
    Header(HeaderName),
    /// In this query argument.
    Argument(String),
}

impl Context {
    /// Whether logs mask this header of the request; `name` in lower case.
    #[must_use]
    pub fn hides_header(&self, name: &str) -> bool {
        let carried_key = matches!(&self.key_place, Some(KeyPlace::Header(header)) if header == name);
        carried_key || SECRET_HEADERS.contains(&name)
    }

    /// Whether logs mask this query argument; `name` percent-decoded.
    #[must_use]
    pub fn hides_argument(&self, name: &str) -> bool {
        let carried_key = matches!(&self.key_place, Some(KeyPlace::Argument(argument)) if argument == name);
        carried_key
            || SECRET_ARGUMENTS
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret))
    }

    /// A query as logs may show it: secret arguments keep their names only.
    #[must_use]
    pub fn masked_query<'q>(&self, query: &'q str) -> Cow<'q, str> {
        let is_secret = |pair: &str| {
            pair.split_once('=')
                .is_some_and(|(name, _)| self.hides_argument(&decode(name)))
        };
        if !query.split('&').any(is_secret) {
            return Cow::Borrowed(query);
        }
        let mask = |pair: &'q str| match pair.split_once('=') {
            Some((name, _)) if is_secret(pair) => Cow::Owned(format!("{name}={MASK}")),
            _ => Cow::Borrowed(pair),
        };
        Cow::Owned(query.split('&').map(mask).collect::<Vec<_>>().join("&"))
    }

    /// An address, of this request or of where it came from, as logs may show it.
    #[must_use]
    pub fn masked_url<'u>(&self, url: &'u str) -> Cow<'u, str> {
        let Some((before, query)) = url.split_once('?') else {
            return Cow::Borrowed(url);
        };
        match self.masked_query(query) {
            Cow::Borrowed(_) => Cow::Borrowed(url),
            Cow::Owned(masked) => Cow::Owned(format!("{before}?{masked}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Gateway;

    #[test]
    fn places_that_carry_keys_are_hidden() {
        let mut cx = Gateway::new().context("GET", "/");
        let hidden = |cx: &Context, name: &str| (cx.hides_header(name), cx.hides_argument(name));
        assert_eq!(hidden(&cx, "authorization"), (true, false));
        assert_eq!(hidden(&cx, "apikey"), (true, true));
        assert_eq!(hidden(&cx, "x-team"), (false, false));
        assert!(cx.hides_argument("Access_Token"));
        cx.key_place = Some(KeyPlace::Header(HeaderName::from_static("x-team")));
        assert_eq!(hidden(&cx, "x-team"), (true, false));
        cx.key_place = Some(KeyPlace::Argument("x-team".to_owned()));
        assert_eq!(hidden(&cx, "x-team"), (false, true));
    }

    #[test]
    fn queries_keep_the_names_of_secrets_only() {
        let cx = Gateway::new().context("GET", "/");
        for (query, masked) in [
            ("a=1&b=%20", "a=1&b=%20"),
            ("key=sk-1&a=1&API_KEY=x", "key=***&a=1&API_KEY=***"),
            ("%6bey=sk-1", "%6bey=***"),
            ("key&a=key=b", "key&a=key=b"),
        ] {
            assert_eq!(cx.masked_query(query), masked);
            assert_eq!(
                cx.masked_url(&format!("http://a/b?{query}")),
                format!("http://a/b?{masked}")
            );
        }
        assert_eq!(cx.masked_url("/key=sk-1"), "/key=sk-1");
    }
}
