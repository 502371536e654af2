//! Plugins that read or change prompts before a provider sees them (compat §4.5–§4.9).

mod guard;
mod protocols;
mod rag;
mod rewrite;
mod shaping;
mod tables;
