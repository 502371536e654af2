//! A log file that is only ever appended to, and that follows its path when somebody rotates it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the path is compared with the open file.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Opened lazily; reopened when the file at its path is no longer the open one (moved, removed, replaced).
#[derive(Debug)]
pub(crate) struct AppendFile {
    path: PathBuf,
    open: Option<Open>,
    /// A write failed inside a line: the next one begins on a fresh line.
    torn: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    checked: Instant,
}

/// Device and inode.
type Identity = (u64, u64);

/// A write that failed.
#[derive(Debug)]
pub(crate) struct AppendError {
    /// Bytes that reached the file before.
    pub(crate) written: usize,
    /// What the system said.
    pub(crate) source: io::Error,
}

impl AppendFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: None,
            torn: false,
        }
    }

    /// Opens the file anew, creating it if needed. The open one stays in use when that fails.
    ///
    /// # Errors
    /// When the path cannot be opened for appending.
    pub(crate) fn reopen(&mut self, now: Instant) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        let identity = identity(&file.metadata()?);
        if self.open.as_ref().is_none_or(|open| open.identity != identity) {
            self.torn = false;
        }
        self.open = Some(Open {
            file,
            identity,
            checked: now,
        });
        Ok(())
    }

    /// Appends whole lines, in one system call unless the system takes less than all.
    ///
    /// # Errors
    /// When the file cannot be opened or does not take everything; says how much it took.
    pub(crate) fn append(&mut self, lines: &[u8], now: Instant) -> Result<(), AppendError> {
        self.follow_path(now)
            .map_err(|source| AppendError { written: 0, source })?;
        let Some(open) = &mut self.open else { return Ok(()) };
        if self.torn {
            open.file
                .write_all(b"\n")
                .map_err(|source| AppendError { written: 0, source })?;
            self.torn = false;
        }
        let (written, result) = write_counted(&mut open.file, lines);
        result.map_err(|source| {
            self.torn = written > 0 && lines[written - 1] != b'\n';
            AppendError { written, source }
        })
    }

    fn follow_path(&mut self, now: Instant) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return self.reopen(now);
        };
        if now.saturating_duration_since(open.checked) < CHECK_EVERY {
            return Ok(());
        }
        open.checked = now;
        let moved = match fs::metadata(&self.path) {
            Ok(found) => identity(&found) != open.identity,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        // Where the path cannot be opened the lines still have a home: the file that was moved away.
        if moved && let Err(error) = self.reopen(now) {
            tracing::warn!(path = %self.path.display(), %error, "log file was moved and cannot be reopened");
        }
        Ok(())
    }
}

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// `write_all` that also says how far it came.
pub(crate) fn write_counted(to: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match to.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_opened_by_the_first_line_and_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, "old\n").unwrap();
        let mut file = AppendFile::new(path.clone());
        let now = Instant::now();
        file.append(b"one\n", now).unwrap();
        file.append(b"two\nthree\n", now).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "old\none\ntwo\nthree\n");
    }

    #[test]
    fn it_follows_its_path_a_second_after_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        let mut file = AppendFile::new(path.clone());
        let start = Instant::now();
        file.append(b"one\n", start).unwrap();
        fs::rename(&path, &moved).unwrap();
        file.append(b"two\n", start + CHECK_EVERY / 2).unwrap();
        file.append(b"three\n", start + CHECK_EVERY).unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");

        fs::remove_file(&path).unwrap();
        file.append(b"four\n", start + 3 * CHECK_EVERY).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
    }

    #[test]
    fn a_reopen_takes_effect_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut file = AppendFile::new(path.clone());
        let now = Instant::now();
        file.append(b"one\n", now).unwrap();
        fs::rename(&path, dir.path().join("b.log")).unwrap();
        file.reopen(now).unwrap();
        file.append(b"two\n", now).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "two\n");
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_an_error_until_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/a.log");
        let mut file = AppendFile::new(path.clone());
        let now = Instant::now();
        assert_eq!(file.append(b"one\n", now).unwrap_err().written, 0);
        fs::create_dir(dir.path().join("sub")).unwrap();
        file.append(b"two\n", now).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "two\n");
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut file = AppendFile::new(path.clone());
        let now = Instant::now();
        file.append(b"half a li", now).unwrap();
        file.torn = true;
        file.append(b"whole\n", now).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "half a li\nwhole\n");
    }

    #[test]
    fn a_partial_write_says_how_far_it_came() {
        struct Disk(usize);
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let n = bytes.len().min(3).min(self.0);
                self.0 -= n;
                if n == 0 {
                    Err(io::ErrorKind::StorageFull.into())
                } else {
                    Ok(n)
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (written, result) = write_counted(&mut Disk(8), b"0123456789");
        assert_eq!(written, 8);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
