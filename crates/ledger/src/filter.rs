//! Which records a reader wants.

use std::ops::RangeInclusive;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Which records a reader wants: all conditions hold; an absent one lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Taken by the ledger at or after this time, in microseconds since the Unix epoch.
    pub since_us: Option<i64>,
    /// Taken by the ledger before this time.
    pub until_us: Option<i64>,
    /// Status that the client saw. Usage knows the first digit only.
    pub status: Option<RangeInclusive<u16>>,
    /// Consumer.
    pub consumer: Option<String>,
    /// Consumer group.
    pub consumer_group: Option<String>,
    /// Id of the credential.
    pub credential: Option<String>,
    /// Id of the route.
    pub route: Option<String>,
    /// Provider kind.
    pub provider: Option<String>,
    /// Model that was sent.
    pub model: Option<String>,
}

/// The conditions as the tables know them.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Numbers of the series that fit, as a JSON array; none if all do.
    series: Option<String>,
    status: Option<RangeInclusive<u16>>,
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
        for (column, name) in names {
            if let Some(name) = name {
                query
                    .push(" AND ")
                    .push(column)
                    .push(" = ")
                    .push_bind(name.as_str());
                wanted = true;
            }
        }
        let mut conditions = Conditions {
            series: None,
            status: self.status.clone(),
        };
        if wanted {
            let (series, count): (String, i64) = query.build_query_as().fetch_one(connection).await?;
            if count == 0 {
                return Ok(None);
            }
            conditions.series = Some(series);
        }
        Ok(Some(conditions))
    }
}

impl Conditions {
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

    /// Adds what holds for records.
    pub(crate) fn push_for_records(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(status) = &self.status {
            query
                .push(" AND status BETWEEN ")
                .push_bind(i64::from(*status.start()));
            query.push(" AND ").push_bind(i64::from(*status.end()));
        }
        self.push_series(query);
    }

    fn push_series(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(series) = &self.series {
            query
                .push(" AND series IN (SELECT value FROM json_each(")
                .push_bind(series.clone())
                .push("))");
        }
    }
}
