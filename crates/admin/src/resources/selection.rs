//! Filters and pages of collections (compat §1.5).

use fancy_regex::{Regex, RegexBuilder};
use serde_json::Value;
use sluice_resource::Kind;

use crate::query::Query;
use crate::reply::Refusal;

/// Steps that a pattern may take on one value.
const PATTERN_STEPS: usize = 10_000;

/// What a query selects from a collection.
#[derive(Default)]
pub(super) struct Selection {
    page: Option<(usize, usize)>,
    name: Option<Pattern>,
    uri: Option<Pattern>,
    label: Option<String>,
    members: Vec<(String, String)>,
}

impl Selection {
    /// No filter and no page.
    pub(super) fn everything() -> Self {
        Self::default()
    }

    /// Refuses a page size that is out of bounds.
    pub(super) fn new(kind: Kind, query: &Query) -> Result<Self, Refusal> {
        let owned = |name| query.get(name).map(str::to_owned);
        Ok(Self {
            page: page(query)?,
            name: query.get("name").map(Pattern::new),
            uri: query.get("uri").map(Pattern::new),
            label: owned("label"),
            members: query
                .get("filter")
                .map_or_else(Vec::new, |filter| members(kind, filter)),
        })
    }

    /// Whether all filters let a resource through.
    pub(super) fn admits(&self, value: &Value) -> bool {
        let by_name = self
            .name
            .as_ref()
            .is_none_or(|pattern| pattern.finds(value.get("name")));
        let by_label = self.label.as_ref().is_none_or(|label| {
            value
                .get("labels")
                .is_some_and(|labels| labels.get(label).is_some())
        });
        let by_uri = self.uri.as_ref().is_none_or(|pattern| {
            let many = value.get("uris").and_then(Value::as_array).into_iter().flatten();
            value
                .get("uri")
                .into_iter()
                .chain(many)
                .any(|uri| pattern.finds(Some(uri)))
        });
        let by_member = || {
            let same = |(name, wanted): &(String, String)| text_is(value.get(name), wanted);
            self.members.iter().all(same)
        };
        by_name && by_label && by_uri && by_member()
    }

    /// How many items to skip and how many to show.
    pub(super) fn page(&self) -> Option<(usize, usize)> {
        self.page
    }
}

/// Both arguments must be numbers for a page to be cut.
fn page(query: &Query) -> Result<Option<(usize, usize)>, Refusal> {
    let (Some(page), Some(size)) = (query.number("page"), query.number("page_size")) else {
        return Ok(None);
    };
    if !(10.0..=500.0).contains(&size) {
        return Err(Refusal::Text("page_size must be between 10 and 500"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "casts of floats saturate, which is what endless pages need"
    )]
    let (page, size) = (page.max(1.0) as usize, size as usize);
    Ok(Some(((page - 1).saturating_mul(size), size)))
}

/// `service_id=1&upstream_id=2`, on routes only.
fn members(kind: Kind, filter: &str) -> Vec<(String, String)> {
    if kind != Kind::Route {
        return Vec::new();
    }
    let filter = Query::parse(filter);
    let known = filter
        .iter()
        .filter(|(name, _)| ["service_id", "upstream_id"].contains(name));
    known
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn text_is(value: Option<&Value>, wanted: &str) -> bool {
    match value {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Number(number)) => number.to_string() == wanted,
        _ => false,
    }
}

/// A search pattern; one that is no pattern finds nothing.
struct Pattern(Option<Regex>);

impl Pattern {
    fn new(pattern: &str) -> Self {
        Self(
            RegexBuilder::new(pattern)
                .backtrack_limit(PATTERN_STEPS)
                .build()
                .ok(),
        )
    }

    fn finds(&self, value: Option<&Value>) -> bool {
        match (&self.0, value.and_then(Value::as_str)) {
            (Some(pattern), Some(text)) => pattern.is_match(text).unwrap_or(false),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selection(query: &str) -> Selection {
        Selection::new(Kind::Route, &Query::parse(query)).unwrap()
    }

    #[test]
    fn pages_need_two_numbers() {
        for (query, page) in [
            ("", None),
            ("page=1", None),
            ("page=1&page_size=x", None),
            ("page=x&page_size=1", None),
            ("page=1&page_size=10", Some((0, 10))),
            ("page=3&page_size=500", Some((1000, 500))),
            ("page=-7&page_size=1e1", Some((0, 10))),
            ("page=1e300&page_size=500", Some((usize::MAX, 500))),
        ] {
            assert_eq!(selection(query).page(), page, "{query}");
        }
        for size in ["9", "501", "-1", "0", "1e300"] {
            let query = format!("page=1&page_size={size}");
            assert!(
                Selection::new(Kind::Route, &Query::parse(&query)).is_err(),
                "{size}"
            );
        }
    }

    #[test]
    fn filters_look_at_members() {
        let route = json!({
            "name": "users-v1", "labels": {"env": "prod"}, "uri": "/users/*", "service_id": 1, "upstream_id": "u",
        });
        for (query, admitted) in [
            ("", true),
            ("name=ers-v", true),
            ("name=^v1", false),
            ("name=(?%3Dusers)", true),
            ("name=(", false),
            ("label=env", true),
            ("label=prod", false),
            ("uri=^/users", true),
            ("uri=/orders", false),
            ("filter=service_id%3D1", true),
            ("filter=service_id%3D1%26upstream_id%3Du", true),
            ("filter=service_id%3D1%26upstream_id%3Dv", false),
            ("filter=name%3Dother", true),
            ("name=users&label=nothing", false),
        ] {
            assert_eq!(selection(query).admits(&route), admitted, "{query}");
        }
        assert!(selection("uri=/b").admits(&json!({"uris": ["/a", "/b"]})));
        assert!(!selection("name=.*").admits(&json!({"name": 7})));
        assert!(!selection("label=a").admits(&json!({"labels": null})));
    }

    #[test]
    fn other_kinds_have_no_member_filter() {
        let query = Query::parse("filter=service_id%3D1");
        assert!(Selection::new(Kind::Service, &query).unwrap().admits(&json!({})));
    }

    #[test]
    fn patterns_that_explode_find_nothing() {
        let value = json!({"name": "a".repeat(64)});
        assert!(!selection("name=(?%3Da)(a%2B)%2B%5Cb(?<%3Db)").admits(&value));
    }
}
