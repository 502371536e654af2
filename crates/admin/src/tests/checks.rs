//! What a resource must hold to be stored (compat §1.7).

use serde_json::{Value, json};

use super::support::{Admin, certificate};

async fn refuses(admin: &Admin, path: &str, body: Value, message: &str) {
    let answer = admin.put(path, body.clone()).await;
    assert_eq!(answer.json(), json!({"error_msg": message}), "{body}");
    assert_eq!(answer.status, 400);
}

/// Bulk validation finds this fault, too.
async fn finds(admin: &Admin, kind: &str, item: Value, message: &str) {
    let report = admin
        .post("configs/validate", json!({ kind: [item] }))
        .await
        .json();
    assert_eq!(report["errors"][0]["error"], message, "{report}");
}

#[tokio::test]
async fn routes() {
    let admin = Admin::start().await;
    let nothing_to_do = "object matches none of the required";
    for (body, message) in [
        (
            json!({"uri": "/", "host": "a", "hosts": ["a"]}),
            "only one of host or hosts is allowed",
        ),
        (
            json!({"uri": "/", "remote_addr": "1.1.1.1", "remote_addrs": ["1.1.1.1"]}),
            "only one of remote_addr or remote_addrs is allowed",
        ),
        (
            json!({"uri": "/", "plugins": {"nothing": {}}}),
            "unknown plugin [nothing]",
        ),
        (
            json!({"uri": "/", "plugins": {"cors": 1}}),
            "invalid plugin conf 1 for plugin [cors]",
        ),
        (
            json!({"uri": "/", "plugins": {"limit-count": {"count": 0}}}),
            "failed to check the configuration of plugin limit-count err: \
             property \"count\" validation failed: expected 0 to be greater than 0",
        ),
        (
            json!({"uri": "/", "plugins": {}, "vars": [["a", "=", "b"]]}),
            "failed to validate the 'vars' expression: invalid operator '='",
        ),
        (
            json!({"uri": "/", "upstream_id": "9"}),
            "failed to fetch upstream info by upstream id [9], response code: 404",
        ),
        (
            json!({"uri": "/", "service_id": 9}),
            "failed to fetch service info by service id [9], response code: 404",
        ),
        (
            json!({"uri": "/", "plugins": {}, "plugin_config_id": "9"}),
            "failed to fetch plugin config info by plugin config id [9], response code: 404",
        ),
        (
            json!({"uri": "/", "upstream": {"nodes": {"a:99999": 1}}}),
            "invalid port 99999",
        ),
        (
            json!({"uri": "/", "upstream": null}),
            "invalid configuration: property \"upstream\" validation failed: \
             wrong type: expected object, got userdata",
        ),
    ] {
        refuses(&admin, "routes/1", body, message).await;
    }
    let answer = admin.put("routes/1", json!({"uri": "/"})).await;
    assert!(answer.text.contains(nothing_to_do), "{answer:?}");
    let disabled = json!({"uri": "/", "plugins": {"limit-count": {"count": 0, "_meta": {"disable": true}}}});
    admin.has("routes/1", disabled).await;
    assert_eq!(admin.get("routes").await.json()["total"], 1);
}

#[tokio::test]
async fn the_order_of_the_checker() {
    let admin = Admin::start().await;
    let mut body = json!({
        "uri": "/", "host": "a", "hosts": ["b"], "priority": "x", "upstream": {"nodes": {"a:99999": 1}},
        "upstream_id": "1", "service_id": "2", "plugin_config_id": "3", "plugins": {"nothing": {}}, "vars": [1],
    });
    let wrong_priority = "invalid configuration: property \"priority\" validation failed: wrong type: expected integer, got string";
    for (message, fixed) in [
        ("only one of host or hosts is allowed", "hosts"),
        (wrong_priority, "priority"),
        ("invalid port 99999", "upstream"),
        (
            "failed to fetch upstream info by upstream id [1], response code: 404",
            "upstream_id",
        ),
        (
            "failed to fetch service info by service id [2], response code: 404",
            "service_id",
        ),
        (
            "failed to fetch plugin config info by plugin config id [3], response code: 404",
            "plugin_config_id",
        ),
    ] {
        refuses(&admin, "routes/1", body.clone(), message).await;
        body.as_object_mut().unwrap().remove(fixed);
    }
    refuses(&admin, "routes/1", body.clone(), "unknown plugin [nothing]").await;
    body["plugins"] = json!({});
    refuses(
        &admin,
        "routes/1",
        body,
        "failed to validate the 'vars' expression: rule should be wrapped inside brackets",
    )
    .await;
}

#[tokio::test]
async fn references_that_exist_are_fine() {
    let admin = Admin::start().await;
    admin.has("upstreams/1", json!({"nodes": {"a:1": 1}})).await;
    admin.has("services/2", json!({"upstream_id": 1})).await;
    admin.has("plugin_configs/3", json!({"plugins": {}})).await;
    let route = json!({"uri": "/", "upstream_id": 1, "service_id": "2", "plugin_config_id": 3});
    admin.has("routes/1", route.clone()).await;
    assert_eq!(admin.post("routes", route).await.status, 201);
    let message = "failed to fetch upstream info by upstream id [9], response code: 404";
    refuses(&admin, "services/3", json!({"upstream_id": 9}), message).await;
    admin
        .post("services", json!({"upstream_id": 9}))
        .await
        .refused(400, message);
}

#[tokio::test]
async fn forbidden_times() {
    let admin = Admin::start().await;
    for (body, place) in [
        (json!({"uri": "/", "create_time": 1}), "create_time"),
        (json!({"uri": "/", "update_time": 1}), "update_time"),
        (
            json!({"uri": "/", "upstream": {"create_time": 1}}),
            "upstream.create_time",
        ),
        (
            json!({"uri": "/", "plugins": {"update_time": {}}}),
            "plugins.update_time",
        ),
    ] {
        let message = format!("the property is forbidden:  {place}");
        refuses(&admin, "routes/1", body.clone(), &message).await;
        admin.post("routes", body).await.refused(400, &message);
    }
}

#[tokio::test]
async fn upstreams() {
    let admin = Admin::start().await;
    for (body, message) in [
        (
            json!({"nodes": [{"host": "::1", "port": 1, "weight": 1}]}),
            "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
        ),
        (json!({"type": "chash", "nodes": {"a:1": 1}}), "missing key"),
        (
            json!({"nodes": {"a:1": 1}, "pass_host": "rewrite"}),
            "`upstream_host` can't be empty when `pass_host` is `rewrite`",
        ),
        (
            json!({"nodes": {"a:1": 1}, "tls": {"client_cert_id": "9"}}),
            "failed to fetch ssl info by ssl id [9], response code: 404",
        ),
    ] {
        refuses(&admin, "upstreams/1", body, message).await;
    }
}

#[tokio::test]
async fn consumers_and_credentials() {
    let admin = Admin::start().await;
    let consumer = |plugins: Value| json!({"username": "jack", "plugins": plugins});
    refuses(
        &admin,
        "consumers",
        consumer(json!({"nothing": {}})),
        "invalid plugins configuration: unknown plugin [nothing]",
    )
    .await;
    refuses(
        &admin,
        "consumers",
        consumer(json!({"key-auth": {}})),
        "invalid plugins configuration: failed to check the configuration of plugin key-auth err: \
         property \"key\" is required",
    )
    .await;
    let group = "failed to fetch consumer group info by consumer group id [g], response code: 404";
    refuses(
        &admin,
        "consumers",
        json!({"username": "jack", "group_id": "g"}),
        group,
    )
    .await;
    let path = "consumers/jack/credentials/1";
    admin
        .put(path, json!({"plugins": {}}))
        .await
        .refused(404, "consumer not found");
    admin.has("consumers", json!({"username": "jack"})).await;
    let others = "only supports auth type plugins in consumer credential";
    refuses(&admin, path, json!({"plugins": {"cors": {}}}), others).await;
    admin
        .has(path, json!({"plugins": {"key-auth": {"key": "k"}}}))
        .await;
    assert_eq!(admin.get(path).await.value()["plugins"]["key-auth"]["key"], "k");
    refuses(
        &admin,
        "consumers",
        json!({}),
        "invalid configuration: property \"username\" is required",
    )
    .await;
}

#[tokio::test]
async fn a_key_has_one_owner() {
    let admin = Admin::start().await;
    let key_auth = |key: &str| json!({"plugins": {"key-auth": {"key": key}}});
    let consumer = |name: &str, plugins: Value| json!({"username": name, "plugins": plugins});
    let with_key = |name: &str, key: &str| consumer(name, json!({"key-auth": {"key": key}}));
    admin.has("consumers", with_key("bob", "b")).await;
    admin
        .has(
            "consumers",
            consumer("alex", json!({"basic-auth": {"username": "u", "password": "p"}})),
        )
        .await;
    admin
        .has("consumers/alex/credentials/cred-a", key_auth("a"))
        .await;

    let of_bob = "duplicate key of plugin key-auth found with consumer: bob";
    let of_alex = "duplicate key of plugin key-auth found with credential: cred-a of consumer: alex";
    refuses(&admin, "consumers", with_key("jack", "b"), of_bob).await;
    refuses(&admin, "consumers", with_key("jack", "a"), of_alex).await;
    let basic = consumer("jack", json!({"basic-auth": {"username": "u", "password": "q"}}));
    let message = "duplicate key of plugin basic-auth found with consumer: alex";
    refuses(&admin, "consumers", basic, message).await;
    refuses(
        &admin,
        "consumers/alex/credentials/cred-b",
        key_auth("a"),
        of_alex,
    )
    .await;
    refuses(&admin, "consumers/bob/credentials/cred-b", key_auth("b"), of_bob).await;

    // Its own key, and its credential's, may be a consumer's again; a secret reference may be anybody's.
    admin.has("consumers", with_key("bob", "b")).await;
    admin.has("consumers", with_key("alex", "a")).await;
    admin
        .has("consumers/alex/credentials/cred-a", key_auth("c"))
        .await;
    for name in ["x", "y"] {
        admin.has("consumers", with_key(name, "$env://KEY")).await;
    }
    // What was given up is free.
    admin.has("consumers", with_key("bob", "d")).await;
    admin.has("consumers", with_key("jack", "b")).await;
    admin.delete("consumers/jack").await;
    admin.has("consumers", with_key("bob", "b")).await;
}

#[tokio::test]
async fn a_plugin_stands_in_one_global_rule() {
    let admin = Admin::start().await;
    admin
        .has("global_rules/1", json!({"plugins": {"cors": {}}}))
        .await;
    admin
        .has("global_rules/1", json!({"plugins": {"cors": {}}}))
        .await;
    let message = "plugin 'cors' already exists in global rule with id '1'";
    let other = json!({"plugins": {"limit-count": {}, "cors": {}}});
    refuses(&admin, "global_rules/2", other.clone(), message).await;
    admin
        .has("global_rules/2", json!({"plugins": {"limit-count": {}}}))
        .await;
    admin
        .patch("global_rules/2", json!({"plugins": {"cors": {}}}))
        .await
        .refused(400, message);
    admin.delete("global_rules/1").await;
    admin.has("global_rules/2", other).await;
}

#[tokio::test]
async fn certificates() {
    let admin = Admin::start().await;
    let (cert, key) = certificate();
    let (_, other) = certificate();
    let ssl = json!({"sni": "a.b", "cert": cert, "key": key, "certs": [cert], "keys": [key, key]});
    refuses(&admin, "ssls/1", ssl, "mismatched number of certs and keys").await;
    let unfit = json!({"sni": "a.b", "cert": cert, "key": other});
    refuses(&admin, "ssls/1", unfit.clone(), "cert and key do not match").await;
    let no_cert = json!({"sni": "a.b", "cert": "c".repeat(128), "key": key});
    let text = "failed to parse cert: PEM_read_bio_X509_AUX() failed";
    refuses(&admin, "ssls/1", no_cert, text).await;
    let upstream = json!({"nodes": {"a:1": 1}, "tls": {"client_cert": cert, "client_key": other}});
    let text = "cert and key do not match";
    refuses(&admin, "upstreams/1", upstream.clone(), text).await;
    refuses(
        &admin,
        "routes/1",
        json!({"uri": "/", "upstream": upstream}),
        text,
    )
    .await;
    finds(&admin, "ssls", unfit, "cert and key do not match").await;
}

#[tokio::test]
async fn a_key_may_come_back_as_it_was_shown() {
    let admin = Admin::start().await;
    let (cert, key) = certificate();
    let ssl = |key: &Value| json!({"sni": "a.b", "cert": cert, "key": key});
    let shown = admin.has("ssls/1", ssl(&json!(key))).await.value()["key"].clone();
    assert_ne!(shown, json!(key));
    for () in [(), ()] {
        admin.has("ssls/1", ssl(&shown)).await;
        let stored = admin.store.get("/ssls/1").await.unwrap().unwrap();
        assert_eq!(stored.value["key"], json!(key));
    }
    let unknown = ssl(&json!("A".repeat(64)));
    refuses(
        &admin,
        "ssls/1",
        unknown,
        "failed to decrypt previous encrypted key",
    )
    .await;
}

#[tokio::test]
async fn metadata_may_say_what_a_plugin_misses() {
    let admin = Admin::start().await;
    let route = json!({"uri": "/", "plugins": {"file-logger": {}}});
    let text = "failed to check the configuration of plugin file-logger err: no path";
    refuses(&admin, "routes/1", route.clone(), text).await;
    finds(&admin, "routes", route.clone(), text).await;
    let consumer = json!({"username": "c", "plugins": {"file-logger": {}}});
    let prefixed = format!("invalid plugins configuration: {text}");
    refuses(&admin, "consumers", consumer, &prefixed).await;
    admin
        .has("plugin_metadata/file-logger", json!({"path": "/tmp/x"}))
        .await;
    admin.has("routes/1", route).await;
}

#[tokio::test]
async fn a_group_has_one_configuration() {
    let admin = Admin::start().await;
    let with = |count: u32| json!({"uri": "/", "plugins": {"limit-count": {"count": count, "group": "g"}}});
    admin.has("routes/1", with(1)).await;
    admin.has("routes/2", with(1)).await;
    let text = "failed to check the configuration of plugin limit-count err: group conf mismatched";
    refuses(&admin, "routes/3", with(2), text).await;
    admin.post("routes", with(2)).await.refused(400, text);
    refuses(&admin, "routes/1", with(2), text).await;
    admin.delete("routes/2").await;
    admin.has("routes/1", with(2)).await;
}
