//! Users of the dashboard.

use std::fmt;

use sluice_sql::Sqlite;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Role;
use crate::StoreError;

/// A user of the dashboard.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminUser {
    /// The login name.
    pub name: String,
    /// The password as an argon2 hash in PHC form.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds of the latest sign-in.
    pub login_at: Option<u64>,
}

/// Leaves out the hash.
impl fmt::Debug for AdminUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminUser")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// Table `admin_users`. Knows nothing of passwords: callers hash and verify.
pub struct AdminUsers<'a> {
    sql: &'a Sqlite,
}

impl<'a> AdminUsers<'a> {
    pub(super) fn new(sql: &'a Sqlite) -> Self {
        Self { sql }
    }

    /// All users by name.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn list(&self) -> Result<Vec<AdminUser>, StoreError> {
        let users = sqlx::query(
            "SELECT name, password_hash, role, created_at, login_at FROM admin_users ORDER BY name",
        )
        .try_map(user)
        .fetch_all(self.sql.reader())
        .await;
        users.map_err(|error| self.sql.error(error).into())
    }

    /// The user of that name.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn get(&self, name: &str) -> Result<Option<AdminUser>, StoreError> {
        let user = sqlx::query(
            "SELECT name, password_hash, role, created_at, login_at FROM admin_users WHERE name = ?1",
        )
        .bind(name)
        .try_map(user)
        .fetch_optional(self.sql.reader())
        .await;
        user.map_err(|error| self.sql.error(error).into())
    }

    /// Creates a user. Returns false when the name is taken; nothing changes then.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn create(&self, name: &str, password_hash: &str, role: Role) -> Result<bool, StoreError> {
        let created = sqlx::query(
            "INSERT INTO admin_users (name, password_hash, role) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING",
        );
        self.changes_one(created.bind(name).bind(password_hash).bind(role.as_str()))
            .await
    }

    /// Replaces the password. Returns whether the user exists.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn set_password(&self, name: &str, password_hash: &str) -> Result<bool, StoreError> {
        let set = sqlx::query("UPDATE admin_users SET password_hash = ?2 WHERE name = ?1");
        self.changes_one(set.bind(name).bind(password_hash)).await
    }

    /// Replaces the role. Returns whether the user exists.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn set_role(&self, name: &str, role: Role) -> Result<bool, StoreError> {
        let set = sqlx::query("UPDATE admin_users SET role = ?2 WHERE name = ?1");
        self.changes_one(set.bind(name).bind(role.as_str())).await
    }

    /// Notes a sign-in at this moment.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn signed_in(&self, name: &str) -> Result<bool, StoreError> {
        let noted = sqlx::query("UPDATE admin_users SET login_at = unixepoch() WHERE name = ?1");
        self.changes_one(noted.bind(name)).await
    }

    /// Renames a user. Returns false when the name is taken or nobody has the old one; nothing changes then.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn rename(&self, name: &str, to: &str) -> Result<bool, StoreError> {
        let renamed = sqlx::query(
            "UPDATE admin_users SET name = ?2 WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM admin_users WHERE name = ?2)",
        );
        self.changes_one(renamed.bind(name).bind(to)).await
    }

    /// Deletes a user. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn delete(&self, name: &str) -> Result<bool, StoreError> {
        self.changes_one(sqlx::query("DELETE FROM admin_users WHERE name = ?1").bind(name))
            .await
    }

    async fn changes_one(
        &self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<bool, StoreError> {
        let done = query
            .execute(self.sql.writer())
            .await
            .map_err(|error| self.sql.error(error))?;
        Ok(done.rows_affected() == 1)
    }
}

fn user(row: SqliteRow) -> sqlx::Result<AdminUser> {
    Ok(AdminUser {
        name: row.try_get("name")?,
        password_hash: row.try_get("password_hash")?,
        role: Role::from_column(row.try_get("role")?)?,
        login_at: row
            .try_get::<Option<i64>, _>("login_at")?
            .map(|at| u64::try_from(at).unwrap_or_default()),
        created_at: row.try_get("created_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;

    #[tokio::test]
    async fn users_live_from_create_to_delete() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let users = database.admin_users();
        assert!(users.create("root", "hash-1", Role::Admin).await.unwrap());
        assert!(!users.create("root", "hash-2", Role::Viewer).await.unwrap());
        assert!(users.create("anna", "hash-3", Role::Viewer).await.unwrap());

        let root = users.get("root").await.unwrap().unwrap();
        assert_eq!((root.password_hash.as_str(), root.role), ("hash-1", Role::Admin));
        assert!(root.created_at > 1_700_000_000);
        assert!(!format!("{root:?}").contains("hash-1"));

        assert!(users.set_password("root", "hash-4").await.unwrap());
        assert!(users.set_role("anna", Role::Admin).await.unwrap());
        assert!(!users.set_password("nobody", "hash").await.unwrap());
        assert!(!users.set_role("nobody", Role::Admin).await.unwrap());
        let list = users.list().await.unwrap();
        let seen: Vec<_> = list
            .iter()
            .map(|user| (user.name.as_str(), user.password_hash.as_str(), user.role))
            .collect();
        assert_eq!(
            seen,
            [("anna", "hash-3", Role::Admin), ("root", "hash-4", Role::Admin)]
        );

        assert!(users.delete("anna").await.unwrap());
        assert!(!users.delete("anna").await.unwrap());
        assert_eq!(users.get("anna").await.unwrap(), None);
    }
}
