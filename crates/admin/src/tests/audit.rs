//! The audit log (DESIGN §8).

use serde_json::{Value, json};

use super::support::{Admin, Answer, KEY, VIEWER};

async fn events(admin: &Admin, query: &str, key: &str) -> Answer {
    let uri = format!("/api/gateway/events{query}");
    admin.bare("GET", &uri, &[("x-api-key", key)]).await
}

async fn latest(admin: &Admin) -> Value {
    events(admin, "?limit=1", KEY).await.json()["events"][0].clone()
}

#[tokio::test]
async fn every_change_says_who_and_what() {
    let admin = Admin::start().await;
    admin
        .has("upstreams/1", json!({"nodes": {"a:1": 1}, "retries": 1}))
        .await;
    let created = latest(&admin).await;
    assert_eq!(created["caller"], "configured key admin");
    assert_eq!(
        (&created["peer"], &created["action"]),
        (&json!("127.0.0.1"), &json!("PUT"))
    );
    assert_eq!(created["key"], "/upstreams/1");
    assert!(created["at"].as_u64().unwrap() > 1_700_000_000_000 && created["revision"].is_u64());
    assert_eq!(created["changes"][0]["path"], "");
    assert_eq!(created["changes"][0]["to"]["nodes"], json!({"a:1": 1}));
    admin
        .patch("upstreams/1", json!({"retries": 2, "nodes": {"b:1": 1}}))
        .await;
    let patched = latest(&admin).await;
    assert_eq!(
        (&patched["action"], &patched["changes"]),
        (
            &json!("PATCH"),
            &json!([{"path": "/nodes/b:1", "to": 1}, {"path": "/retries", "from": 1, "to": 2}])
        )
    );
    admin.post("upstreams", json!({"nodes": {"c:1": 1}})).await;
    assert_eq!(latest(&admin).await["action"], "POST");
    admin.delete("upstreams/1").await;
    let deleted = latest(&admin).await;
    assert_eq!(
        (&deleted["action"], &deleted["key"]),
        (&json!("DELETE"), &json!("/upstreams/1"))
    );
    assert_eq!(deleted["changes"][0]["from"]["retries"], 2);
}

#[tokio::test]
async fn what_was_refused_is_no_change() {
    let admin = Admin::start().await;
    admin.put("routes/1", json!({"uri": 1})).await;
    admin.delete("routes/1").await;
    admin.get("routes").await;
    events(&admin, "", KEY)
        .await
        .is(200, json!({"events": [], "next_before": null}));
}

#[tokio::test]
async fn secrets_stay_out_and_yet_their_change_is_seen() {
    let admin = Admin::start().await;
    let consumer = |key: &str| json!({"username": "jack", "plugins": {"key-auth": {"key": key}}});
    admin.has("consumers", consumer("canary-one")).await;
    admin.has("consumers", consumer("canary-two")).await;
    assert_eq!(
        latest(&admin).await["changes"],
        json!([{"path": "/plugins/key-auth/key", "from": "***", "to": "*** (changed)"}])
    );
    admin.has("consumers", consumer("canary-two")).await;
    assert_eq!(latest(&admin).await["changes"], json!([]));
    let credential = json!({"plugins": {"key-auth": {"key": "canary-three"}}});
    admin.has("consumers/jack/credentials/c", credential).await;
    let header = |key: &str| {
        json!({"uri": "/", "plugins": {
            "ai-proxy": {"auth": {"header": {"Authorization": key}}, "provider": "openai"},
            "cors": {"nested": [{"api_key": key, "name": "shown"}]},
        }})
    };
    admin.has("routes/1", header("canary-four")).await;
    let created = latest(&admin).await["changes"][0]["to"].clone();
    assert_eq!(
        created["plugins"]["cors"]["nested"][0],
        json!({"api_key": "***", "name": "shown"})
    );
    assert_eq!(created["plugins"]["ai-proxy"]["provider"], "openai");
    admin.has("routes/1", header("canary-five")).await;
    assert_eq!(
        latest(&admin).await["changes"],
        json!([
            {"path": "/plugins/ai-proxy/auth/header/Authorization", "from": "***", "to": "*** (changed)"},
            {"path": "/plugins/cors/nested/0/api_key", "from": "***", "to": "*** (changed)"},
        ])
    );
    admin.delete("consumers/jack").await;
    let all = events(&admin, "", KEY).await;
    assert_eq!(all.json()["events"][1]["key"], "/consumers/jack/credentials/c");
    assert!(!all.text.contains("canary"), "{}", all.text);
}

#[tokio::test]
async fn it_is_for_admins_and_comes_in_pages() {
    let admin = Admin::start().await;
    for id in 1..=3 {
        admin.has(&format!("protos/{id}"), json!({"content": "x"})).await;
    }
    let page = events(&admin, "?limit=2", KEY).await.json();
    assert_eq!(page["events"][0]["key"], "/protos/3");
    let rest = events(&admin, &format!("?limit=2&before={}", page["next_before"]), KEY).await;
    let rest = rest.json();
    assert_eq!(
        (rest["events"].as_array().unwrap().len(), &rest["next_before"]),
        (1, &Value::Null)
    );
    events(&admin, "?limit=x", KEY)
        .await
        .is_text(400, "before and limit must be whole numbers");
    events(&admin, "", VIEWER)
        .await
        .refused(403, "the audit log is for admins");
    assert_eq!(events(&admin, "", "wrong").await.status, 401);
    let post = admin
        .bare("POST", "/api/gateway/events", &[("x-api-key", KEY)])
        .await;
    post.is_page(404);
}
