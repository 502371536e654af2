//! The resources themselves: what is accepted, what is shown, what happens when they change.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{ask, chat_with, counts, model, openai_provider, refused, served, with_providers};
use crate::support::{gateway, put};

async fn fault(gateway: &Gateway, path: &str, resource: Value) -> String {
    let answer = gateway.admin().put(path, resource).await;
    let answer = answer.expect_status(400).json();
    answer["error_msg"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn mistakes_are_refused_when_they_are_written() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    for (path, resource, expected) in [
        (
            "/providers/x",
            json!({ "type": "openai", "colour": "red" }),
            "invalid configuration: additional properties forbidden, found colour",
        ),
        (
            "/providers/x",
            json!({ "type": "nobody" }),
            "invalid configuration: ai provider: nobody is not supported.",
        ),
        (
            "/models/x",
            json!({ "targets": [{ "provider": "nobody" }] }),
            "failed to fetch provider info by provider id [nobody], response code: 404",
        ),
        (
            "/models/x",
            json!({ "targets": [{ "provider": "a", "weight": 0 }] }),
            "invalid configuration: all targets have weight 0: none would ever be picked",
        ),
        (
            "/models/x",
            json!({ "targets": [{ "provider": "a" }], "rules": [
                { "name": "r", "when": { "has_tools": true }, "targets": ["b"] },
            ] }),
            "invalid configuration: rule \"r\": there is no target \"b\", only a",
        ),
    ] {
        assert_eq!(
            fault(&gateway, path, resource.clone()).await,
            expected,
            "{resource}"
        );
    }
    let text = fault(
        &gateway,
        "/models/x",
        json!({ "targets": [{ "provider": "a", "colour": 1 }] }),
    )
    .await;
    assert!(
        text.contains("additional properties forbidden, found colour"),
        "{text}"
    );
}

#[tokio::test]
async fn two_models_cannot_have_one_name() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    model(&gateway, &["a"], json!({ "name": "gpt" })).await;
    let text = fault(
        &gateway,
        "/models/n",
        json!({ "name": "gpt", "targets": [{ "provider": "a" }] }),
    )
    .await;
    assert_eq!(text, "duplicate model name [gpt], model [m] has it");
    model(
        &gateway,
        &["a"],
        json!({ "name": "gpt", "desc": "its own name stays its own" }),
    )
    .await;
}

#[tokio::test]
async fn a_provider_in_use_stays_unless_forced_and_then_its_models_say_so() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    model(&gateway, &["a"], json!({})).await;
    let answer = gateway.admin().delete("/providers/a").await.expect_status(400);
    assert_eq!(
        answer.json()["error_msg"],
        "can not delete this provider, model [m] is still using it now"
    );
    gateway
        .admin()
        .delete("/providers/a?force=true")
        .await
        .expect_status(200);
    let code = refused(ask(&gateway, &chat_with("m", "conf:hello")), 503).await;
    assert_eq!(code, "no_target");
    put(&gateway, "/providers/a", openai_provider(&fake)).await;
    served(&gateway).await;
}

#[tokio::test]
async fn a_target_whose_provider_is_gone_is_passed_over() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "priority" })).await;
    gateway
        .admin()
        .delete("/providers/a?force=true")
        .await
        .expect_status(200);
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [0, 1]);
}

#[tokio::test]
async fn an_edit_of_a_provider_reaches_its_models() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a]).await;
    model(&gateway, &["a"], json!({})).await;
    served(&gateway).await;
    put(&gateway, "/providers/a", openai_provider(&b)).await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 1]);
}

#[tokio::test]
async fn cool_downs_survive_unrelated_edits() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "priority" })).await;
    a.next(Reply::json(429, &json!({})).header("retry-after", "60"));
    served(&gateway).await;
    model(
        &gateway,
        &["a", "b"],
        json!({ "strategy": "priority", "desc": "edited" }),
    )
    .await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 2]);
}

#[tokio::test]
async fn keys_of_providers_are_encrypted_at_rest_and_never_in_an_error() {
    let gateway = gateway().await;
    let key = "sk-canary-of-the-registry";
    let dead = crate::support::dead_addr();
    let provider =
        json!({ "type": "openai", "base_url": format!("http://{dead}"), "auth": { "api_key": key } });
    put(&gateway, "/providers/a", provider).await;
    super::caller(&gateway, json!({})).await;
    model(&gateway, &["a"], json!({})).await;
    let answer = ask(&gateway, &chat_with("m", "hi"))
        .send()
        .await
        .expect_status(502)
        .await;
    assert!(!answer.text().await.contains(key));
    let status = gateway.admin().client().get("/status").send().await;
    assert!(!status.text().await.contains(key));
    let database = std::fs::read(gateway.dir().join("data/sluice.db")).unwrap();
    let found = |bytes: &[u8]| bytes.windows(key.len()).any(|window| window == key.as_bytes());
    assert!(!found(&database), "it stands in the database");
}

#[tokio::test]
async fn every_verb_of_the_admin_api_works() {
    let fake = FakeProvider::start();
    let gateway = with_providers(&[&fake]).await;
    let admin = gateway.admin();
    let made = admin
        .post(
            "/models",
            json!({ "name": "x", "targets": [{ "provider": "a" }] }),
        )
        .await;
    let id = made.expect_status(201).json()["value"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let patched = admin
        .patch(&format!("/models/{id}"), json!({ "strategy": "priority" }))
        .await;
    assert_eq!(patched.expect_status(200).json()["value"]["strategy"], "priority");
    let list = admin.get("/models").await.expect_status(200).json();
    assert_eq!(list["total"], 1);
    let schema = admin.get("/schema/model").await.expect_status(200).json();
    assert!(schema["properties"]["targets"].is_object());
    admin.delete(&format!("/models/{id}")).await.expect_status(200);
    admin.delete("/providers/a").await.expect_status(200);
}
