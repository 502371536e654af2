//! The clients of a gateway.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;

use crate::client::Client;
use crate::config::RedisConfig;
use crate::status::ClientStatus;

/// All Redis clients of a gateway. Configurations that are equal share a client, which lives as long as one of them.
pub struct Redis {
    runtime: Handle,
    clients: Mutex<HashMap<RedisConfig, Weak<Client>>>,
}

impl Redis {
    /// No clients. Connections live on `runtime`; callers may be on any other.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            clients: Mutex::default(),
        }
    }

    /// The client of this configuration. A new one begins to connect at once.
    #[must_use]
    pub fn client(&self, config: RedisConfig) -> Arc<Client> {
        let mut clients = self.lock();
        if let Some(client) = clients.get(&config).and_then(Weak::upgrade) {
            return client;
        }
        clients.retain(|_, client| client.strong_count() > 0);
        let client = Arc::new(Client::start(&self.runtime, config.clone()));
        clients.insert(config, Arc::downgrade(&client));
        client
    }

    /// How the clients are doing, by name. Of several with one name (a changed password, say) the counts are summed,
    /// and all must be up.
    #[must_use]
    pub fn status(&self) -> Vec<ClientStatus> {
        let mut all: Vec<ClientStatus> = self
            .lock()
            .values()
            .filter_map(Weak::upgrade)
            .map(|client| client.status())
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|later, first| {
            let same = later.name == first.name;
            if same {
                first.up &= later.up;
                first.calls += later.calls;
                for (sum, more) in first.failures.iter_mut().zip(later.failures) {
                    sum.1 += more.1;
                }
            }
            same
        });
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RedisConfig, Weak<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("clients", &self.status()).finish()
    }
}
