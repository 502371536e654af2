//! Passwords of members: argon2id, never on a thread that others wait for.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::ApiError;

/// Fewest characters of a password.
const MIN: usize = 10;

/// Most bytes of one: longer ones only cost time.
const MAX: usize = 1024;

/// What a wrong name is compared with, so that it takes as long as a wrong password.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash_password("nobody has this password").unwrap_or_default());

/// The argon2id hash of a password in PHC form.
///
/// # Errors
/// When it cannot be made.
pub fn hash_password(password: &str) -> Result<String, String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

/// Checks what somebody wants as a password, and hashes it.
pub(super) async fn hashed(field: &str, password: String) -> Result<String, ApiError> {
    if password.chars().count() < MIN {
        return Err(ApiError::field(
            field,
            format!("a password has at least {MIN} characters"),
        ));
    }
    if password.len() > MAX {
        return Err(ApiError::field(
            field,
            format!("a password has at most {MAX} bytes"),
        ));
    }
    let hashed = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    hashed.ok().and_then(Result::ok).ok_or_else(ApiError::internal)
}

/// Whether the password is the one of the hash. Without a hash it takes as long, and is wrong.
pub(super) async fn verified(password: String, hash: Option<String>) -> bool {
    if password.len() > MAX {
        return false;
    }
    let known = hash.is_some();
    let verified = tokio::task::spawn_blocking(move || {
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let parsed = PasswordHash::new(&hash);
        parsed.is_ok_and(|parsed| {
            Argon2::default()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok()
        })
    });
    verified.await.unwrap_or(false) && known
}
