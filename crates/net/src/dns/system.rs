//! The system's name servers and hosts file.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use hickory_resolver::TokioResolver;

use super::{DnsError, Found, Lookup};

pub(super) struct SystemLookup {
    resolver: Arc<TokioResolver>,
}

impl SystemLookup {
    pub(super) fn new() -> Result<Self, DnsError> {
        let system = |error: hickory_resolver::net::NetError| DnsError::System(error.to_string().into());
        let mut builder = TokioResolver::builder_tokio().map_err(system)?;
        // What is asked here is kept above, perhaps for less time than the name servers allow.
        builder.options_mut().cache_size = 0;
        let resolver = builder.build().map_err(system)?;
        Ok(Self {
            resolver: Arc::new(resolver),
        })
    }
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
