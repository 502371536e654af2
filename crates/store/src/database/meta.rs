//! Single values about the database itself.

use sluice_sql::Sqlite;

use crate::StoreError;

/// Table `meta`: text under a name. Not watched, and without revisions.
pub struct Meta<'a> {
    sql: &'a Sqlite,
}

impl<'a> Meta<'a> {
    pub(super) fn new(sql: &'a Sqlite) -> Self {
        Self { sql }
    }

    /// The value of that name.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        let value = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1")
            .bind(key)
            .fetch_optional(self.sql.reader())
            .await;
        value.map_err(|error| self.sql.error(error).into())
    }

    /// Sets or replaces a value.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn set(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let set = sqlx::query(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        );
        let result = set.bind(key).bind(value).execute(self.sql.writer()).await;
        result.map(drop).map_err(|error| self.sql.error(error).into())
    }

    /// Sets a value unless there is one. Returns the value that holds afterwards.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn get_or_insert(&self, key: &str, value: &str) -> Result<String, StoreError> {
        // The update changes nothing; it makes RETURNING show the row that was there.
        let value = sqlx::query_scalar(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = meta.value RETURNING value",
        )
        .bind(key)
        .bind(value)
        .fetch_one(self.sql.writer())
        .await;
        value.map_err(|error| self.sql.error(error).into())
    }
}

#[cfg(test)]
mod tests {
    use crate::Database;

    #[tokio::test]
    async fn values_are_set_replaced_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let meta = database.meta();
        assert_eq!(meta.get("a").await.unwrap(), None);
        assert_eq!(meta.get_or_insert("a", "1").await.unwrap(), "1");
        assert_eq!(meta.get_or_insert("a", "2").await.unwrap(), "1");
        meta.set("a", "3").await.unwrap();
        meta.set("b", "4").await.unwrap();
        assert_eq!(meta.get("a").await.unwrap().as_deref(), Some("3"));
        assert_eq!(meta.get("b").await.unwrap().as_deref(), Some("4"));
    }
}
