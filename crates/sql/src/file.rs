//! The database file on disk: private to its owner.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::fs;

const OWNER_ONLY: u32 = 0o600;

/// Creates an absent file with mode 0600, and takes other people's rights from an existing one.
///
/// SQLite gives the log and shared-memory files the mode of the main file, so it has to be right before
/// SQLite sees it.
pub(crate) async fn prepare(path: &Path) -> io::Result<()> {
    let created = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path)
        .await;
    match created {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if !fs::metadata(path).await?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    for suffix in ["", "-wal", "-shm"] {
        restrict(&with_suffix(path, suffix)).await;
    }
    Ok(())
}

/// A file of another owner cannot be changed but may well be usable, so failing to is a warning only.
async fn restrict(path: &Path) {
    let Ok(metadata) = fs::metadata(path).await else {
        return;
    };
    if metadata.permissions().mode() & 0o077 == 0 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY)).await {
        tracing::warn!(path = %path.display(), %error, "database file is open to other users");
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
