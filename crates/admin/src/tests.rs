//! The Admin API driven request by request over a store of its own (compat §1).

mod access;
mod audit;
mod bulk;
mod checks;
mod control;
mod deletes;
mod legacy;
mod listener;
mod listing;
mod odd;
mod patch;
mod plugins;
mod providers;
mod secrets;
mod standalone;
mod status;
pub(crate) mod support;
mod v1;
mod writes;
