//! Inserting many rows with few statements.

use std::sync::Arc;

use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};

/// Most rows of a statement: the cheapest of 64, 128 and 256 by measurement. The rest of a batch goes by halves, so
/// that a few statements stay prepared and each batch needs few.
const MOST_ROWS: usize = 128;

/// An insertion into one table.
#[derive(Debug)]
pub(crate) struct Bulk<'a> {
    /// Table and columns, as after `INSERT INTO`.
    pub(crate) target: &'a str,
    /// Number of columns.
    pub(crate) columns: usize,
    /// What follows the values.
    pub(crate) conflict: &'a str,
}

impl Bulk<'_> {
    /// Inserts the rows in their order; `bind` adds one value per column.
    pub(crate) async fn insert<T>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(&T, &mut SqliteArguments) -> Result<(), BoxDynError>,
    ) -> Result<(), sqlx::Error> {
        let mut size = MOST_ROWS;
        while !rows.is_empty() {
            if rows.len() < size {
                size /= 2;
                continue;
            }
            let sql = Arc::<str>::from(self.statement(size));
            let (now, later) = rows.split_at(rows.len() - rows.len() % size);
            for chunk in now.chunks_exact(size) {
                let mut arguments = SqliteArguments::default();
                arguments.reserve(size * self.columns, 0);
                for row in chunk {
                    bind(row, &mut arguments).map_err(sqlx::Error::Encode)?;
                }
                // Safe: names of tables and columns are this crate's own, values are bound.
                sqlx::query_with(AssertSqlSafe(sql.clone()), arguments)
                    .execute(&mut *connection)
                    .await?;
            }
            rows = later;
        }
        Ok(())
    }

    fn statement(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        format!(
            "INSERT INTO {} VALUES {} {}",
            self.target,
            vec![row; rows].join(","),
            self.conflict
        )
    }
}
