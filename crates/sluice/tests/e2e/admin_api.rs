//! The Admin API through the real binary: legacy replies, standalone mode, what is checked at a write, the audit log.

mod audit;
mod checks;
mod dry_run;
mod formats;
mod standalone;
