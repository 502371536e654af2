//! Encryption of single strings at rest, each bound to the place where it stands.

use std::io;
use std::path::PathBuf;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{CryptError, KeySource, SecretKey};
use crate::{Database, StoreError};

/// How every ciphertext begins; what does not begin so is plain text.
const PREFIX: &str = "sluice:v1:";
const NONCE: usize = 12;

/// The entry of `meta` that tells whether a key is the one that this database was made with.
const KEY_CHECK: &str = "secret_key_check";

/// Encrypts and decrypts strings with AES-256-GCM and a random nonce.
///
/// The text form is `sluice:v1:` and base64 of nonce, ciphertext and tag. The item's key and the JSON pointer
/// of the field are authenticated too, so a ciphertext copied to another item or field is refused.
/// Random nonces keep one key safe for about 2³² encryptions.
pub struct Vault {
    cipher: Aes256Gcm,
}

impl Vault {
    /// A vault with this key, whatever a database says about it.
    pub fn new(key: &SecretKey) -> Self {
        Self {
            cipher: Aes256Gcm::new(key.bytes().into()),
        }
    }

    /// The vault of a database: takes the key from `source` and makes sure that it is the right one.
    ///
    /// A key file is created only for a database that has never had a key.
    ///
    /// # Errors
    /// [`StoreError::WrongSecretKey`], [`StoreError::SecretKeyMissing`], [`StoreError::SecretKeyFile`], or
    /// what the database meets.
    pub async fn unlock(database: &Database, source: KeySource) -> Result<Self, StoreError> {
        let meta = database.meta();
        let check = meta.get(KEY_CHECK).await?;
        let key = match source {
            KeySource::Given(key) => key,
            KeySource::File(path) => read_key(path, check.is_none()).await?,
        };
        let vault = Self::new(&key);
        let check = match check {
            Some(check) => check,
            None => {
                let sealed = vault.seal(KEY_CHECK, "", "sluice");
                let sealed = sealed.map_err(|source| StoreError::Encryption {
                    key: KEY_CHECK.to_owned(),
                    source,
                })?;
                meta.get_or_insert(KEY_CHECK, &sealed).await?
            }
        };
        match vault.open(KEY_CHECK, "", &check) {
            Ok(_) => Ok(vault),
            Err(_) => Err(StoreError::WrongSecretKey),
        }
    }

    /// Whether a stored text is a ciphertext of this form.
    pub(crate) fn is_sealed(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Whether a document may hold a ciphertext; no false negatives.
    pub(crate) fn may_hold_sealed(document: &str) -> bool {
        document.contains(PREFIX)
    }

    /// Encrypts one string of the item `key`, at the JSON pointer `pointer`.
    ///
    /// # Errors
    /// [`CryptError::TooLong`].
    pub fn seal(&self, key: &str, pointer: &str, plaintext: &str) -> Result<String, CryptError> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: plaintext.as_bytes(),
            aad: &place(key, pointer),
        };
        let ciphertext = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| CryptError::TooLong)?;
        let mut text = PREFIX.to_owned();
        STANDARD.encode_string([nonce.as_slice(), &ciphertext].concat(), &mut text);
        Ok(text)
    }

    /// Decrypts what [`Vault::seal`] wrote for the same place.
    ///
    /// # Errors
    /// [`CryptError::Malformed`] or [`CryptError::Refused`].
    pub fn open(&self, key: &str, pointer: &str, text: &str) -> Result<String, CryptError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(CryptError::Malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| CryptError::Malformed)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE>().ok_or(CryptError::Malformed)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &place(key, pointer),
        };
        let plaintext = self
            .cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| CryptError::Refused)?;
        String::from_utf8(plaintext).map_err(|_| CryptError::Malformed)
    }
}

/// The authenticated description of a place. The length keeps key and pointer apart.
fn place(key: &str, pointer: &str) -> Vec<u8> {
    let length = (key.len() as u64).to_be_bytes();
    [length.as_slice(), key.as_bytes(), pointer.as_bytes()].concat()
}

async fn read_key(path: PathBuf, create: bool) -> Result<SecretKey, StoreError> {
    let read = {
        let path = path.clone();
        move || {
            if create {
                SecretKey::read_or_create(&path)
            } else {
                SecretKey::read(&path)
            }
        }
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(key)) => Ok(key),
        Ok(Err(error)) if !create && error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::SecretKeyMissing { path })
        }
        Ok(Err(source)) => Err(StoreError::SecretKeyFile { path, source }),
        Err(_) => Err(StoreError::Closed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault(byte: u8) -> Vault {
        Vault::new(&SecretKey::from_bytes([byte; 32]))
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_to_itself(key in ".*", pointer in ".*", text in ".*") {
            let sealed = vault(1).seal(&key, &pointer, &text).unwrap();
            prop_assert!(Vault::is_sealed(&sealed));
            prop_assert_eq!(vault(1).open(&key, &pointer, &sealed).unwrap(), text);
        }

        #[test]
        fn any_text_is_refused_without_panic(text in "(sluice:v1:)?[A-Za-z0-9+/=]{0,80}") {
            prop_assert!(vault(1).open("/k", "/p", &text).is_err());
        }
    }

    #[test]
    fn a_ciphertext_fits_one_key_and_one_place_only() {
        let sealed = vault(1).seal("/routes/1", "/plugins/x", "secret").unwrap();
        assert!(!sealed.contains("secret"));
        for (byte, key, pointer) in [
            (2, "/routes/1", "/plugins/x"),
            (1, "/routes/2", "/plugins/x"),
            (1, "/routes/1", "/plugins/y"),
            (1, "/routes/1/plugins", "/x"),
        ] {
            assert_eq!(vault(byte).open(key, pointer, &sealed), Err(CryptError::Refused));
        }
    }

    #[test]
    fn equal_texts_have_different_ciphertexts() {
        let vault = vault(1);
        assert_ne!(
            vault.seal("/a", "/b", "same").unwrap(),
            vault.seal("/a", "/b", "same").unwrap()
        );
    }

    #[test]
    fn an_altered_ciphertext_is_refused() {
        let sealed = vault(1).seal("/a", "/b", "secret").unwrap();
        let encoded = sealed.strip_prefix(PREFIX).unwrap();
        let bytes = STANDARD.decode(encoded).unwrap();
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 1;
            let text = format!("{PREFIX}{}", STANDARD.encode(altered));
            assert_eq!(vault(1).open("/a", "/b", &text), Err(CryptError::Refused));
        }
    }

    #[tokio::test]
    async fn a_database_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path().join("sluice.db")).await.unwrap();
        let path = folder.path().join("secret.key");
        let file = || KeySource::File(path.clone());

        let sealed = Vault::unlock(&database, file())
            .await
            .ok()
            .unwrap()
            .seal("/a", "", "x")
            .unwrap();
        let again = Vault::unlock(&database, file()).await.ok().unwrap();
        assert_eq!(again.open("/a", "", &sealed).unwrap(), "x");

        let other = KeySource::Given(SecretKey::from_bytes([9; 32]));
        assert!(matches!(
            Vault::unlock(&database, other).await,
            Err(StoreError::WrongSecretKey)
        ));

        std::fs::remove_file(&path).unwrap();
        let missing = Vault::unlock(&database, file()).await;
        assert!(matches!(missing, Err(StoreError::SecretKeyMissing { .. })));
        assert!(
            !path.exists(),
            "a lost key is not replaced by one that cannot work"
        );
    }
}
