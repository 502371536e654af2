//! One AI call, from picked target to settled usage, in two halves: [`prepare`] in the access phase, [`perform`]
//! before the proxy phase.
//!
//! Stands above [`sluice_core`] and below the plugins that pick targets. It knows plugins only by what they configure.

mod answer;
mod complete;
mod config;
mod counted;
mod credential;
mod estimate;
mod headers;
mod local;
mod memory;
mod models;
mod payload;
mod perform;
mod prepare;
mod probe;
mod provider;
mod relayed;
mod stream;
mod target;

pub use self::complete::{CompleteError, complete};
pub use self::config::{AuthConfig, CallConfig, GcpAuthConfig, LlmOptions, OverrideConfig, TargetConfig};
pub use self::estimate::input_tokens;
pub use self::memory::keeps_response;
pub use self::perform::{Attempt, perform};
pub use self::prepare::{Prepared, client_framing, prepare, protocol_of};
pub use self::probe::{ProbeReport, list_models, test_provider};
pub use self::provider::ProviderConfig;
pub use self::relayed::{StoredResponse, form_texts, stored_response};
pub use self::target::{Target, TargetError, is_endpoint};
