//! Hosts: what a request names, what a route asks for, and routes by host.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use sluice_record::Text;
use smallvec::SmallVec;

use super::prefix::PrefixMap;
use super::table::{PathTable, PathTableBuilder};

/// The host of a request, in lower case.
pub(super) struct HostName<'a> {
    /// As sent, port included.
    raw: Cow<'a, str>,
    /// How much of `raw` is the name.
    name: usize,
}

impl<'a> HostName<'a> {
    pub(super) fn parse(header: &'a str) -> Self {
        let raw = match header.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(header.to_ascii_lowercase()),
            false => Cow::Borrowed(header),
        };
        let name = match raw.strip_prefix('[').and_then(|literal| literal.find(']')) {
            Some(end) => &raw[..end + 2],
            None => raw.split(':').next().unwrap_or_default(),
        };
        let name = name.strip_suffix('.').unwrap_or(name).len();
        Self { raw, name }
    }

    /// Without port and without the dot of a fully qualified name.
    pub(super) fn name(&self) -> &str {
        &self.raw[..self.name]
    }
}

/// A `host` of a route: a name, or `*` and the end of a name. Lower case.
#[derive(Debug)]
pub(super) struct HostPattern(Text);

impl HostPattern {
    pub(super) fn new(source: &str) -> Self {
        Self(source.to_ascii_lowercase().into())
    }

    pub(super) fn text(&self) -> &Text {
        &self.0
    }

    /// A pattern with a colon is about the header as sent.
    pub(super) fn matches(&self, host: &HostName<'_>) -> bool {
        let subject = if self.0.contains(':') {
            &host.raw
        } else {
            host.name()
        };
        match self.suffix() {
            Some(suffix) => subject.ends_with(suffix),
            None => *subject == *self.0,
        }
    }

    fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }
}

/// Paths by host pattern.
#[derive(Debug)]
pub(super) struct HostTable {
    exact: HashMap<Text, PathTable>,
    /// By the reversed text after the star.
    wildcard: PrefixMap<(Text, PathTable)>,
}

/// A [`HostTable`] in the making.
#[derive(Default)]
pub(super) struct HostTableBuilder {
    exact: HashMap<Text, PathTableBuilder>,
    wildcard: BTreeMap<Box<[u8]>, (Text, PathTableBuilder)>,
}

impl HostTable {
    pub(super) fn builder() -> HostTableBuilder {
        HostTableBuilder::default()
    }

    /// The patterns that match a host name, with their paths: the exact one, then the longest wildcard first.
    pub(super) fn matching(&self, name: &str) -> impl Iterator<Item = (&Text, &PathTable)> {
        let exact = self.exact.get_key_value(name);
        let reversed: SmallVec<[u8; 64]> = if self.wildcard.is_empty() {
            SmallVec::new()
        } else {
            name.bytes().rev().collect()
        };
        let wildcard = self
            .wildcard
            .matching(&reversed)
            .map(|(pattern, paths)| (pattern, paths));
        exact.into_iter().chain(wildcard)
    }
}

impl HostTableBuilder {
    /// Where the paths of a host pattern are filed.
    pub(super) fn paths_of(&mut self, pattern: &HostPattern) -> &mut PathTableBuilder {
        match pattern.suffix() {
            None => self.exact.entry(pattern.0.clone()).or_default(),
            Some(suffix) => {
                let reversed = suffix.bytes().rev().collect();
                let entry = self.wildcard.entry(reversed);
                &mut entry
                    .or_insert_with(|| (pattern.0.clone(), PathTableBuilder::default()))
                    .1
            }
        }
    }

    pub(super) fn build(self) -> HostTable {
        let wildcard = self
            .wildcard
            .into_iter()
            .map(|(key, (pattern, paths))| (key, (pattern, paths.build())));
        HostTable {
            exact: self
                .exact
                .into_iter()
                .map(|(host, paths)| (host, paths.build()))
                .collect(),
            wildcard: PrefixMap::new(wildcard.collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (header, name) in [
            ("a.com", "a.com"),
            ("A.Com:9080", "a.com"),
            ("a.com.", "a.com"),
            ("a.com.:80", "a.com"),
            ("[::1]:80", "[::1]"),
            ("[FD00::1]", "[fd00::1]"),
            ("[::1", "["),
            ("", ""),
        ] {
            assert_eq!(HostName::parse(header).name(), name, "{header}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, header, matches) in [
            ("foo.com", "foo.com", true),
            ("Foo.com", "fOO.com:80", true),
            ("foo.com", "a.foo.com", false),
            ("*.foo.com", "a.foo.com", true),
            ("*.foo.com", "a.b.foo.com", true),
            ("*.foo.com", "foo.com", false),
            ("*", "anything", true),
            ("*", "", true),
            ("foo.com:80", "foo.com:80", true),
            ("foo.com:80", "foo.com", false),
            ("*.foo.com:80", "a.foo.com:80", true),
        ] {
            let host = HostName::parse(header);
            assert_eq!(
                HostPattern::new(pattern).matches(&host),
                matches,
                "{pattern} {header}"
            );
        }
    }
}
