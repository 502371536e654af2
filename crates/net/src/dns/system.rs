//! The system's name servers and hosts file.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;

use super::{DnsError, Found, Lookup};

pub(super) struct SystemLookup {
    resolver: Arc<TokioResolver>,
}

impl SystemLookup {
    pub(super) fn new() -> Result<Self, DnsError> {
        let (config, _) = read_system_conf().map_err(unusable)?;
        Self::of(config)
    }

    /// Asks these name servers in place of the system's.
    pub(super) fn of_servers(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        let server = |addr: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = addr.port();
                connection
            });
            NameServerConfig::new(addr.ip(), true, connections.into())
        };
        let servers = servers.iter().map(server).collect();
        Self::of(ResolverConfig::from_parts(None, Vec::new(), servers))
    }

    fn of(config: ResolverConfig) -> Result<Self, DnsError> {
        let (_, options) = read_system_conf().map_err(unusable)?;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        // What is asked here is kept above, perhaps for less time than the name servers allow.
        builder.options_mut().cache_size = 0;
        let resolver = builder.build().map_err(unusable)?;
        Ok(Self {
            resolver: Arc::new(resolver),
        })
    }
}

fn unusable(error: NetError) -> DnsError {
    DnsError::System(error.to_string().into())
}

impl Lookup for SystemLookup {
    fn lookup(&self, host: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        let resolver = self.resolver.clone();
        Box::pin(async move {
            match resolver.lookup_ip(&*host).await {
                Ok(found) => {
                    let ttl = found.valid_until().saturating_duration_since(Instant::now());
                    Ok(Found {
                        addresses: found.iter().collect(),
                        ttl,
                    })
                }
                Err(error) => Err(DnsError::Failed {
                    host,
                    reason: error.to_string().into(),
                }),
            }
        })
    }
}
