//! LLM protocols, providers, body edits, usage, prices, token counting. No I/O: bytes in, bytes out.
//!
//! Stands above [`sluice_wire`], which knows bytes but no meanings, and below everything that moves requests. It knows
//! what protocols and providers say, and neither routes, plugins nor connections.
//!
//! From a client's body to a provider's, and back to what the answer cost:
//!
//! ```
//! use sluice_llm::{AnswerFacts, Carriage, Protocol, Provider, RequestView};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}"#;
//! let request = RequestView::parse(body.into())?;
//! let protocol = Protocol::detect("/v1/chat/completions", &request);
//! assert_eq!(protocol, Some(Protocol::OpenAiChat));
//!
//! let carriage = Provider::find("openai")?.carriage(Protocol::OpenAiChat)?;
//! assert!(matches!(carriage, Carriage::Same(_)));
//!
//! let answer = br#"{"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}"#;
//! let facts = AnswerFacts::read(carriage.target(), answer, false);
//! assert_eq!(facts.and_then(|facts| facts.usage).map(|usage| usage.usage.total()), Some(10));
//! # Ok(())
//! # }
//! ```

mod answer;
mod chat;
mod client_call;
mod codec;
mod convert;
mod count;
mod echo;
mod edits;
mod embed;
mod error;
mod filtered;
mod gemini_models;
mod images;
mod lenient;
mod media;
mod model_list;
mod prices;
mod prompt_edits;
mod protocol;
mod provider;
mod refusal;
mod request;
mod rerank;
mod response_id;
mod signed;
mod stream_event;
mod tap;
mod texts;
mod tokens;
mod translate;
mod usage;

pub use self::answer::AnswerFacts;
pub use self::chat::Unsayable;
pub use self::client_call::{ClientCall, openai_resource};
pub use self::convert::{
    AnswerError, AnthropicStream, AnthropicToChat, Conversion, ConversionRefused, EmbeddingsToPredict,
    StreamConversion, StreamOutcome,
};
pub use self::count::TokenQuestion;
pub use self::echo::{EchoError, EchoReply, EchoStamp, echo, echo_models};
pub use self::edits::{BodyEdits, BodyPlan, StreamUsage};
pub use self::embed::EmbedTranslation;
pub use self::error::{Dialect, ErrorClass, ErrorKind, ProviderMessage, PublicError};
pub use self::filtered::is_filtered;
pub use self::gemini_models::with_gemini_model;
pub use self::images::has_images;
pub use self::model_list::{AskedModels, ListedModel, read_models, write_model, write_models};
pub use self::prices::{LongContextConfig, Price, PriceConfig, PriceTable, PriceTableError, RatesConfig};
pub use self::prompt_edits::{PromptEdits, TextMessage};
pub use self::protocol::{Operation, Protocol};
pub use self::provider::{
    CallIds, Carriage, EffortMember, Endpoint, KeyHeader, Provider, ProviderConf, ProviderError, Quirks,
    ReasoningBack, StreamUsageAsk,
};
pub use self::refusal::Refusal;
pub use self::request::RequestView;
pub use self::rerank::RerankTranslation;
pub use self::response_id::{answer_id, stream_id};
pub use self::signed::{SignedMark, answer_marks, brings_foreign_thoughts, request_marks};
pub use self::stream_event::{EventSplitter, Framing, StreamEvent};
pub use self::tap::{CountTokens, FrameKind, StreamEnd, StreamTap, TapOptions};
pub use self::texts::{
    PromptMessage, TextKind, TextSpan, answer_texts, event_texts, has_known_texts, prompt_messages,
    replace_texts,
};
pub use self::tokens::{Encoding, TokenCounter};
pub use self::translate::{ChatStream, ChatTranslation, Conversation, Memory, TranslationFor};
pub use self::usage::{Metered, Provenance, ReportedCounts, Usage};
