//! Connections to HTTP servers: pools, TLS and names, and the body type that travels over them.
//!
//! The data plane talks to providers and upstreams through a [`Pool`], one per thread. Where a connection leads is
//! compiled once, when configuration changes, into an [`Origin`]; a request finds its connection by the origin's
//! number. A [`Resolver`] and [`Origins`] are shared by all threads.
//!
//! In the order of crates this one stands beside `sql`, above nothing of ours. It knows no provider, no plugin and no
//! route; who may be called, and what a failure means to a client, is decided above.
//!
//! ```no_run
//! use http::Request;
//! use sluice_net::{Body, OriginConfig, Origins, Pool, Resolver, Scheme, Timeouts, TlsClients};
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! let origins = Origins::new(TlsClients::new());
//! let api = origins.get(OriginConfig::new(Scheme::Https, "api.example.com", 443))?;
//!
//! let pool = Pool::new(Resolver::system(tokio::runtime::Handle::current())?);
//! let request = Request::post("/v1/chat/completions").body(Body::from("{}"))?;
//! let answer = pool.send(&api, request, Timeouts::default()).await?;
//! let body = answer.response.into_body().collect_limited(1 << 20).await?;
//! # Ok(())
//! # }
//! ```

mod body;
mod connect;
mod dns;
mod error;
mod io;
mod origin;
mod outflow;
mod pool;
mod socket;
#[cfg(test)]
mod testing;
mod timer;
mod tls;

pub use self::body::{Body, BodyError, BoxedBody, UpstreamBody};
pub use self::dns::{Addresses, DnsError, Found, Lookup, Resolver};
pub use self::error::{SendError, SendErrorKind, TimeoutPhase};
pub use self::origin::{Origin, OriginConfig, OriginError, Origins, PoolSettings, Protocol, Replay, Scheme};
pub use self::pool::{Answer, Pool, Timeouts};
pub use self::socket::Socket;
pub use self::tls::{
    ClientCa, ClientCertificate, ClientTls, ServerTls, TlsClients, TlsError, TlsVersion, server_config,
    server_config_from_files,
};
