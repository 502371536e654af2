//! Keys of the Admin API.

use sluice_sql::Sqlite;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Role;
use crate::StoreError;

/// A key to be stored.
#[derive(Debug, Clone)]
pub struct NewAdminKey<'a> {
    /// What people call it. Need not be unique.
    pub name: &'a str,
    /// SHA-256 of the key; the key itself is not kept.
    pub digest: [u8; 32],
    /// What the key may do.
    pub role: Role,
    /// The part of the key that may be shown, such as a prefix and the last four characters.
    pub hint: &'a str,
}

/// A stored key. The digest stays in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminKey {
    /// Never used again for another key.
    pub id: u64,
    /// What people call it.
    pub name: String,
    /// What the key may do.
    pub role: Role,
    /// The part of the key that may be shown.
    pub hint: String,
    /// Unix seconds.
    pub created_at: u64,
}

/// Table `admin_keys`.
pub struct AdminKeys<'a> {
    sql: &'a Sqlite,
}

impl<'a> AdminKeys<'a> {
    pub(super) fn new(sql: &'a Sqlite) -> Self {
        Self { sql }
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn list(&self) -> Result<Vec<AdminKey>, StoreError> {
        let keys = sqlx::query("SELECT id, name, role, hint, created_at FROM admin_keys ORDER BY id")
            .try_map(key)
            .fetch_all(self.sql.reader())
            .await;
        keys.map_err(|error| self.sql.error(error).into())
    }

    /// The key with this SHA-256. Digests of random keys need no comparison in constant time.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn find(&self, digest: &[u8; 32]) -> Result<Option<AdminKey>, StoreError> {
        let found = sqlx::query("SELECT id, name, role, hint, created_at FROM admin_keys WHERE digest = ?1")
            .bind(digest.as_slice())
            .try_map(key)
            .fetch_optional(self.sql.reader())
            .await;
        found.map_err(|error| self.sql.error(error).into())
    }

    /// Stores a key. Returns nothing when a key of this digest is stored already; nothing changes then.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn create(&self, new: NewAdminKey<'_>) -> Result<Option<AdminKey>, StoreError> {
        let created = sqlx::query(
            "INSERT INTO admin_keys (name, digest, role, hint) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (digest) DO NOTHING RETURNING id, name, role, hint, created_at",
        )
        .bind(new.name)
        .bind(new.digest.as_slice())
        .bind(new.role.as_str())
        .bind(new.hint)
        .try_map(key)
        .fetch_optional(self.sql.writer())
        .await;
        created.map_err(|error| self.sql.error(error).into())
    }

    /// Revokes a key. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn delete(&self, id: u64) -> Result<bool, StoreError> {
        let Ok(id) = i64::try_from(id) else {
            return Ok(false);
        };
        let deleted = sqlx::query("DELETE FROM admin_keys WHERE id = ?1")
            .bind(id)
            .execute(self.sql.writer())
            .await;
        Ok(deleted.map_err(|error| self.sql.error(error))?.rows_affected() == 1)
    }
}

fn key(row: SqliteRow) -> sqlx::Result<AdminKey> {
    Ok(AdminKey {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: Role::from_column(row.try_get("role")?)?,
        hint: row.try_get("hint")?,
        created_at: row.try_get("created_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;

    fn new(name: &str, byte: u8, role: Role) -> NewAdminKey<'_> {
        NewAdminKey {
            name,
            digest: [byte; 32],
            role,
            hint: "sk-…abcd",
        }
    }

    #[tokio::test]
    async fn keys_are_found_by_digest_until_they_are_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.db");
        let database = Database::open(&path).await.unwrap();
        let keys = database.admin_keys();
        let first = keys.create(new("ci", 1, Role::Admin)).await.unwrap().unwrap();
        let second = keys.create(new("ci", 2, Role::Viewer)).await.unwrap().unwrap();
        assert_eq!(keys.create(new("again", 1, Role::Viewer)).await.unwrap(), None);
        assert_eq!(keys.list().await.unwrap(), [first.clone(), second.clone()]);
        assert_eq!((second.role, second.hint.as_str()), (Role::Viewer, "sk-…abcd"));

        assert_eq!(keys.find(&[1; 32]).await.unwrap(), Some(first));
        assert_eq!(keys.find(&[3; 32]).await.unwrap(), None);

        let elsewhere = Database::open(&path).await.unwrap();
        assert!(elsewhere.admin_keys().delete(second.id).await.unwrap());
        assert_eq!(
            keys.find(&[2; 32]).await.unwrap(),
            None,
            "revoked by another process"
        );
        assert!(!keys.delete(second.id).await.unwrap());
        let third = keys.create(new("later", 4, Role::Admin)).await.unwrap().unwrap();
        assert!(third.id > second.id);
    }
}
