//! Which records a reader wants.

use std::ops::RangeInclusive;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::read::Entry;

/// Which records a reader wants: all conditions hold; an absent one, and an empty list, let everything pass.
///
/// Reports of usage know time, names and the class of the status; the rest is for records only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Taken by the ledger at or after this time, in microseconds since the Unix epoch.
    pub since_us: Option<i64>,
    /// Taken by the ledger before this time.
    pub until_us: Option<i64>,
    /// Status that the client saw. Usage knows the first digit only.
    pub status: Option<RangeInclusive<u16>>,
    /// One of these consumers.
    pub consumer: Vec<String>,
    /// One of these consumer groups.
    pub consumer_group: Vec<String>,
    /// One of these ids of credentials.
    pub credential: Vec<String>,
    /// One of these ids of routes.
    pub route: Vec<String>,
    /// One of these provider kinds.
    pub provider: Vec<String>,
    /// One of these models that were sent.
    pub model: Vec<String>,
    /// Whether the answer calls tools.
    pub tool_calls: Option<bool>,
    /// What a cache of answers did.
    pub cache: Option<CacheFilter>,
    /// Whether a content rule found something.
    pub guard: Option<bool>,
    /// Whether the client asked for a stream.
    pub stream: Option<bool>,
    /// Text that a name or a text of the record contains, in whatever case.
    pub text: Option<String>,
}

/// What a cache of answers did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheFilter {
    /// It answered, in either way.
    Hit,
    /// It answered the same request.
    Exact,
    /// It answered one that means the same.
    Semantic,
    /// It found nothing.
    Miss,
    /// It was not asked.
    Bypass,
}

impl CacheFilter {
    /// What `cache` of a record's detail may be.
    fn values(self) -> &'static [&'static str] {
        match self {
            Self::Hit => &["exact", "semantic", "hit"],
            Self::Exact => &["exact"],
            Self::Semantic => &["semantic"],
            Self::Miss => &["miss"],
            Self::Bypass => &["bypass"],
        }
    }
}

/// The conditions as the tables know them.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Numbers of the series that fit, as a JSON array; none if all do.
    series: Option<String>,
    /// How many those are.
    series_count: i64,
    status: Option<RangeInclusive<u16>>,
    detail: DetailConditions,
}

/// Conditions on what stands in the detail. The database looks at its JSON as text, which passes all that fits and
/// little else; [`Conditions::fit`] is exact.
#[derive(Debug, Default)]
struct DetailConditions {
    tool_calls: Option<bool>,
    cache: Option<CacheFilter>,
    guard: Option<bool>,
    stream: Option<bool>,
    text: Option<TextCondition>,
}

#[derive(Debug)]
struct TextCondition {
    /// In lower case.
    text: String,
    /// Pattern for the detail.
    like: String,
    /// Numbers of the series with such a name.
    series: String,
}

impl Filter {
    /// Looks up the series. None if no record can fit.
    pub(crate) async fn resolve(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Conditions>, sqlx::Error> {
        let names = [
            ("consumer", &self.consumer),
            ("consumer_group", &self.consumer_group),
            ("credential", &self.credential),
            ("route", &self.route),
            ("provider", &self.provider),
            ("model", &self.model),
        ];
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT json_group_array(id), count(*) FROM series WHERE 1");
        let mut wanted = false;
        for (column, names) in names {
            if !names.is_empty() {
                query.push(" AND ").push(column).push(" IN (");
                let mut list = query.separated(", ");
                for name in names {
                    list.push_bind(name.as_str());
                }
                query.push(")");
                wanted = true;
            }
        }
        let mut conditions = Conditions {
            series: None,
            series_count: 0,
            status: self.status.clone(),
            detail: DetailConditions {
                tool_calls: self.tool_calls,
                cache: self.cache,
                guard: self.guard,
                stream: self.stream,
                text: None,
            },
        };
        if wanted {
            let (series, count): (String, i64) = query.build_query_as().fetch_one(&mut *connection).await?;
            if count == 0 {
                return Ok(None);
            }
            conditions.series = Some(series);
            conditions.series_count = count;
        }
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            conditions.detail.text = Some(TextCondition::of(text, connection).await?);
        }
        Ok(Some(conditions))
    }
}

impl TextCondition {
    async fn of(text: &str, connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let like = contains(text);
        let mut query = QueryBuilder::<Sqlite>::new("SELECT json_group_array(id) FROM series WHERE 0");
        for column in SEARCHED {
            query.push(" OR ").push(column).push(" LIKE ");
            query.push_bind(like.clone()).push(" ESCAPE '!'");
        }
        let series: String = query.build_query_scalar().fetch_one(connection).await?;
        // As the text stands in JSON.
        let json = serde_json::Value::from(text).to_string();
        Ok(Self {
            text: text.to_lowercase(),
            like: contains(json.get(1..json.len() - 1).unwrap_or_default()),
            series,
        })
    }
}

/// The names of a series that a text is looked for in.
const SEARCHED: [&str; 9] = [
    "consumer",
    "consumer_group",
    "credential",
    "route",
    "endpoint",
    "protocol",
    "provider",
    "instance",
    "model",
];

/// Pattern of `LIKE` for what contains a text.
fn contains(text: &str) -> String {
    let escaped = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

impl Conditions {
    /// Whether most records may not fit.
    pub(crate) fn is_selective(&self) -> bool {
        self.series.is_some() || self.status.is_some() || self.looks_into_detail()
    }

    /// Whether only some series fit.
    pub(crate) fn has_series(&self) -> bool {
        self.series.is_some()
    }

    /// How many series fit; none if all do.
    pub(crate) fn series_count(&self) -> Option<i64> {
        self.series.as_ref().map(|_| self.series_count)
    }

    /// Whether the rollups know only in part what fits.
    pub(crate) fn looks_into_detail(&self) -> bool {
        let detail = &self.detail;
        detail.tool_calls.is_some()
            || detail.cache.is_some()
            || detail.guard.is_some()
            || detail.stream.is_some()
            || detail.text.is_some()
    }

    /// Adds what holds for rollups.
    pub(crate) fn push_for_rollups(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(status) = &self.status {
            query
                .push(" AND class BETWEEN ")
                .push_bind(i64::from(status.start() / 100));
            query.push(" AND ").push_bind(i64::from(status.end() / 100));
        }
        self.push_series(query);
    }

    /// Adds what holds for records `r`.
    pub(crate) fn push_for_records(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(status) = &self.status {
            query
                .push(" AND r.status BETWEEN ")
                .push_bind(i64::from(*status.start()));
            query.push(" AND ").push_bind(i64::from(*status.end()));
        }
        self.push_series(query);
        let detail = &self.detail;
        let flags = [
            (detail.tool_calls, r#""called":true"#),
            (detail.stream, r#""stream":true"#),
            (detail.guard, r#""guard":[{"#),
        ];
        for (wanted, json) in flags {
            // Their absence cannot be told from a text that says the same.
            if wanted == Some(true) {
                query.push(" AND instr(r.detail, ").push_bind(json).push(") > 0");
            }
        }
        if let Some(cache) = detail.cache {
            query.push(" AND (0");
            for value in cache.values() {
                query.push(" OR instr(r.detail, ");
                query.push_bind(format!(r#""cache":"{value}""#)).push(") > 0");
            }
            query.push(")");
        }
        if let Some(text) = &detail.text {
            query.push(" AND (r.detail LIKE ").push_bind(text.like.clone());
            query
                .push(" ESCAPE '!' OR r.series IN (SELECT value FROM json_each(")
                .push_bind(text.series.clone())
                .push(")))");
        }
    }

    fn push_series(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(series) = &self.series {
            query
                .push(" AND series IN (SELECT value FROM json_each(")
                .push_bind(series.clone())
                .push("))");
        }
    }

    /// Whether a record fits that the database found.
    pub(crate) fn fit(&self, entry: &Entry) -> bool {
        let (wanted, detail) = (&self.detail, &entry.detail);
        let is = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let has_hits = detail.guard.as_ref().is_some_and(|hits| !hits.is_empty());
        let cached = detail.cache.as_deref();
        is(wanted.tool_calls, detail.tool_calls)
            && is(wanted.stream, detail.stream)
            && is(wanted.guard, has_hits)
            && wanted
                .cache
                .is_none_or(|cache| cached.is_some_and(|cached| cache.values().contains(&cached)))
            && wanted.text.as_ref().is_none_or(|text| text.is_in(entry))
    }
}

impl TextCondition {
    fn is_in(&self, entry: &Entry) -> bool {
        let detail = &entry.detail;
        let names = entry.series.names().0;
        let texts = [
            detail.uri.as_deref(),
            detail.user_agent.as_deref(),
            detail.error.as_deref(),
            detail.model_asked.as_deref(),
            detail.model_answered.as_deref(),
            detail.end_user.as_deref(),
            detail.routing.as_deref(),
        ];
        let rules = detail.guard.iter().flatten().map(|hit| &*hit.rule);
        let tried = detail.attempts.iter().map(|attempt| &*attempt.addr);
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        names
            .into_iter()
            .chain(texts)
            .flatten()
            .chain(rules)
            .chain(tried)
            .any(has)
            || detail.client.is_some_and(|client| has(&client.to_string()))
    }
}
