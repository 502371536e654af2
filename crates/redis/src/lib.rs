//! Redis clients that run scripts and commands within a time bound: a single server, a cluster, or a master behind sentinels.
//!
//! Stands at the bottom, beside `sql` and `net`, below `limit`. It knows no counter and no plugin; the scripts belong
//! to the crates above. No type of the library that it wraps shows.
//!
//! A [`Client`] keeps one connection (to a cluster: one per node) that all threads share, and a task that opens it,
//! closes it when it is idle, and opens it again after a loss. **A dead or slow server does not slow its callers:** a
//! decision waits for at most [`RedisConfig::timeout`]; the first that waits in vain or loses the connection marks the
//! server as down, and all others fail at once until the task has got an answer from it again.
//!
//! ```no_run
//! use sluice_redis::{Address, Arg, Redis, RedisConfig, Script};
//!
//! # async fn count() -> Result<(), sluice_redis::RedisError> {
//! let redis = Redis::new(tokio::runtime::Handle::current());
//! let client = redis.client(RedisConfig::single(Address::new("127.0.0.1", 6379)));
//! let count = Script::new("return {redis.call('incrby', KEYS[1], ARGV[1])}");
//! let [total] = client.run(&count, "visits", &[Arg::Int(1)]).await?.integers()?;
//! # Ok(())
//! # }
//! ```

mod client;
mod config;
mod connect;
mod error;
mod registry;
mod reply;
mod script;
mod status;

pub use self::client::Client;
pub use self::config::{Address, Credentials, Password, RedisConfig, Role, Tls, Topology};
pub use self::error::RedisError;
pub use self::registry::Redis;
pub use self::reply::Reply;
pub use self::script::{Arg, Script};
pub use self::status::ClientStatus;
