//! The database file, and the small tables beside the configuration items.

mod audit;
mod keys;
mod meta;
mod sessions;
mod users;

use std::path::Path;

use sluice_sql::{Sqlite, SqliteOptions};

pub use self::audit::{AuditEntry, AuditLog, NewAuditEntry};
pub use self::keys::{AdminKey, AdminKeys, NewAdminKey};
pub use self::meta::Meta;
pub use self::sessions::{NewSession, Session, Sessions};
pub use self::users::{AdminUser, AdminUsers};
use crate::StoreError;

/// The open database file (`sluice.db`). Clones share it.
///
/// Admin users and keys are read from the file each time, so what another process changes (the CLI, while the
/// server runs) holds at once.
#[derive(Debug, Clone)]
pub struct Database {
    sql: Sqlite,
}

/// What an admin user or key may do (compat §1.1). Each role may do what those below it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reading.
    Viewer,
    /// Everything but deciding who else may do what.
    Admin,
    /// Everything.
    Owner,
}

impl Database {
    /// Opens the file, checks it, and brings its schema up to date. An absent file is created with mode 0600.
    ///
    /// # Errors
    /// [`StoreError::Sql`] says what is wrong with the file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let sql = Sqlite::open(&SqliteOptions::new(path.as_ref())).await?;
        sql.migrate(&sqlx::migrate!()).await?;
        Ok(Self { sql })
    }

    /// Users of the dashboard.
    pub fn admin_users(&self) -> AdminUsers<'_> {
        AdminUsers::new(&self.sql)
    }

    /// Keys of the Admin API.
    pub fn admin_keys(&self) -> AdminKeys<'_> {
        AdminKeys::new(&self.sql)
    }

    /// Who changed what.
    pub fn audit_log(&self) -> AuditLog<'_> {
        AuditLog::new(&self.sql)
    }

    /// People who are signed in.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions::new(&self.sql)
    }

    /// Single values about the database itself.
    pub fn meta(&self) -> Meta<'_> {
        Meta::new(&self.sql)
    }

    /// Closes the file. Close the [`Store`](crate::Store) on it first.
    pub async fn close(&self) {
        self.sql.close().await;
    }

    pub(crate) fn sql(&self) -> &Sqlite {
        &self.sql
    }
}

impl Role {
    /// `owner`, `admin` or `viewer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == name)
    }

    fn from_column(name: &str) -> sqlx::Result<Self> {
        Self::from_name(name).ok_or_else(|| sqlx::Error::Decode(format!("unknown role {name}").into()))
    }
}
