//! The access log: one line per request.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sluice_record::Record;

use crate::line_buffer::{LineBuffer, LineWriter, Output};
use crate::metrics::{Exposition, Kind};
use crate::queue::RecordSink;
use crate::ticker::{Flusher, Ticker};

mod asked;
mod escape;
mod format;
mod value;
mod variable;

pub use self::asked::AskedVariables;
pub(crate) use self::asked::LogVariable;
pub use self::escape::Escape;
pub use self::format::AccessLogFormat;
pub use self::value::Value;
pub use self::variable::{Variable, var};

/// Bytes of rendered lines that may wait for the target.
const PENDING_LIMIT: usize = 16 << 20;
/// Rendered bytes after which a batch is handed over in pieces.
const CHUNK: usize = 1 << 20;
/// How often the writer thread looks for rendered lines.
const TICK: Duration = Duration::from_millis(50);

/// Where the access log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    #[default]
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

impl FromStr for AccessLogTarget {
    type Err = Infallible;

    /// `off`, `stdout` (also as `/dev/stdout`), or a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "off" => Self::Off,
            "stdout" | "/dev/stdout" => Self::Stdout,
            path => Self::File(path.into()),
        })
    }
}

/// Renders records on the drain thread; a thread of its own writes them, so that a stalled target costs lines of the
/// access log and nothing else. Dropping it writes what is left.
#[derive(Debug)]
pub struct AccessLog {
    format: AccessLogFormat,
    buffer: Arc<LineBuffer>,
    rendered: Vec<u8>,
    /// Lines in `rendered`.
    lines: u64,
    // Held to be dropped.
    _writer: Ticker,
}

/// What the rest of the process may ask of the access log; cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLogHandle {
    buffer: Arc<LineBuffer>,
    reopen: Arc<AtomicBool>,
    flusher: Flusher,
}

impl AccessLog {
    /// Opens the target and starts the writer thread; `None` when the access log is off.
    ///
    /// # Errors
    /// When the file cannot be opened or the system refuses a thread.
    pub fn start(
        target: AccessLogTarget,
        format: AccessLogFormat,
    ) -> io::Result<Option<(Self, AccessLogHandle)>> {
        let output = match target {
            AccessLogTarget::Off => return Ok(None),
            AccessLogTarget::Stdout => Output::Stdout,
            AccessLogTarget::File(path) => Output::file(path),
        };
        let buffer = Arc::new(LineBuffer::new(PENDING_LIMIT));
        let mut lines = LineWriter::new(Arc::clone(&buffer), output);
        lines.reopen(Instant::now())?;
        let reopen = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&reopen);
        let writer = Ticker::start("access-log", TICK, move || {
            let now = Instant::now();
            if asked.swap(false, Ordering::Relaxed)
                && let Err(error) = lines.reopen(now)
            {
                tracing::error!(%error, "access log cannot be reopened; the open file stays in use");
            }
            lines.write_pending(now);
        })?;
        let handle = AccessLogHandle {
            buffer: Arc::clone(&buffer),
            reopen,
            flusher: writer.flusher(),
        };
        Ok(Some((
            Self {
                format,
                buffer,
                rendered: Vec::new(),
                lines: 0,
                _writer: writer,
            },
            handle,
        )))
    }
}

impl RecordSink for AccessLog {
    fn name(&self) -> &'static str {
        "access log"
    }

    fn write(&mut self, batch: &[Arc<Record>]) {
        for record in batch {
            self.format.render(record, &mut self.rendered);
            self.rendered.push(b'\n');
            self.lines += 1;
            if self.rendered.len() >= CHUNK {
                self.hand_over();
            }
        }
        self.hand_over();
    }
}

impl AccessLog {
    fn hand_over(&mut self) {
        if self.lines > 0 {
            self.buffer.push_lines(&self.rendered, self.lines);
            self.rendered.clear();
            self.lines = 0;
        }
    }
}

impl AccessLogHandle {
    /// Opens the file anew before the next line, for log rotation. A file that was moved or removed is noticed
    /// within a second without this, too.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Writes what has been rendered. Blocks; false when that took longer than `timeout` or the log is closed.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.flusher.flush(timeout)
    }

    /// Lines written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.buffer.written()
    }

    /// Lines lost: the target refused them or did not take them in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.buffer.dropped()
    }

    /// Adds `sluice_access_log_lines_total` and `sluice_access_log_dropped_total` to a scrape.
    pub fn collect(&self, out: &mut Exposition) {
        out.family(
            "sluice_access_log_lines_total",
            Kind::Counter,
            "Lines of the access log written.",
        )
        .sample(&[], self.written());
        out.family(
            "sluice_access_log_dropped_total",
            Kind::Counter,
            "Lines of the access log lost.",
        )
        .sample(&[], self.dropped());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::record;

    const LONG: Duration = Duration::from_secs(20);

    fn status_log(path: PathBuf) -> (AccessLog, AccessLogHandle) {
        let format = AccessLogFormat::template("$status", Escape::Json, &mut AskedVariables::default());
        AccessLog::start(AccessLogTarget::File(path), format)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn targets_are_named() {
        assert_eq!("off".parse(), Ok(AccessLogTarget::Off));
        assert_eq!("/dev/stdout".parse(), Ok(AccessLogTarget::Stdout));
        assert_eq!(
            "logs/a.log".parse(),
            Ok(AccessLogTarget::File("logs/a.log".into()))
        );
    }

    #[test]
    fn every_record_becomes_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let (mut log, handle) = status_log(path.clone());
        let record = Arc::new(record());
        log.write(&[Arc::clone(&record), Arc::clone(&record)]);
        assert!(handle.flush(LONG));
        assert_eq!(fs::read_to_string(&path).unwrap(), "404\n404\n");
        log.write(&[record]);
        drop(log);
        assert_eq!(fs::read_to_string(&path).unwrap(), "404\n404\n404\n");
        assert_eq!((handle.written(), handle.dropped()), (3, 0));
    }

    #[test]
    fn rotation_by_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let (mut log, handle) = status_log(path.clone());
        log.write(&[Arc::new(record())]);
        assert!(handle.flush(LONG));
        fs::rename(&path, dir.path().join("access.log.1")).unwrap();
        handle.reopen();
        log.write(&[Arc::new(Record {
            status: 200,
            ..record()
        })]);
        assert!(handle.flush(LONG));
        assert_eq!(fs::read_to_string(&path).unwrap(), "200\n");
    }

    #[test]
    fn a_full_disk_loses_lines_and_says_so() {
        let (mut log, handle) = status_log("/dev/full".into());
        log.write(&[Arc::new(record())]);
        assert!(handle.flush(LONG));
        let mut out = Exposition::new("apisix_");
        handle.collect(&mut out);
        assert!(out.finish().contains("sluice_access_log_dropped_total 1\n"));
    }

    #[test]
    fn a_bad_path_fails_at_the_start() {
        assert!(
            AccessLog::start(
                AccessLogTarget::File("/nowhere/a.log".into()),
                AccessLogFormat::json()
            )
            .is_err()
        );
    }
}
