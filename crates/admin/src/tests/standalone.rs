//! API-driven standalone mode (compat §1.8).

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::support::{Admin, Answer, KEY, VIEWER};

struct Standalone(Admin);

impl Standalone {
    async fn start() -> Self {
        Self(Admin::with(|state| state.options.standalone = true).await)
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/apisix/admin/{path}"))
            .header("x-api-key", KEY);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.0.send(self.0.server.admin_router(), request).await
    }

    async fn put(&self, digest: &str, config: Value) -> Answer {
        self.call("PUT", "configs", &[("x-digest", digest)], &config.to_string())
            .await
    }

    async fn get(&self) -> Answer {
        self.call("GET", "configs", &[], "").await
    }

    async fn accepted(&self, digest: &str, config: Value) -> Answer {
        let answer = self.put(digest, config).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (202, ""),
            "{answer:?}"
        );
        answer
    }

    async fn refused(&self, config: Value, message: &str) {
        self.put("refused", config.clone()).await.refused(400, message);
    }
}

fn route(id: &str, uri: &str) -> Value {
    json!({"id": id, "uri": uri, "plugins": {}})
}

#[tokio::test]
async fn before_the_first_configuration() {
    let admin = Standalone::start().await;
    let empty = admin.get().await;
    assert_eq!(
        (empty.header("x-digest"), empty.header("x-last-modified")),
        (None, None)
    );
    let versions = empty.json();
    assert_eq!(versions.as_object().unwrap().len(), 15, "{versions}");
    for kind in [
        "routes",
        "services",
        "upstreams",
        "consumers",
        "ssls",
        "protos",
        "global_rules",
        "stream_routes",
        "plugin_metadata",
        "plugin_configs",
        "consumer_groups",
        "secrets",
        "plugins",
        "providers",
        "models",
    ] {
        assert_eq!(versions[format!("{kind}_conf_version")], 0, "{kind}");
    }
    let head = admin.call("HEAD", "configs", &[], "").await;
    assert_eq!((head.status.as_u16(), head.header("x-digest")), (200, None));
}

#[tokio::test]
async fn a_configuration_comes_back_as_it_was_written() {
    let admin = Standalone::start().await;
    let config = json!({
        "routes": [
            {"id": "z", "uri": "/z", "plugins": {}, "modifiedIndex": 7},
            {"uri": "/a", "plugins": {}},
            {"id": 3, "uri": "/3", "plugins": {}},
        ],
        "consumers": [
            {"username": "jack", "plugins": {"key-auth": {"key": "one"}}},
            {"id": "jack/credentials/c1", "plugins": {"key-auth": {"key": "two"}}},
        ],
        "plugin_metadata": [{"id": "limit-count", "limit_header": "x"}],
        "secrets": [{"id": "vault/1", "uri": "http://a.b", "prefix": "p", "token": "t"}],
        "plugins": [{"name": "cors"}],
        "routes_conf_version": 100,
    });
    let answer = admin.accepted("first", config.clone()).await;
    assert_eq!(answer.header("x-digest"), Some("first"));
    assert!(answer.header("x-last-modified").unwrap().parse::<u64>().unwrap() > 1_700_000_000);
    let shown = admin.get().await;
    assert_eq!(shown.header("x-digest"), Some("first"));
    let shown = shown.json();
    let mut routes = config["routes"].clone();
    routes[1]["id"] = json!("arr_2");
    assert_eq!(shown["routes"], routes, "in their order");
    for kind in ["consumers", "plugin_metadata", "secrets", "plugins"] {
        assert_eq!(shown[kind], config[kind]);
    }
    assert_eq!(
        (&shown["routes_conf_version"], &shown["services_conf_version"]),
        (&json!(100), &json!(1))
    );
    assert_eq!(shown["X-Digest"], "first");
    assert!(shown["X-Last-Modified"].is_u64());
    assert!(shown.get("services").is_none());
    let head = admin.call("HEAD", "configs", &[], "").await;
    assert_eq!((head.header("x-digest"), head.text.as_str()), (Some("first"), ""));
    let stored = admin.0.store.get("/routes/z").await.unwrap().unwrap().value;
    assert_eq!(stored, route("z", "/z"), "without the writer's index");

    let yaml = admin
        .call("GET", "configs", &[("accept", "application/yaml")], "")
        .await;
    assert_eq!(yaml.header("content-type"), Some("application/yaml"));
    assert_eq!(crate::yaml::decode(yaml.text.as_bytes()).unwrap(), shown);
}

#[tokio::test]
async fn the_whole_is_replaced() {
    let admin = Standalone::start().await;
    let first = json!({"routes": [route("1", "/a"), route("2", "/b")], "services": [{"id": "s"}]});
    admin.accepted("1", first).await;
    let revision = async |key: &str| {
        let item = admin.0.store.get(key).await.unwrap();
        item.map(|item| item.mod_revision)
    };
    let unchanged = revision("/routes/1").await.unwrap();
    admin
        .accepted("2", json!({"routes": [route("1", "/a"), route("3", "/c")]}))
        .await;
    assert_eq!(
        revision("/routes/1").await,
        Some(unchanged),
        "what stays is not written"
    );
    assert_eq!(
        (revision("/routes/2").await, revision("/services/s").await),
        (None, None)
    );
    assert!(revision("/routes/3").await.is_some());
    assert_eq!(admin.get().await.json()["routes_conf_version"], 2);

    let body = "routes:\n- id: y\n  uri: /y\n  plugins: {}\n";
    let headers = [("x-digest", "3"), ("content-type", "application/yaml")];
    assert_eq!(admin.call("PUT", "configs", &headers, body).await.status, 202);
    assert_eq!(admin.get().await.json()["routes"], json!([route("y", "/y")]));
}

#[tokio::test]
async fn versions_and_indices_say_what_stays() {
    let admin = Standalone::start().await;
    let with =
        |version: Value, uri: &str| json!({"routes": [route("1", uri)], "routes_conf_version": version});
    admin.accepted("1", with(json!(5), "/a")).await;
    admin.accepted("2", with(json!(5), "/b")).await;
    assert_eq!(
        admin.get().await.json()["routes"][0]["uri"],
        "/a",
        "an equal version keeps the old items"
    );
    admin
        .refused(
            with(json!(4), "/b"),
            "routes_conf_version must be greater than or equal to (5)",
        )
        .await;
    admin
        .refused(with(json!("6"), "/b"), "routes_conf_version must be a number")
        .await;
    admin.accepted("3", with(json!(6), "/b")).await;
    assert_eq!(admin.get().await.json()["routes"][0]["uri"], "/b");

    let indexed = |index: u64, uri: &str| {
        let mut route = route("1", uri);
        route["modifiedIndex"] = json!(index);
        json!({"routes": [route]})
    };
    admin.accepted("4", indexed(1, "/c")).await;
    admin.accepted("5", indexed(1, "/d")).await;
    let uri = async || admin.0.store.get("/routes/1").await.unwrap().unwrap().value["uri"].clone();
    assert_eq!(uri().await, "/c", "the same index: not applied again");
    admin.accepted("6", indexed(2, "/d")).await;
    assert_eq!(uri().await, "/d");
}

#[tokio::test]
async fn a_known_digest_is_no_change() {
    let admin = Standalone::start().await;
    admin.accepted("1", json!({"routes": [route("1", "/a")]})).await;
    admin.put("1", json!({"routes": 7})).await.is_text(204, "");
    assert_eq!(admin.get().await.json()["routes"][0]["uri"], "/a");
}

#[tokio::test]
async fn what_does_not_hold_changes_nothing() {
    let admin = Standalone::start().await;
    admin.accepted("1", json!({"routes": [route("1", "/a")]})).await;
    let call = |headers, body| admin.call("PUT", "configs", headers, body);
    call(&[], "{}").await.refused(400, "missing digest header");
    call(&[("x-digest", "2")], "")
        .await
        .refused(400, "invalid request body: empty request body");
    call(&[("x-digest", "2"), ("content-type", "application/yaml")], "[")
        .await
        .refused(400, "invalid request body: invalid yaml request body");
    let json = call(&[("x-digest", "2")], "{a").await.json();
    assert!(
        json["error_msg"]
            .as_str()
            .unwrap()
            .starts_with("invalid request body: Expected"),
        "{json}"
    );
    let unknown = json!({"routes": [{"id": "2", "uri": "/", "plugins": {"nothing": {}}}]});
    admin.refused(unknown, "unknown plugin [nothing]").await;
    let twice = json!({"routes": [route("1", "/"), route("1", "/")]});
    admin.refused(twice, "found duplicate id 1 in routes").await;
    admin
        .refused(json!({"routes": "x"}), "wrong type: expected array, got string")
        .await;
    let shown = admin.get().await;
    assert_eq!(shown.header("x-digest"), Some("1"));
    assert_eq!(shown.json()["routes"], json!([route("1", "/a")]));
}

#[tokio::test]
async fn nothing_else_is_there() {
    let admin = Standalone::start().await;
    for (method, path) in [
        ("GET", "routes"),
        ("PUT", "routes/1"),
        ("GET", "schema/route"),
        ("GET", "plugins/list"),
        ("POST", "configs"),
        ("DELETE", "configs"),
        ("GET", "configs/validate"),
        ("GET", "configs/"),
    ] {
        admin.call(method, path, &[], "{}").await.is_page(404);
    }
    assert_eq!(admin.0.bare("HEAD", "/apisix/admin", &[]).await.status, 200);
    let validated = admin.call("POST", "configs/validate", &[], "{}").await;
    validated.is(200, json!({}));
    let bare = admin.0.bare("GET", "/apisix/admin/configs", &[]).await;
    assert_eq!(bare.status, 401);
    let viewer = [("x-api-key", VIEWER), ("x-digest", "1")];
    let uri = "/apisix/admin/configs";
    assert_eq!(admin.0.bare("GET", uri, &viewer).await.status, 200);
    assert_eq!(admin.0.bare("PUT", uri, &viewer).await.status, 401);

    let usual = Admin::start().await;
    let put = usual.raw("PUT", "configs", "{}").await;
    put.refused(404, "Unsupported resource type: configs");
}

#[tokio::test]
async fn changes_are_noted() {
    let admin = Standalone::start().await;
    admin
        .accepted(
            "1",
            json!({"routes": [route("1", "/a")], "protos": [{"id": "p", "content": "x"}]}),
        )
        .await;
    admin.accepted("2", json!({"routes": [route("1", "/b")]})).await;
    let events = admin
        .0
        .bare("GET", "/api/gateway/events", &[("x-api-key", KEY)])
        .await
        .json();
    let first = |index: usize| {
        let event = &events["events"][index];
        (
            event["action"].clone(),
            event["key"].clone(),
            event["changes"][0]["path"].clone(),
        )
    };
    let put = || json!("PUT configs");
    assert_eq!(first(0), (put(), json!("/protos/p"), json!("")));
    assert_eq!(first(1), (put(), json!("/routes/1"), json!("/uri")));
    assert_eq!(events["events"].as_array().unwrap().len(), 4);
}
