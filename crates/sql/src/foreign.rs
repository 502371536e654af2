//! Reading a table of a database that another program owns.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};

use crate::SqlError;

/// A value of a database that somebody else made.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number, or a truth value as one.
    Integer(i64),
    /// Text, or anything that can be read as one. What is no UTF-8 in it is replaced.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The columns of a row with their values, in the order of the table.
pub type Columns = Vec<(String, Cell)>;

/// All rows of a table. The file is read and never written, not even its log. `None` where it has no table of that
/// name.
///
/// # Errors
/// [`SqlError::Damaged`] when it is no database, [`SqlError::Unreadable`] or [`SqlError::Locked`] when it cannot be read.
pub async fn foreign_table(path: &Path, table: &str) -> Result<Option<Vec<Columns>>, SqlError> {
    // Absolute, because SQLite takes a path that begins with `file:` for a URI.
    let absolute = std::path::absolute(path).map_err(|error| SqlError::from_io(path, error))?;
    let rows = rows(&absolute, table).await;
    rows.map_err(|error| SqlError::from_driver(&absolute, error))
}

async fn rows(path: &Path, table: &str) -> Result<Option<Vec<Columns>>, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    // The name as it is there: nothing of the caller's becomes part of a statement.
    let found: Option<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?")
            .bind(table)
            .fetch_optional(&mut connection)
            .await?;
    let Some(name) = found else {
        return Ok(None);
    };
    let statement = format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""));
    let rows = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    rows.iter().map(cells).collect::<Result<_, _>>().map(Some)
}

fn cells(row: &SqliteRow) -> Result<Columns, sqlx::Error> {
    let cell = |column: usize| -> Result<Cell, sqlx::Error> {
        let raw = row.try_get_raw(column)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let kind = raw.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "INTEGER" | "BOOLEAN" => Cell::Integer(row.try_get_unchecked(column)?),
            "BLOB" => Cell::Bytes(row.try_get_unchecked(column)?),
            _ => {
                let bytes: Vec<u8> = row.try_get_unchecked(column)?;
                Cell::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
        })
    };
    row.columns()
        .iter()
        .map(|column| Ok((column.name().to_owned(), cell(column.ordinal())?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sqlite, SqliteOptions};

    async fn with(statements: &[&'static str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.db");
        let db = Sqlite::open(&SqliteOptions::new(&path)).await.unwrap();
        for statement in statements {
            sqlx::query(*statement).execute(db.writer()).await.unwrap();
        }
        db.close().await;
        (folder, path)
    }

    #[tokio::test]
    async fn rows_come_as_they_are() {
        let (_folder, path) = with(&[
            "CREATE TABLE t (a TEXT, b INTEGER, c BLOB, d BOOLEAN, e REAL, f)",
            "INSERT INTO t VALUES ('x', -7, x'00ff', 1, 0.5, NULL), (x'ff41', 2, NULL, 0, 1, 'y')",
        ])
        .await;
        let rows = foreign_table(&path, "t").await.unwrap().unwrap();
        assert_eq!(rows.len(), 2);
        let names: Vec<_> = rows[0].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
        let values = |row: usize| rows[row].iter().map(|(_, cell)| cell.clone()).collect::<Vec<_>>();
        assert_eq!(
            values(0)[..4],
            [
                Cell::Text("x".to_owned()),
                Cell::Integer(-7),
                Cell::Bytes(vec![0, 255]),
                Cell::Integer(1)
            ]
        );
        assert_eq!(values(0)[5], Cell::Null);
        assert_eq!(values(1)[0], Cell::Bytes(vec![255, 0x41]));
    }

    #[tokio::test]
    async fn other_tables_and_other_files_are_told_apart() {
        let (folder, path) = with(&["CREATE TABLE \"odd \"\" name\" (a)"]).await;
        assert_eq!(foreign_table(&path, "t").await.unwrap(), None);
        let injected = "t; DROP TABLE \"odd \"\" name\"";
        assert_eq!(foreign_table(&path, injected).await.unwrap(), None);
        assert_eq!(foreign_table(&path, "odd \" name").await.unwrap(), Some(vec![]));
        let other = folder.path().join("text");
        std::fs::write(&other, "this is no database, however long it is ".repeat(50)).unwrap();
        assert!(matches!(
            foreign_table(&other, "t").await,
            Err(SqlError::Damaged { .. })
        ));
        let missing = folder.path().join("missing");
        assert!(matches!(
            foreign_table(&missing, "t").await,
            Err(SqlError::Unreadable { .. })
        ));
        assert!(!missing.exists());
    }
}
