//! The finished record of a request: the one value that metrics, access log and ledger read.
//!
//! Stands above [`sluice_llm`] and below everything that measures. It holds data and knows no sink: who reads it is
//! decided by the binary.

mod payload;
mod record;

pub use self::payload::{PAYLOAD_BODY_MAX, Payload, PayloadPart};
pub use self::record::{
    AiRecord, Attempt, CacheOutcome, CacheUse, Cost, Ended, GuardHit, PriceUsed, Record, RequestId,
    ResponseSource, Text,
};
