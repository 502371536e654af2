//! Borrowed JSON views and byte splicing, framing of SSE, AWS event streams and lines, digests, error pages: what the gateway
//! does to bytes without knowing what they mean.
//!
//! The lowest crate of the workspace. It does no I/O and knows neither LLM protocols nor the gateway: names of JSON
//! members, plans for edits and meanings of events come from above.
//!
//! Changing one member leaves every other byte of a body as it was:
//!
//! ```
//! use bytes::Bytes;
//! use sluice_wire::{ObjectView, Splice};
//!
//! # fn main() -> Result<(), sluice_wire::JsonError> {
//! let view = ObjectView::parse(Bytes::from_static(br#"{"model": "small", "temperature": 0.50}"#))?;
//! let mut splice = Splice::new(&view);
//! splice.set("model", Bytes::from_static(br#""large""#));
//! assert_eq!(splice.finish(), r#"{"model": "large", "temperature": 0.50}"#);
//! # Ok(())
//! # }
//! ```

mod array;
mod digest;
mod event_stream;
mod form;
mod html;
mod json;
mod lines;
mod sse;

pub use self::array::ArraySplitter;
pub use self::digest::{KeyDigest, KeyHasher, crc32, hex, hmac_sha256, sha256_hex};
pub use self::event_stream::{EventMessage, EventStreamSplitter, MAX_MESSAGE, write_event_message};
pub use self::form::{FormError, FormView};
pub use self::html::html_page;
pub use self::json::{
    JsonError, JsonView, Kind, MAX_DEPTH, MAX_MEMBERS, Member, ObjectView, Overlay, Splice,
};
pub use self::lines::LineSplitter;
pub use self::sse::{MAX_FRAME, SseFrame, SsePart, SseSplitter, write_comment, write_frame};
