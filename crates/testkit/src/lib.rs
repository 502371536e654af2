//! For tests only: fake LLM providers, a harness around the real gateway binary, and what tests say about streams.
//!
//! End-to-end tests use it as dev-dependency of the `sluice` crate. It knows nothing of the crates of the gateway: it
//! speaks to it as clients, providers and operators do, over sockets and files. All helpers panic with what they saw
//! when something does not come within [`PATIENCE`]; none of them sleeps to let something happen.
//!
//! ```no_run
//! use serde_json::json;
//! use sluice_testkit::{FakeProvider, Gateway};
//!
//! # async fn test() {
//! let provider = FakeProvider::start();
//! let gateway = Gateway::start(env!("CARGO")).await; // really `env!("CARGO_BIN_EXE_sluice")`
//! let endpoint = provider.url("/v1/chat/completions");
//! gateway
//!     .admin()
//!     .put(
//!         "/routes/1",
//!         json!({"uri": "/chat", "plugins": {"ai-proxy": {
//!             "provider": "openai", "auth": {"header": {}}, "override": {"endpoint": endpoint},
//!         }}}),
//!     )
//!     .await
//!     .expect_status(201);
//!
//! let body = json!({"messages": [{"role": "user", "content": "conf:hello"}]});
//! let answer = gateway.client().post("/chat").json(&body).send().await.expect_status(200).await;
//! assert_eq!(answer.json().await["choices"][0]["message"]["content"], "Hello from the upstream.");
//! assert_eq!(provider.requests().len(), 1);
//! # }
//! ```
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "failing loudly is what test helpers are for"
)]

mod admin;
mod client;
mod dns;
mod fake;
mod gateway;
mod kafka;
mod patience;
mod raw;
mod redis;
mod secret_managers;
mod sse;

pub use self::admin::{Admin, AdminAnswer};
pub use self::client::{Answer, Call, Client};
pub use self::dns::FakeDns;
pub use self::fake::{AWS_ACCESS_KEY_ID, AWS_BEDROCK_API_KEY, AWS_SECRET_ACCESS_KEY};
pub use self::fake::{Completion, FakeProvider, FormPart, Gate, Recorded, Reply, Stop, UNICODE_TEXT, Usage};
pub use self::fake::{bedrock_event, bedrock_events, bedrock_exception};
pub use self::gateway::{Gateway, GatewayBuilder};
pub use self::kafka::{FakeKafka, KafkaMessage};
pub use self::patience::{PATIENCE, eventually, within};
pub use self::raw::RawConn;
pub use self::redis::{RedisCluster, RedisSearch, RedisSentinel, RedisServer};
pub use self::secret_managers::{FakeAwsSecrets, FakeGcpSecrets, FakeVault};
pub use self::sse::{Event, Events, Finished};
