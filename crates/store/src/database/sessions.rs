//! People who are signed in.

use sluice_sql::Sqlite;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// Sessions that one name may have; a further one ends the oldest.
const PER_NAME: i64 = 50;

/// A session to be begun.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// SHA-256 of the secret that the browser holds; the secret itself is not kept.
    pub digest: [u8; 32],
    /// A user, or the consumer of a holder.
    pub name: &'a str,
    /// Whether somebody signed in with a client's key.
    pub holder: bool,
    /// Which credential of the consumer that was.
    pub credential: Option<&'a str>,
    /// Unix milliseconds.
    pub at: u64,
    /// Unix milliseconds after which it is over, whatever happens.
    pub expires_at: u64,
    /// Where from.
    pub peer: Option<&'a str>,
    /// `User-Agent`.
    pub agent: Option<&'a str>,
}

/// A session. The digest stays in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Never used again for another one.
    pub id: u64,
    /// A user, or the consumer of a holder.
    pub name: String,
    /// Whether somebody signed in with a client's key.
    pub holder: bool,
    /// Which credential of the consumer that was.
    pub credential: Option<String>,
    /// Unix milliseconds.
    pub created_at: u64,
    /// When it was last used, to the minute.
    pub seen_at: u64,
    /// Unix milliseconds after which it is over.
    pub expires_at: u64,
    /// Where it began.
    pub peer: Option<String>,
    /// `User-Agent`.
    pub agent: Option<String>,
}

/// Table `sessions`.
pub struct Sessions<'a> {
    sql: &'a Sqlite,
}

const COLUMNS: &str = "id, name, holder, credential, created_at, seen_at, expires_at, peer, agent";

impl<'a> Sessions<'a> {
    pub(super) fn new(sql: &'a Sqlite) -> Self {
        Self { sql }
    }

    /// Begins a session, and drops those that are over.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn begin(&self, new: NewSession<'_>) -> Result<(), StoreError> {
        let at = integer(new.at);
        let mut tx = self.sql.begin_write().await?;
        let work = async {
            sqlx::query("DELETE FROM sessions WHERE expires_at <= ?1")
                .bind(at)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO sessions (digest, name, holder, credential, created_at, seen_at, expires_at, peer, agent)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8)",
            )
            .bind(new.digest.as_slice())
            .bind(new.name)
            .bind(new.holder)
            .bind(new.credential)
            .bind(at)
            .bind(integer(new.expires_at))
            .bind(new.peer)
            .bind(new.agent)
            .execute(&mut *tx)
            .await?;
            sqlx::query(
                "DELETE FROM sessions WHERE name = ?1 AND holder = ?2 AND id NOT IN
                 (SELECT id FROM sessions WHERE name = ?1 AND holder = ?2 ORDER BY id DESC LIMIT ?3)",
            )
            .bind(new.name)
            .bind(new.holder)
            .bind(PER_NAME)
            .execute(&mut *tx)
            .await?;
            tx.commit().await
        };
        work.await.map_err(|error| self.sql.error(error).into())
    }

    /// The session of a digest, if it is not over at that time.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn find(&self, digest: &[u8; 32], at: u64) -> Result<Option<Session>, StoreError> {
        let found = sqlx::query(
            "SELECT id, name, holder, credential, created_at, seen_at, expires_at, peer, agent \
                                 FROM sessions WHERE digest = ?1 AND expires_at > ?2",
        )
        .bind(digest.as_slice())
        .bind(integer(at))
        .try_map(session)
        .fetch_optional(self.sql.reader())
        .await;
        found.map_err(|error| self.sql.error(error).into())
    }

    /// Notes that a session is in use.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn seen(&self, id: u64, at: u64) -> Result<(), StoreError> {
        self.execute(
            sqlx::query("UPDATE sessions SET seen_at = ?2 WHERE id = ?1")
                .bind(integer(id))
                .bind(integer(at)),
        )
        .await
        .map(|_| ())
    }

    /// Sessions that are not over, newest first; with a name, those of this user only.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn list(&self, name: Option<&str>, at: u64) -> Result<Vec<Session>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sessions WHERE expires_at > ?1 AND (?2 IS NULL OR (name = ?2 AND NOT holder)) ORDER BY id DESC LIMIT 500"
        );
        let listed = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(integer(at))
            .bind(name)
            .try_map(session)
            .fetch_all(self.sql.reader())
            .await;
        listed.map_err(|error| self.sql.error(error).into())
    }

    /// Ends a session. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn end(&self, id: u64) -> Result<bool, StoreError> {
        let ended = self
            .execute(sqlx::query("DELETE FROM sessions WHERE id = ?1").bind(integer(id)))
            .await?;
        Ok(ended == 1)
    }

    /// Ends all sessions of a user but one.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn end_all(&self, name: &str, but: Option<u64>) -> Result<(), StoreError> {
        let ended = sqlx::query("DELETE FROM sessions WHERE name = ?1 AND NOT holder AND id IS NOT ?2");
        self.execute(ended.bind(name).bind(but.map(integer)))
            .await
            .map(|_| ())
    }

    async fn execute(
        &self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<u64, StoreError> {
        let done = query
            .execute(self.sql.writer())
            .await
            .map_err(|error| self.sql.error(error))?;
        Ok(done.rows_affected())
    }
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn session(row: SqliteRow) -> sqlx::Result<Session> {
    let number = |column: &str| {
        row.try_get::<i64, _>(column)
            .map(|value| u64::try_from(value).unwrap_or_default())
    };
    Ok(Session {
        id: number("id")?,
        name: row.try_get("name")?,
        holder: row.try_get("holder")?,
        credential: row.try_get("credential")?,
        created_at: number("created_at")?,
        seen_at: number("seen_at")?,
        expires_at: number("expires_at")?,
        peer: row.try_get("peer")?,
        agent: row.try_get("agent")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;

    fn new(name: &str, digest: u8, at: u64) -> NewSession<'_> {
        NewSession {
            digest: [digest; 32],
            name,
            holder: false,
            credential: None,
            at,
            expires_at: at + 100,
            peer: Some("127.0.0.1"),
            agent: None,
        }
    }

    #[tokio::test]
    async fn sessions_begin_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let sessions = database.sessions();
        sessions.begin(new("ann", 1, 1000)).await.unwrap();
        sessions.begin(new("ann", 2, 1010)).await.unwrap();
        sessions.begin(new("bob", 3, 1020)).await.unwrap();
        let first = sessions.find(&[1; 32], 1050).await.unwrap().unwrap();
        assert_eq!((first.name.as_str(), first.seen_at), ("ann", 1000));
        assert_eq!(sessions.find(&[1; 32], 1100).await.unwrap(), None);
        sessions.seen(first.id, 1060).await.unwrap();
        assert_eq!(
            sessions.find(&[1; 32], 1061).await.unwrap().unwrap().seen_at,
            1060
        );
        assert_eq!(sessions.list(Some("ann"), 1050).await.unwrap().len(), 2);
        assert_eq!(sessions.list(None, 1050).await.unwrap().len(), 3);
        sessions.end_all("ann", Some(first.id)).await.unwrap();
        assert_eq!(sessions.list(Some("ann"), 1050).await.unwrap().len(), 1);
        assert!(sessions.end(first.id).await.unwrap());
        assert!(!sessions.end(first.id).await.unwrap());
        // Those that are over are dropped when others begin.
        sessions.begin(new("eve", 4, 5000)).await.unwrap();
        assert_eq!(sessions.list(None, 1050).await.unwrap().len(), 1);
    }
}
