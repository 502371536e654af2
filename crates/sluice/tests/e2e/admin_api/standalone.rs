//! API-driven standalone mode (compat §1.8).

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Admin, Answer, FakeProvider, Gateway, Reply};

use crate::process::serve;
use crate::support::{binary, node};

async fn write(admin: &Admin, digest: &str, config: &Value) -> Answer {
    let call = admin.client().call(Method::PUT, "/apisix/admin/configs");
    call.header("x-digest", digest).json(config).send().await
}

#[tokio::test]
async fn a_whole_configuration_comes_in_force_and_survives_a_restart() {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    let mut gateway = Gateway::builder(binary())
        .file("config.yaml", "admin: {standalone: true}\n")
        .start()
        .await;
    let admin = gateway.admin();
    admin.get("/routes").await.expect_status(404);
    let before = admin.get("/configs").await.expect_status(200);
    assert_eq!(
        (
            before.json()["routes_conf_version"].clone(),
            before.headers.get("x-digest")
        ),
        (json!(0), None)
    );

    let route =
        |uri: &str| json!({ "id": "r", "uri": uri, "upstream_id": "u", "plugins": { "key-auth": {} } });
    let config = |uri: &str| {
        json!({
            "routes": [route(uri)],
            "upstreams": [{ "id": "u", "type": "roundrobin", "nodes": node(provider.addr())["nodes"] }],
            "consumers": [
                { "username": "jack" },
                { "id": "jack/credentials/c1", "plugins": { "key-auth": { "key": "jacks-key" } } },
            ],
        })
    };
    let accepted = write(&admin, "one", &config("/a")).await.expect_status(202).await;
    assert_eq!(accepted.header("x-digest"), Some("one"));
    assert!(accepted.header("x-last-modified").is_some());
    let ask = async |gateway: &Gateway, uri: &str| {
        let call = gateway.client().get(uri).header("apikey", "jacks-key");
        call.send().await.status.as_u16()
    };
    assert_eq!((ask(&gateway, "/a").await, ask(&gateway, "/b").await), (200, 404));
    write(&admin, "one", &config("/b")).await.expect_status(204).await;
    write(&admin, "two", &config("/b")).await.expect_status(202).await;
    assert_eq!((ask(&gateway, "/a").await, ask(&gateway, "/b").await), (404, 200));

    let refused = write(&admin, "three", &json!({ "routes": [{ "id": "r" }] })).await;
    let refused = refused.expect_status(400).await.json().await;
    assert!(
        refused["error_msg"]
            .as_str()
            .unwrap()
            .starts_with("invalid configuration: "),
        "{refused}"
    );
    assert_eq!(ask(&gateway, "/b").await, 200, "nothing has changed");

    gateway.restart().await;
    assert_eq!(ask(&gateway, "/b").await, 200);
    let head = gateway
        .admin()
        .call(Method::HEAD, "/configs", None)
        .await
        .expect_status(200);
    assert_eq!(head.headers["x-digest"], "two");
    let shown = gateway.admin().get("/configs").await.json();
    assert_eq!(shown["routes"], json!([route("/b")]));
    assert_eq!(shown["consumers"][1]["id"], "jack/credentials/c1");
    assert_eq!(shown["routes_conf_version"], 2);
}

#[tokio::test]
async fn a_writer_without_digest_or_key_is_refused() {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_ADMIN_STANDALONE", "true")
        .start()
        .await;
    let missing = gateway
        .admin()
        .put("/configs", json!({}))
        .await
        .expect_status(400);
    assert_eq!(missing.json(), json!({ "error_msg": "missing digest header" }));
    let nobody = Admin::new(gateway.admin_addr(), "wrong");
    nobody.get("/configs").await.expect_status(401);
}

#[tokio::test]
async fn apisix_config_without_etcd_but_with_admin_means_standalone() {
    let dir = tempfile::tempdir().unwrap();
    let conf = "apisix: {ssl: {enable: false}}\nplugin_attr: {prometheus: {enable_export_server: false}}\ndeployment:\n  role: traditional\n  role_traditional: {config_provider: yaml}\n  admin:\n    \
                admin_key: [{name: a, key: secret, role: admin}]\n";
    std::fs::write(dir.path().join("apisix.yaml"), conf).unwrap();
    let serving = serve(dir.path(), ["--apisix-config", "apisix.yaml"])
        .serving()
        .await;
    let admin = Admin::new(serving.addr("admin"), "secret");
    admin.get("/routes").await.expect_status(404);
    write(&admin, "1", &json!({ "protos": [{ "id": "p", "content": "x" }] }))
        .await
        .expect_status(202)
        .await;
    assert_eq!(admin.get("/configs").await.json()["protos"][0]["id"], "p");
    serving.stop().await;
}
