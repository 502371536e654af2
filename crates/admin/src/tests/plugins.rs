//! Plugins and schemas (compat §1.8).

use serde_json::json;

use super::support::{Admin, catalogue};
use sluice_resource::PluginCatalogue;

#[tokio::test]
async fn the_list_goes_by_priority() {
    let admin = Admin::start().await;
    let names = json!([
        "cors",
        "basic-auth",
        "key-auth",
        "ai-proxy-multi",
        "ai-proxy",
        "limit-count",
        "traffic-split",
        "file-logger",
    ]);
    admin.get("plugins/list").await.is(200, names.clone());
    admin.get("plugins/list?subsystem=http").await.is(200, names);
    admin
        .get("plugins/list?subsystem=stream")
        .await
        .is(200, json!([]));
    admin
        .get("plugins/list?subsystem=x")
        .await
        .is_text(400, "invalid subsystem passed");
}

#[tokio::test]
async fn all_plugins_with_their_schemas() {
    let admin = Admin::start().await;
    let all = admin.get("plugins?all=true").await.json();
    assert_eq!(all.as_object().unwrap().len(), 8);
    let key_auth = &all["key-auth"];
    assert_eq!(
        (&key_auth["priority"], &key_auth["type"]),
        (&json!(2500), &json!("auth"))
    );
    assert_eq!(key_auth["consumer_schema"]["required"], json!(["key"]));
    assert!(key_auth["schema"]["properties"]["_meta"].is_object());
    assert_eq!(
        key_auth["schema"]["$comment"],
        "this is a mark for our injected plugin schema"
    );
    assert!(all["limit-count"]["metadata_schema"].is_object());
    assert_eq!(
        all["limit-count"]["schema"]["properties"]["rules"]["default"],
        json!({})
    );
    admin
        .get("plugins?all=true&subsystem=stream")
        .await
        .is(200, json!({}));
}

#[tokio::test]
async fn schemas_of_plugins() {
    let admin = Admin::start().await;
    let catalogue = catalogue();
    let key_auth = catalogue.get("key-auth").unwrap();
    for path in [
        "plugins/key-auth",
        "schema/plugins/key-auth",
        "plugins/key-auth?subsystem=http",
    ] {
        admin.get(path).await.is(200, key_auth.schema.source().clone());
    }
    let consumer = key_auth.consumer_schema.as_ref().unwrap().source().clone();
    admin
        .get("plugins/key-auth?schema_type=consumer")
        .await
        .is(200, consumer.clone());
    admin
        .get("schema/plugins/key-auth?schema_type=consumer")
        .await
        .is(200, consumer);
    admin
        .get("plugins/cors?schema_type=consumer")
        .await
        .refused(400, "not found schema");
    for path in [
        "plugins/nothing",
        "schema/plugins/nothing",
        "plugins",
        "plugins/list/",
    ] {
        admin
            .get(path)
            .await
            .refused(404, "plugin not found in subsystem http");
    }
    admin
        .get("plugins/cors?subsystem=stream")
        .await
        .refused(404, "plugin not found in subsystem stream");
    admin
        .get("plugins/cors?subsystem=x")
        .await
        .refused(400, "unsupported subsystem: x");
}

#[tokio::test]
async fn schemas_of_kinds() {
    let admin = Admin::start().await;
    for name in [
        "route",
        "service",
        "upstream",
        "consumer",
        "credential",
        "consumer_group",
        "plugin_config",
        "global_rule",
        "ssl",
        "proto",
        "stream_route",
        "plugins",
    ] {
        let answer = admin.get(&format!("schema/{name}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["type"]),
            (200, &json!("object")),
            "{name}"
        );
    }
    admin
        .get("schema/routes")
        .await
        .refused(400, "not found schema: routes");
    admin
        .get("schema/validate")
        .await
        .refused(400, "not found schema: validate");
}

#[tokio::test]
async fn values_are_checked_against_a_schema_alone() {
    let admin = Admin::start().await;
    let check = async |kind: &str, body| admin.post(&format!("schema/validate/{kind}"), body).await;
    let route = json!({"uri": "/", "upstream_id": "missing", "plugins": {"nothing": {}}});
    check("routes", route).await.is_text(200, "");
    check("consumers", json!({"username": "jack"}))
        .await
        .is_text(200, "");
    check("credentials", json!({"plugins": {}}))
        .await
        .is_text(200, "");
    check("stream_routes", json!({})).await.is_text(200, "");
    check("consumers", json!({}))
        .await
        .refused(400, "property \"username\" is required");
    check("routes", json!([1]))
        .await
        .refused(400, "wrong type: expected object, got table");
    check("nothing", json!({}))
        .await
        .refused(404, "Unsupported resource type: nothing");
    let nothing = admin.raw("POST", "schema/validate/routes", "").await;
    nothing.refused(400, "wrong type: expected object, got nil");
    let answer = admin.raw("POST", "schema/validate/routes", "{").await;
    assert!(
        answer.json()["error_msg"]
            .as_str()
            .unwrap()
            .starts_with("invalid request body: ")
    );
}

#[tokio::test]
async fn reloading_is_a_put() {
    let admin = Admin::start().await;
    admin.raw("PUT", "plugins/reload", "").await.is_text(200, "done");
    for method in ["GET", "POST", "DELETE", "PATCH"] {
        let message = format!("please use PUT method to reload the plugins, {method} method is not allowed.");
        admin
            .raw(method, "plugins/reload", "")
            .await
            .refused(405, &message);
    }
}
