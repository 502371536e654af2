//! Collections (compat §1.4, §1.5).

use serde_json::{Value, json};

use super::support::{Admin, Answer};

#[track_caller]
fn ids(answer: &Answer) -> Vec<String> {
    let list = answer.json()["list"].as_array().unwrap().clone();
    list.iter()
        .map(|item| item["value"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn collections_without_anything() {
    let admin = Admin::start().await;
    for path in [
        "routes",
        "services/",
        "upstreams",
        "consumers",
        "consumer_groups",
        "plugin_configs",
        "global_rules",
        "plugin_metadata",
        "ssls",
        "secrets",
        "secrets/vault",
        "protos",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.text.trim(), r#"{"list":[],"total":0}"#, "{path}");
    }
    for path in ["consumers/nobody/credentials", "consumers/nobody/credentials/"] {
        admin.get(path).await.is(404, json!({"message": "Key not found"}));
    }
    admin.has("consumers", json!({"username": "jack"})).await;
    assert_eq!(admin.get("consumers/jack/credentials").await.status, 404);
}

#[tokio::test]
async fn items_stand_in_the_order_of_creation() {
    let admin = Admin::start().await;
    for id in ["b", "a", "c", "b"] {
        admin
            .has(&format!("routes/{id}"), json!({"uri": "/", "plugins": {}}))
            .await;
    }
    let answer = admin.get("routes").await;
    assert_eq!(ids(&answer), ["b", "a", "c"]);
    assert_eq!(answer.json()["total"], 3);
    assert_eq!(answer.json()["list"][0], admin.get("routes/b").await.json());
}

#[tokio::test]
async fn collections_hold_their_own_kind_only() {
    let admin = Admin::start().await;
    admin.has("consumers", json!({"username": "jack"})).await;
    admin.has("consumers", json!({"username": "jackie"})).await;
    admin
        .has("consumers/jack/credentials/1", json!({"plugins": {}}))
        .await;
    admin
        .has("consumers/jackie/credentials/2", json!({"plugins": {}}))
        .await;
    assert_eq!(admin.get("consumers").await.json()["total"], 2);
    assert_eq!(ids(&admin.get("consumers/jack/credentials").await), ["1"]);
    let vault = json!({"uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "t"});
    let aws = json!({"access_key_id": "a", "secret_access_key": "b"});
    admin.has("secrets/vault/1", vault).await;
    admin.has("secrets/aws/1", aws).await;
    assert_eq!(ids(&admin.get("secrets").await), ["vault/1", "aws/1"]);
    assert_eq!(ids(&admin.get("secrets/aws").await), ["aws/1"]);
    // What other programs may have put there.
    admin
        .store
        .put("/services/1/graphql_cost_decorations/1", json!({}), None)
        .await
        .unwrap();
    assert_eq!(admin.get("services").await.json()["total"], 0);
}

#[tokio::test]
async fn pages() {
    let admin = Admin::start().await;
    for number in 0..25 {
        admin
            .has(&format!("routes/{number}"), json!({"uri": "/", "plugins": {}}))
            .await;
    }
    let page = async |query: &str| admin.get(&format!("routes?{query}")).await;
    let last = page("page=3&page_size=10").await;
    assert_eq!(ids(&last), ["20", "21", "22", "23", "24"]);
    assert_eq!(last.json()["total"], 25);
    assert_eq!(ids(&page("page=0&page_size=10").await).len(), 10);
    for past in ["page=4&page_size=10", "page=1e300&page_size=500"] {
        assert_eq!(
            page(past).await.json(),
            json!({"list": {}, "total": 25}),
            "{past}"
        );
    }
    for incomplete in [
        "page=2",
        "page_size=10",
        "page=x&page_size=10",
        "page=1&page_size=",
    ] {
        assert_eq!(ids(&page(incomplete).await).len(), 25, "{incomplete}");
    }
    for size in ["9", "501", "-10"] {
        let answer = page(&format!("page=1&page_size={size}")).await;
        answer.is_text(400, "page_size must be between 10 and 500");
    }
}

#[tokio::test]
async fn filters_add_up_before_pages_are_cut() {
    let admin = Admin::start().await;
    admin.has("services/1", json!({})).await;
    let routes: [(&str, Value); 3] = [
        (
            "a",
            json!({"uri": "/users", "name": "users", "labels": {"env": "x"}, "service_id": "1"}),
        ),
        (
            "b",
            json!({"uris": ["/orders", "/users/old"], "name": "old users", "service_id": "1"}),
        ),
        (
            "c",
            json!({"uri": "/orders", "name": "orders", "labels": {"env": "y"}, "plugins": {}}),
        ),
    ];
    for (id, route) in routes {
        admin.has(&format!("routes/{id}"), route).await;
    }
    for (query, expected) in [
        ("name=users", &["a", "b"][..]),
        ("name=^users", &["a"]),
        ("label=env", &["a", "c"]),
        ("uri=/users", &["a", "b"]),
        ("uri=/users&name=old", &["b"]),
        ("filter=service_id%3D1", &["a", "b"]),
        ("filter=service_id%3D1&label=env", &["a"]),
        ("filter=service_id%3D2", &[]),
        ("filter=other%3D2", &["a", "b", "c"]),
        ("name=(", &[]),
    ] {
        let answer = admin.get(&format!("routes?{query}")).await;
        assert_eq!(ids(&answer), expected, "{query}");
        assert_eq!(answer.json()["total"], expected.len(), "{query}");
    }
    let answer = admin.get("routes?name=users&page=2&page_size=10").await;
    assert_eq!(answer.json(), json!({"list": {}, "total": 2}));
}
