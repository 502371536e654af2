//! Conversions between the protocols of client and provider.

mod anthropic_openai;

pub use self::anthropic_openai::{
    AnswerError, AnthropicStream, AnthropicToChat, ConversionRefused, StreamOutcome,
};
