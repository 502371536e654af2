//! Files that `file-logger` appends to (compat §6.9): one JSON text per line.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::line_buffer::{LineBuffer, LineWriter, Output};
use crate::metrics::{Exposition, Kind};
use crate::sync::lock;
use crate::ticker::{Flusher, Ticker};

/// Bytes that may wait for one path.
const PENDING_LIMIT: usize = 16 << 20;
/// How often the writer thread looks.
const TICK: Duration = Duration::from_millis(100);

/// All files of this kind, and the one thread that writes them.
///
/// A path is opened by its first line, shared by everybody who asks for it, reopened within a second after it was
/// moved or removed, and closed when its last [`FileSink`] is gone.
#[derive(Debug)]
pub struct FileSinks {
    paths: Arc<Mutex<Paths>>,
    ticker: Ticker,
    flusher: Flusher,
}

#[derive(Debug, Default)]
struct Paths {
    open: HashMap<PathBuf, Weak<LineBuffer>>,
    /// Made since the writer thread last looked.
    added: Vec<LineWriter>,
}

/// Appends lines to one path; cheap to clone.
#[derive(Clone, Debug)]
pub struct FileSink(Arc<LineBuffer>);

impl FileSink {
    /// Hands over one line without its end. Never waits for the disk; false when the line was dropped because too
    /// much waits already.
    pub fn append(&self, line: &[u8]) -> bool {
        self.0.push_line(line)
    }

    /// Lines of this path lost so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

impl FileSinks {
    /// Starts the writer thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        Self::start_with(TICK)
    }

    fn start_with(tick: Duration) -> io::Result<Self> {
        let paths = Arc::new(Mutex::new(Paths::default()));
        let mut thread = WriterThread {
            paths: Arc::clone(&paths),
            writers: Vec::new(),
        };
        let ticker = Ticker::start("file-sinks", tick, move || thread.run(Instant::now()))?;
        let flusher = ticker.flusher();
        Ok(Self {
            paths,
            ticker,
            flusher,
        })
    }

    /// The sink of `path`. Opens nothing: a path that cannot be written shows in the log and in
    /// `sluice_file_log_dropped_total` when lines come.
    #[must_use]
    pub fn sink(&self, path: &Path) -> FileSink {
        let mut paths = lock(&self.paths);
        if let Some(buffer) = paths.open.get(path).and_then(Weak::upgrade) {
            return FileSink(buffer);
        }
        let buffer = Arc::new(LineBuffer::new(PENDING_LIMIT));
        paths.open.insert(path.to_owned(), Arc::downgrade(&buffer));
        paths.added.push(LineWriter::new(
            Arc::clone(&buffer),
            Output::file(path.to_owned()),
        ));
        FileSink(buffer)
    }

    /// Writes everything handed over before this call. Blocks; false when that took longer than `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.flusher.flush(timeout)
    }

    /// Writes what is left and ends the thread. False when that took longer than `timeout`.
    pub fn stop(self, timeout: Duration) -> bool {
        self.ticker.stop(timeout)
    }

    /// Adds `sluice_file_log_lines_total` and `sluice_file_log_dropped_total` of the open paths to a scrape.
    pub fn collect(&self, out: &mut Exposition) {
        let mut open: Vec<_> = {
            let paths = lock(&self.paths);
            let of = |(path, buffer): (&PathBuf, &Weak<LineBuffer>)| Some((path.clone(), buffer.upgrade()?));
            paths.open.iter().filter_map(of).collect()
        };
        open.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (path, buffer) in open {
            let path = path.to_string_lossy();
            let labels = [("path", &*path)];
            out.family(
                "sluice_file_log_lines_total",
                Kind::Counter,
                "Lines that file-logger wrote.",
            )
            .sample(&labels, buffer.written());
            out.family(
                "sluice_file_log_dropped_total",
                Kind::Counter,
                "Lines that file-logger lost.",
            )
            .sample(&labels, buffer.dropped());
        }
    }
}

struct WriterThread {
    paths: Arc<Mutex<Paths>>,
    writers: Vec<LineWriter>,
}

impl WriterThread {
    fn run(&mut self, now: Instant) {
        self.writers.append(&mut lock(&self.paths).added);
        for writer in &mut self.writers {
            writer.write_pending(now);
        }
        self.close_unused();
    }

    /// Under the lock that [`FileSinks::sink`] takes: nobody can come back to a path that is being closed.
    fn close_unused(&mut self) {
        let mut paths = lock(&self.paths);
        self.writers
            .retain(|writer| Arc::strong_count(writer.buffer()) > 1 || !writer.buffer().is_empty());
        paths.open.retain(|_, buffer| buffer.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn one_path_has_one_file_whoever_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let sinks = FileSinks::start_with(NEVER).unwrap();
        let (one, two) = (sinks.sink(&path), sinks.sink(&path));
        assert!(!path.exists(), "opened by the first line");
        assert!(one.append(b"{\"n\":1}"));
        assert!(two.append(b"{\"n\":2}"));
        assert!(sinks.flush(LONG));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\":1}\n{\"n\":2}\n");
        assert!(one.append(b"{\"n\":3}"));
        assert!(sinks.stop(LONG));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"
        );
    }

    #[test]
    fn a_path_closes_with_its_last_sink_and_keeps_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let paths = Arc::new(Mutex::new(Paths::default()));
        let mut thread = WriterThread {
            paths: Arc::clone(&paths),
            writers: Vec::new(),
        };
        let sinks = FileSinks {
            paths,
            ..FileSinks::start_with(NEVER).unwrap()
        };

        let sink = sinks.sink(&path);
        thread.run(Instant::now());
        assert_eq!(thread.writers.len(), 1);
        sink.append(b"last");
        drop(sink);
        thread.run(Instant::now());
        assert_eq!(fs::read_to_string(&path).unwrap(), "last\n");
        assert!(thread.writers.is_empty());
        assert!(lock(&sinks.paths).open.is_empty());

        sinks.sink(&path).append(b"again");
        thread.run(Instant::now());
        assert_eq!(fs::read_to_string(&path).unwrap(), "last\nagain\n");
    }

    #[test]
    fn lost_lines_are_counted_by_path() {
        let sinks = FileSinks::start_with(NEVER).unwrap();
        let sink = sinks.sink(Path::new("/dev/full"));
        sink.append(b"x");
        assert!(sinks.flush(LONG));
        assert_eq!(sink.dropped(), 1);
        let mut out = Exposition::new("apisix_");
        sinks.collect(&mut out);
        assert!(
            out.finish()
                .contains("sluice_file_log_dropped_total{path=\"/dev/full\"} 1\n")
        );
    }
}
