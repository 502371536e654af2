//! DELETE (compat §1.4, §1.7).

use serde_json::{Value, json};

use super::support::Admin;

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let admin = Admin::start().await;
    admin.has("routes/1", json!({"uri": "/", "plugins": {}})).await;
    admin
        .delete("routes/1")
        .await
        .is(200, json!({"key": "/apisix/routes/1", "deleted": "1"}));
    admin
        .delete("routes/1")
        .await
        .is(404, json!({"message": "Key not found"}));
    assert_eq!(admin.get("routes/1").await.status, 404);
    admin.delete("routes").await.refused(400, "missing route id");
    admin
        .delete("consumers/jack/credentials")
        .await
        .refused(400, "missing credential id");
    admin.delete("secrets/vault").await.refused(400, "no secret id");
}

#[tokio::test]
async fn what_is_in_use_stays_unless_forced() {
    let admin = Admin::start().await;
    let users: [(&str, Value, &str, Value, &str); 7] = [
        (
            "services/1",
            json!({}),
            "routes/r",
            json!({"uri": "/", "service_id": 1}),
            "can not delete this service directly, route [r] is still using it now",
        ),
        (
            "upstreams/1",
            json!({"nodes": {"a:1": 1}}),
            "routes/r",
            json!({"uri": "/", "upstream_id": "1"}),
            "can not delete this upstream, route [r] is still using it now",
        ),
        (
            "upstreams/1",
            json!({"nodes": {"a:1": 1}}),
            "services/s",
            json!({"upstream_id": "1"}),
            "can not delete this upstream, service [s] is still using it now",
        ),
        (
            "upstreams/1",
            json!({"nodes": {"a:1": 1}}),
            "consumers/jack",
            json!({"username": "jack", "plugins": {
                "traffic-split": {"rules": [{"weighted_upstreams": [{"upstream_id": "1"}]}]},
            }}),
            "can not delete this upstream, plugin in consumer [jack] is still using it now",
        ),
        (
            "upstreams/1",
            json!({"nodes": {"a:1": 1}}),
            "global_rules/g",
            json!({"plugins": {"traffic-split": {"rules": [{"weighted_upstreams": [{"upstream_id": 1}]}]}}}),
            "can not delete this upstream, plugin in global_rules [g] is still using it now",
        ),
        (
            "plugin_configs/1",
            json!({"plugins": {}}),
            "routes/r",
            json!({"uri": "/", "plugin_config_id": "1", "plugins": {}}),
            "can not delete this plugin config, route [r] is still using it now",
        ),
        (
            "consumer_groups/1",
            json!({"plugins": {}}),
            "consumers/jack",
            json!({"username": "jack", "group_id": "1"}),
            "can not delete this consumer group, consumer [jack] is still using it now",
        ),
    ];
    for (used, body, user, using, message) in users {
        admin.has(used, body.clone()).await;
        admin.has(user, using).await;
        admin.delete(used).await.refused(400, message);
        for almost in ["force=1", "force=TRUE", "force", "force="] {
            admin
                .delete(&format!("{used}?{almost}"))
                .await
                .refused(400, message);
        }
        assert_eq!(admin.delete(&format!("{used}?force=true")).await.status, 200);
        admin.has(used, body).await;
        assert_eq!(admin.delete(user).await.status, 200);
        assert_eq!(admin.delete(used).await.status, 200);
    }
}

#[tokio::test]
async fn the_check_comes_before_the_look_whether_it_exists() {
    let admin = Admin::start().await;
    admin.has("services/1", json!({})).await;
    admin.has("routes/r", json!({"uri": "/", "service_id": 1})).await;
    assert_eq!(admin.delete("services/1?force=true").await.status, 200);
    let message = "can not delete this service directly, route [r] is still using it now";
    admin.delete("services/1").await.refused(400, message);
}

#[tokio::test]
async fn a_consumer_goes_with_its_credentials() {
    let admin = Admin::start().await;
    for name in ["jack", "jackie"] {
        admin.has("consumers", json!({"username": name})).await;
        for id in ["a", "b"] {
            let body = json!({"plugins": {"key-auth": {"key": format!("{name}-{id}")}}});
            admin
                .has(&format!("consumers/{name}/credentials/{id}"), body)
                .await;
        }
    }
    admin
        .delete("consumers/jack")
        .await
        .is(200, json!({"key": "/apisix/consumers/jack", "deleted": "1"}));
    assert_eq!(admin.get("consumers/jack/credentials").await.status, 404);
    assert_eq!(admin.get("consumers/jack/credentials/a").await.status, 404);
    assert_eq!(admin.get("consumers/jackie/credentials").await.json()["total"], 2);

    let answer = admin.delete("consumers/jackie/credentials/a").await;
    answer.is(
        200,
        json!({"key": "/apisix/consumers/jackie/credentials/a", "deleted": "1"}),
    );
    assert_eq!(admin.get("consumers/jackie/credentials").await.json()["total"], 1);
}

#[tokio::test]
async fn more_than_is_there_deletes_nothing() {
    let admin = Admin::start().await;
    admin.has("consumers", json!({"username": "jack"})).await;
    for path in [
        "consumers/jack/credential/1",
        "consumers/jack/credentials/1/2",
        "consumers/jack/x",
    ] {
        admin
            .delete(path)
            .await
            .is(404, json!({"message": "Key not found"}));
    }
    assert_eq!(admin.get("consumers/jack").await.status, 200);
}
