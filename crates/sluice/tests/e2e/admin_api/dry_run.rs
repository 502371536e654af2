//! What holds its schema and can never be in force is refused when it is written, and changes nothing.

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{AdminAnswer, FakeProvider, Gateway, Reply};

use crate::support::{binary, gateway, node, put};

fn message(answer: AdminAnswer) -> String {
    let says = answer.expect_status(400).json();
    says["error_msg"].as_str().unwrap().to_owned()
}

fn route(plugin: &str, conf: &Value) -> Value {
    json!({ "uri": "/x", "plugins": { plugin: conf } })
}

/// Plugins whose schema lets these pass, and what is wrong with them.
fn unusable_plugins() -> Vec<(&'static str, Value, &'static str)> {
    let target = |endpoint: &str, key: &str| {
        json!({
            "provider": "openai", "auth": { "header": { "Authorization": key } },
            "override": { "endpoint": endpoint },
        })
    };
    let rag = json!({
        "embeddings_provider": { "azure_openai": { "endpoint": "nowhere", "api_key": "rag-secret" } },
        "vector_search_provider": { "azure_ai_search": { "endpoint": "http://a.test/", "api_key": "rag-secret" } },
    });
    let aws = json!({ "comprehend": {
        "access_key_id": "a", "secret_access_key": "aws-secret", "region": "us-east-1", "endpoint": "http://",
    } });
    let aliyun = json!({
        "endpoint": "nowhere", "region_id": "cn-shanghai", "access_key_id": "a", "access_key_secret": "aliyun-secret",
    });
    let no_host = json!({ "weighted_upstreams": [{ "upstream": { "type": "roundrobin", "nodes": { "no host:80": 1 } } }] });
    vec![
        (
            "ai-proxy",
            target("https://a..test", "Bearer upstream"),
            "a..test",
        ),
        ("ai-proxy", target("http://a.test", "two\nlines"), "header"),
        ("ai-rag", rag, "endpoint cannot be used"),
        ("ai-aws-content-moderation", aws, "endpoint cannot be used"),
        ("ai-aliyun-content-moderation", aliyun, "endpoint cannot be used"),
        ("ai-lakera-guard", json!({ "api_key": "two\nlines" }), "api_key"),
        (
            "ai-content-moderation",
            json!({ "endpoint": "https://", "headers": { "a": "b" } }),
            "endpoint cannot be used",
        ),
        (
            "forward-auth",
            json!({ "uri": "https://a..test" }),
            "endpoint cannot be used",
        ),
        (
            "echo",
            json!({ "body": "b", "headers": { "a\nb": "c" } }),
            "header",
        ),
        (
            "response-rewrite",
            json!({ "headers": { "set": { "two\nlines": "c" } } }),
            "header",
        ),
        (
            "traffic-split",
            json!({ "rules": [no_host] }),
            "`no host` is not a valid host",
        ),
    ]
}

#[tokio::test]
async fn plugins_that_cannot_run_are_refused_wherever_they_stand() {
    let gateway = gateway().await;
    let admin = gateway.admin();
    for (plugin, conf, fault) in unusable_plugins() {
        let says = format!("failed to check the configuration of plugin {plugin} err: ");
        let plugins = json!({ "plugins": { plugin: conf } });
        for path in [
            "/services/1",
            "/plugin_configs/1",
            "/global_rules/1",
            "/consumer_groups/1",
        ] {
            let found = message(admin.put(path, plugins.clone()).await);
            assert!(
                found.starts_with(&says) && found.contains(fault),
                "{path}: {found}"
            );
            admin.get(path).await.expect_status(404);
        }
        let found = message(admin.put("/routes/1", route(plugin, &conf)).await);
        assert!(found.starts_with(&says) && found.contains(fault), "{found}");
        let found = message(admin.post("/routes", route(plugin, &conf)).await);
        assert!(found.starts_with(&says), "{found}");
        let consumer = json!({ "username": "jack", "plugins": { plugin: conf } });
        let found = message(admin.put("/consumers", consumer).await);
        assert!(
            found.starts_with(&format!("invalid plugins configuration: {says}")),
            "{found}"
        );
        // What does not run need not be able to.
        let mut disabled = conf.clone();
        disabled["_meta"] = json!({ "disable": true });
        put(&gateway, "/routes/disabled", route(plugin, &disabled)).await;
    }
    let mut off = route("forward-auth", &json!({ "uri": "https://a..test" }));
    off["status"] = json!(0);
    put(&gateway, "/routes/off", off).await;
    let found = message(admin.patch("/routes/off", json!({ "status": 1 })).await);
    assert!(
        found.contains("plugin forward-auth err: endpoint cannot be used"),
        "{found}"
    );
    assert_eq!(admin.get("/routes").await.json()["total"], 2);
    assert_eq!(admin.get("/consumers").await.json()["total"], 0);
}

#[tokio::test]
async fn faults_of_upstreams_name_the_member() {
    let gateway = gateway().await;
    let admin = gateway.admin();
    let upstream = |members: Value| {
        let mut upstream = json!({ "type": "roundrobin", "nodes": { "127.0.0.1:1": 1 } });
        upstream
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        upstream
    };
    let weight = "property \"nodes\" validation failed: weight 4294967296 is none: weights are whole numbers up to \
                  4294967295";
    for (members, fault) in [
        (json!({ "nodes": { "127.0.0.1:1": 4_294_967_296_u64 } }), weight),
        (
            json!({ "nodes": [{ "host": "a.test", "port": 1, "weight": 4_294_967_296_u64 }] }),
            weight,
        ),
        (
            json!({ "nodes": [{ "host": "a.test", "port": 1, "weight": 1, "priority": 3_000_000_000_u64 }] }),
            "property \"nodes\" validation failed: priority 3000000000 is none: priorities are whole numbers of 32 bits",
        ),
        (
            json!({ "nodes": { "no host:80": 1 } }),
            "property \"nodes\" validation failed: `no host` is not a valid host",
        ),
        (
            json!({ "keepalive_pool": { "requests": 4_294_967_296_u64 } }),
            "property \"keepalive_pool\" validation failed: property \"requests\" validation failed: invalid value: \
             integer `4294967296`, expected u32",
        ),
    ] {
        let stands = |place: &str| format!("invalid configuration: {place}{fault}");
        let upstream = upstream(members);
        assert_eq!(
            message(admin.put("/upstreams/1", upstream.clone()).await),
            stands("")
        );
        assert_eq!(
            message(admin.post("/upstreams", upstream.clone()).await),
            stands("")
        );
        let inside = "property \"upstream\" validation failed: ";
        let service = json!({ "upstream": upstream });
        assert_eq!(message(admin.put("/services/1", service).await), stands(inside));
        let route = json!({ "uri": "/x", "upstream": upstream });
        assert_eq!(message(admin.put("/routes/1", route).await), stands(inside));
    }
    for kind in ["upstreams", "services", "routes"] {
        assert_eq!(admin.get(&format!("/{kind}")).await.json()["total"], 0, "{kind}");
    }
    let consumer = json!({ "username": "jack", "labels": { "custom_id": "a\u{1}b" } });
    assert_eq!(
        message(admin.put("/consumers", consumer).await),
        "invalid configuration: labels.custom_id \"a\\u{1}b\" cannot be sent as a header"
    );
    let own = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    let ssl = json!({
        "sni": "a.test", "cert": own.cert.pem(), "key": own.signing_key.serialize_pem(),
        "ssl_protocols": ["TLSv1.1"],
    });
    assert_eq!(
        message(admin.put("/ssls/1", ssl).await),
        "invalid configuration: ssl_protocols: only TLSv1.2 and TLSv1.3 are spoken"
    );
    let metadata = json!({ "collector": { "address": "no host" } });
    let found = message(admin.put("/plugin_metadata/opentelemetry", metadata).await);
    assert!(
        found.starts_with(
            "failed to check the configuration of plugin opentelemetry err: collector.address cannot be used"
        ),
        "{found}"
    );
}

#[tokio::test]
async fn a_refused_change_leaves_what_was() {
    let provider = FakeProvider::start();
    provider.always(Reply::body(200, "text/plain", "ok"));
    let gateway = gateway().await;
    let admin = gateway.admin();
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/x", "upstream": node(provider.addr()) }),
    )
    .await;
    let stored = admin.get("/routes/1").await.json();
    let bad = json!({ "nodes": { "no host:80": 1 } });
    for answer in [
        admin.patch("/routes/1", json!({ "upstream": bad })).await,
        admin.patch("/routes/1/upstream", bad.clone()).await,
        admin
            .put("/routes/1", json!({ "uri": "/x", "upstream": bad }))
            .await,
    ] {
        assert!(message(answer).contains("`no host` is not a valid host"));
        assert_eq!(admin.get("/routes/1").await.json(), stored);
        let answer = gateway.client().get("/x").send().await;
        answer.expect_status(200).await.bytes().await;
    }
    let status = admin.client().get("/status").send().await.json().await;
    assert_eq!(status["problems"], json!([]), "{status}");
}

#[tokio::test]
async fn what_refers_to_secrets_that_are_not_there_is_accepted() {
    let gateway = Gateway::builder(binary())
        .env("BAD_ENDPOINT", "nowhere-with-a-secret")
        .start()
        .await;
    let with = |uri: &str| route("forward-auth", &json!({ "uri": uri }));
    put(&gateway, "/routes/1", with("$env://NOT_SET")).await;
    put(&gateway, "/routes/1", with("$secret://vault/1/path/field")).await;
    let answer = gateway
        .admin()
        .put("/routes/1", with("$env://BAD_ENDPOINT"))
        .await;
    let found = message(answer);
    assert!(
        found.contains("plugin forward-auth err: endpoint cannot be used"),
        "{found}"
    );
    assert!(!found.contains("nowhere-with-a-secret"), "{found}");
}

#[tokio::test]
async fn whole_configurations_are_compiled_too() {
    let gateway = Gateway::builder(binary())
        .file("config.yaml", "admin: {standalone: true}\n")
        .start()
        .await;
    let admin = gateway.admin();
    let bad = json!({
        "upstreams": [{ "id": "u", "type": "roundrobin", "nodes": { "no host:80": 1 } }],
        "routes": [
            { "id": "fine", "uri": "/a", "plugins": {} },
            { "id": "rag", "uri": "/b", "plugins": { "echo": { "body": "b", "headers": { "a\nb": "c" } } } },
        ],
    });
    let says = admin
        .call(Method::POST, "/configs/validate", Some(bad.clone()))
        .await
        .expect_status(400)
        .json();
    let errors = says["errors"].as_array().unwrap();
    let found: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["resource_type"].as_str().unwrap(),
                error["resource_id"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, [("routes", "rag"), ("upstreams", "u")], "{says}");
    let write = admin.client().call(Method::PUT, "/apisix/admin/configs");
    let refused = write.header("x-digest", "one").json(&bad).send().await;
    let refused = refused.expect_status(400).await.json().await;
    assert!(
        refused["error_msg"].as_str().unwrap().contains("plugin echo"),
        "{refused}"
    );
    assert_eq!(admin.get("/configs").await.json()["routes_conf_version"], 0);
}
