//! Conversations that only one target can go on with.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use super::{answered, caller, counts, model, post, refused, with_providers};
use crate::support::{put, stream_to_end};

fn turn(previous: Option<&str>) -> Value {
    let mut body = json!({ "model": "m", "input": "conf:hello" });
    if let Some(previous) = previous {
        body["previous_response_id"] = json!(previous);
    }
    body
}

async fn respond(gateway: &Gateway, body: &Value) -> String {
    let answer = answered(post(gateway, "/v1/responses", body)).await;
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_conversation_goes_back_to_who_began_it() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({})).await;
    let id = respond(&gateway, &turn(None)).await;
    let home = usize::from(counts([&a, &b])[1] == 1);
    for _ in 0..3 {
        respond(&gateway, &turn(Some(&id))).await;
    }
    assert_eq!(counts([&a, &b])[home], 4);
}

#[tokio::test]
async fn a_stream_is_remembered_too() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({})).await;
    let mut body = turn(None);
    body["stream"] = json!(true);
    let finished = stream_to_end(post(&gateway, "/v1/responses", &body)).await;
    let created: Value = serde_json::from_str(finished.data()[0]).unwrap();
    let id = created["response"]["id"].as_str().unwrap();
    let home = usize::from(counts([&a, &b])[1] == 1);
    for _ in 0..3 {
        respond(&gateway, &turn(Some(id))).await;
    }
    assert_eq!(counts([&a, &b])[home], 4);
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_says_so() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({})).await;
    let unknown = post(&gateway, "/v1/responses", &turn(Some("resp_unknown")));
    assert_eq!(refused(unknown, 400).await, "previous_response_not_found");
    assert_eq!(counts([&a, &b]), [0, 0]);

    let id = respond(&gateway, &turn(None)).await;
    let home = if counts([&a, &b])[0] == 1 { "a" } else { "b" };
    let other = if home == "a" { "b" } else { "a" };
    model(
        &gateway,
        &[other, "c"],
        json!({ "targets": [
        { "name": other, "provider": other }, { "name": "again", "provider": other, "model": "x" },
    ] }),
    )
    .await;
    let gone = post(&gateway, "/v1/responses", &turn(Some(&id)));
    assert_eq!(refused(gone, 409).await, "previous_response_unavailable");
}

#[tokio::test]
async fn callers_do_not_meet() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    model(&gateway, &["a", "b"], json!({})).await;
    let id = respond(&gateway, &turn(None)).await;
    let jill = json!({ "username": "jill", "plugins": { "key-auth": { "key": "sk-jill" } } });
    put(&gateway, "/consumers", jill).await;
    let call = gateway.client().post("/v1/responses").json(&turn(Some(&id)));
    let call = call.header("authorization", "Bearer sk-jill");
    assert_eq!(refused(call, 400).await, "previous_response_not_found");
    caller(&gateway, json!({})).await;
    respond(&gateway, &turn(Some(&id))).await;
}

#[tokio::test]
async fn a_conversation_that_the_gateway_keeps_goes_to_any_target_that_is_told_all_of_it() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[]).await;
    for (id, fake) in [("a", &a), ("b", &b)] {
        let provider = json!({ "type": "anthropic", "base_url": fake.url("") });
        put(&gateway, &format!("/providers/{id}"), provider).await;
    }
    model(&gateway, &["a", "b"], json!({})).await;
    let id = respond(&gateway, &turn(None)).await;
    respond(&gateway, &turn(Some(&id))).await;
    assert_eq!(counts([&a, &b]), [1, 1], "weights share the turns");
    let told = b.last_request().json();
    assert_eq!(told["messages"].as_array().unwrap().len(), 3);
}
