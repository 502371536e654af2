//! Input that nobody should send: it is refused, and changes nothing.

use axum::body::Body;
use http::{Request, Uri};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{Admin, Answer, KEY};

const SEGMENTS: &[&str] = &[
    "routes",
    "services",
    "upstreams",
    "consumers",
    "credentials",
    "consumer_groups",
    "plugin_configs",
    "global_rules",
    "plugin_metadata",
    "ssls",
    "secrets",
    "protos",
    "stream_routes",
    "plugins",
    "schema",
    "validate",
    "configs",
    "list",
    "reload",
    "vault",
    "cors",
    "jack",
    "1",
    "%20",
    "%C3%A9",
    "%00",
    "%ff",
    "%2f",
    "..",
    ".",
    "",
    "$",
    "a'b\"",
    "<script>",
    "plugins%2Flist",
    "%F0%9F%A6%80",
];

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("$env://X")),
        Just(json!("a:99999")),
        Just(json!("1e400")),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "id",
            "uri",
            "uris",
            "host",
            "hosts",
            "username",
            "plugins",
            "upstream",
            "upstream_id",
            "service_id",
            "nodes",
            "key-auth",
            "key",
            "ai-proxy-multi",
            "instances",
            "auth",
            "header",
            "tls",
            "client_key",
            "client_cert_id",
            "labels",
            "vars",
            "type",
            "create_time",
            "_meta",
            "filter",
            "disable",
            "group_id",
            "traffic-split",
            "cert",
            "keys",
            "script",
            "timeout",
            "checks",
            "",
            "a/b~c",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

fn odd_call() -> impl Strategy<Value = (&'static str, String, String)> {
    let method = prop::sample::select(vec!["GET", "PUT", "POST", "PATCH", "DELETE"]);
    let segments = prop::collection::vec(prop::sample::select(SEGMENTS), 1..6);
    let query = prop::sample::select(vec![
        "",
        "?",
        "?ttl=1e400",
        "?ttl=%ff",
        "?page=1e9&page_size=10",
        "?page=-1&page_size=1e300",
        "?name=((((",
        "?filter=%25",
        "?force=true",
        "?all=true",
        "?label",
        "?uri=%00",
        "?schema_type=consumer",
    ]);
    let body = prop_oneof![
        4 => odd_value().prop_map(|value| value.to_string()),
        1 => ".{0,20}",
        1 => Just(String::new()),
    ];
    (method, segments, query, body).prop_map(|(method, segments, query, body)| {
        (
            method,
            format!("/apisix/admin/{}{query}", segments.join("/")),
            body,
        )
    })
}

#[track_caller]
fn is_sound(answer: &Answer, call: &impl std::fmt::Debug) {
    let status = answer.status.as_u16();
    assert!(
        matches!(status, 200 | 201 | 400 | 404 | 405),
        "{call:?}: {answer:?}"
    );
    if answer.header("content-type") == Some("application/json") {
        answer.json();
    }
}

#[test]
fn calls_of_any_shape_are_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let admin = runtime.block_on(Admin::start());
    proptest!(ProptestConfig::with_cases(400), |(call in odd_call())| {
        let (method, uri, body) = &call;
        let Ok(uri) = uri.parse::<Uri>() else { return Ok(()) };
        let request = Request::builder().method(*method).uri(uri).header("x-api-key", KEY);
        let request = request.body(Body::from(body.clone())).unwrap();
        let answer = runtime.block_on(admin.send(admin.server.admin_router(), request));
        is_sound(&answer, &call);
    });
}

#[test]
fn bulk_checks_of_any_shape_are_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let admin = runtime.block_on(Admin::start());
    let key = prop::sample::select(vec![
        "routes",
        "consumers",
        "secrets",
        "plugin_metadata",
        "ssls",
        "routes_conf_version",
    ]);
    proptest!(|(config in prop::collection::vec((key, prop::collection::vec(odd_value(), 0..4)), 0..4))| {
        let config: Value = config.into_iter().map(|(key, items)| (key.to_owned(), Value::from(items))).collect();
        let answer = runtime.block_on(admin.post("configs/validate", config.clone()));
        is_sound(&answer, &config);
    });
}

#[tokio::test]
async fn refused_writes_leave_nothing_behind() {
    let admin = Admin::start().await;
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let huge = format!(
        "{{\"uri\": \"/\", \"plugins\": {{}}, \"priority\": {}}}",
        "9".repeat(5000)
    );
    for body in [
        "null",
        "true",
        "7",
        "\"x\"",
        "[]",
        "[1]",
        "{}",
        "{\"uri\": null}",
        "{\"uri\": \"/\", \"upstream\": null}",
        "{\"uri\": \"/\", \"plugins\": null}",
        "{\"uri\": \"/\", \"plugins\": {\"cors\": null}}",
        "{\"uri\": \"/\", \"plugins\": {}, \"labels\": {\"a\": null}}",
        "{\"uri\": \"/\\u0000\\ud800\"}",
        "{\"uri\": \"/\", \"plugins\": {}, \"priority\": 1e400}",
        &deep,
        &huge,
        "{\"uri\": \"/\", \"plugins\": {\"key-auth\": {\"_meta\": {\"filter\": [[[[[]]]]]}}}, \"vars\": {\"a\": 1}}",
    ] {
        for (method, path) in [
            ("PUT", "routes/1"),
            ("POST", "routes"),
            ("PUT", "upstreams/1"),
            ("PUT", "ssls/1"),
        ] {
            let answer = admin.raw(method, path, body.to_owned()).await;
            assert_eq!(
                answer.status, 400,
                "{method} {path} {:.60}: {:.200}",
                body, answer.text
            );
        }
    }
    assert!(admin.store.load().await.unwrap().items.is_empty());
}

#[tokio::test]
async fn null_is_a_wrong_type() {
    let admin = Admin::start().await;
    for member in ["upstream", "plugins", "labels", "timeout"] {
        let answer = admin.put("routes/1", json!({"uri": "/", member: null})).await;
        let message = answer.json()["error_msg"].as_str().unwrap().to_owned();
        assert!(
            message.ends_with("wrong type: expected object, got userdata"),
            "{message}"
        );
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn ids_cannot_reach_elsewhere() {
    let admin = Admin::start().await;
    admin.has("consumers", json!({"username": "jack"})).await;
    for (path, body) in [
        (
            "routes",
            json!({"id": "../consumers/jack", "uri": "/", "plugins": {}}),
        ),
        (
            "routes/%2e%2e%2fconsumers%2fjane",
            json!({"username": "jane\u{0}"}),
        ),
        ("consumers", json!({"username": "jack/credentials/1"})),
        ("consumers/jack/credentials", json!({"id": "a/b", "plugins": {}})),
        (
            "secrets/vault",
            json!({"id": "a/b", "uri": "http://a.b", "prefix": "p", "token": "t"}),
        ),
    ] {
        assert_eq!(admin.put(path, body).await.status, 400, "{path}");
    }
    let keys: Vec<_> = admin
        .store
        .load()
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|item| item.key)
        .collect();
    assert_eq!(keys, ["/consumers/jack"]);
}
