//! `--apisix-config`: APISIX's own `conf/config.yaml`.

use std::path::Path;

use serde_json::json;
use sluice_testkit::{Admin, Client, FakeProvider, eventually};

use super::folder;
use crate::process::{Serving, sluice};

/// A file as people have it, but for the ports.
const FILE: &str = r#"
apisix:
  node_listen:
    - ip: 127.0.0.1
      port: 0
    - ip: 127.0.0.1
      port: 0
      enable_http2: true
  enable_ipv6: false
  ssl:
    enable: false
  enable_control: true
  control:
    ip: 127.0.0.1
    port: 0
  status:
    port: 0
  router:
    http: radixtree_uri_with_parameter
    ssl: radixtree_sni
  delete_uri_tail_slash: true
  enable_server_tokens: false
  show_upstream_status_in_response_header: true
  proxy_cache:
    cache_ttl: 10s
  data_encryption:
    enable_encrypt_fields: true
    keyring: [0123456789abcdef, qeddd145sfvddff3, short]
deployment:
  role: traditional
  role_traditional:
    config_provider: etcd
  admin:
    admin_key_required: true
    enable_admin_cors: false
    allow_admin: [127.0.0.0/24]
    admin_listen: { ip: 127.0.0.1, port: 0 }
    admin_key:
      - { name: admin, key: key-of-the-admin, role: admin }
      - { name: viewer, key: key-of-the-viewer, role: viewer }
  etcd:
    host: ["http://127.0.0.1:2379"]
    prefix: /apisix
    timeout: 30
nginx_config:
  error_log_level: warn
  worker_processes: 1
  worker_shutdown_timeout: 240s
  http:
    access_log: access.log
    access_log_format: '$remote_addr "$request" $status $consumer_name $llm_model'
    access_log_format_escape: default
    client_max_body_size: 1k
    client_header_timeout: 60s
    keepalive_timeout: 60s
plugins: [key-auth, ai-proxy, prometheus, limit-count, skywalking]
plugin_attr:
  prometheus:
    metric_prefix: gw_
    export_addr: { ip: 127.0.0.1, port: 0 }
    export_uri: /metrics/of/this
    default_buckets: [15, 55]
    refresh_interval: 15
  skywalking:
    service_name: APISIX
"#;

async fn start(dir: &Path, file: &str) -> Serving {
    std::fs::write(dir.join("apisix.yaml"), file).unwrap();
    sluice(dir, ["serve", "--apisix-config", "apisix.yaml"])
        .serving()
        .await
}

#[tokio::test]
async fn what_has_no_counterpart_is_a_warning_that_names_it() {
    let dir = folder();
    let serving = start(dir.path(), FILE).await;
    let stderr = serving.stderr();
    let warned = |text: &str| {
        stderr
            .lines()
            .any(|line| line.contains("WARN") && line.contains(text))
    };
    let without_counterpart = [
        "apisix.router.ssl",
        "apisix.proxy_cache.cache_ttl",
        "deployment.role_traditional.config_provider",
        "deployment.etcd.host",
        "deployment.etcd.prefix",
        "deployment.etcd.timeout",
        "nginx_config.http.keepalive_timeout",
        "plugin_attr.prometheus.refresh_interval",
        "plugin_attr.skywalking.service_name",
        "apisix.data_encryption.keyring",
        "skywalking",
    ];
    for key in without_counterpart {
        assert!(warned(key), "no warning about {key}: {stderr}");
    }
    for key in [
        "admin_key",
        "client_max_body_size",
        "metric_prefix",
        "export_addr",
        "delete_uri_tail_slash",
    ] {
        assert!(!warned(key), "{key} has a counterpart: {stderr}");
    }
    for secret in ["key-of-the-admin", "key-of-the-viewer", "0123456789abcdef"] {
        assert!(!(stderr.clone() + &serving.stdout()).contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn listeners_keys_and_roles_are_taken_over() {
    let dir = folder();
    let serving = start(dir.path(), FILE).await;
    assert_eq!(serving.proxies().len(), 2);
    let upstream = FakeProvider::start();
    let route = json!({
        "uri": "/user/:name", "upstream": { "type": "roundrobin", "nodes": { upstream.addr().to_string(): 1 } },
    });
    let admin = Admin::new(serving.addr("admin"), "key-of-the-admin");
    let stored = admin.put("/routes/1", route.clone()).await.expect_status(201);
    assert!(
        !stored.headers.contains_key("access-control-allow-origin"),
        "enable_admin_cors: false"
    );
    let viewer = Admin::new(serving.addr("admin"), "key-of-the-viewer");
    viewer.get("/routes/1").await.expect_status(200);
    let refused = viewer.put("/routes/1", route).await.expect_status(401).json();
    assert_eq!(refused["description"], "invalid method for role viewer");
    Admin::new(serving.addr("admin"), "another")
        .get("/routes/1")
        .await
        .expect_status(401);

    for addr in serving.proxies() {
        // Matches because of `delete_uri_tail_slash`.
        let answer = Client::new(addr).get("/user/me/").send().await;
        assert_eq!(
            answer.header("server"),
            Some("APISIX"),
            "enable_server_tokens: false"
        );
        assert_eq!(
            answer.header("x-apisix-upstream-status"),
            Some("404"),
            "always shown"
        );
        let missing = Client::new(addr)
            .post("/v1/chat/completions")
            .send()
            .await
            .expect_status(404)
            .await;
        assert_eq!(
            missing.text().await,
            "{\"error_msg\":\"404 Route Not Found\"}\n",
            "no built-in routes"
        );
    }
    let items = Client::new(serving.addr("control"))
        .get("/v1/routes")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(items.json().await[0]["value"]["uri"], "/user/:name");
}

#[tokio::test]
async fn plugins_keyring_and_metrics_are_taken_over() {
    let dir = folder();
    let serving = start(dir.path(), FILE).await;
    let admin = Admin::new(serving.addr("admin"), "key-of-the-admin");
    let refused = admin
        .put("/routes/1", json!({ "uri": "/x", "plugins": { "cors": {} } }))
        .await
        .expect_status(400);
    assert_eq!(refused.json()["error_msg"], "unknown plugin [cors]");
    let mut names = admin.get("/plugins/list").await.expect_status(200).json();
    names
        .as_array_mut()
        .unwrap()
        .sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    assert_eq!(
        names,
        json!(["ai-proxy", "key-auth", "limit-count", "prometheus"])
    );

    let consumer = json!({ "username": "c1", "plugins": { "key-auth": { "key": "c1" } } });
    let stored = admin.put("/consumers", consumer).await.expect_status(201).json();
    let shown = stored["value"]["plugins"]["key-auth"]["key"].as_str().unwrap();
    // AES-128-CBC with the first entry of the keyring, by `openssl enc`.
    assert_eq!(shown, "/gMz3MGMg0wPlbOsQaPY+A==");

    let route = json!({ "uri": "/x", "plugins": { "prometheus": {}, "limit-count": { "count": 1, "time_window": 9 } } });
    admin.put("/routes/1", route).await.expect_status(201);
    Client::new(serving.addr("proxy"))
        .get("/x")
        .send()
        .await
        .bytes()
        .await;
    let status = Client::new(serving.addr("status"));
    let ready = status.get("/status/ready").send().await.expect_status(200).await;
    assert_eq!(ready.json().await, json!({ "status": "ok" }));
    let metrics = Client::new(serving.addr("metrics"));
    let text = eventually("the request among the metrics", async || {
        let text = metrics
            .get("/metrics/of/this")
            .send()
            .await
            .expect_status(200)
            .await
            .text()
            .await;
        text.contains("gw_http_status{").then_some(text)
    });
    let text = text.await;
    assert!(text.contains("le=\"55\"") && !text.contains("http_latency_bucket{type=\"request\",route=\"1\",service=\"\",consumer=\"\",node=\"\",request_type=\"traditional_http\",request_llm_model=\"\",llm_model=\"\",le=\"50\""), "{text}");
    assert!(!text.contains("apisix_"), "{text}");
}

#[tokio::test]
async fn access_log_and_body_limit_are_taken_over() {
    let dir = folder();
    let serving = start(dir.path(), FILE).await;
    let admin = Admin::new(serving.addr("admin"), "key-of-the-admin");
    let upstream = FakeProvider::start();
    let nodes = json!({ "type": "roundrobin", "nodes": { upstream.addr().to_string(): 1 } });
    admin
        .put("/routes/1", json!({ "uri": "/x", "upstream": nodes }))
        .await
        .expect_status(201);
    let proxy = Client::new(serving.addr("proxy"));
    proxy
        .post("/x?a=b")
        .body("x".repeat(1025))
        .send()
        .await
        .expect_status(413)
        .await;
    let log = dir.path().join("access.log");
    let line = eventually("a line of the access log", async || {
        std::fs::read_to_string(&log)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    assert_eq!(line.await, "127.0.0.1 \"POST /x?a=b HTTP/1.1\" 413 - -\n");
}

#[tokio::test]
async fn an_empty_key_is_generated() {
    let dir = folder();
    let file = FILE.replace("key: key-of-the-admin", "key: ''");
    let serving = start(dir.path(), &file).await;
    Admin::new(serving.addr("admin"), "")
        .get("/routes")
        .await
        .expect_status(401);
    let greeting = serving.stdout();
    let key = greeting
        .lines()
        .find_map(|line| line.trim().strip_prefix("admin key"))
        .unwrap()
        .trim();
    Admin::new(serving.addr("admin"), key)
        .get("/routes")
        .await
        .expect_status(200);
}

#[tokio::test]
async fn variables_and_options_win_over_the_file() {
    let dir = folder();
    std::fs::write(dir.path().join("apisix.yaml"), FILE).unwrap();
    let args = ["serve", "--apisix-config", "apisix.yaml", "--data-dir", "mine"];
    let command = sluice(dir.path(), args).env("SLUICE_ADMIN_KEY", "key-of-the-environment");
    let serving = command.env("SLUICE_ACCESS_LOG_TARGET", "off").serving().await;
    Admin::new(serving.addr("admin"), "key-of-the-environment")
        .get("/routes")
        .await
        .expect_status(200);
    assert!(dir.path().join("mine/sluice.db").exists());
    assert!(!dir.path().join("access.log").exists());
}

#[tokio::test]
async fn validate_reads_it_too() {
    let dir = folder();
    let file = dir.path().join("apisix.yaml");
    std::fs::write(&file, FILE).unwrap();
    let validate = || sluice(dir.path(), ["validate", "--apisix", "apisix.yaml"]).ended();
    let said = validate().await.output();
    assert!(
        said.contains("warning: `deployment.etcd.host` has no counterpart"),
        "{said}"
    );
    assert!(said.ends_with("apisix.yaml is valid\n"), "{said}");
    for (text, words) in [
        (
            "apisix: {node_listen: yes please}",
            &["`apisix.node_listen`", "yes please"][..],
        ),
        ("apisix: {node_listen: 99999}", &["`apisix.node_listen`", "99999"]),
        ("apisix: {router: {http: tree}}", &["tree"]),
        (
            "deployment: {admin: {admin_key: canary-secret}}",
            &["`deployment.admin.admin_key`"],
        ),
        (
            "deployment: {admin: {admin_key: [{key: canary-secret}]}}",
            &["`deployment.admin.admin_key`", "role"],
        ),
        (
            "deployment: {admin: {admin_key: [{key: canary-secret, role: king}]}}",
            &["king"],
        ),
        ("deployment: {admin: {allow_admin: [nowhere]}}", &["nowhere"]),
        ("deployment: {admin: {https_admin: true}}", &["admin_ssl_cert"]),
        (
            "nginx_config: {http: {client_max_body_size: lots}}",
            &["client_max_body_size", "lots"],
        ),
        (
            "nginx_config: {worker_processes: some}",
            &["worker_processes", "some"],
        ),
        ("plugins: key-auth", &["`plugins`"]),
        ("plugin_attr: []", &["`plugin_attr`"]),
        (
            "plugin_attr: {prometheus: {default_buckets: [3, 2]}}",
            &["default_buckets"],
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let complaint = validate().await.complaint();
        for word in ["apisix.yaml"].iter().chain(words) {
            assert!(
                complaint.contains(word),
                "`{word}` is not said about {text}: {complaint}"
            );
        }
        assert!(!complaint.contains("canary-secret"), "{complaint}");
    }
}
