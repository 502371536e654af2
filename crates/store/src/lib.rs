//! Configuration storage: items with revisions, a watch on them, and their secrets encrypted at rest.
//!
//! Stands above `sql` and below everything that reads configuration. It knows keys and JSON values; what a
//! route is, and which of its fields are secret, it is told by way of [`SecretFields`]. Storage engines stand
//! behind one private trait. The same file keeps admin users and admin keys ([`Database`]), which a command
//! line tool can change without opening the [`Store`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let data = folder.path();
//! use serde_json::{Value, json};
//! use sluice_store::{Change, Database, EventKind, KeySource, Store, Vault};
//!
//! let database = Database::open(data.join("sluice.db")).await?;
//! let vault = Vault::unlock(&database, KeySource::File(data.join("secret.key"))).await?;
//! let secrets = |_key: &str, _value: &Value| vec!["/plugins/key-auth/key".to_owned()];
//! let store = Store::open(&database, vault, secrets).await?;
//!
//! let listing = store.load().await?;
//! let mut watch = store.subscribe(listing.revision);
//! let jack = json!({ "username": "jack", "plugins": { "key-auth": { "key": "open sesame" } } });
//! store.put("/consumers/jack", jack.clone(), None).await?;
//!
//! let Some(Change::Event(event)) = watch.next().await else { panic!("no event") };
//! assert!(matches!(&event.kind, EventKind::Put(item) if item.value == jack));
//! # Ok(())
//! # }
//! ```

mod backend;
mod clock;
mod crypt;
mod database;
mod error;
mod feed;
mod item;
mod seal;
mod sqlite;
mod store;
mod watch;
mod write;

pub use crypt::{CryptError, KeySource, Keyring, SecretKey, Vault};
pub use database::{
    AdminKey, AdminKeys, AdminUser, AdminUsers, AuditEntry, AuditLog, Database, Meta, NewAdminKey,
    NewAuditEntry, NewSession, Role, Session, Sessions,
};
pub use error::StoreError;
pub use item::{DamageReason, DamagedItem, Event, EventKind, Item, Listing};
pub use seal::SecretFields;
pub use store::Store;
pub use watch::{Change, Watch};
pub use write::{Committed, Write, Written};
