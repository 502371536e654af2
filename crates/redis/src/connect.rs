//! Opening connections, and the one form that all arrangements of servers have afterwards.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisResult, Value,
};

use crate::config::{Address, Credentials, RedisConfig, Role, Tls, Topology};

/// How often a cluster client follows a moved slot or tries another node before it gives up.
const CLUSTER_RETRIES: u32 = 3;

/// Pauses between those attempts, in milliseconds.
const CLUSTER_RETRY_WAIT: (u64, u64) = (5, 50);

/// An open connection; clones share it.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Opens a connection and sees that the other side answers.
    pub(crate) async fn open(config: &RedisConfig) -> RedisResult<Self> {
        let mut connection = match &config.topology {
            Topology::Single(address) => Self::Server(open_server(address, config).await?),
            Topology::Cluster { nodes, .. } => {
                Self::Cluster(cluster_client(nodes, config)?.get_async_connection().await?)
            }
            Topology::Sentinel { .. } => {
                let address = find_server(config).await?;
                Self::Server(open_server(&address, config).await?)
            }
        };
        connection.ping().await?;
        Ok(connection)
    }

    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Server(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    /// Asks for a sign of life. A cluster lives when all its masters do: a key may belong to any of them.
    async fn ping(&mut self) -> RedisResult<()> {
        let ping = redis::cmd("PING");
        match self {
            Self::Server(connection) => ping.query_async(connection).await?,
            Self::Cluster(connection) => {
                let all = (
                    MultipleNodeRoutingInfo::AllMasters,
                    Some(ResponsePolicy::AllSucceeded),
                );
                connection
                    .route_command(ping, RoutingInfo::MultiNode(all))
                    .await?
                    .extract_error()?
            }
        };
        Ok(())
    }
}

async fn open_server(address: &Address, config: &RedisConfig) -> RedisResult<MultiplexedConnection> {
    let info = info(address, &config.credentials, config.database, config.tls)?;
    connect(info, config.connect_timeout).await
}

/// Answers are bounded by who waits for them, not by the connection.
async fn connect(info: ConnectionInfo, timeout: Duration) -> RedisResult<MultiplexedConnection> {
    let options = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(None);
    redis::Client::open(info)?
        .get_multiplexed_async_connection_with_config(&options)
        .await
}

fn info(
    address: &Address,
    credentials: &Credentials,
    database: u32,
    tls: Tls,
) -> RedisResult<ConnectionInfo> {
    let mut login = RedisConnectionInfo::default()
        .set_db(i64::from(database))
        .set_skip_set_lib_name();
    if let Some(password) = &credentials.password {
        login = login.set_password(password.reveal());
        if let Some(username) = &credentials.username {
            login = login.set_username(username);
        }
    }
    Ok(addr(address, tls)
        .into_connection_info()?
        .set_redis_settings(login))
}

fn addr(address: &Address, tls: Tls) -> ConnectionAddr {
    let Address { host, port } = address.clone();
    match tls {
        Tls::Off => ConnectionAddr::Tcp(host, port),
        Tls::Unverified | Tls::Verified => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: tls == Tls::Unverified,
            tls_params: None,
        },
    }
}

fn cluster_client(nodes: &[Address], config: &RedisConfig) -> RedisResult<ClusterClient> {
    let infos = nodes
        .iter()
        .map(|node| info(node, &config.credentials, 0, config.tls))
        .collect::<RedisResult<Vec<_>>>()?;
    ClusterClientBuilder::new(infos)
        .connection_timeout(config.connect_timeout)
        .response_timeout(config.timeout)
        .overall_response_timeout(Some(config.timeout))
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(CLUSTER_RETRY_WAIT.0)
        .max_retry_wait(CLUSTER_RETRY_WAIT.1)
        .build()
}

/// Asks all sentinels at once and takes the first that knows: one of them may be dead or stalled.
async fn find_server(config: &RedisConfig) -> RedisResult<Address> {
    let Topology::Sentinel {
        sentinels,
        master,
        role,
        credentials,
    } = &config.topology
    else {
        return Err(not_found(ErrorKind::EmptySentinelList));
    };
    let mut answers: FuturesUnordered<_> = sentinels
        .iter()
        .map(|sentinel| ask_sentinel(sentinel, credentials, config, master, *role))
        .collect();
    let mut last = not_found(ErrorKind::EmptySentinelList);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(address) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask_sentinel(
    sentinel: &Address,
    credentials: &Credentials,
    config: &RedisConfig,
    master: &str,
    role: Role,
) -> RedisResult<Address> {
    let mut connection = connect(info(sentinel, credentials, 0, Tls::Off)?, config.connect_timeout).await?;
    let mut command = redis::cmd("SENTINEL");
    match role {
        Role::Master => {
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
            let found: Option<(String, u16)> = command.query_async(&mut connection).await?;
            let (host, port) = found.ok_or_else(|| not_found(ErrorKind::MasterNameNotFoundBySentinel))?;
            Ok(Address { host, port })
        }
        Role::Replica => {
            command.arg("REPLICAS").arg(master);
            let replicas: Vec<std::collections::HashMap<String, String>> =
                command.query_async(&mut connection).await?;
            replicas
                .iter()
                .filter(|replica| {
                    let flags = replica.get("flags").map_or("", String::as_str);
                    !flags.contains("down") && !flags.contains("disconnected")
                })
                .find_map(|replica| {
                    Some(Address::new(
                        replica.get("ip")?,
                        replica.get("port")?.parse().ok()?,
                    ))
                })
                .ok_or_else(|| not_found(ErrorKind::NoValidReplicasFoundBySentinel))
        }
    }
}

fn not_found(kind: ErrorKind) -> redis::RedisError {
    redis::RedisError::from((kind, "no sentinel knows the server"))
}
