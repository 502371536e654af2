//! What a setup is made with.

use crate::Mode;

/// Where the LLM server is unless somebody says otherwise.
pub const LEMONADE_URL: &str = "http://127.0.0.1:13305";
/// The model of chats unless somebody says otherwise.
pub const MODEL: &str = "user.gemma-4-31b-it";
/// The model of embeddings unless somebody says otherwise.
pub const EMBEDDING_MODEL: &str = "user.harrier-oss-v1-0.6b";
/// Tokens per user and window unless somebody says otherwise.
pub const RATE_LIMIT: u64 = 500;
/// Seconds of a window unless somebody says otherwise.
pub const TIME_WINDOW: u64 = 60;

/// What the Admin API on the other side takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Sluice: everything.
    #[default]
    Sluice,
    /// APISIX itself: only what its schemas have.
    Apisix,
}

/// What a setup is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the LLM server, without a path or with `/v1` or `/api/v1`.
    pub lemonade_url: String,
    /// Its key, if it wants one.
    pub lemonade_api_key: Option<String>,
    /// Model of chats that name none; of all chats with `force_model`.
    pub model: String,
    /// Whether every chat gets `model`, whatever it asks for.
    pub force_model: bool,
    /// Model of embeddings; `None` switches them off.
    pub embedding_model: Option<String>,
    /// Tokens per user and window.
    pub rate_limit: u64,
    /// Seconds of a window.
    pub time_window: u64,
    /// Requests that a user may have under way at once.
    pub concurrency: Option<u64>,
    /// Who shares a key.
    pub mode: Mode,
    /// Where counters are kept, if not in the gateway.
    pub redis: Option<Redis>,
    /// What tokens of the LLM server cost, for budgets.
    pub price: Option<TokenPrice>,
    /// What the other side takes.
    pub flavour: Flavour,
}

/// What tokens cost, in millionths of a dollar per million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPrice {
    /// To the model.
    pub input: u64,
    /// From the model.
    pub output: u64,
}

/// A Redis for counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Password, if it wants one.
    pub password: Option<String>,
    /// Whether requests pass while it cannot be reached; else they are refused.
    pub fails_open: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lemonade_url: LEMONADE_URL.to_owned(),
            lemonade_api_key: None,
            model: MODEL.to_owned(),
            force_model: false,
            embedding_model: Some(EMBEDDING_MODEL.to_owned()),
            rate_limit: RATE_LIMIT,
            time_window: TIME_WINDOW,
            concurrency: None,
            mode: Mode::PerUser,
            redis: None,
            price: None,
            flavour: Flavour::Sluice,
        }
    }
}

/// Tokens that a consumer of `users` users gets per window, saturating.
#[must_use]
pub fn quota(rate_limit: u64, users: u64) -> u64 {
    rate_limit.saturating_mul(users).min(i64::MAX.unsigned_abs())
}
