//! Where a Redis is and how to speak to it.

use std::fmt;
use std::time::Duration;

/// How to reach a Redis. Equal configurations share a [`Client`](crate::Client).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RedisConfig {
    /// The servers.
    pub topology: Topology,
    /// Who logs in at the data servers.
    pub credentials: Credentials,
    /// Database number; clusters have only 0.
    pub database: u32,
    /// Whether the connections are encrypted.
    pub tls: Tls,
    /// Bound of opening a connection, all steps together.
    pub connect_timeout: Duration,
    /// Bound of one decision, waiting for a connection included.
    pub timeout: Duration,
    /// A connection that nobody used for so long is closed; zero keeps it.
    pub keepalive: Duration,
}

impl RedisConfig {
    /// One server, without login and encryption, with bounds of a second.
    #[must_use]
    pub fn single(address: Address) -> Self {
        Self::new(Topology::Single(address))
    }

    /// As [`RedisConfig::single`], for any arrangement of servers.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            credentials: Credentials::default(),
            database: 0,
            tls: Tls::Off,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            keepalive: Duration::from_secs(10),
        }
    }

    /// What logs and metrics call it. Holds no secret.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.topology {
            Topology::Single(address) => format!("{address}/{}", self.database),
            Topology::Cluster { name, .. } => format!("cluster {name}"),
            Topology::Sentinel { master, .. } => format!("sentinel {master}/{}", self.database),
        }
    }
}

/// How the servers are arranged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topology {
    /// One server.
    Single(Address),
    /// A cluster.
    Cluster {
        /// What it is called here.
        name: String,
        /// Some of its nodes; the others are asked for.
        nodes: Vec<Address>,
    },
    /// Servers whose master is known by sentinels.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<Address>,
        /// Name of the master among them.
        master: String,
        /// Which of its servers is spoken to.
        role: Role,
        /// Who logs in at the sentinels.
        credentials: Credentials,
    },
}

/// Which server of a group that sentinels watch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one that takes writes.
    Master,
    /// One that follows it. It refuses scripts that write.
    Replica,
}

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Address {
    /// Of its two parts.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tls {
    /// Plain TCP.
    Off,
    /// Encrypted; any certificate will do.
    Unverified,
    /// Encrypted, and the certificate must be valid by the roots of the system.
    Verified,
}

/// A login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// User; without one the server's default user.
    pub username: Option<String>,
    /// Password; without one nobody logs in.
    pub password: Option<Password>,
}

/// A password, which is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(String);

impl Password {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_show_nowhere() {
        let mut config = RedisConfig::single(Address::new("::1", 6379));
        config.credentials.password = Some("hunter2".to_owned().into());
        assert!(!format!("{config:?}{}", config.name()).contains("hunter2"));
        assert_eq!(config.name(), "[::1]:6379/0");
    }
}
