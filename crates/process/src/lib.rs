//! Child processes that speak in lines over their standard streams.
//!
//! A process runs only if the operator's file allows its command, in a process group of its own, and for as long as
//! somebody holds its [`Process`]. What it writes waits, within bounds, until it is read; what it is told waits, within
//! bounds, until it reads. When it ends, or is ended, its whole group ends with it, and nothing of it is left behind.
//!
//! In the order of crates this one stands beside `net`. It knows no plugin and no protocol; what the lines mean is
//! decided above.
//!
//! ```
//! use bytes::Bytes;
//! use sluice_process::{ProcessOptions, Processes};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = ProcessOptions {
//!     allowed: serde_json::from_str(r#"["cat"]"#)?,
//!     ..ProcessOptions::default()
//! };
//! let processes = Processes::new(options, tokio::runtime::Handle::current());
//! let mut cat = processes.start("cat", &[]).await?;
//! processes.send(cat.id(), Bytes::from_static(b"hello")).await?;
//! assert_eq!(cat.next().await.ok_or("it has ended")?.lines, "hello\n");
//! # Ok(())
//! # }
//! ```

mod child;
mod pipe;
mod processes;

pub use self::pipe::{LINE_MAX, Output, Stream};
pub use self::processes::{Process, ProcessOptions, Processes, SendError, StartError};
