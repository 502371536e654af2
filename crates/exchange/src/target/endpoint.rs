//! `override.endpoint`: a URL, read once.

use sluice_net::Scheme;

use super::TargetError;

/// A parsed `override.endpoint`.
pub(crate) struct Endpoint {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: Option<String>,
    pub(super) query: Vec<(String, String)>,
}

/// Whether a text can be an `override.endpoint`.
#[must_use]
pub fn is_endpoint(text: &str) -> bool {
    Endpoint::parse(text).is_ok()
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once("://").ok_or(TargetError::Endpoint)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(TargetError::Endpoint),
        };
        let (rest, query) = rest
            .split_once('?')
            .map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
            None => (rest, None),
        };
        let authority: http::uri::Authority = authority.parse().map_err(|_| TargetError::Endpoint)?;
        if authority.host().is_empty() {
            return Err(TargetError::Endpoint);
        }
        let pairs = query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(|pair| !pair.is_empty());
        Ok(Self {
            scheme,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(scheme.default_port()),
            path,
            query: pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_with_a_host() {
        for text in ["http://h", "HTTPS://h:1/p?q=1", "http://[::1]:8080/"] {
            assert!(is_endpoint(text), "{text}");
        }
        for text in ["h", "ftp://h", "http://", "http:///p", "http://:80", "http://a b"] {
            assert!(!is_endpoint(text), "{text}");
        }
    }
}
