//! A line that says how far long work is, on terminals only.

use std::io::{IsTerminal, Write};

/// Counts steps on standard error.
pub(super) struct Progress {
    what: &'static str,
    total: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, total: usize) -> Self {
        Self {
            what,
            total,
            done: 0,
            shown: std::io::stderr().is_terminal() && total > 5,
        }
    }

    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.shown {
            let _ = write!(
                std::io::stderr().lock(),
                "\r{} {}/{} ",
                self.what,
                self.done,
                self.total
            );
        }
    }
}

/// The line is taken away again.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
