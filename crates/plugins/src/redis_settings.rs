//! The Redis fields that plugins share (compat §4.4).

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::CompileError;
use sluice_redis::{Address, Credentials, RedisConfig, Role, Tls, Topology};

/// The port of Redis where none is given.
const PORT: u16 = 6379;

/// The fields of a policy: `redis`, `redis-cluster`, or else `redis-sentinel`.
pub(crate) fn schema(policy: &str) -> Value {
    let flag = json!({ "type": "boolean", "default": false });
    let millis = json!({ "type": "integer", "minimum": 1, "default": 1000 });
    let keepalive = json!({ "type": "integer", "minimum": 1000, "default": 10000 });
    let pool = json!({ "type": "integer", "minimum": 1, "default": 100 });
    let user = json!({ "type": "string", "minLength": 1 });
    let password = json!({ "type": "string", "minLength": 0 });
    let port = json!({ "type": "integer", "minimum": 1, "maximum": 65535 });
    let mut default_port = port.clone();
    default_port["default"] = json!(PORT);
    let database = json!({ "type": "integer", "minimum": 0, "default": 0 });
    match policy {
        "redis" => json!({
            "properties": {
                "redis_host": { "type": "string", "minLength": 2 },
                "redis_port": default_port,
                "redis_username": user,
                "redis_password": password,
                "redis_database": database,
                "redis_timeout": millis,
                "redis_ssl": flag,
                "redis_ssl_verify": flag,
                "redis_keepalive_timeout": keepalive,
                "redis_keepalive_pool": pool,
            },
            "required": ["redis_host"],
        }),
        "redis-cluster" => json!({
            "properties": {
                "redis_cluster_nodes": {
                    "type": "array", "minItems": 1,
                    "items": { "type": "string", "minLength": 2, "maxLength": 100 },
                },
                "redis_cluster_name": { "type": "string" },
                "redis_password": password,
                "redis_timeout": millis,
                "redis_cluster_ssl": flag,
                "redis_cluster_ssl_verify": flag,
                "redis_keepalive_timeout": keepalive,
                "redis_keepalive_pool": pool,
            },
            "required": ["redis_cluster_nodes", "redis_cluster_name"],
        }),
        _ => json!({
            "properties": {
                "redis_sentinels": {
                    "type": "array", "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": { "host": { "type": "string", "minLength": 2 }, "port": port },
                        "required": ["host", "port"],
                    },
                },
                "redis_master_name": { "type": "string", "minLength": 1 },
                "redis_role": { "type": "string", "enum": ["master", "slave"], "default": "master" },
                "redis_connect_timeout": millis,
                "redis_read_timeout": millis,
                "redis_keepalive_timeout": { "type": "integer", "minimum": 1000, "default": 60000 },
                "redis_database": database,
                "redis_username": user,
                "redis_password": password,
                "sentinel_username": user,
                "sentinel_password": password,
            },
            "required": ["redis_sentinels", "redis_master_name"],
        }),
    }
}

#[derive(Deserialize)]
struct Settings {
    policy: Option<String>,
    redis_host: Option<String>,
    redis_port: Option<u16>,
    redis_username: Option<String>,
    redis_password: Option<String>,
    #[serde(default)]
    redis_database: u32,
    redis_timeout: Option<u64>,
    redis_connect_timeout: Option<u64>,
    redis_read_timeout: Option<u64>,
    #[serde(default)]
    redis_ssl: bool,
    #[serde(default)]
    redis_ssl_verify: bool,
    redis_keepalive_timeout: Option<u64>,
    #[serde(default)]
    redis_cluster_nodes: Vec<String>,
    redis_cluster_name: Option<String>,
    #[serde(default)]
    redis_cluster_ssl: bool,
    #[serde(default)]
    redis_cluster_ssl_verify: bool,
    #[serde(default)]
    redis_sentinels: Vec<Sentinel>,
    redis_master_name: Option<String>,
    redis_role: Option<String>,
    sentinel_username: Option<String>,
    sentinel_password: Option<String>,
}

#[derive(Deserialize)]
struct Sentinel {
    host: String,
    port: u16,
}

/// What the schema cannot say: nodes of a cluster are addresses. References to secrets pass.
pub(crate) fn check(conf: &Value) -> Result<(), String> {
    let nodes = conf.get("redis_cluster_nodes").and_then(Value::as_array);
    let mut nodes = nodes.into_iter().flatten().filter_map(Value::as_str);
    nodes
        .try_for_each(|node| match node.starts_with('$') {
            true => Ok(()),
            false => address(node).map(drop),
        })
        .map_err(|error| format!("redis_cluster_nodes: {error}"))
}

/// The Redis that a configuration names by its `policy`; `None` for `local`.
pub(crate) fn parse(conf: &Value) -> Result<Option<RedisConfig>, CompileError> {
    let settings = Settings::deserialize(conf)?;
    let database = settings.redis_database;
    let (topology, database, tls, keepalive) = match settings.policy.as_deref() {
        Some("redis") => {
            let host = settings.redis_host.unwrap_or_default();
            let address = Address::new(host, settings.redis_port.unwrap_or(PORT));
            let tls = tls(settings.redis_ssl, settings.redis_ssl_verify);
            (Topology::Single(address), database, tls, 10_000)
        }
        Some("redis-cluster") => {
            let nodes = settings.redis_cluster_nodes.iter().map(|node| address(node));
            let topology = Topology::Cluster {
                name: settings.redis_cluster_name.unwrap_or_default(),
                nodes: nodes.collect::<Result<_, _>>()?,
            };
            let tls = tls(settings.redis_cluster_ssl, settings.redis_cluster_ssl_verify);
            (topology, 0, tls, 10_000)
        }
        Some("redis-sentinel") => {
            let sentinels = settings.redis_sentinels.into_iter();
            let topology = Topology::Sentinel {
                sentinels: sentinels.map(|s| Address::new(s.host, s.port)).collect(),
                master: settings.redis_master_name.unwrap_or_default(),
                role: match settings.redis_role.as_deref() {
                    Some("slave") => Role::Replica,
                    _ => Role::Master,
                },
                credentials: credentials(settings.sentinel_username, settings.sentinel_password),
            };
            (topology, database, Tls::Off, 60_000)
        }
        _ => return Ok(None),
    };
    let bound = |own: Option<u64>| Duration::from_millis(own.or(settings.redis_timeout).unwrap_or(1000));
    Ok(Some(RedisConfig {
        topology,
        credentials: credentials(settings.redis_username, settings.redis_password),
        database,
        tls,
        connect_timeout: bound(settings.redis_connect_timeout),
        timeout: bound(settings.redis_read_timeout),
        keepalive: Duration::from_millis(settings.redis_keepalive_timeout.unwrap_or(keepalive)),
    }))
}

fn tls(on: bool, verify: bool) -> Tls {
    match (on, verify) {
        (false, _) => Tls::Off,
        (true, false) => Tls::Unverified,
        (true, true) => Tls::Verified,
    }
}

/// An empty password is none, as in APISIX.
fn credentials(username: Option<String>, password: Option<String>) -> Credentials {
    Credentials {
        username,
        password: password.filter(|text| !text.is_empty()).map(Into::into),
    }
}

/// `host:port`, `[address]:port`, or a host alone.
fn address(text: &str) -> Result<Address, CompileError> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            let port = port
                .parse()
                .map_err(|_| CompileError(format!("`{text}` is no host and port")))?;
            (host, port)
        }
        _ => (text, PORT),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Ok(Address::new(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_nodes() {
        for (text, shown) in [
            ("a.b:7000", "a.b:7000"),
            ("10.0.0.1", "10.0.0.1:6379"),
            ("[::1]:7000", "[::1]:7000"),
            ("::1", "[::1]:6379"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), shown);
        }
        assert!(address("a:b").is_err());
    }

    #[test]
    fn each_policy_names_its_redis() {
        let local = json!({ "policy": "local", "redis_host": "unused" });
        assert_eq!(parse(&local).unwrap(), None);
        let redis = json!({
            "policy": "redis", "redis_host": "r", "redis_username": "u", "redis_password": "", "redis_ssl": true,
            "redis_timeout": 200,
        });
        let redis = parse(&redis).unwrap().unwrap();
        assert_eq!(redis.topology, Topology::Single(Address::new("r", 6379)));
        assert_eq!((redis.tls, redis.timeout.as_millis()), (Tls::Unverified, 200));
        assert_eq!(redis.credentials.password, None);
        let cluster = json!({
            "policy": "redis-cluster", "redis_cluster_name": "c", "redis_cluster_nodes": ["a:1", "b:2"],
            "redis_cluster_ssl": true, "redis_cluster_ssl_verify": true,
        });
        let cluster = parse(&cluster).unwrap().unwrap();
        assert_eq!(
            (cluster.name().as_str(), cluster.tls),
            ("cluster c", Tls::Verified)
        );
        let sentinel = json!({
            "policy": "redis-sentinel", "redis_sentinels": [{ "host": "s", "port": 26379 }],
            "redis_master_name": "m", "redis_role": "slave", "redis_connect_timeout": 5, "redis_database": 2,
        });
        let sentinel = parse(&sentinel).unwrap().unwrap();
        assert_eq!(sentinel.name(), "sentinel m/2");
        assert_eq!(
            (sentinel.connect_timeout.as_millis(), sentinel.timeout.as_millis()),
            (5, 1000)
        );
        assert_eq!(sentinel.keepalive.as_secs(), 60);
    }
}
