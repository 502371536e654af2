//! What a fresh data folder gets: an admin user and an admin key, shown once.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};
use sluice_store::{Database, NewAdminKey, Role};

use crate::config::{AdminConfig, Secret};
use crate::random;

/// The user of the first run.
pub(crate) const USER: &str = "admin";

/// Secrets that were made just now, to be shown once. What the operator chose is not among them.
pub(crate) struct Credentials {
    pub(crate) key: Option<String>,
    pub(crate) password: Option<String>,
    /// Makes whoever has it the owner, once.
    pub(crate) setup_token: String,
}

/// Makes user and key unless there is a user already.
pub(crate) async fn prepare(
    database: &Database,
    config: &AdminConfig,
    data_dir: &Path,
) -> anyhow::Result<Option<Credentials>> {
    if !database.admin_users().list().await?.is_empty() {
        return Ok(None);
    }
    let (key, new_key) = given_or_made(config.key.as_ref(), 32);
    let (password, new_password) = given_or_made(config.password.as_ref(), 20);
    store_key(database, "first run", &key, Role::Owner).await?;
    write_key_file(&data_dir.join("admin.key"), &key)?;
    let setup_token = random::secret(32);
    let stored = sluice_admin::setup_token_value(&setup_token);
    database.meta().set(sluice_admin::SETUP_TOKEN, &stored).await?;
    // The user comes last: it marks the first run as done.
    database
        .admin_users()
        .create(USER, &hash(&password)?, Role::Owner)
        .await?;
    Ok(Some(Credentials {
        key: new_key,
        password: new_password,
        setup_token,
    }))
}

/// A secret, and the same once more if it was made here.
fn given_or_made(given: Option<&Secret>, length: usize) -> (String, Option<String>) {
    match given {
        Some(given) => (given.expose().to_owned(), None),
        None => {
            let made = random::secret(length);
            (made.clone(), Some(made))
        }
    }
}

/// Keeps the digest of an admin key.
pub(crate) async fn store_key(database: &Database, name: &str, key: &str, role: Role) -> anyhow::Result<()> {
    let hint = key.get(key.len().saturating_sub(4)..).unwrap_or_default();
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    database
        .admin_keys()
        .create(NewAdminKey {
            name,
            digest,
            role,
            hint,
        })
        .await?;
    Ok(())
}

/// The argon2id hash of a password in PHC form.
pub(crate) fn hash(password: &str) -> anyhow::Result<String> {
    sluice_admin::hash_password(password)
        .map_err(|error| anyhow::anyhow!("cannot hash the password: {error}"))
}

/// The key for the local command line, readable by the owner alone.
fn write_key_file(path: &Path, key: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(key.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
