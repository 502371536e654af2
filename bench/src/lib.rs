//! Measures the gateway beside nginx, in one run on one machine.
//!
//! Three programs: `mock-llm` answers as an OpenAI provider would, `load` asks, and `sluice-bench` starts both with
//! nginx and the gateway between them, pins them to cores, and compares what the two cost. [`mock`], [`load`] and
//! [`lab`] hold one each; the rest is what they share.
//!
//! Nothing of the gateway is used here: it is started as any other program and seen from outside only, through its
//! sockets and `/proc`.
//!
//! ```
//! use sluice_bench::samples::Samples;
//!
//! let mut waits: Samples = (1..=100).map(|us| us * 1_000).collect();
//! let quantiles = waits.quantiles().unwrap();
//! assert_eq!((quantiles.p50, quantiles.max), (50.0, 100.0));
//! ```

pub mod chat;
pub mod clock;
pub mod http1;
pub mod lab;
pub mod load;
pub mod mock;
pub mod procfs;
pub mod samples;
pub mod sse;
