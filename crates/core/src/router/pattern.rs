//! Path patterns (compat §2.2).

use sluice_record::Text;
use smallvec::SmallVec;

/// Named path segments and their values, in the order of the pattern.
pub type PathParams<'r, 'q> = SmallVec<[(&'r Text, &'q str); 2]>;

/// A parsed `uri` of a route.
#[derive(Debug)]
pub(super) struct PathPattern {
    source: Text,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The path itself.
    Exact,
    /// Everything that starts with this many bytes of the pattern.
    Prefix(usize),
    /// What starts with this many bytes of the pattern and matches it segment by segment.
    Segments(usize, Box<[Segment]>),
}

#[derive(Debug)]
enum Segment {
    Literal(Box<str>),
    /// `:name`: one segment, not empty.
    One(Text),
    /// `*` or `*name`: any text, slashes included.
    Any(Option<Text>),
}

/// Where a pattern is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// Only this path can match.
    Exact(&'a str),
    /// Only paths that start with this can match.
    Prefix(&'a str),
}

impl PathPattern {
    /// `parameters`: whether `:` at the start of a segment has a meaning.
    pub(super) fn parse(source: &str, parameters: bool) -> Self {
        let star = source.find('*');
        let colon = if parameters {
            source.find("/:").map(|slash| slash + 1)
        } else {
            None
        };
        let kind = match (star, colon) {
            (None, None) => Kind::Exact,
            (Some(star), None) if star + 1 == source.len() => Kind::Prefix(star),
            _ => {
                let prefix = star.into_iter().chain(colon).min().unwrap_or(source.len());
                let segments: Box<[Segment]> = source
                    .split('/')
                    .map(|segment| Segment::parse(segment, parameters))
                    .collect();
                // A star inside a segment (`/a*/b`) ends the prefix, and nothing after it is compared.
                match segments
                    .iter()
                    .all(|segment| matches!(segment, Segment::Literal(_)))
                {
                    true => Kind::Prefix(prefix),
                    false => Kind::Segments(prefix, segments),
                }
            }
        };
        Self {
            source: source.into(),
            kind,
        }
    }

    pub(super) fn source(&self) -> &Text {
        &self.source
    }

    pub(super) fn key(&self) -> Key<'_> {
        match self.kind {
            Kind::Exact => Key::Exact(&self.source),
            Kind::Prefix(length) | Kind::Segments(length, _) => Key::Prefix(&self.source[..length]),
        }
    }

    /// The parameters, if a path that was found under [`PathPattern::key`] matches the whole pattern.
    pub(super) fn captures<'r, 'q>(&'r self, path: &'q str) -> Option<PathParams<'r, 'q>> {
        match &self.kind {
            Kind::Exact | Kind::Prefix(_) => Some(PathParams::new()),
            Kind::Segments(_, segments) => captures(segments, path),
        }
    }
}

impl Segment {
    fn parse(text: &str, parameters: bool) -> Self {
        match text.as_bytes() {
            [b':', ..] if parameters => Self::One(text[1..].into()),
            [b'*'] => Self::Any(None),
            [b'*', ..] => Self::Any(Some(text[1..].into())),
            _ => Self::Literal(text.into()),
        }
    }

    /// Whether one path segment matches; a parameter is noted.
    fn take<'r, 'q>(&'r self, segment: &'q str, params: &mut PathParams<'r, 'q>) -> bool {
        match self {
            Self::Literal(text) => segment == &**text,
            Self::One(_) if segment.is_empty() => false,
            Self::One(name) => {
                params.push((name, segment));
                true
            }
            Self::Any(_) => false,
        }
    }
}

/// The last star that was met, to be returned to when what stands before it does not match.
struct Star<'r, 'q> {
    name: Option<&'r Text>,
    /// Pattern segments before it.
    before: usize,
    /// Path text before what it has taken; `None` when it has taken everything.
    left: Option<&'q str>,
    /// Where the text that it has taken ends.
    end: usize,
    /// Parameters found after it.
    params: usize,
}

/// Matches from right to left, each star taking as little as it can, so that stars further left take as
/// much as they can. Only the last star met is ever widened: widening an earlier one could not help.
fn captures<'r, 'q>(segments: &'r [Segment], path: &'q str) -> Option<PathParams<'r, 'q>> {
    let mut params = PathParams::new();
    let mut pending = segments.len();
    let mut left = Some(path);
    let mut star: Option<Star<'r, 'q>> = None;
    loop {
        let stuck = match (segments[..pending].last(), left) {
            (None, None) => {
                params.reverse();
                return Some(params);
            }
            (Some(Segment::Any(name)), Some(text)) => {
                let (name, before) = (name.as_ref(), pending - 1);
                star = Some(Star {
                    name,
                    before,
                    left,
                    end: text.len(),
                    params: params.len(),
                });
                true
            }
            (Some(segment), Some(text)) => {
                let (before, last) = split_last(text);
                let taken = segment.take(last, &mut params);
                if taken {
                    pending -= 1;
                    left = before;
                }
                !taken
            }
            (Some(_), None) | (None, Some(_)) => true,
        };
        if stuck {
            let star = star.as_mut()?;
            star.widen(path, &mut params)?;
            pending = star.before;
            left = star.left;
        }
    }
}

impl<'r, 'q> Star<'r, 'q> {
    /// Takes one more segment; `None` when there is none.
    fn widen(&mut self, path: &'q str, params: &mut PathParams<'r, 'q>) -> Option<()> {
        self.left = split_last(self.left?).0;
        params.truncate(self.params);
        if let Some(name) = self.name {
            let start = self.left.map_or(0, |text| text.len() + 1);
            params.push((name, &path[start..self.end]));
        }
        Some(())
    }
}

/// The last segment and what stands before its slash.
fn split_last(text: &str) -> (Option<&str>, &str) {
    match text.rsplit_once('/') {
        Some((before, last)) => (Some(before), last),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(source: &str) -> Key<'static> {
        match PathPattern::parse(source, true).key() {
            Key::Exact(key) => Key::Exact(key.to_owned().leak()),
            Key::Prefix(key) => Key::Prefix(key.to_owned().leak()),
        }
    }

    #[test]
    fn keys() {
        assert_eq!(key("/foo"), Key::Exact("/foo"));
        assert_eq!(key("/foo*"), Key::Prefix("/foo"));
        assert_eq!(key("/foo/*"), Key::Prefix("/foo/"));
        assert_eq!(key("*"), Key::Prefix(""));
        assert_eq!(key("/a/*/b"), Key::Prefix("/a/"));
        assert_eq!(key("/a/*/:b"), Key::Prefix("/a/"));
        assert_eq!(key("/a/:b/*"), Key::Prefix("/a/"));
        assert_eq!(key("/model:generate"), Key::Exact("/model:generate"));
        assert_eq!(PathPattern::parse("/:id", false).key(), Key::Exact("/:id"));
    }

    fn params(source: &str, path: &str) -> Option<Vec<(String, String)>> {
        let pattern = PathPattern::parse(source, true);
        let params = pattern.captures(path)?;
        Some(
            params
                .iter()
                .map(|(name, value)| (name.to_string(), (*value).to_owned()))
                .collect(),
        )
    }

    fn pairs(expected: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(
            expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn parameters() {
        assert_eq!(params("/user/:id/x", "/user/7/x"), pairs(&[("id", "7")]));
        assert_eq!(params("/user/:id/x", "/user//x"), None);
        assert_eq!(params("/user/:id/x", "/user/7/8/x"), None);
        assert_eq!(params("/user/:id/x", "/user/7/y"), None);
        assert_eq!(params("/:a/:b", "/1/2"), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(params("/f/*rest", "/f/1/2"), pairs(&[("rest", "1/2")]));
        assert_eq!(params("/f/*rest", "/f/"), pairs(&[("rest", "")]));
        assert_eq!(
            params("/:id/*rest", "/1/2/3"),
            pairs(&[("id", "1"), ("rest", "2/3")])
        );
    }

    #[test]
    fn stars_in_the_middle() {
        assert_eq!(params("/a/*/b", "/a/x/b"), pairs(&[]));
        assert_eq!(params("/a/*/b", "/a/x/y/b"), pairs(&[]));
        assert_eq!(params("/a/*/b", "/a/b"), None);
        assert_eq!(params("/a/*/b", "/a/x/c"), None);
        assert_eq!(
            params("/*x/b/*y", "/1/b/2/b/3"),
            pairs(&[("x", "1/b/2"), ("y", "3")])
        );
        assert_eq!(
            params("/*x/b/:y/c/*z", "/b/b/2/c/b/c"),
            pairs(&[("x", "b"), ("y", "2"), ("z", "b/c")])
        );
        assert_eq!(params("*/b", "/x/b"), pairs(&[]));
        assert_eq!(params("/a*/b", "/anything"), pairs(&[]));
    }
}
