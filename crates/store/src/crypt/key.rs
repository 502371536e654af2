//! The key that encrypts secret fields, and the file that keeps it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::CryptError;

const LENGTH: usize = 32;

/// 32 random bytes. Wiped from memory when dropped, and never printed: the type has no `Debug`.
pub struct SecretKey(Zeroizing<[u8; LENGTH]>);

/// Where the secret key comes from.
pub enum KeySource {
    /// A file, created with a random key and mode 0600 on the first run.
    File(PathBuf),
    /// Given by the operator, by way of the environment for instance.
    Given(SecretKey),
}

impl SecretKey {
    /// Takes the bytes as they are.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key as base64 (44 characters) or hexadecimal (64 characters); white space around it is ignored.
    ///
    /// # Errors
    /// [`CryptError::KeyFormat`].
    pub fn parse(text: &str) -> Result<Self, CryptError> {
        let text = text.trim().as_bytes();
        let bytes = if text.len() == 2 * LENGTH {
            from_hex(text)
        } else {
            STANDARD.decode(text).ok().map(Zeroizing::new)
        };
        let bytes = bytes.ok_or(CryptError::KeyFormat)?;
        let bytes: [u8; LENGTH] = bytes.as_slice().try_into().map_err(|_| CryptError::KeyFormat)?;
        Ok(Self::from_bytes(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    fn generate() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        SysRng.try_fill_bytes(bytes.as_mut()).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// Reads the key from a file. Blocks.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let text = Zeroizing::new(fs::read_to_string(path)?);
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "secret key file is open to other users");
        }
        Self::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Reads the key from a file, or creates the file with a random key. Blocks.
    ///
    /// The file appears whole or not at all, and of two processes that create it at the same time both
    /// end up with the same key.
    pub(super) fn read_or_create(path: &Path) -> io::Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        let draft = path.with_added_extension(format!("{:016x}", rand::random::<u64>()));
        let linked = Self::generate()?
            .write(&draft)
            .and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.and(removed)?,
        }
        sync_folder(path)?;
        Self::read(path)
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = Zeroizing::new(STANDARD.encode(self.0.as_slice()));
        text.push('\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

/// Makes the name of the file as durable as its content.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = text.chunks_exact(2).map(|pair| {
        let value = digit(pair[0])? * 16 + digit(pair[1])?;
        u8::try_from(value).ok()
    });
    bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_text_forms_are_read() {
        let bytes: [u8; LENGTH] = std::array::from_fn(|index| u8::try_from(index * 7).unwrap());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let base64 = STANDARD.encode(bytes);
        for text in [
            hex.clone(),
            hex.to_lowercase(),
            base64.clone(),
            format!(" {base64}\n"),
        ] {
            assert_eq!(SecretKey::parse(&text).ok().unwrap().bytes(), &bytes);
        }
        for text in [
            "",
            "short",
            &hex[1..],
            &hex.replace('0', "g"),
            &STANDARD.encode([0; 31]),
        ] {
            assert_eq!(SecretKey::parse(text).err(), Some(CryptError::KeyFormat));
        }
    }

    #[test]
    fn the_file_is_created_once_private_and_without_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        assert!(SecretKey::read(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));

        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| SecretKey::read_or_create(&path)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| key.bytes() == keys[0].bytes()));
        assert_ne!(keys[0].bytes(), &[0; LENGTH]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_neither_used_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        fs::write(&path, "not a key").unwrap();
        assert!(
            SecretKey::read_or_create(&path).is_err_and(|error| error.kind() == io::ErrorKind::InvalidData)
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
    }
}
