//! APISIX's encryption of plugin fields (compat §1.11).

use std::borrow::Cow;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What `apisix.data_encryption.keyring` is when nobody sets it.
const DEFAULT: [&str; 2] = ["qeddd145sfvddff3", "edd1c9f0985e76a2"];

/// Keys in APISIX's form: AES-128-CBC or AES-256-CBC, the key itself as initialisation vector, PKCS#7, base64.
///
/// The form is neither authenticated nor randomised, and the default keys are public. It is for exchange
/// with APISIX only; our own files use [`Vault`](crate::Vault).
pub struct Keyring {
    entries: Vec<Entry>,
}

enum Entry {
    Aes128(Zeroizing<[u8; 16]>),
    Aes256(Zeroizing<[u8; 32]>),
}

impl Default for Keyring {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl Keyring {
    /// Takes entries of 16 bytes (AES-128) or 32 bytes (AES-256). Others are ignored with an error in the log.
    pub fn new<T: AsRef<[u8]>>(entries: impl IntoIterator<Item = T>) -> Self {
        let entries = entries
            .into_iter()
            .filter_map(|entry| Entry::new(entry.as_ref()))
            .collect();
        Self { entries }
    }

    /// Encrypts with the first entry. Without any entry the text stays as it is.
    pub fn encrypt<'a>(&self, plaintext: &'a str) -> Cow<'a, str> {
        match self.entries.first() {
            Some(entry) => STANDARD.encode(entry.encrypt(plaintext.as_bytes())).into(),
            None => plaintext.into(),
        }
    }

    /// Decrypts with the first entry that fits. If none does, the text stays as it is.
    pub fn decrypt<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Ok(ciphertext) = STANDARD.decode(text) else {
            return text.into();
        };
        let mut decrypted = self.entries.iter().filter_map(|entry| entry.decrypt(&ciphertext));
        decrypted.next().map_or(text.into(), Cow::Owned)
    }
}

impl Entry {
    fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Some(Self::Aes128(Zeroizing::new(key.try_into().ok()?))),
            32 => Some(Self::Aes256(Zeroizing::new(key.try_into().ok()?))),
            bytes => {
                tracing::error!(bytes, "keyring entry ignored: it must have 16 or 32 bytes");
                None
            }
        }
    }

    fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        match self {
            Self::Aes128(key) => cbc::Encryptor::<Aes128>::new((&**key).into(), &self.iv().into())
                .encrypt_padded_vec::<Pkcs7>(plaintext),
            Self::Aes256(key) => cbc::Encryptor::<Aes256>::new((&**key).into(), &self.iv().into())
                .encrypt_padded_vec::<Pkcs7>(plaintext),
        }
    }

    /// Nothing when padding or UTF-8 say that the key is another one.
    fn decrypt(&self, ciphertext: &[u8]) -> Option<String> {
        let plaintext = match self {
            Self::Aes128(key) => cbc::Decryptor::<Aes128>::new((&**key).into(), &self.iv().into())
                .decrypt_padded_vec::<Pkcs7>(ciphertext),
            Self::Aes256(key) => cbc::Decryptor::<Aes256>::new((&**key).into(), &self.iv().into())
                .decrypt_padded_vec::<Pkcs7>(ciphertext),
        };
        String::from_utf8(plaintext.ok()?).ok()
    }

    /// The first 16 bytes of the key.
    fn iv(&self) -> [u8; 16] {
        match self {
            Self::Aes128(key) => **key,
            Self::Aes256(key) => std::array::from_fn(|index| key[index]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VECTORS: [(&str, &str); 3] = [
        ("jk", "d0NJAio9L4fzqm1WJyKIyg=="),
        ("c1", "Yxywhhzm4BCPyxW/EfgKxg=="),
        ("Bearer up", "Eb3RwIhB/RYYbv3GsUhXAQ=="),
    ];

    #[test]
    fn the_reference_vectors_hold() {
        let keyring = Keyring::default();
        for (plaintext, ciphertext) in VECTORS {
            assert_eq!(keyring.encrypt(plaintext), ciphertext);
            assert_eq!(keyring.decrypt(ciphertext), plaintext);
        }
    }

    #[test]
    fn a_long_entry_is_aes_256_with_its_first_half_as_vector() {
        let keyring = Keyring::new(["0123456789abcdefghijklmnopqrstuv"]);
        assert_eq!(keyring.encrypt("Bearer up"), "e0igey6Fdn2XbGNatc/5RQ==");
    }

    #[test]
    fn the_first_entry_encrypts_and_every_entry_decrypts() {
        let [first, second] = DEFAULT;
        let rotated = Keyring::new([second, first]);
        for (plaintext, ciphertext) in VECTORS {
            assert_ne!(rotated.encrypt(plaintext), ciphertext);
            assert_eq!(rotated.decrypt(ciphertext), plaintext);
        }
    }

    #[test]
    fn what_no_entry_decrypts_stays() {
        let other = Keyring::new(["0123456789abcdef"]);
        let (_, ciphertext) = VECTORS[0];
        for text in ["plain text", "", "QUJD", ciphertext] {
            assert_eq!(other.decrypt(text), text);
        }
    }

    #[test]
    fn entries_of_other_lengths_are_ignored() {
        let keyring = Keyring::new(["short", "qeddd145sfvddff3"]);
        assert_eq!(keyring.encrypt("jk"), VECTORS[0].1);
        let empty = Keyring::new(["short"]);
        assert_eq!(empty.encrypt("jk"), "jk");
        assert_eq!(empty.decrypt("jk"), "jk");
    }

    proptest! {
        #[test]
        fn both_key_lengths_round_trip(key in "[a-z]{16}|[a-z]{32}", text in ".*") {
            let keyring = Keyring::new([key]);
            let encrypted = keyring.encrypt(&text);
            prop_assert_eq!(keyring.decrypt(&encrypted), text.as_str());
        }
    }
}
