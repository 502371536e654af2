//! The mock LLM: an OpenAI-style provider on one thread that costs as little as it can.

mod server;
mod wheel;

pub use self::server::serve;
