//! Clients against real servers, and what happens when those go away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_redis::{
    Address, Arg, Client, Credentials, Redis, RedisConfig, RedisError, Reply, Role, Script, Topology,
};
use sluice_testkit::{RedisCluster, RedisSentinel, RedisServer, eventually};
use tokio::runtime::Handle;

fn address(port: u16) -> Address {
    Address::new("127.0.0.1", port)
}

fn client(config: RedisConfig) -> Arc<Client> {
    Redis::new(Handle::current()).client(config)
}

async fn add(client: &Client, key: &str) -> Result<i64, RedisError> {
    let script = Script::new("return {redis.call('incrby', KEYS[1], ARGV[1])}");
    let [sum] = client.run(&script, key, &[Arg::Int(1)]).await?.integers()?;
    Ok(sum)
}

async fn add_eventually(client: &Client, key: &str) -> i64 {
    eventually("redis to be used again", async || add(client, key).await.ok()).await
}

#[tokio::test]
async fn scripts_run_and_come_back() {
    let server = RedisServer::start().await;
    let client = client(RedisConfig::single(address(server.port())));
    assert_eq!(add(&client, "a").await, Ok(1));
    assert_eq!(add(&client, "a").await, Ok(2));
    let echo = Script::new("return {ARGV[1], false, 7, {ARGV[2]}}");
    let reply = client
        .run(&echo, "a", &[Arg::Bytes(b"x\0y"), Arg::Int(-3)])
        .await
        .unwrap();
    let number = Reply::List(vec![Reply::Bytes(b"-3".to_vec())]);
    assert_eq!(
        reply,
        Reply::List(vec![
            Reply::Bytes(b"x\0y".to_vec()),
            Reply::Nil,
            Reply::Int(7),
            number
        ])
    );
    let broken = Script::new("return redis.call('incr', KEYS[1], 'too', 'much')");
    let error = client.run(&broken, "a", &[]).await.unwrap_err();
    assert_eq!(error.reason(), "refused", "{error}");
    assert_eq!(
        add(&client, "a").await,
        Ok(3),
        "a refused script loses no connection"
    );
    let _ = server.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(add(&client, "a").await, Ok(4));
    let status = client.status();
    assert!(status.up);
    assert_eq!((status.calls, status.failures[3]), (6, ("refused", 1)));
}

#[tokio::test]
async fn commands_run_and_come_back() {
    let server = RedisServer::start().await;
    let client = client(RedisConfig::single(address(server.port())));
    let key = Arg::Bytes(b"k");
    let args = [key, Arg::Bytes(b"\0v"), Arg::Bytes(b"EX"), Arg::Int(100)];
    assert_eq!(client.call("SET", &args).await, Ok(Reply::Bytes(b"OK".to_vec())));
    assert_eq!(
        client.call("GET", &[key]).await,
        Ok(Reply::Bytes(b"\0v".to_vec()))
    );
    assert_eq!(client.call("GET", &[Arg::Bytes(b"none")]).await, Ok(Reply::Nil));
    let error = client.call("FT.SEARCH", &[key]).await.unwrap_err();
    assert_eq!(error.reason(), "refused", "{error}");
    assert_eq!(client.status().calls, 4);
}

#[tokio::test]
async fn logins_and_databases() {
    let server = RedisServer::with_args(&["--requirepass", "secret"]).await;
    let mut config = RedisConfig::single(address(server.port()));
    config.database = 3;
    config.credentials.password = Some("secret".to_owned().into());
    assert_eq!(add(&client(config.clone()), "a").await, Ok(1));
    assert_eq!(server.command(&["-n", "3", "GET", "a"]), "1");
    config.credentials.password = Some("wrong-password".to_owned().into());
    let refused = client(config);
    let error = add(&refused, "a").await.unwrap_err();
    assert_eq!(error, RedisError::Down);
    assert!(!refused.status().up);
}

#[tokio::test]
async fn equal_configurations_share_a_client() {
    let server = RedisServer::start().await;
    let redis = Redis::new(Handle::current());
    let config = RedisConfig::single(address(server.port()));
    let first = redis.client(config.clone());
    assert!(Arc::ptr_eq(&first, &redis.client(config.clone())));
    let other = redis.client(RedisConfig {
        database: 1,
        ..config.clone()
    });
    assert!(!Arc::ptr_eq(&first, &other));
    add(&first, "a").await.unwrap();
    let names: Vec<_> = redis
        .status()
        .into_iter()
        .map(|status| (status.name, status.calls))
        .collect();
    assert_eq!(
        names,
        [(config.name(), 1), (format!("127.0.0.1:{}/1", server.port()), 0)]
    );
    drop(first);
    assert_eq!(redis.status().len(), 1, "an unused client is gone");
}

#[tokio::test]
async fn a_server_that_is_away_fails_at_once_and_is_found_when_it_comes() {
    let mut server = RedisServer::start().await;
    server.kill();
    let client = client(RedisConfig::single(address(server.port())));
    assert_eq!(add(&client, "a").await, Err(RedisError::Down));
    server.restart().await;
    assert_eq!(add_eventually(&client, "a").await, 1);
    server.kill();
    assert!(add(&client, "a").await.is_err());
    assert_eq!(add(&client, "a").await, Err(RedisError::Down));
    server.restart().await;
    assert_eq!(add_eventually(&client, "a").await, 1);
}

#[tokio::test]
async fn a_stalled_server_costs_one_wait_and_no_more() {
    let server = RedisServer::start().await;
    let mut config = RedisConfig::single(address(server.port()));
    config.timeout = Duration::from_millis(200);
    let client = client(config);
    assert_eq!(add(&client, "a").await, Ok(1));
    server.stall();
    assert_eq!(add(&client, "a").await, Err(RedisError::Timeout));
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(add(&client, "a").await, Err(RedisError::Down));
    }
    assert!(
        start.elapsed() < Duration::from_millis(200),
        "{:?}",
        start.elapsed()
    );
    server.resume();
    // The one that was waited for in vain may have run.
    assert!(add_eventually(&client, "a").await >= 2);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_opened_when_needed() {
    let server = RedisServer::start().await;
    let mut config = RedisConfig::single(address(server.port()));
    config.keepalive = Duration::from_millis(50);
    let client = client(config);
    assert_eq!(add(&client, "a").await, Ok(1));
    eventually("the connection to be closed", async || {
        let clients = server.command(&["CLIENT", "LIST"]);
        (clients.lines().count() == 1).then_some(())
    })
    .await;
    assert!(client.status().up);
    assert_eq!(add(&client, "a").await, Ok(2));
}

#[tokio::test]
async fn a_cluster_takes_keys_of_all_its_nodes() {
    let cluster = RedisCluster::start().await;
    let nodes = vec![address(cluster.nodes()[0].port())];
    let topology = Topology::Cluster {
        name: "c".to_owned(),
        nodes,
    };
    let mut config = RedisConfig::new(topology);
    config.timeout = Duration::from_millis(300);
    let client = client(config);
    for key in 0..20 {
        assert_eq!(add(&client, &format!("key-{key}")).await, Ok(1));
    }
    for node in cluster.nodes() {
        assert_ne!(node.command(&["DBSIZE"]), "0");
    }
    cluster.nodes()[1].stall();
    let errors = eventually("the stall to be noticed", async || {
        for key in 0..20 {
            let outcome = add(&client, &format!("key-{key}")).await;
            if outcome.is_err() {
                return Some(outcome);
            }
        }
        None
    });
    errors.await.unwrap_err();
    let start = Instant::now();
    for key in 0..200 {
        let _ = add(&client, &format!("key-{key}")).await;
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    cluster.nodes()[1].resume();
    for key in 0..20 {
        assert!(add_eventually(&client, &format!("key-{key}")).await >= 1);
    }
}

#[tokio::test]
async fn sentinels_lead_to_the_master_also_after_a_failover() {
    let mut group = RedisSentinel::start(&[], &[]).await;
    let dead = address(1);
    let topology = |role| Topology::Sentinel {
        sentinels: vec![dead.clone(), address(group.port())],
        master: "mymaster".to_owned(),
        role,
        credentials: Credentials::default(),
    };
    let (master, replica) = (topology(Role::Master), topology(Role::Replica));
    let client_of = |topology| client(RedisConfig::new(topology));
    let master = client_of(master);
    assert_eq!(add(&master, "a").await, Ok(1));
    let replica = client_of(replica);
    let error = eventually("the replica to refuse", async || match add(&replica, "a").await {
        Err(RedisError::Refused(text)) => Some(text),
        _ => None,
    });
    assert!(
        error.await.to_lowercase().contains("read"),
        "replicas take no writes"
    );
    eventually("the value to be replicated", async || {
        (group.replica().command(&["GET", "a"]) == "1").then_some(())
    })
    .await;
    group.master().kill();
    assert_eq!(add_eventually(&master, "a").await, 2);
    assert_eq!(group.replica().command(&["GET", "a"]), "2");
}
