//! Log lines between those who make them and the one thread that writes them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use memchr::memchr_iter;

use crate::append_file::{AppendError, AppendFile, write_counted};
use crate::sync::lock;

/// Buffers larger than this are given back once they are written.
const KEEP_CAPACITY: usize = 1 << 20;

/// Bounded by bytes. Adding a line is a copy under a short lock; what does not fit is dropped and counted.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    pending: Mutex<Pending>,
    limit: usize,
    written: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    lines: u64,
}

impl LineBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        let (written, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            pending: Mutex::default(),
            limit,
            written,
            dropped,
        }
    }

    /// Adds one line and its end; false when there was no room.
    pub(crate) fn push_line(&self, line: &[u8]) -> bool {
        let mut pending = lock(&self.pending);
        let fits = pending.bytes.len() + line.len() < self.limit;
        if fits {
            pending.bytes.extend_from_slice(line);
            pending.bytes.push(b'\n');
            pending.lines += 1;
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Adds `count` whole lines, each with its end; all or none.
    pub(crate) fn push_lines(&self, lines: &[u8], count: u64) -> bool {
        let mut pending = lock(&self.pending);
        let fits = pending.bytes.len() + lines.len() <= self.limit;
        if fits {
            pending.bytes.extend_from_slice(lines);
            pending.lines += count;
        } else {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
        fits
    }

    /// Lines that reached their target.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Lines lost, because the buffer was full or the target refused them.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.pending).bytes.is_empty()
    }

    /// Exchanges what is pending for the empty buffer `spare`.
    fn take(&self, spare: &mut Pending) {
        spare.lines = 0;
        spare.bytes.clear();
        if spare.bytes.capacity() > KEEP_CAPACITY {
            spare.bytes = Vec::new();
        }
        std::mem::swap(spare, &mut *lock(&self.pending));
    }
}

/// The writing end of a [`LineBuffer`]; lives on a writer thread.
#[derive(Debug)]
pub(crate) struct LineWriter {
    buffer: Arc<LineBuffer>,
    output: Output,
    taken: Pending,
    failing: bool,
}

/// Where lines go.
#[derive(Debug)]
pub(crate) enum Output {
    /// A file.
    File(AppendFile),
    /// Standard output.
    Stdout,
}

impl Output {
    pub(crate) fn file(path: PathBuf) -> Self {
        Self::File(AppendFile::new(path))
    }

    fn write(&mut self, lines: &[u8], now: Instant) -> Result<(), AppendError> {
        match self {
            Self::File(file) => file.append(lines, now),
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                let (written, result) = write_counted(&mut stdout, lines);
                result
                    .and_then(|()| stdout.flush())
                    .map_err(|source| AppendError { written, source })
            }
        }
    }
}

impl LineWriter {
    pub(crate) fn new(buffer: Arc<LineBuffer>, output: Output) -> Self {
        Self {
            buffer,
            output,
            taken: Pending::default(),
            failing: false,
        }
    }

    pub(crate) fn buffer(&self) -> &Arc<LineBuffer> {
        &self.buffer
    }

    /// Opens the target anew, where that means something.
    ///
    /// # Errors
    /// When the path cannot be opened.
    pub(crate) fn reopen(&mut self, now: Instant) -> io::Result<()> {
        match &mut self.output {
            Output::File(file) => file.reopen(now),
            Output::Stdout => Ok(()),
        }
    }

    /// Writes what is pending. What the target refuses is lost and counted: waiting for room on a full disk would
    /// only move the loss into memory.
    pub(crate) fn write_pending(&mut self, now: Instant) {
        self.buffer.take(&mut self.taken);
        let Pending { bytes, lines } = &self.taken;
        if bytes.is_empty() {
            return;
        }
        let error = self.output.write(bytes, now).err();
        // A line that is torn has its end in what was not written.
        let lost = error.as_ref().map_or(0, |error| {
            memchr_iter(b'\n', &bytes[error.written..]).count() as u64
        });
        self.buffer.written.fetch_add(lines - lost, Ordering::Relaxed);
        self.buffer.dropped.fetch_add(lost, Ordering::Relaxed);
        self.report(error.map(|error| error.source).as_ref());
    }

    /// Logs the change, not every failure.
    fn report(&mut self, error: Option<&io::Error>) {
        match (error, self.failing) {
            (Some(error), false) => {
                tracing::error!(output = ?self.output, %error, "log lines are being lost")
            }
            (None, true) => tracing::info!(output = ?self.output, "log lines are written again"),
            _ => {}
        }
        self.failing = error.is_some();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_reach_the_file_in_one_piece() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let buffer = Arc::new(LineBuffer::new(1000));
        let mut writer = LineWriter::new(Arc::clone(&buffer), Output::file(path.clone()));
        assert!(buffer.push_line(b"one"));
        assert!(buffer.push_lines(b"two\nthree\n", 2));
        writer.write_pending(Instant::now());
        assert_eq!(fs::read_to_string(path).unwrap(), "one\ntwo\nthree\n");
        assert_eq!((buffer.written(), buffer.dropped()), (3, 0));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_full_buffer_drops_and_counts() {
        let buffer = LineBuffer::new(8);
        assert!(buffer.push_line(b"1234567"));
        assert!(!buffer.push_line(b""));
        assert!(!buffer.push_lines(b"a\nb\n", 2));
        assert_eq!(buffer.dropped(), 3);
        buffer.take(&mut Pending::default());
        assert!(buffer.push_lines(b"123456\n\n", 2));
    }

    #[test]
    fn a_full_disk_is_counted() {
        let buffer = Arc::new(LineBuffer::new(1000));
        let mut writer = LineWriter::new(Arc::clone(&buffer), Output::file("/dev/full".into()));
        buffer.push_lines(b"a\nb\n", 2);
        writer.write_pending(Instant::now());
        assert_eq!((buffer.written(), buffer.dropped()), (0, 2));
        assert!(writer.failing);
    }

    #[test]
    fn large_buffers_are_given_back() {
        let buffer = LineBuffer::new(usize::MAX);
        let mut spare = Pending {
            bytes: Vec::with_capacity(KEEP_CAPACITY + 1),
            lines: 0,
        };
        buffer.take(&mut spare);
        buffer.take(&mut spare);
        assert!(spare.bytes.capacity() <= KEEP_CAPACITY);
    }
}
