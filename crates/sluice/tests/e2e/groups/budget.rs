//! Budgets and end dates of groups.

use serde_json::{Value, json};
use sluice_testkit::{Completion, Reply, Usage};

use super::{Event, chat, succeeded, text};

const BUDGETS: &str = "groups:
  alpha: {users: [alice, bob], budget_usd: 0.01}
  beta: {users: [dave], ends: 2020-01-31}
  gamma: {users: [gina], ends: 2999-12-31}
";
const PRICES: [&str; 4] = ["--price-input", "1", "--price-output", "2.50"];

fn key(rows: &[Value], name: &str) -> String {
    let row = rows.iter().find(|row| text(row, "username") == name).unwrap();
    text(row, "api_key").to_owned()
}

async fn ask(event: &Event, key: &str, status: u16) -> Value {
    let call = event.gateway.client().post("/v1/chat/completions").key(key);
    let answer = call.json(&chat()).send().await.expect_status(status).await;
    answer.json().await
}

/// An answer that costs what 4,000 tokens to the model and 2,000 from it cost: 9,000 millionths of a dollar.
fn dear() -> Reply {
    let usage = Usage {
        input: 4_000,
        output: 2_000,
        ..Usage::default()
    };
    Reply::completion(Completion::new().text("Hello.").usage(usage))
}

#[tokio::test]
async fn the_users_of_a_group_spend_from_one_budget() {
    let event = Event::start().await;
    event.write("groups.yaml", BUDGETS);
    let rows = event
        .rows([&PRICES[..], &["--rate-limit", "1000000"]].concat())
        .await;
    let groups = event.names("consumer_groups", "id").await;
    assert_eq!(groups, ["gateway-budget-alpha"]);
    event.llm.always(dear());
    let (alice, bob) = (key(&rows, "alpha-alice"), key(&rows, "alpha-bob"));
    ask(&event, &alice, 200).await;
    // The request that crosses the limit is served.
    ask(&event, &bob, 200).await;
    for spent in [&alice, &bob] {
        let refused = ask(&event, spent, 429).await;
        assert!(
            refused.to_string().contains("budget_micro_usd_total"),
            "{refused}"
        );
    }
    ask(&event, &key(&rows, "gamma-gina"), 200).await;

    // A member more, and the prices as they were: keys and what was spent stay.
    event.write("groups.yaml", &BUDGETS.replace("bob]", "bob, carl]"));
    let again = event.rows([]).await;
    assert_eq!(key(&again, "alpha-alice"), alice);
    ask(&event, &key(&again, "alpha-carl"), 429).await;
    event.write("groups.yaml", &BUDGETS.replace("0.01", "0.05"));
    event.rows([]).await;
    ask(&event, &alice, 200).await;

    // Without a budget nobody is in a group any more, once those who left the file are gone, too.
    event.write("groups.yaml", &BUDGETS.replace(", budget_usd: 0.01", ""));
    event.rows([]).await;
    assert_eq!(event.names("consumer_groups", "id").await, groups);
    event.rows(["--prune"]).await;
    assert_eq!(event.names("consumer_groups", "id").await, Vec::<String>::new());
    let consumer = event.gateway.admin().get("/consumers/alpha-bob").await.json();
    assert_eq!(consumer["value"]["group_id"], Value::Null);
    ask(&event, &bob, 200).await;
}

#[tokio::test]
async fn keys_work_until_the_last_day_is_over() {
    let event = Event::start().await;
    event.write("groups.yaml", &BUDGETS.replace(", budget_usd: 0.01", ""));
    let rows = event.rows([]).await;
    let expired = ask(&event, &key(&rows, "beta-dave"), 403).await;
    assert!(expired.to_string().contains("expired"), "{expired}");
    ask(&event, &key(&rows, "gamma-gina"), 200).await;
    let path = "/consumers/gamma-gina";
    let read = async || event.gateway.admin().get(path).await.json()["value"].clone();
    let mut gina = read().await;
    // The end of the day, in milliseconds.
    assert_eq!(
        gina["plugins"]["ai-client"],
        json!({ "expires_at": 32_503_680_000_000_u64 })
    );

    // What the dashboard says of a client stays beside it, and after it.
    gina["plugins"]["ai-client"]["owner"] = json!("Gina");
    for member in ["create_time", "update_time"] {
        gina.as_object_mut().unwrap().remove(member);
    }
    event.gateway.admin().put(path, gina).await.expect_status(200);
    event.rows([]).await;
    assert_eq!(read().await["plugins"]["ai-client"]["owner"], "Gina");
    event.write("groups.yaml", "groups: {gamma: [gina]}");
    event.rows([]).await;
    let gina = read().await;
    assert_eq!(gina["plugins"]["ai-client"], json!({ "owner": "Gina" }));
    assert_eq!(gina["labels"].get("gateway-ends"), None);
}

#[tokio::test]
async fn a_budget_needs_prices_and_a_group_of_its_own() {
    let event = Event::start().await;
    event.write("groups.yaml", BUDGETS);
    let setup = ["--groups", "groups.yaml", "--no-verify"];
    let ended = event.setup(setup).ended().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("line 2") && ended.stderr.contains("--price-input"),
        "{ended:?}"
    );
    assert_eq!(event.names("consumers", "username").await, Vec::<String>::new());
    let bad = event
        .setup(["--price-input", "much", "--price-output", "1"])
        .ended()
        .await;
    assert!(bad.stderr.contains("dollars"), "{bad:?}");

    let rows = event.rows(PRICES).await;
    let admin = event.gateway.admin();
    let group = json!({ "plugins": {} });
    admin.put("/consumer_groups/mine", group).await.expect_status(201);
    let plugins = json!({ "key-auth": { "key": key(&rows, "alpha-bob") } });
    let moved = json!({
        "username": "alpha-bob", "plugins": plugins, "group_id": "mine", "labels": { "managed-by": "sluice-gateway" },
    });
    admin.put("/consumers/alpha-bob", moved).await.expect_status(200);
    let ended = event.setup(setup).ended().await;
    assert!(ended.stderr.contains("consumer group `mine`"), "{ended:?}");

    let cleaned = succeeded(event.command(["cleanup", "--yes"]).ended().await);
    assert!(
        cleaned.stdout.contains("consumer_groups/gateway-budget-alpha"),
        "{cleaned:?}"
    );
    assert_eq!(event.names("consumer_groups", "id").await, ["mine"]);
}
