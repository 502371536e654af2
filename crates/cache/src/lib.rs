//! Answers kept in process: bounded in bytes, with a time to live, found by key or by likeness; and, as [`Kept`], other
//! values by key.
//!
//! Stands beside `limit`. It knows answers as bytes, and neither requests nor plugins nor other stores; what a key or a
//! direction means is its caller's business. Clocks are its callers', too: calls take the time as an [`Instant`].
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sluice_cache::{Answer, AnswerFormat, Answers};
//!
//! let answers = Answers::new(1 << 20);
//! let now = Instant::now();
//! let answer = Answer { body: "{}".into(), created_at: 1_795_190_400, format: AnswerFormat::Json };
//! answers.put("key", answer.clone(), Duration::from_secs(60), now);
//! assert_eq!(answers.get("key", now), Some(answer));
//! assert_eq!(answers.get("key", now + Duration::from_secs(60)), None);
//! ```
//!
//! [`Instant`]: std::time::Instant

mod answer;
mod answers;
mod backlog;
mod direction;
mod kept;

pub use self::answer::{Answer, AnswerFormat};
pub use self::answers::{Answers, Held, HeldAnswer};
pub use self::backlog::{Backlog, BacklogGuard};
pub use self::direction::Direction;
pub use self::kept::Kept;
