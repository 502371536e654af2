//! Where connections lead to: the key of the pools.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::tls::{ClientTls, TlsClients, TlsError};

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// 80 or 443.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// As in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Which HTTP versions an upstream is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 where ALPN agrees on it, else HTTP/1.1. The same as [`Http1`](Self::Http1) without TLS.
    Negotiated,
    /// HTTP/2 without asking (gRPC).
    Http2,
    /// No HTTP: for [`Socket`](crate::Socket)s. A pool that is asked all the same speaks HTTP/1.1.
    Other,
}

/// Which requests may be sent again when the connection they went out on turns out to have been closed.
///
/// Concerns requests that may have reached the upstream, on a connection that had served others. One that never went
/// out is always sent again, and a streamed body never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replay {
    /// Those whose method is idempotent (RFC 9110 §9.2.2): for upstreams about which nothing is known.
    Idempotent,
    /// All: for LLM calls, which change nothing.
    Any,
}

/// What happens to idle connections (compat §8.1 `keepalive_pool`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolSettings {
    /// Idle connections kept per pool; 0 closes a connection after its request.
    pub max_idle: usize,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// Requests that a connection may serve.
    pub max_requests: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_idle: 320,
            idle_timeout: Duration::from_secs(60),
            max_requests: 1000,
        }
    }
}

/// A connection target as configured. Two equal ones share their connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginConfig {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Name or address to connect to; an IPv6 address may stand in brackets.
    pub host: Arc<str>,
    /// Port to connect to.
    pub port: u16,
    /// Where to connect to instead of asking for the addresses of `host`: one of them, chosen already.
    pub address: Option<IpAddr>,
    /// Name for SNI and for the certificate check, where it is not `host`.
    pub sni: Option<Arc<str>>,
    /// TLS settings; without effect for [`Scheme::Http`].
    pub tls: ClientTls,
    /// Versions to offer.
    pub protocol: Protocol,
    /// Idle connections.
    pub pool: PoolSettings,
    /// What to do when a reused connection dies.
    pub replay: Replay,
}

impl OriginConfig {
    /// A target with default settings: verified TLS, HTTP/1.1, idempotent requests replayed.
    pub fn new(scheme: Scheme, host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            scheme,
            host: host.into(),
            port,
            address: None,
            sni: None,
            tls: ClientTls::default(),
            protocol: Protocol::Http1,
            pool: PoolSettings::default(),
            replay: Replay::Idempotent,
        }
    }
}

/// A compiled connection target. Made once per target by [`Origins::get`]; pools find their connections by its id.
pub struct Origin {
    pub(crate) id: u64,
    pub(crate) config: Arc<OriginConfig>,
    pub(crate) target: Target,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) authority: Authority,
    pub(crate) host: HeaderValue,
}

/// What has to be done to get an address.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Address(IpAddr),
    Name(Arc<str>),
}

impl Origin {
    /// The configuration that it was made from.
    #[must_use]
    pub fn config(&self) -> &OriginConfig {
        &self.config
    }

    /// Whether its addresses have to be asked for before it is connected to.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self.target, Target::Name(_))
    }

    /// `host` or `host:port`, as a `Host` header names this target.
    #[must_use]
    pub fn host_header(&self) -> &HeaderValue {
        &self.host
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Origin({} {}://{})",
            self.id,
            self.config.scheme.as_str(),
            self.authority
        )
    }
}

/// Why an [`OriginConfig`] cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The host is neither a name nor an address.
    #[error("`{0}` is not a valid host")]
    Host(Arc<str>),
    /// Its TLS settings are bad.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// All targets of a gateway, each with an id of its own. Shared by all threads, used while configuration is compiled.
/// Cheap to clone; all clones share the targets.
#[derive(Clone)]
pub struct Origins {
    tls: Arc<TlsClients>,
    state: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    next_id: u64,
    /// Forgotten ones are swept out when the map has grown to this.
    sweep_at: usize,
    by_config: HashMap<Arc<OriginConfig>, Weak<Origin>>,
}

impl Origins {
    /// No targets yet.
    #[must_use]
    pub fn new(tls: TlsClients) -> Self {
        Self {
            tls: Arc::new(tls),
            state: Arc::default(),
        }
    }

    /// The target for a configuration: the one that is in use already, if there is one.
    ///
    /// # Errors
    /// When the host is not valid, or the TLS settings are bad.
    pub fn get(&self, config: OriginConfig) -> Result<Arc<Origin>, OriginError> {
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = known.by_config.get(&config).and_then(Weak::upgrade) {
            return Ok(origin);
        }
        let origin = Arc::new(self.compile(known.next_id, config)?);
        known.next_id += 1;
        if known.by_config.len() >= known.sweep_at {
            known.by_config.retain(|_, origin| origin.strong_count() > 0);
            known.sweep_at = 64 + 2 * known.by_config.len();
        }
        known
            .by_config
            .insert(origin.config.clone(), Arc::downgrade(&origin));
        Ok(origin)
    }

    fn compile(&self, id: u64, config: OriginConfig) -> Result<Origin, OriginError> {
        let bare = config.host.trim_start_matches('[').trim_end_matches(']');
        let literal = bare.parse().ok();
        let target = match config.address.or(literal) {
            Some(address) => Target::Address(address),
            None => Target::Name(config.host.clone()),
        };
        let host = match literal {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => bare.to_owned(),
        };
        let text = if config.port == config.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", config.port)
        };
        let invalid = || OriginError::Host(config.host.clone());
        let authority: Authority = text.parse().map_err(|_| invalid())?;
        let host = HeaderValue::try_from(text).map_err(|_| invalid())?;
        let tls = match config.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(self.client_tls(&config, bare)?),
        };
        Ok(Origin {
            id,
            config: Arc::new(config),
            target,
            tls,
            authority,
            host,
        })
    }

    fn client_tls(
        &self,
        config: &OriginConfig,
        host: &str,
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let name = config.sni.as_deref().unwrap_or(host);
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))?;
        Ok((self.tls.config(&config.tls, config.protocol)?, server_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::new(TlsClients::with_roots(rustls::RootCertStore::empty()))
    }

    #[test]
    fn equal_configurations_share_an_origin_while_it_is_in_use() {
        let origins = origins();
        let first = origins
            .get(OriginConfig::new(Scheme::Http, "one.test", 80))
            .unwrap();
        let again = origins
            .get(OriginConfig::new(Scheme::Http, "one.test", 80))
            .unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = origins
            .get(OriginConfig::new(Scheme::Http, "one.test", 81))
            .unwrap();
        assert_ne!(first.id, other.id);

        let id = first.id;
        drop((first, again));
        let later = origins
            .get(OriginConfig::new(Scheme::Http, "one.test", 80))
            .unwrap();
        assert_ne!(later.id, id, "ids are never used twice");
    }

    #[test]
    fn forgotten_origins_do_not_pile_up() {
        let origins = origins();
        for port in 1..1000 {
            origins
                .get(OriginConfig::new(Scheme::Http, "one.test", port))
                .unwrap();
        }
        assert!(origins.state.lock().unwrap().by_config.len() <= 65);
    }

    #[test]
    fn host_header_leaves_out_the_default_port() {
        let origins = origins();
        let header = |scheme, host, port| {
            origins
                .get(OriginConfig::new(scheme, host, port))
                .unwrap()
                .host_header()
                .clone()
        };
        assert_eq!(header(Scheme::Https, "api.test", 443), "api.test");
        assert_eq!(header(Scheme::Http, "api.test", 443), "api.test:443");
        assert_eq!(header(Scheme::Http, "[::1]", 80), "[::1]");
        assert_eq!(header(Scheme::Http, "::1", 81), "[::1]:81");
    }

    #[test]
    fn an_address_of_a_name_keeps_the_name() {
        let origins = origins();
        let named = OriginConfig::new(Scheme::Https, "one.test", 81);
        let at = |address: [u8; 4]| {
            let address = Some(address.into());
            origins
                .get(OriginConfig {
                    address,
                    ..named.clone()
                })
                .unwrap()
        };
        let (first, second) = (at([10, 0, 0, 1]), at([10, 0, 0, 2]));
        assert_ne!(first.id, second.id);
        assert!(!first.is_name() && origins.get(named.clone()).unwrap().is_name());
        for origin in [&first, &second] {
            assert_eq!(origin.host_header(), "one.test:81");
            assert!(matches!(&origin.tls, Some((_, name)) if name.to_str() == "one.test"));
        }
    }

    #[test]
    fn a_bad_host_is_an_error() {
        let origins = origins();
        let error = origins
            .get(OriginConfig::new(Scheme::Http, "no host", 80))
            .unwrap_err();
        assert_eq!(error.to_string(), "`no host` is not a valid host");
        let error = origins
            .get(OriginConfig::new(Scheme::Https, "under/score", 443))
            .unwrap_err();
        assert!(matches!(error, OriginError::Host(_)), "{error}");
    }
}
