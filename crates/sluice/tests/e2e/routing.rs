//! Which route gets a request (compat §2).

mod bodies;
mod plugins;

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gate, Gateway, Reply};

use crate::support::{binary, gateway, node, put};

/// Plugins that answer this text, whatever became of the request.
fn saying(text: &str) -> Value {
    json!({ "response-rewrite": { "status_code": 200, "body": text } })
}

/// Stores a route that answers its own id.
async fn speaking(gateway: &Gateway, id: &str, mut route: Value) {
    route["plugins"] = saying(id);
    put(gateway, &format!("/routes/{id}"), route).await;
}

/// What a call is answered: the text, or the status when it is no success.
async fn said(call: Call) -> String {
    let answer = call.send().await;
    if answer.status.as_u16() == 200 {
        answer.text().await
    } else {
        answer.status.as_u16().to_string()
    }
}

async fn get(gateway: &Gateway, target: &str) -> String {
    said(gateway.client().get(target)).await
}

async fn get_at(gateway: &Gateway, host: &str, target: &str) -> String {
    said(gateway.client().get(target).header("host", host)).await
}

#[tokio::test]
async fn the_most_specific_path_wins_and_priority_decides_among_equals() {
    let gateway = gateway().await;
    for (id, route) in [
        ("exact", json!({ "uri": "/a/b" })),
        ("any-below", json!({ "uris": ["/a/*", "/z/*"], "priority": 100 })),
        ("all", json!({ "uri": "/*", "priority": 1000 })),
        ("prefix", json!({ "uri": "/foo*" })),
        ("low", json!({ "uri": "/same" })),
        ("high", json!({ "uri": "/same", "priority": 1 })),
        ("middle", json!({ "uri": "/m/*/end" })),
    ] {
        speaking(&gateway, id, route).await;
    }
    for (target, id) in [
        ("/a/b", "exact"),
        ("/a/b?x=/a/c", "exact"),
        ("/a/", "any-below"),
        ("/z/deep/er", "any-below"),
        ("/a", "all"),
        ("/", "all"),
        ("/foo", "prefix"),
        ("/foobar/x", "prefix"),
        ("/fo", "all"),
        ("/same", "high"),
        ("/m/1/2/end", "middle"),
        ("/m/1/other", "all"),
        // As nginx normalises them.
        ("/a//b", "exact"),
        ("/x/../a/./b", "exact"),
        ("/%61/b", "exact"),
        ("/a/b/", "any-below"),
    ] {
        assert_eq!(get(&gateway, target).await, id, "{target}");
    }
}

#[tokio::test]
async fn hosts_come_before_paths() {
    let gateway = gateway().await;
    let hosts = json!({ "hosts": ["service.example"], "name": "s" });
    put(&gateway, "/services/s", hosts).await;
    for (id, route) in [
        ("path", json!({ "uri": "/x" })),
        ("exact", json!({ "uri": "/*", "host": "foo.com" })),
        ("wild", json!({ "uri": "/*", "hosts": ["*.foo.com", "*.org"] })),
        ("wilder", json!({ "uri": "/*", "host": "*.com" })),
        ("deep", json!({ "uri": "/deep", "host": "*.b.foo.com" })),
        ("of-service", json!({ "uri": "/of-service", "service_id": "s" })),
        ("v6", json!({ "uri": "/*", "host": "[::1]" })),
        (
            "v6-var",
            json!({ "uri": "/var", "vars": [["host", "==", "[::2]"]] }),
        ),
    ] {
        speaking(&gateway, id, route).await;
    }
    for (host, target, id) in [
        ("foo.com", "/x", "exact"),
        ("FOO.com:9080", "/x", "exact"),
        ("a.foo.com", "/x", "wild"),
        ("a.b.foo.com", "/x", "wild"),
        ("a.b.foo.com", "/deep", "deep"),
        ("x.org", "/x", "wild"),
        ("bar.com", "/x", "wilder"),
        ("com", "/x", "path"),
        ("com", "/y", "404"),
        ("service.example", "/of-service", "of-service"),
        ("other.example", "/of-service", "404"),
        ("[::1]", "/x", "v6"),
        ("[::1]:9080", "/x", "v6"),
        ("[::2]:9080", "/var", "v6-var"),
    ] {
        assert_eq!(get_at(&gateway, host, target).await, id, "{host}{target}");
    }
}

#[tokio::test]
async fn predicates_refuse_and_the_next_candidate_is_asked() {
    let gateway = gateway().await;
    for (id, route) in [
        ("methods", json!({ "uri": "/m/x", "methods": ["GET", "POST"] })),
        ("fallback", json!({ "uri": "/m/*" })),
        ("near", json!({ "uri": "/ip", "remote_addr": "127.0.0.1" })),
        (
            "nets",
            json!({ "uri": "/net", "remote_addrs": ["10.0.0.0/8", "127.0.0.0/8"] }),
        ),
        ("far", json!({ "uri": "/far", "remote_addr": "10.1.2.3" })),
        ("off", json!({ "uri": "/off", "status": 0 })),
    ] {
        speaking(&gateway, id, route).await;
    }
    let client = gateway.client();
    for (method, target, id) in [
        ("GET", "/m/x", "methods"),
        ("POST", "/m/x", "methods"),
        ("DELETE", "/m/x", "fallback"),
        ("MKCOL", "/m/x", "fallback"),
        ("GET", "/ip", "near"),
        ("GET", "/net", "nets"),
        ("GET", "/far", "404"),
        ("GET", "/off", "404"),
    ] {
        let call = client.call(method.parse().unwrap(), target);
        assert_eq!(said(call).await, id, "{method} {target}");
    }
    let head = client.call(http::Method::HEAD, "/m/x").send().await;
    let fallback_length = "fallback".len().to_string();
    assert_eq!(
        head.header("content-length"),
        Some(fallback_length.as_str()),
        "GET does not imply HEAD"
    );
    let enabled = gateway.admin().patch("/routes/off", json!({ "status": 1 })).await;
    enabled.expect_status(200);
    assert_eq!(get(&gateway, "/off").await, "off");
}

#[tokio::test]
async fn vars_look_at_headers_arguments_cookies_and_bodies() {
    let gateway = gateway().await;
    let vars = [
        ("header", json!([["http_x_kind", "==", "a"]])),
        ("number", json!([["arg_n", ">", 9], ["arg_n", "<=", 11]])),
        ("cookie", json!([["cookie_c", "in", ["1", "2"]]])),
        ("search", json!([["http_user_agent", "~*", "^curl/"]])),
        ("form", json!([["post_arg_f", "==", "v"]])),
        ("json", json!([["post_arg.a.b", "==", "deep"]])),
        ("model", json!([["post_arg.model", "~~", "^gpt-4"]])),
        (
            "not",
            json!([["request_method", "==", "PUT"], ["arg_x", "!", "==", "1"]]),
        ),
        ("or", json!(["OR", ["arg_o", "==", "1"], ["arg_o", "==", "2"]])),
    ];
    for (id, vars) in vars {
        let route = json!({ "uri": "/v", "vars": vars });
        speaking(&gateway, id, route).await;
    }
    let client = gateway.client();
    let form = "application/x-www-form-urlencoded";
    let get = |target: &str| client.get(target);
    for (call, id) in [
        (get("/v").header("x-kind", "a"), "header"),
        (get("/v").header("x-kind", "b"), "404"),
        (get("/v?n=10"), "number"),
        (get("/v?n=9"), "404"),
        (get("/v?n=x"), "404"),
        (get("/v").header("cookie", "b=2; c=2"), "cookie"),
        (get("/v").header("user-agent", "Curl/8"), "search"),
        (
            client.post("/v").header("content-type", form).body("f=v&g=1"),
            "form",
        ),
        (client.post("/v").body("f=v&g=1"), "404"),
        (client.post("/v").json(&json!({ "a": { "b": "deep" } })), "json"),
        (client.post("/v").json(&json!({ "model": "gpt-4o" })), "model"),
        (client.post("/v").json(&json!({ "model": "o3" })), "404"),
        (client.call(http::Method::PUT, "/v"), "not"),
        (client.call(http::Method::PUT, "/v?x=1"), "404"),
        (get("/v?o=2"), "or"),
        (get("/v?o=3"), "404"),
    ] {
        let shown = format!("{call:?}");
        assert_eq!(said(call).await, id, "{shown}");
    }
}

#[tokio::test]
async fn a_body_that_vars_looked_into_still_goes_upstream_whole() {
    let provider = FakeProvider::start();
    let gateway = gateway().await;
    let vars = json!([["post_arg.model", "==", "m"]]);
    let route = json!({ "uri": "/v", "vars": vars, "upstream": node(provider.addr()) });
    put(&gateway, "/routes/1", route).await;
    provider.always(Reply::body(200, "text/plain", "ok"));
    let body = r#"{ "model" : "m", "n": 1.0 }"#;
    let call = gateway.client().post("/v").body(body).send();
    call.await.expect_status(200).await;
    assert_eq!(provider.last_request().body, body);
}

#[tokio::test]
async fn no_route_is_404_with_apisixs_text() {
    let gateway = gateway().await;
    let answer = gateway.client().get("/nowhere").send().await;
    assert_eq!(answer.status.as_u16(), 404);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("server"), Some("APISIX/3.18.0"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.text().await, "{\"error_msg\":\"404 Route Not Found\"}\n");
}

#[tokio::test]
async fn built_in_routes_stand_back_where_a_stored_route_has_the_path() {
    let gateway = gateway().await;
    let models = || gateway.client().get("/v1/models").header("host", "a.com");
    let built_in = models().send().await.expect_status(401).await;
    let error = &built_in.json().await["error"];
    assert_eq!(error["code"], "missing_api_key", "in the client's dialect");
    for (id, route) in [
        ("other-path", json!({ "uri": "/v1/else" })),
        ("disabled", json!({ "uri": "/v1/models", "status": 0 })),
    ] {
        speaking(&gateway, id, route).await;
        models().send().await.expect_status(401).await;
    }
    for (id, route) in [
        ("host", json!({ "uri": "/v1/models", "host": "b.com" })),
        ("method", json!({ "uri": "/v1/*", "methods": ["DELETE"] })),
        (
            "vars",
            json!({ "uri": "/v1/models", "vars": [["arg_a", "==", "1"]] }),
        ),
    ] {
        speaking(&gateway, id, route).await;
        let refused = models().send().await.expect_status(404).await;
        assert_eq!(refused.json().await["error_msg"], "404 Route Not Found", "{id}");
        let deleted = gateway.admin().delete(&format!("/routes/{id}")).await;
        deleted.expect_status(200);
        models().send().await.expect_status(401).await;
    }
}

#[tokio::test]
async fn a_change_is_in_force_when_its_reply_has_come() {
    let gateway = gateway().await;
    for n in 0..20 {
        let text = format!("edit {n}");
        let route = json!({ "uri": "/edited", "plugins": saying(&text) });
        put(&gateway, "/routes/1", route).await;
        assert_eq!(get(&gateway, "/edited").await, text);
        let path = "/routes/1/plugins/response-rewrite/body";
        let patched = gateway.admin().patch(path, json!("patched")).await;
        patched.expect_status(200);
        assert_eq!(get(&gateway, "/edited").await, "patched");
        gateway.admin().delete("/routes/1").await.expect_status(200);
        assert_eq!(get(&gateway, "/edited").await, "404");
    }
}

#[tokio::test]
async fn a_request_in_flight_keeps_the_configuration_that_it_began_with() {
    let provider = FakeProvider::start();
    let gateway = gateway().await;
    let plugins = |version: &str| json!({ "response-rewrite": { "headers": { "x-version": version } } });
    let route = |version: &str| json!({ "uri": "/slow", "plugins": plugins(version), "upstream": node(provider.addr()) });
    put(&gateway, "/routes/1", route("old")).await;
    let gate = Gate::closed();
    provider.next(Reply::body(200, "text/plain", "late").head_gated(&gate));
    let running = tokio::spawn(gateway.client().get("/slow").send());
    provider.wait_requests(1).await;

    put(&gateway, "/routes/1", route("new")).await;
    provider.next(Reply::body(200, "text/plain", "quick"));
    let next = gateway.client().get("/slow").send().await;
    assert_eq!(next.header("x-version"), Some("new"));
    gateway.admin().delete("/routes/1").await.expect_status(200);
    assert_eq!(get(&gateway, "/slow").await, "404");

    gate.open_for_good();
    let late = running.await.unwrap().expect_status(200).await;
    assert_eq!(late.header("x-version"), Some("old"));
    assert_eq!(late.text().await, "late");
}

#[tokio::test]
async fn the_other_router_kinds() {
    let config = "apisix: {router: radixtree_uri_with_parameter, delete_uri_tail_slash: true}\n";
    let gateway = Gateway::builder(binary())
        .file("config.yaml", config)
        .start()
        .await;
    let parameter = json!({
        "uri": "/user/:id/x",
        "plugins": { "response-rewrite": { "status_code": 200, "headers": { "x-user": "$uri_param_id" } } },
    });
    put(&gateway, "/routes/parameter", parameter).await;
    speaking(&gateway, "exact-path", json!({ "uri": "/h" })).await;
    speaking(
        &gateway,
        "host-of-prefix",
        json!({ "uri": "/*", "host": "foo.com" }),
    )
    .await;
    speaking(
        &gateway,
        "port",
        json!({ "uri": "/port", "host": "foo.com:8000" }),
    )
    .await;
    let answer = gateway
        .client()
        .get("/user/7/x")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("x-user"), Some("7"));
    for (host, target, id) in [
        ("foo.com", "/h", "exact-path"),
        ("foo.com", "/h/", "exact-path"),
        ("foo.com", "/else", "host-of-prefix"),
        ("bar.com", "/else", "404"),
        ("bar.com", "/user//x", "404"),
        ("foo.com:8000", "/port", "port"),
        ("foo.com:8001", "/port", "host-of-prefix"),
    ] {
        assert_eq!(get_at(&gateway, host, target).await, id, "{host}{target}");
    }
}
