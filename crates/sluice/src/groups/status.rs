//! `sluice gateway status`.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_groups::{EMBEDDING_ROUTE, Present, ROUTE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args::StatusArgs;
use super::{FAILED, Failed, UNREACHABLE, access::Admin, files, probe, setup};
use crate::console::say;

/// How long the Redis may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Says what is there. The exit code is 0 if a setup is in force, 1 if none is, 2 if nothing answers.
pub(super) async fn status(args: StatusArgs) -> Result<ExitCode, Failed> {
    let admin = Admin::new(&args.admin)?;
    let present = match admin.present().await {
        Ok(present) => Some(present),
        Err(Failed::Unreachable(_)) => None,
        Err(error) => return Err(error),
    };
    let proxy = files::base_url(&args.proxy);
    let running = present.is_some();
    let present = present.unwrap_or_default();
    let route = route(&present, ROUTE);
    let redis = redis(&present).await;
    if args.json {
        let stored = setup::Stored::of(&present);
        say(format_args!(
            "{:#}",
            json!({
                "running": running,
                "admin_url": admin.url(),
                "proxy_url": proxy,
                "consumers_count": present.consumers.len(),
                "route_configured": route.is_some(),
                "embedding_route_configured": self::route(&present, EMBEDDING_ROUTE).is_some(),
                "redis": redis,
                "rate_limit": stored.rate_limit,
                "time_window": stored.time_window,
                "lemonade": lemonade(route).await,
            })
        ));
    } else {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        say(format_args!("Running: {}", yes(running)));
        say(format_args!("Admin URL: {}", admin.url()));
        say(format_args!("Proxy URL: {proxy}"));
        say(format_args!("Consumers: {}", present.consumers.len()));
        say(format_args!("Route configured: {}", yes(route.is_some())));
        say(format_args!("Redis: {redis}"));
    }
    Ok(match (running, route.is_some()) {
        (false, _) => ExitCode::from(UNREACHABLE),
        (true, false) => ExitCode::from(FAILED),
        (true, true) => ExitCode::SUCCESS,
    })
}

fn route<'a>(present: &'a Present, id: &str) -> Option<&'a Value> {
    present.routes.iter().find(|route| route["id"] == id)
}

async fn lemonade(route: Option<&Value>) -> Value {
    let endpoint = route.and_then(|route| {
        route
            .pointer("/plugins/ai-proxy-multi/instances/0/override/endpoint")?
            .as_str()
    });
    let Some(url) = endpoint else {
        return Value::Null;
    };
    let probed = probe::probe(url, None).await;
    json!({
        "url": url,
        "kind": probed.kind,
        "reachable": probed.reachable(),
        "error": probed.error,
        "models_loaded": probed.loaded,
    })
}

/// `connected`, `not configured`, or what is wrong with it: the first Redis that a consumer names is asked.
async fn redis(present: &Present) -> String {
    let limits = present
        .consumers
        .iter()
        .map(|consumer| &consumer["plugins"]["ai-rate-limiting"]);
    let Some(conf) = limits.into_iter().find(|limits| limits["policy"] == "redis") else {
        return "not configured".to_owned();
    };
    let host = conf["redis_host"].as_str().unwrap_or("127.0.0.1").to_owned();
    let port = conf["redis_port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(6379);
    let password = conf["redis_password"]
        .as_str()
        .filter(|password| !password.is_empty());
    match tokio::time::timeout(PATIENCE, ping(&host, port, password)).await {
        Ok(Ok(true)) => "connected".to_owned(),
        Ok(Ok(false)) => format!("{host}:{port} refuses the password"),
        Ok(Err(error)) => format!("{host}:{port} cannot be reached ({error})"),
        Err(_) => format!("{host}:{port} does not answer"),
    }
}

/// `PING`, in the form that commands have on the wire.
async fn ping(host: &str, port: u16, password: Option<&str>) -> std::io::Result<bool> {
    let mut stream = tokio::net::TcpStream::connect((host, port)).await?;
    let mut commands = String::new();
    if let Some(password) = password {
        commands.push_str(&format!(
            "*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n",
            password.len()
        ));
    }
    commands.push_str("*1\r\n$4\r\nPING\r\n");
    stream.write_all(commands.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut buffer = [0; 256];
    loop {
        let read = stream.read(&mut buffer).await?;
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer);
        if text.contains("PONG") {
            return Ok(true);
        }
        if read == 0 || text.starts_with('-') || answer.len() > 4096 {
            return Ok(false);
        }
    }
}
