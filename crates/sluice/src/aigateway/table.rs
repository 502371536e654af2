//! Reading a table of a database that another program owns.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};

/// A value of a database that somebody else made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    /// What is no UTF-8 in it is replaced.
    Text(String),
    Bytes(Vec<u8>),
}

/// Columns with their values.
pub(super) type Columns = Vec<(String, Cell)>;

/// All rows of the table `clients`; the file is read and never written. `None` where it has no such table.
pub(super) async fn clients(path: &Path) -> Result<Option<Vec<Columns>>, sqlx::Error> {
    // Absolute, because SQLite takes a path that begins with `file:` for a URI.
    let absolute = std::path::absolute(path)?;
    let options = SqliteConnectOptions::new().filename(&absolute).read_only(true);
    let mut connection = options.connect().await?;
    let found: Option<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'clients'")
            .fetch_optional(&mut connection)
            .await?;
    if found.is_none() {
        return Ok(None);
    }
    let rows = sqlx::query("SELECT * FROM clients")
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
