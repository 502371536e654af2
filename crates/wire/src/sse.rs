//! Server-sent events: cutting a byte stream into frames, reading a frame, writing one.

mod encode;
mod frame;
mod splitter;

pub use self::encode::{write_comment, write_frame};
pub use self::frame::SseFrame;
pub use self::splitter::{MAX_FRAME, SsePart, SseSplitter};
