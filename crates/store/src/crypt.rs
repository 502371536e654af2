//! Encryption of secret fields: [`Vault`] for our own files, [`Keyring`] for APISIX's form.

mod key;
mod keyring;
mod vault;

pub use key::{KeySource, SecretKey};
pub use keyring::Keyring;
pub use vault::Vault;

/// Why a secret could not be encrypted or decrypted. Says nothing about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptError {
    /// A key is not 32 bytes in base64 or hexadecimal.
    #[error("a secret key is 32 bytes in base64 or hexadecimal")]
    KeyFormat,
    /// The text is not in the form that [`Vault::seal`] writes.
    #[error("the ciphertext is malformed")]
    Malformed,
    /// The ciphertext was made with another key or for another place, or was altered.
    #[error("the ciphertext does not fit the key and the place where it stands")]
    Refused,
    /// Beyond AES-GCM's limit of 64 GiB.
    #[error("the text is too long to be encrypted")]
    TooLong,
}
