//! Lists of models, per caller and in each dialect.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use super::{answered, caller, get, refused, with_providers};
use crate::support::{openai, put};

async fn registry(fake: &FakeProvider) -> Gateway {
    let gateway = with_providers(&[fake]).await;
    let metadata = json!({
        "display_name": "GPT-4o", "owned_by": "openai", "created": 1_700_000_000, "context_window": 128_000,
        "max_output_tokens": 16_384, "capabilities": ["chat", "tools"],
    });
    let target = json!([{ "provider": "a" }]);
    for (id, model) in [
        (
            "1",
            json!({ "name": "gpt-4o", "targets": target, "metadata": metadata }),
        ),
        ("2", json!({ "name": "claude", "targets": target })),
        (
            "3",
            json!({ "name": "secret", "targets": target, "metadata": { "hidden": true } }),
        ),
        (
            "4",
            json!({ "name": "or/*", "targets": target, "metadata": { "members": ["or/x", "or/y"] } }),
        ),
    ] {
        put(&gateway, &format!("/models/{id}"), model).await;
    }
    gateway
}

fn names(list: &Value, members: &str, name: &str) -> Vec<String> {
    let items = list[members].as_array().unwrap().iter();
    items
        .map(|item| item[name].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_caller_sees_what_it_may_use() {
    let fake = FakeProvider::start();
    let gateway = registry(&fake).await;
    let list = answered(get(&gateway, "/v1/models")).await;
    assert_eq!(names(&list, "data", "id"), ["claude", "gpt-4o", "or/x", "or/y"]);
    let conf = json!({ "allow": ["gpt-*", "or/x"], "aliases": { "best": "claude", "gone": "nobody" } });
    caller(&gateway, json!({ "ai-models": conf })).await;
    let list = answered(get(&gateway, "/v1/models")).await;
    assert_eq!(names(&list, "data", "id"), ["best", "gpt-4o", "or/x"]);
    assert!(fake.requests().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn one_model_is_shown_to_who_may_use_it() {
    let fake = FakeProvider::start();
    let gateway = registry(&fake).await;
    let model = answered(get(&gateway, "/v1/models/gpt-4o")).await;
    assert_eq!(
        model,
        json!({ "id": "gpt-4o", "object": "model", "created": 1_700_000_000, "owned_by": "openai" })
    );
    assert_eq!(
        answered(get(&gateway, "/v1/models/or/anything")).await["id"],
        "or/anything"
    );
    assert_eq!(answered(get(&gateway, "/v1/models/secret")).await["id"], "secret");
    assert_eq!(
        refused(get(&gateway, "/v1/models/nobody"), 404).await,
        "model_not_found"
    );
    caller(&gateway, json!({ "ai-models": { "allow": ["claude"] } })).await;
    assert_eq!(
        refused(get(&gateway, "/v1/models/gpt-4o"), 404).await,
        "model_not_found"
    );
}

#[tokio::test]
async fn anthropic_has_pages() {
    let fake = FakeProvider::start();
    let gateway = registry(&fake).await;
    let ask = |path: &str| get(&gateway, path).header("anthropic-version", "2023-06-01");
    let first = answered(ask("/v1/models?limit=2")).await;
    assert_eq!(names(&first, "data", "id"), ["claude", "gpt-4o"]);
    assert_eq!(
        (&first["has_more"], &first["first_id"], &first["last_id"]),
        (&json!(true), &json!("claude"), &json!("gpt-4o"))
    );
    let model = &first["data"][1];
    assert_eq!(
        *model,
        json!({
            "type": "model", "id": "gpt-4o", "display_name": "GPT-4o", "created_at": "2023-11-14T22:13:20Z",
            "max_input_tokens": 128_000, "max_tokens": 16_384,
        })
    );
    let rest = answered(ask("/v1/models?after_id=gpt-4o")).await;
    assert_eq!(names(&rest, "data", "id"), ["or/x", "or/y"]);
    assert_eq!(rest["has_more"], false);
    let before = answered(ask("/v1/models?before_id=or/y&limit=2")).await;
    assert_eq!(names(&before, "data", "id"), ["gpt-4o", "or/x"]);
    assert_eq!(answered(ask("/v1/models/gpt-4o")).await["type"], "model");
    let missing = ask("/v1/models/nobody").send().await.expect_status(404).await;
    assert_eq!(missing.json().await["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn gemini_has_pages_and_names_with_a_prefix() {
    let fake = FakeProvider::start();
    let gateway = registry(&fake).await;
    let first = answered(get(&gateway, "/v1beta/models?pageSize=3")).await;
    // Google's SDK lists under /v1, which other dialects have as well.
    let call = gateway.client().get("/v1/models?pageSize=3");
    assert_eq!(answered(call.header("x-goog-api-key", "sk-jack")).await, first);
    assert_eq!(
        names(&first, "models", "name"),
        ["models/claude", "models/gpt-4o", "models/or/x"]
    );
    assert_eq!(first["models"][1]["inputTokenLimit"], 128_000);
    let token = first["nextPageToken"].as_str().unwrap();
    let rest = answered(get(&gateway, &format!("/v1beta/models?pageToken={token}"))).await;
    assert_eq!(names(&rest, "models", "name"), ["models/or/y"]);
    assert!(rest.get("nextPageToken").is_none());
    let model = answered(get(&gateway, "/v1beta/models/gpt-4o")).await;
    assert_eq!(model["name"], "models/gpt-4o");
    let call = get(&gateway, "/v1beta/models/nobody").send().await;
    assert_eq!(
        call.expect_status(404).await.json().await["error"]["status"],
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn ollama_has_tags() {
    let fake = FakeProvider::start();
    let gateway = registry(&fake).await;
    let list = answered(get(&gateway, "/api/tags")).await;
    assert_eq!(
        names(&list, "models", "name"),
        ["claude", "gpt-4o", "or/x", "or/y"]
    );
    assert_eq!(list["models"][1]["modified_at"], "2023-11-14T22:13:20Z");
}

#[tokio::test]
async fn a_caller_with_a_provider_of_its_own_sees_that_providers_list() {
    let fake = FakeProvider::start();
    let gateway = registry(&fake).await;
    caller(&gateway, json!({ "ai-proxy": openai(&fake) })).await;
    let list = answered(get(&gateway, "/v1/models")).await;
    assert!(names(&list, "data", "id").contains(&"text-embedding-3-small".to_owned()));
    assert_eq!(fake.requests().len(), 1);
}
