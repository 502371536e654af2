//! Variables as logs may show them.

use std::borrow::Cow;

use sluice_resource::Variables;

use crate::context::Context;
use crate::redact::MASK;
use crate::vars::version_name;

impl Context {
    /// The value of a variable, keys of callers masked (DESIGN §8).
    #[must_use]
    pub fn logged(&self, name: &str) -> Option<Cow<'_, str>> {
        let hidden = if let Some(header) = name.strip_prefix("http_") {
            self.hides_header(&header.replace('_', "-").to_ascii_lowercase())
        } else {
            name.strip_prefix("arg_")
                .is_some_and(|argument| self.hides_argument(argument))
        };
        if hidden {
            return self.get(name).map(|_| Cow::Borrowed(MASK));
        }
        match name {
            "http_referer" => self.request.header("referer").map(|from| self.masked_url(from)),
            "args" | "query_string" => {
                let query = self.request.query.as_deref()?;
                Some(self.masked_query(query))
            }
            "request_uri" => Some(self.logged_uri()),
            "real_request_uri" => Some(self.logged_target()),
            "request" => {
                let (method, version) = (&self.request.method, version_name(self.request.version));
                Some(Cow::Owned(format!("{method} {} {version}", self.logged_target())))
            }
            "upstream_uri" => self.get(name).map(|uri| match uri {
                Cow::Borrowed(uri) => self.masked_url(uri),
                Cow::Owned(uri) => Cow::Owned(self.masked_url(&uri).into_owned()),
            }),
            _ => self.get(name),
        }
    }

    /// Normalised path and query, keys masked.
    #[must_use]
    pub fn logged_uri(&self) -> Cow<'_, str> {
        self.with_query(&self.request.path, self.request.query.as_deref())
    }

    /// Path and query as the client sent them, keys masked.
    #[must_use]
    pub fn logged_target(&self) -> Cow<'_, str> {
        self.with_query(self.request.uri.path(), self.request.uri.query())
    }

    fn with_query<'a>(&self, path: &'a str, query: Option<&str>) -> Cow<'a, str> {
        query.map_or(Cow::Borrowed(path), |query| {
            Cow::Owned(format!("{path}?{}", self.masked_query(query)))
        })
    }
}
