//! What records say of routed calls, and what they cost.

use serde_json::{Value, json};
use sluice_record::Cost;
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{answered, ask, caller, chat_with, model, openai_provider, served, with_providers};
use crate::ledger::entries;
use crate::measuring::{access_log, json_lines};
use crate::support::{binary, put};

const FORMAT: &str = r#"{"routing":"$llm_routing","asked":"$request_llm_model","sent":"$llm_model","cost":"$llm_cost_micro_usd"}"#;

#[tokio::test]
async fn the_access_log_says_why_and_who_failed() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = Gateway::builder(binary())
        .env("SLUICE_ACCESS_LOG_TARGET", "access.log")
        .env("SLUICE_ACCESS_LOG_FORMAT", FORMAT)
        .start()
        .await;
    caller(&gateway, json!({ "ai-models": { "aliases": { "fast": "m" } } })).await;
    put(&gateway, "/providers/a", openai_provider(&a)).await;
    put(&gateway, "/providers/b", openai_provider(&b)).await;
    let rule = json!({ "name": "short", "when": { "max_tokens": 1000 }, "targets": ["b"] });
    model(&gateway, &["a", "b"], json!({ "rules": [rule] })).await;
    b.next(Reply::json(429, &json!({})));
    answered(ask(&gateway, &chat_with("fast", "conf:hello"))).await;
    let line: Value = json_lines(&access_log(&gateway), 1).await.remove(0);
    assert_eq!(
        line,
        json!({
            "routing": "model=m rule=short strategy=weighted target=a failed=b:rate_limit",
            "asked": "fast", "sent": "a-model", "cost": "-",
        })
    );
}

#[tokio::test]
async fn the_ledger_keeps_the_price_that_a_cost_was_made_with() {
    let fake = FakeProvider::start();
    let mut gateway = with_providers(&[&fake]).await;
    let rates = json!({ "rates": { "input": 1_000_000, "output": 2_000_000 } });
    let target = |model: &str| json!([{ "provider": "a", "model": model }]);
    for (name, resource) in [
        ("own", json!({ "targets": target("gpt-4o"), "prices": rates })),
        ("listed", json!({ "targets": target("gpt-4o") })),
        ("unpriced", json!({ "targets": target("nobody-knows") })),
    ] {
        put(&gateway, &format!("/models/{name}"), resource).await;
        answered(ask(&gateway, &chat_with(name, "conf:hello"))).await;
    }
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let told: Vec<_> = entries(&gateway)
        .await
        .into_iter()
        .map(|entry| {
            let usage = entry.usage;
            let price = entry.detail.price;
            (
                usage.input,
                usage.output,
                entry.cost,
                price.map(|price| (price.input, price.output, price.configured)),
            )
        })
        .collect();
    let (input, output) = (told[0].0, told[0].1);
    assert!(input > 0 && output > 0);
    let micros = |cost: u64| Cost::MicroUsd(i64::try_from(cost).unwrap());
    assert_eq!(told[0].2, micros(input + 2 * output));
    assert_eq!(told[0].3, Some((1_000_000, 2_000_000, true)));
    assert_eq!(told[1].3, Some((2_500_000, 10_000_000, false)));
    assert_eq!((told[2].2, told[2].3), (Cost::Unpriced, None));
}

#[tokio::test]
async fn an_adaptive_pick_explains_itself() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let mut gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "adaptive" })).await;
    served(&gateway).await;
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let entry = entries(&gateway).await.remove(0);
    let routing = entry.detail.routing.unwrap().into_owned();
    assert_eq!(routing, "model=m strategy=adaptive shares=a:0.50,b:0.50 target=a");
}
