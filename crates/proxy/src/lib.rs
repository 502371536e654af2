//! Listeners, the phase loop, plain upstreams, and the edge where failures become answers.
//!
//! Stands beside plugins and admin, blind to both: it runs whatever plugins a snapshot brings. It knows no store and
//! no provider.

mod beside;
mod dialer;
mod edge;
mod finish;
mod forward;
mod handler;
mod idle;
mod in_flight;
mod listener;
mod matching;
mod options;
mod payload;
mod phases;
mod tls;
mod upgrade;

pub use self::beside::Beside;
pub use self::dialer::Dialer;
pub use self::listener::{Proxy, ProxyError, RunningProxy};
pub use self::options::{Behaviour, ListenerOptions, ListenerTls, ProxyOptions};
