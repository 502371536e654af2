//! Words to the person at the terminal; everything else goes to the log.

use std::fmt::Display;
use std::io::Write;

/// Writes to standard output. A closed terminal is no reason to stop.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes to standard error.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
