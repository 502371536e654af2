//! `sluice gateway`, `sluice run` and `sluice connect`: a group of people that shares an LLM server.

mod budget;
mod counters;
mod files;
mod input;
mod quota;
mod run;
mod shims;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use crate::process::{Ended, Sluice, sluice};
use crate::support::gateway;

const GROUPS: &str = r#"
event_id: hackathon-2026-spring
title: "Spring Hackathon"
groups:
  alpha:
    title: "Team Alpha"
    users:
      - name: alice
        email: alice@example.com
      - bob
      - carol
  beta: {users: [dave, erin]}
"#;

const MODEL: &str = "user.gemma-4-31b-it";

/// A gateway, an LLM server, and a folder with `groups.yaml`.
struct Event {
    gateway: Gateway,
    llm: FakeProvider,
    dir: tempfile::TempDir,
}

impl Event {
    async fn start() -> Self {
        let event = Self {
            gateway: gateway().await,
            llm: FakeProvider::start(),
            dir: tempfile::tempdir().unwrap(),
        };
        event.write("groups.yaml", GROUPS);
        event
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// A command below `gateway` that knows where the gateway is.
    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Sluice {
        let port = self.gateway.admin_addr().port().to_string();
        sluice(self.dir.path(), ["gateway"].into_iter().chain(args))
            .arg("--admin-port")
            .arg(&port)
            .env("GATEWAY_ADMIN_KEY", self.gateway.admin_key())
    }

    /// `setup` with the LLM server and these arguments.
    fn setup<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Sluice {
        let port = self.gateway.proxy_addr().port().to_string();
        self.command(["setup"].into_iter().chain(args))
            .arg("--lemonade-url")
            .arg(&self.llm.url(""))
            .arg("--proxy-port")
            .arg(&port)
    }

    /// What a setup of `groups.yaml` shows as JSON.
    async fn rows<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
        let args = ["--groups", "groups.yaml", "--format", "json", "--no-verify"]
            .into_iter()
            .chain(args);
        let ended = self.setup(args).ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }

    async fn names(&self, kind: &str, member: &str) -> Vec<String> {
        let listing = self.gateway.admin().get(&format!("/{kind}")).await.json();
        let list = listing["list"].as_array().unwrap();
        let mut names: Vec<_> = list
            .iter()
            .map(|item| item["value"][member].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row[member].as_str().unwrap()
}

fn chat() -> Value {
    json!({ "model": MODEL, "messages": [{ "role": "user", "content": "conf:hello" }] })
}

#[track_caller]
fn succeeded(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

#[tokio::test]
async fn everybody_gets_a_consumer_with_a_quota() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (text(row, "username"), row["rate_limit"].as_u64()))
        .collect();
    let names = [
        "alpha-alice",
        "alpha-bob",
        "alpha-carol",
        "beta-dave",
        "beta-erin",
    ];
    assert_eq!(shown, names.map(|name| (name, Some(500))));
    assert!(rows.iter().all(|row| text(row, "api_key").len() == 32));
    assert_eq!(event.names("consumers", "username").await, names);
    let routes = event.names("routes", "id").await;
    assert_eq!(
        routes,
        [
            "ai-gateway-embedding-route",
            "ai-gateway-more-route",
            "ai-gateway-route"
        ]
    );
    let route = event.gateway.admin().get("/routes/ai-gateway-route").await.json();
    let route = &route["value"];
    assert_eq!(
        (text(route, "uri"), &route["methods"]),
        ("/v1/chat/completions", &json!(["POST"]))
    );
    let instance = &route["plugins"]["ai-proxy-multi"]["instances"][0];
    assert_eq!(instance["name"], "lemonade-instance");
    assert_eq!(instance["options"]["model"], MODEL);
    let consumer = event.gateway.admin().get("/consumers/alpha-alice").await.json();
    let limits = &consumer["value"]["plugins"]["ai-rate-limiting"];
    assert_eq!(
        (&limits["limit_strategy"], &limits["rejected_code"]),
        (&json!("total_tokens"), &json!(429))
    );
    assert_eq!(consumer["value"]["labels"]["gateway-group"], "alpha");
}

#[tokio::test]
async fn groups_may_share_a_key_with_their_quotas_added_up() {
    let event = Event::start().await;
    let rows = event.rows(["--per-group"]).await;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (text(row, "username"), row["rate_limit"].as_u64().unwrap()))
        .collect();
    assert_eq!(shown, [("group-alpha", 1500), ("group-beta", 1000)]);

    // A member more: the key stays.
    let before = text(&rows[1], "api_key").to_owned();
    event.write(
        "groups.yaml",
        &GROUPS.replace("[dave, erin]", "[dave, erin, frank]"),
    );
    let rows = event.rows(["--per-group"]).await;
    assert_eq!(
        (rows[1]["rate_limit"].as_u64(), text(&rows[1], "api_key")),
        (Some(1500), before.as_str())
    );
}

#[tokio::test]
async fn a_second_run_keeps_keys_and_what_others_added() {
    let event = Event::start().await;
    let keys = |rows: &[Value]| {
        rows.iter()
            .map(|row| text(row, "api_key").to_owned())
            .collect::<Vec<_>>()
    };
    let first = keys(&event.rows([]).await);
    let mut bob = event.gateway.admin().get("/consumers/alpha-bob").await.json()["value"].take();
    for time in ["create_time", "update_time"] {
        bob.as_object_mut().unwrap().remove(time);
    }
    bob["plugins"]["ip-restriction"] = json!({ "whitelist": ["127.0.0.0/8"] });
    event.gateway.admin().put("/consumers", bob).await;

    let ended = succeeded(
        event
            .setup(["--groups", "groups.yaml", "--no-verify"])
            .ended()
            .await,
    );
    assert!(
        ended.stdout.contains("0 created, 0 changed, 8 as they were"),
        "{}",
        ended.stdout
    );
    assert_eq!(keys(&event.rows(["--rate-limit", "900"]).await), first);
    let bob = event.gateway.admin().get("/consumers/alpha-bob").await.json();
    assert_eq!(
        bob["value"]["plugins"]["ip-restriction"]["whitelist"][0],
        "127.0.0.0/8"
    );
    assert_eq!(
        bob["value"]["plugins"]["ai-rate-limiting"]["instances"][0]["limit"],
        900
    );
    // The limit is remembered.
    assert_eq!(event.rows([]).await[0]["rate_limit"], 900);

    let rotated = keys(&event.rows(["--rotate-keys"]).await);
    assert!(rotated.iter().all(|key| !first.contains(key)));

    event.write("groups.yaml", &GROUPS.replace("      - bob\n", ""));
    event.rows([]).await;
    assert_eq!(event.names("consumers", "username").await.len(), 5);
    event.rows(["--prune"]).await;
    assert_eq!(
        event.names("consumers", "username").await,
        ["alpha-alice", "alpha-carol", "beta-dave", "beta-erin"]
    );
}

#[tokio::test]
async fn cleanup_takes_away_what_setup_made() {
    let event = Event::start().await;
    let own = json!({ "username": "own", "plugins": { "key-auth": { "key": "k" } } });
    event.gateway.admin().put("/consumers", own).await;
    event.rows([]).await;
    let plan = succeeded(event.command(["cleanup", "--dry-run"]).ended().await).stdout;
    assert!(
        plan.contains("delete  consumers/beta-dave") && !plan.contains("consumers/own"),
        "{plan}"
    );
    assert_eq!(event.names("consumers", "username").await.len(), 6);
    succeeded(event.command(["cleanup", "--yes"]).ended().await);
    assert_eq!(event.names("consumers", "username").await, ["own"]);
    assert_eq!(event.names("routes", "id").await, Vec::<String>::new());
    succeeded(event.command(["cleanup", "--yes", "--all"]).ended().await);
    assert_eq!(event.names("consumers", "username").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let event = Event::start().await;
    let ended = succeeded(
        event
            .setup(["--groups", "groups.yaml", "--dry-run"])
            .ended()
            .await,
    );
    assert!(
        ended
            .stdout
            .contains("create  consumers/alpha-alice  500 tokens / 60s"),
        "{}",
        ended.stdout
    );
    assert_eq!(event.names("consumers", "username").await, Vec::<String>::new());
    let ended = succeeded(
        event
            .setup(["--groups", "groups.yaml", "--dry-run", "--format", "json"])
            .ended()
            .await,
    );
    let steps: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    assert!(steps.iter().all(|step| step["action"] == "create"));
    assert_eq!(steps[3]["value"]["plugins"]["key-auth"]["key"], "***");
}

#[tokio::test]
async fn single_consumers_are_made_and_deleted() {
    let event = Event::start().await;
    let made = succeeded(
        event
            .command(["create-consumer", "--username", "zoe", "--rate-limit", "70"])
            .ended()
            .await,
    );
    let key = made.stdout.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(key.len(), 32);
    let again = [
        "create-consumer",
        "--username",
        "zoe",
        "--format",
        "json",
        "--time-window",
        "5",
    ];
    let again: Value = serde_json::from_str(&succeeded(event.command(again).ended().await).stdout).unwrap();
    assert_eq!(
        (text(&again, "api_key"), &again["time_window"]),
        (key.as_str(), &json!(5))
    );
    succeeded(
        event
            .command(["delete-consumer", "--username", "zoe"])
            .ended()
            .await,
    );
    let gone = event
        .command(["delete-consumer", "--username", "zoe"])
        .ended()
        .await;
    assert_eq!(gone.code, Some(1));
    assert!(
        gone.stderr.contains("there is no consumer `zoe`"),
        "{}",
        gone.stderr
    );
}

#[tokio::test]
async fn status_is_six_lines_and_an_exit_code() {
    let event = Event::start().await;
    let before = event.command(["status"]).ended().await;
    assert_eq!(before.code, Some(1));
    assert_eq!(before.stdout.lines().count(), 6);
    event.rows([]).await;
    let port = event.gateway.admin_addr().port();
    let ended = succeeded(event.command(["status", "--proxy-port", "9999"]).ended().await);
    let wanted = format!(
        "Running: yes\nAdmin URL: http://127.0.0.1:{port}\nProxy URL: http://127.0.0.1:9999\nConsumers: 5\nRoute configured: yes\nRedis: not configured\n"
    );
    assert_eq!(ended.stdout, wanted);
    let json = succeeded(event.command(["status", "--json"]).ended().await).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (
            &json["lemonade"]["reachable"],
            &json["embedding_route_configured"]
        ),
        (&json!(true), &json!(true))
    );
    let nobody = sluice(
        event.dir.path(),
        ["gateway", "status", "--admin-port", "1", "--admin-key", "x"],
    )
    .ended()
    .await;
    assert_eq!(nobody.code, Some(2));
    assert!(nobody.stdout.starts_with("Running: no\n"));
}
