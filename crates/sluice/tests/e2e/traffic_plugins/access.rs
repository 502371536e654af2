//! Who may call from where: `cors`, `ip-restriction`, `consumer-restriction` (compat §6.5, §6.6).

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::Answer;

use super::{put_plain, refusal, through, upstream};
use crate::support::{gateway, put, put_consumer};

/// The CORS headers of an answer, without their common beginning.
fn cors_headers(answer: &Answer) -> Vec<(String, String)> {
    let named = |name: &str| name.strip_prefix("access-control-").map(str::to_owned);
    let mut found: Vec<_> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| Some((named(name.as_str())?, value.to_str().unwrap().to_owned())))
        .collect();
    found.sort();
    found
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn preflights_are_answered_before_anybody_asks_for_a_key() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "cors": {}, "key-auth": {} })).await;
    let all = headers(&[
        ("allow-headers", "*"),
        ("allow-methods", "*"),
        ("allow-origin", "*"),
        ("max-age", "5"),
    ]);
    let preflight = gateway
        .client()
        .call(Method::OPTIONS, "/x")
        .header("origin", "https://a.com");
    let answer = preflight.send().await.expect_status(200).await;
    assert_eq!(cors_headers(&answer), all);
    assert_eq!(answer.header("vary"), None);
    assert_eq!(answer.text().await, "");
    let refused = gateway.client().get("/x").send().await.expect_status(401).await;
    assert_eq!(cors_headers(&refused), all, "browsers may read the refusal");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn origins_are_let_in_by_list_pattern_or_name() {
    let provider = upstream();
    let gateway = gateway().await;
    let table = json!({ "allow_origins": { "partner": "https://p.com,https://q.com", "all": "*" } });
    put(&gateway, "/plugin_metadata/cors", table).await;
    let listed = json!({ "allow_origins": "https://a.com,http://b.com:8080" });
    let pattern = json!({ "allow_origins_by_regex": [".*\\.c\\.com$"] });
    let named =
        json!({ "allow_origins": "https://a.com", "allow_origins_by_metadata": ["partner", "unknown"] });
    for (conf, origin, allowed) in [
        (&listed, Some("https://a.com"), Some("https://a.com")),
        (&listed, Some("http://b.com:8080"), Some("http://b.com:8080")),
        (&listed, Some("http://b.com"), None),
        (&listed, None, None),
        (&pattern, Some("https://x.c.com"), Some("https://x.c.com")),
        (&pattern, Some("https://c.com.evil"), None),
        (&named, Some("https://q.com"), Some("https://q.com")),
        (&named, Some("https://r.com"), None),
        (
            &json!({ "allow_origins": "**" }),
            Some("https://any"),
            Some("https://any"),
        ),
        (&json!({ "allow_origins": "**" }), None, Some("*")),
        (&json!({}), Some("https://any"), Some("*")),
    ] {
        put_plain(&gateway, "1", "/*", &provider, json!({ "cors": conf })).await;
        let call = gateway.client().get("/");
        let call = origin
            .into_iter()
            .fold(call, |call, origin| call.header("origin", origin));
        let answer = call.send().await.expect_status(200).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            allowed,
            "{conf} {origin:?}"
        );
        if allowed.is_none() {
            assert_eq!(cors_headers(&answer), [], "{conf} {origin:?}");
        }
    }
}

#[tokio::test]
async fn what_browsers_are_told_is_a_choice() {
    let provider = upstream();
    let conf = json!({
        "allow_origins": "**", "allow_methods": "**", "allow_headers": "**", "expose_headers": "x-a,x-b",
        "max_age": 60, "allow_credential": true, "timing_allow_origins": "https://a.com",
    });
    let gateway = through(&provider, json!({ "cors": conf })).await;
    let call = gateway
        .client()
        .call(Method::OPTIONS, "/")
        .header("origin", "https://a.com");
    let answer = call
        .header("access-control-request-headers", "x-c,x-d")
        .send()
        .await
        .expect_status(200)
        .await;
    let told = headers(&[
        ("allow-credentials", "true"),
        ("allow-headers", "x-c,x-d"),
        (
            "allow-methods",
            "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE",
        ),
        ("allow-origin", "https://a.com"),
        ("expose-headers", "x-a,x-b"),
        ("max-age", "60"),
    ]);
    assert_eq!(cors_headers(&answer), told);
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(answer.header("timing-allow-origin"), Some("https://a.com"));
    let other = gateway
        .client()
        .get("/")
        .header("origin", "https://b.com")
        .send()
        .await;
    assert_eq!(other.header("timing-allow-origin"), None);
    let text = refusal(&gateway, "cors", json!({ "allow_credential": true })).await;
    assert!(
        text.ends_with("you can not set '*' for other option when 'allow_credential' is true"),
        "{text}"
    );
}

#[tokio::test]
async fn addresses_are_let_in_or_kept_out() {
    let provider = upstream();
    let gateway = gateway().await;
    let told = |message: &str| json!({ "message": message });
    let usual = told("Your IP address is not allowed");
    for (conf, status, body) in [
        (json!({ "whitelist": ["127.0.0.1"] }), 200, None),
        (json!({ "whitelist": ["10.0.0.1", "127.0.0.0/8"] }), 200, None),
        (
            json!({ "whitelist": ["10.0.0.1", "::1"] }),
            403,
            Some(usual.clone()),
        ),
        (json!({ "blacklist": ["127.0.0.0/24"] }), 403, Some(usual)),
        (json!({ "blacklist": ["10.0.0.0/8", "fe80::/16"] }), 200, None),
        (
            json!({ "blacklist": ["127.0.0.1"], "message": "go away", "response_code": 404 }),
            404,
            Some(told("go away")),
        ),
    ] {
        let shown = conf.to_string();
        put_plain(&gateway, "1", "/*", &provider, json!({ "ip-restriction": conf })).await;
        let call = gateway
            .client()
            .get("/")
            .header("x-forwarded-for", "10.0.0.1")
            .header("x-real-ip", "10.0.0.1");
        let answer = call.send().await.expect_status(status).await;
        if let Some(body) = body {
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8"),
                "{shown}"
            );
            assert_eq!(answer.json().await, body, "{shown}");
        }
    }
    for conf in [
        json!({}),
        json!({ "whitelist": ["127.0.0.1"], "blacklist": ["1.1.1.1"] }),
        json!({ "whitelist": ["300.0.0.1"] }),
    ] {
        refusal(&gateway, "ip-restriction", conf).await;
    }
}

#[tokio::test]
async fn consumers_are_let_in_or_kept_out() {
    let provider = upstream();
    let gateway = gateway().await;
    put(&gateway, "/consumer_groups/team", json!({ "plugins": {} })).await;
    put_consumer(&gateway, "bob").await;
    let ann =
        json!({ "username": "ann", "group_id": "team", "plugins": { "key-auth": { "key": "key-ann" } } });
    put(&gateway, "/consumers", ann).await;
    let methods = json!([{ "user": "ann", "methods": ["GET"] }]);
    let of_group = |list: &str| json!({ "type": "consumer_group_id", list: ["team"] });
    for (conf, method, bob, ann) in [
        (json!({ "whitelist": ["ann"] }), "GET", 403, 200),
        (json!({ "blacklist": ["ann"] }), "GET", 200, 403),
        (
            json!({ "whitelist": ["ann"], "blacklist": ["ann"] }),
            "GET",
            403,
            403,
        ),
        (json!({ "allowed_by_methods": methods }), "GET", 200, 200),
        (json!({ "allowed_by_methods": methods }), "POST", 200, 403),
        (
            json!({ "allowed_by_methods": methods, "whitelist": ["bob"] }),
            "POST",
            200,
            403,
        ),
        (
            json!({ "allowed_by_methods": methods, "whitelist": ["ann"] }),
            "POST",
            403,
            200,
        ),
        (of_group("whitelist"), "GET", 401, 200),
        (of_group("blacklist"), "GET", 401, 403),
        (json!({ "type": "route_id", "whitelist": ["1"] }), "GET", 200, 200),
        (
            json!({ "type": "route_id", "blacklist": ["1"], "rejected_code": 404 }),
            "GET",
            404,
            404,
        ),
    ] {
        let shown = format!("{method} {conf}");
        put_plain(
            &gateway,
            "1",
            "/*",
            &provider,
            json!({ "key-auth": {}, "consumer-restriction": conf }),
        )
        .await;
        for (name, status) in [("bob", bob), ("ann", ann)] {
            let call = gateway
                .client()
                .call(method.parse().unwrap(), "/")
                .header("apikey", &format!("key-{name}"));
            assert_eq!(call.send().await.status.as_u16(), status, "{name} {shown}");
        }
    }
}

#[tokio::test]
async fn consumer_restriction_has_its_words() {
    let provider = upstream();
    let gateway = gateway().await;
    put_consumer(&gateway, "bob").await;
    let said = async |conf: Value, auth: bool| {
        let mut plugins = json!({ "consumer-restriction": conf });
        if auth {
            plugins["key-auth"] = json!({});
        }
        put_plain(&gateway, "1", "/*", &provider, plugins).await;
        let answer = gateway.client().get("/").header("apikey", "key-bob").send().await;
        (
            answer.status.as_u16(),
            answer.json().await["message"].as_str().unwrap().to_owned(),
        )
    };
    let text = |status: u16, text: &str| (status, text.to_owned());
    let unknown = "The request is rejected, please check the consumer_name for this request";
    assert_eq!(
        said(json!({ "whitelist": ["ann"] }), false).await,
        text(401, unknown)
    );
    assert_eq!(
        said(json!({ "whitelist": ["ann"] }), true).await,
        text(403, "The consumer_name is forbidden.")
    );
    let own = json!({ "whitelist": ["ann"], "rejected_msg": "not you", "rejected_code": 451 });
    assert_eq!(said(own, true).await, text(451, "not you"));
    let service = json!({ "type": "service_id", "whitelist": ["s"] });
    let unknown = "The request is rejected, please check the service_id for this request";
    assert_eq!(said(service, true).await, text(401, unknown));
    refusal(
        &gateway,
        "consumer-restriction",
        json!({ "type": "consumer_name" }),
    )
    .await;
}
