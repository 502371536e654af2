//! `proxy-rewrite` and `response-rewrite` (compat §6.1, §6.2).

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{put_plain, refusal, through, upstream};
use crate::support::gateway;

/// Stores the route anew with this `proxy-rewrite`.
async fn rewrite(gateway: &Gateway, provider: &FakeProvider, conf: Value) {
    put_plain(gateway, "1", "/*", provider, json!({ "proxy-rewrite": conf })).await;
}

/// Path and query that the upstream sees.
async fn target(gateway: &Gateway, provider: &FakeProvider, asked: &str) -> String {
    gateway.client().get(asked).send().await.expect_status(200).await;
    let sent = provider.last_request();
    match sent.query {
        Some(query) => format!("{}?{query}", sent.path),
        None => sent.path,
    }
}

#[tokio::test]
async fn paths_are_replaced_and_queries_kept() {
    let provider = upstream();
    let gateway = gateway().await;
    let uri = |uri: &str| json!({ "uri": uri });
    let regex = |pairs: &[&str]| json!({ "regex_uri": pairs });
    for (conf, asked, seen) in [
        (uri("/new"), "/old?a=1", "/new?a=1"),
        (uri("/new"), "/old", "/new"),
        (uri("/new?b=2"), "/old?a=1", "/new?b=2&a=1"),
        (uri("/new?b=2"), "/old", "/new?b=2"),
        (
            uri("/at/$arg_a/$host"),
            "/old?a=x%20y",
            "/at/x%20y/127.0.0.1?a=x%20y",
        ),
        (
            uri("/at/$arg_a"),
            "/old?a=1%3Fc%3D2%23%25",
            "/at/1%3Fc=2%23%25?a=1%3Fc%3D2%23%25",
        ),
        (uri("/at/${arg_none ?? default}/x"), "/old", "/at/default/x"),
        (regex(&["^/a/(.*)/(.*)", "/$2/$1"]), "/a/b/c?q=1", "/c/b?q=1"),
        (
            regex(&["^/x", "/no", "^/a/(.*)", "/first/$1", "^/a/b", "/second"]),
            "/a/b",
            "/first/b",
        ),
        (regex(&["^/x", "/no"]), "/a%20b/c?q", "/a%20b/c?q"),
        (
            regex(&["^/a/(.*)", "/b/$1"]),
            "/a/c%20d%3Fe%2541",
            "/b/c%20d%3Fe%2541",
        ),
        (regex(&["/old", "/new"]), "/v1/old/tail", "/v1/new/tail"),
        (
            regex(&["^/test/(.*)/(.*)/(.*)", "/$1_$2_$3"]),
            "/test/plugin/proxy/rewrite",
            "/plugin_proxy_rewrite",
        ),
        (regex(&["^/a$", "/b?from=a"]), "/a?q=1", "/b?from=a&q=1"),
        (
            json!({ "uri": "/wins", "regex_uri": ["^/a", "/loses"] }),
            "/a",
            "/wins",
        ),
        (
            json!({ "use_real_request_uri_unsafe": true }),
            "/a/../b//c%2F?q=1",
            "/a/../b//c%2F?q=1",
        ),
    ] {
        let shown = conf.to_string();
        rewrite(&gateway, &provider, conf).await;
        assert_eq!(target(&gateway, &provider, asked).await, seen, "{shown}: {asked}");
    }
}

#[tokio::test]
async fn method_host_and_headers_are_rewritten() {
    let provider = upstream();
    let conf = json!({
        "method": "PUT",
        "host": "inner.example:8080",
        "regex_uri": ["^/user/(\\w+)/(\\w+)$", "/$2"],
        "headers": {
            "add": { "x-many": "added", "x-list": ["1", "2"] },
            "set": { "x-user": "$1", "x-both": "$1_$2b", "x-number": 7, "x-empty": "", "x-vars": "$remote_addr:${arg_none ?? none}", "x-old": "new" },
            "remove": ["x-gone"],
        },
    });
    let gateway = through(&provider, json!({ "proxy-rewrite": conf })).await;
    let call = gateway.client().post("/user/ann/profile").body("kept");
    let call = call
        .header("x-many", "sent")
        .header("x-old", "old")
        .header("x-gone", "1");
    call.send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(
        (sent.method.as_str(), sent.path.as_str(), &sent.body[..]),
        ("PUT", "/profile", &b"kept"[..])
    );
    for (name, values) in [
        ("host", &["inner.example:8080"][..]),
        ("x-many", &["sent", "added"]),
        ("x-list", &["1", "2"]),
        ("x-user", &["ann"]),
        ("x-both", &["ann_profileb"]),
        ("x-number", &["7"]),
        ("x-empty", &[""]),
        ("x-vars", &["127.0.0.1:none"]),
        ("x-old", &["new"]),
        ("x-gone", &[]),
    ] {
        let seen: Vec<_> = sent.headers.get_all(name).iter().collect();
        assert_eq!(seen, values, "{name}");
    }
    rewrite(
        &gateway,
        &provider,
        json!({ "headers": { "X-Plain": "map", "X-Api-Version": 2 } }),
    )
    .await;
    gateway.client().get("/").send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(
        (sent.header("x-plain"), sent.header("x-api-version")),
        (Some("map"), Some("2"))
    );
}

#[tokio::test]
async fn rewrites_that_cannot_be_are_refused() {
    let gateway = gateway().await;
    let wrong = "failed to check the configuration of plugin proxy-rewrite err: ";
    for (conf, says) in [
        (json!({}), "expect object to have at least 1 properties"),
        (
            json!({ "uri": "relative" }),
            "property \"uri\" validation failed: failed to match pattern",
        ),
        (
            json!({ "regex_uri": ["^/a", "/b", "^/c"] }),
            "The length of regex_uri should be an even number",
        ),
        (
            json!({ "regex_uri": ["^/(a", "/b"] }),
            "invalid regex_uri(^/(a, /b): ",
        ),
        (
            json!({ "headers": { "": "v" } }),
            "invalid field length in header",
        ),
        (
            json!({ "headers": { "x y": "v" } }),
            "invalid field character in header",
        ),
        (
            json!({ "headers": { "x:y": "v" } }),
            "invalid field character in header",
        ),
        (
            json!({ "headers": { "x": "a\r\nb: c" } }),
            "invalid value character in header",
        ),
        (
            json!({ "method": "FETCH" }),
            "property \"method\" validation failed: matches none of the enum values",
        ),
        (
            json!({ "host": "a b" }),
            "property \"host\" validation failed: failed to match pattern",
        ),
    ] {
        let shown = conf.to_string();
        let text = refusal(&gateway, "proxy-rewrite", conf).await;
        assert!(
            text.starts_with(wrong) && text[wrong.len()..].starts_with(says),
            "{shown}: {text}"
        );
    }
}

#[tokio::test]
async fn a_pattern_without_end_is_an_error_of_one_request() {
    let provider = upstream();
    let gateway = gateway().await;
    rewrite(
        &gateway,
        &provider,
        json!({ "regex_uri": ["^/(?:(a+)\\1?)+$", "/b"] }),
    )
    .await;
    let endless = format!("/{}!", "a".repeat(100));
    let answer = gateway
        .client()
        .get(&endless)
        .send()
        .await
        .expect_status(500)
        .await;
    assert!(answer.json().await["error_msg"].is_string());
    gateway.client().get("/aa").send().await.expect_status(200).await;
}

/// A gateway that passes this answer through `response-rewrite`.
async fn shaped(provider: &FakeProvider, conf: Value) -> Gateway {
    through(provider, json!({ "response-rewrite": conf })).await
}

#[tokio::test]
async fn answers_get_another_status_body_and_headers() {
    let provider = upstream();
    let original = Reply::body(200, "text/plain", "original");
    let original = original
        .header("etag", "\"1\"")
        .header("last-modified", "today")
        .header("x-gone", "1")
        .header("x-old", "1");
    provider.always(original);
    let conf = json!({
        "status_code": 418,
        "body": "other",
        "headers": {
            "add": ["x-many: 1", "x-many: 2"],
            "set": { "x-old": "new", "x-vars": "$status $upstream_status $request_method", "content-type": "text/x" },
            "remove": ["x-gone"],
        },
    });
    let gateway = shaped(&provider, conf).await;
    let answer = gateway.client().get("/").send().await.expect_status(418).await;
    let many: Vec<_> = answer.headers.get_all("x-many").iter().collect();
    assert_eq!(many, ["1", "2"]);
    for (name, value) in [
        ("x-old", Some("new")),
        ("x-vars", Some("418 200 GET")),
        ("content-type", Some("text/x")),
        ("x-gone", None),
        ("etag", None),
        ("last-modified", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.text().await, "other");
}

#[tokio::test]
async fn answers_are_rewritten_only_where_vars_say_so() {
    let provider = upstream();
    let conf = json!({ "body": "aGkA/w==", "body_base64": true, "vars": [["status", "==", 404]] });
    let gateway = shaped(&provider, conf).await;
    assert_eq!(gateway.client().get("/").send().await.text().await, "ok");
    provider.next(Reply::body(404, "text/plain", "none"));
    let answer = gateway.client().get("/").send().await.expect_status(404).await;
    assert_eq!(&answer.bytes().await[..], b"hi\0\xff");
    let conf = json!({ "status_code": 200, "body": "sorry", "vars": [["status", "==", 404]] });
    put_plain(
        &gateway,
        "1",
        "/*",
        &provider,
        json!({ "response-rewrite": conf }),
    )
    .await;
    provider.next(Reply::body(404, "text/plain", "none"));
    let answer = gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(
        answer.text().await,
        "sorry",
        "head and body agree on what vars said"
    );
}

#[tokio::test]
async fn filters_replace_parts_of_bodies() {
    let provider = upstream();
    provider.always(Reply::frames("text/plain", ["Hello he", "llo hello"]));
    let gateway = gateway().await;
    let filter = |more: Value| {
        let mut filter = json!({ "regex": "hello", "replace": "bye" });
        filter
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "filters": [filter] })
    };
    let mut short = filter(json!({ "scope": "global" }));
    short["max_resp_body_size"] = json!(14);
    for (conf, body) in [
        (filter(json!({})), "Hello bye hello"),
        (filter(json!({ "scope": "global" })), "Hello bye bye"),
        (
            filter(json!({ "scope": "global", "options": "i" })),
            "bye bye bye",
        ),
        (
            filter(json!({ "regex": "(\\w)ello", "replace": "<$1>" })),
            "<H> hello hello",
        ),
        (
            filter(json!({ "regex": "(H)(e)", "replace": "$2_$1x$$" })),
            "e_Hx$llo hello hello",
        ),
        (filter(json!({ "replace": "$uri" })), "Hello hello hello"),
        (short, "Hello bye he"),
    ] {
        let shown = conf.to_string();
        put_plain(
            &gateway,
            "1",
            "/*",
            &provider,
            json!({ "response-rewrite": conf }),
        )
        .await;
        let answer = gateway.client().get("/").send().await.expect_status(200).await;
        assert_eq!(answer.text().await, body, "{shown}");
    }
    // Two patterns, one after the other.
    let two = json!({ "filters": [{ "regex": "Hello", "replace": "Ciao" }, { "regex": "Ciao", "replace": "Salve" }] });
    put_plain(&gateway, "1", "/*", &provider, json!({ "response-rewrite": two })).await;
    provider.next(Reply::body(200, "text/plain", "Hello").header("content-encoding", "identity"));
    let answer = gateway.client().get("/").send().await;
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.text().await, "Salve");
}

#[tokio::test]
async fn answers_of_the_gateway_are_rewritten_too() {
    let gateway = gateway().await;
    let plugins = json!({
        "ip-restriction": { "blacklist": ["127.0.0.1"] },
        "response-rewrite": { "status_code": 200, "body": "all is well", "headers": { "x-was": "$response_source" } },
    });
    crate::support::put(&gateway, "/routes/1", json!({ "uri": "/*", "plugins": plugins })).await;
    let answer = gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(answer.header("content-length"), Some("11"));
    assert_eq!(answer.text().await, "all is well");
    for (conf, says) in [
        (
            json!({ "body": "x", "filters": [{ "regex": "a", "replace": "b" }] }),
            "",
        ),
        (
            json!({ "body": "no base64", "body_base64": true }),
            "invalid base64 content",
        ),
        (
            json!({ "headers": { "": "v" } }),
            "invalid field length in header",
        ),
        (
            json!({ "filters": [{ "regex": "a", "replace": "b", "options": "jh" }] }),
            "regex \"a\" validation failed: unknown flag \"h\" (flags \"jh\")",
        ),
        (
            json!({ "status_code": 99 }),
            "property \"status_code\" validation failed: expected 99 to be at least 200",
        ),
        (
            json!({ "vars": [["status", "=", 1]] }),
            "failed to validate the 'vars' expression: invalid operator '='",
        ),
        (
            json!({ "filters": [{ "regex": "(", "replace": "b" }] }),
            "regex \"(\" validation failed: ",
        ),
    ] {
        let shown = conf.to_string();
        let text = refusal(&gateway, "response-rewrite", conf).await;
        assert!(
            text.contains(&format!("response-rewrite err: {says}")),
            "{shown}: {text}"
        );
    }
}
