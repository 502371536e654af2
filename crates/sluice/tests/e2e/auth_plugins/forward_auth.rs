//! `forward-auth` (compat §6.8).

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gate, Gateway, Reply};

use super::{put_plain, refused_route, through, upstream};
use crate::support::dead_addr;

/// A gateway that asks this service before it sends a request to the upstream.
async fn asking(service: &FakeProvider, provider: &FakeProvider, more: Value) -> Gateway {
    through(provider, conf(service, more)).await
}

fn conf(service: &FakeProvider, more: Value) -> Value {
    let mut conf = json!({ "uri": service.url("/auth?v=1") });
    conf.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ "forward-auth": conf })
}

/// A service that lets everything pass.
fn service() -> FakeProvider {
    let service = FakeProvider::start();
    service.always(
        Reply::body(200, "text/plain", "")
            .header("x-user", "ann")
            .header("x-team", "red"),
    );
    service
}

#[tokio::test]
async fn the_service_is_asked_about_the_request() {
    let (service, provider) = (service(), upstream());
    let more = json!({ "request_headers": ["Authorization", "X-None", "X-Extra"], "extra_headers": { "X-Extra": "$remote_addr-$arg_a", "X-Number": 7 } });
    let gateway = asking(&service, &provider, more).await;
    let call = gateway.client().post("/some/path?a=1&b=%20").body("text");
    let call = call
        .header("authorization", "Bearer t")
        .header("x-extra", "mine")
        .header("x-other", "o")
        .header("host", "Api.example:8080");
    call.send().await.expect_status(200).await;
    let asked = service.last_request();
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str(), asked.query.as_deref()),
        ("GET", "/auth", Some("v=1"))
    );
    let service_host = service.addr().to_string();
    for (name, value) in [
        ("host", Some(&*service_host)),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-method", Some("POST")),
        ("x-forwarded-host", Some("api.example")),
        ("x-forwarded-uri", Some("/some/path?a=1&b=%20")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("authorization", Some("Bearer t")),
        ("x-extra", Some("127.0.0.1-1")),
        ("x-number", Some("7")),
        ("x-other", None),
        ("x-none", None),
        ("content-type", None),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    assert_eq!(asked.body, "");
    assert_eq!(provider.last_request().body, "text", "the body is the upstream's");
}

#[tokio::test]
async fn what_the_service_says_of_the_caller_goes_upstream() {
    let (service, provider) = (service(), upstream());
    let more = json!({ "upstream_headers": ["X-User", "X-Absent"] });
    let gateway = asking(&service, &provider, more).await;
    let liar = ["x-user", "x-absent", "x-team"]
        .into_iter()
        .fold(gateway.client().get("/"), |call, name| call.header(name, "liar"));
    let answer = liar.send().await.expect_status(200).await;
    assert_eq!(answer.header("x-user"), None, "the client is not told");
    let sent = provider.last_request();
    assert_eq!(
        (
            sent.header("x-user"),
            sent.header("x-absent"),
            sent.header("x-team")
        ),
        (Some("ann"), None, Some("liar"))
    );
}

#[tokio::test]
async fn refusals_of_the_service_reach_the_client() {
    let (service, provider) = (service(), upstream());
    let more = json!({ "client_headers": ["Location", "X-Reason", "Content-Length"] });
    let gateway = asking(&service, &provider, more).await;
    for status in [302, 401, 403, 500] {
        let refusal = Reply::body(status, "application/json", "{\"no\":1}")
            .header("location", "/login")
            .header("x-reason", "closed")
            .header("x-secret", "s");
        service.next(refusal);
        let answer = gateway.client().get("/").send().await.expect_status(status).await;
        let header = |name| answer.header(name).map(str::to_owned);
        assert_eq!(header("location").as_deref(), Some("/login"));
        assert_eq!(header("x-reason").as_deref(), Some("closed"));
        assert_eq!(header("x-secret"), None);
        assert_eq!(
            header("content-type").as_deref(),
            Some("text/plain; charset=utf-8"),
            "the service's own is not listed"
        );
        assert_eq!(answer.text().await, "{\"no\":1}");
    }
    service.next(Reply::body(204, "text/plain", ""));
    gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_post_carries_the_body() {
    let (service, provider) = (service(), upstream());
    let more = json!({
        "request_method": "POST", "max_req_body_size": 8, "request_headers": ["Content-Type", "Content-Length"],
    });
    let gateway = asking(&service, &provider, more).await;
    let post = |body: &'static str| {
        let call = gateway.client().post("/").body(body);
        call.header("content-type", "text/x")
            .header("content-encoding", "identity")
    };
    post("12345678").send().await.expect_status(200).await;
    let asked = service.last_request();
    assert_eq!(
        (asked.method.as_str(), &asked.body[..]),
        ("POST", &b"12345678"[..])
    );
    assert_eq!(
        (
            asked.header("content-length"),
            asked.header("content-type"),
            asked.header("content-encoding")
        ),
        (Some("8"), Some("text/x"), Some("identity"))
    );
    assert_eq!(provider.last_request().body, "12345678");
    let page = post("123456789")
        .send()
        .await
        .expect_status(413)
        .await
        .text()
        .await;
    assert!(
        page.contains("<title>413 Request Entity Too Large</title>"),
        "{page}"
    );
    assert_eq!((service.requests().len(), provider.requests().len()), (1, 1));
}

#[tokio::test]
async fn variables_of_the_body_are_known_to_a_get() {
    let (service, provider) = (service(), upstream());
    let more = json!({ "extra_headers": { "X-Model": "$post_arg_model" } });
    let gateway = asking(&service, &provider, more).await;
    let call = gateway.client().post("/").body("model=m1");
    let call = call.header("content-type", "application/x-www-form-urlencoded");
    call.send().await.expect_status(200).await;
    assert_eq!(service.last_request().header("x-model"), Some("m1"));
    assert_eq!(service.last_request().body, "");
    assert_eq!(provider.last_request().body, "model=m1");
}

#[tokio::test]
async fn without_a_decision_requests_are_refused_or_pass() {
    let (service, provider) = (service(), upstream());
    let gateway = asking(&service, &provider, json!({ "timeout": 50 })).await;
    let never = Gate::closed();
    let unanswered = [
        Reply::hang_up(),
        Reply::raw("no HTTP\r\n\r\n"),
        Reply::body(200, "text/plain", "late").head_gated(&never),
        Reply::frames("text/plain", ["cut", "off"]).stall_after(1),
    ];
    for reply in &unanswered {
        service.next(reply.clone());
        let page = gateway
            .client()
            .get("/")
            .send()
            .await
            .expect_status(403)
            .await
            .text()
            .await;
        assert!(page.contains("<title>403 Forbidden</title>"), "{page}");
        assert!(!page.contains(&service.addr().to_string()));
    }
    let more = json!({ "timeout": 50, "status_on_error": 503 });
    put_plain(&gateway, &provider, conf(&service, more)).await;
    service.next(Reply::hang_up());
    gateway.client().get("/").send().await.expect_status(503).await;
    assert!(provider.requests().is_empty());
    let more = json!({ "timeout": 50, "status_on_error": 503, "allow_degradation": true });
    put_plain(&gateway, &provider, conf(&service, more)).await;
    for reply in unanswered {
        service.next(reply);
        gateway.client().get("/").send().await.expect_status(200).await;
    }
    let dead = json!({ "forward-auth": { "uri": format!("http://{}/", dead_addr()) } });
    put_plain(&gateway, &provider, dead).await;
    gateway.client().get("/").send().await.expect_status(403).await;
}

#[tokio::test]
async fn connections_are_kept_or_not() {
    let (service, provider) = (service(), upstream());
    for (keepalive, connections) in [(false, 3), (true, 1)] {
        let before = service.connections();
        let gateway = asking(&service, &provider, json!({ "keepalive": keepalive })).await;
        // One connection of a client is served by one thread, whose pool they share.
        let mut raw = gateway.client().raw().await;
        for _ in 0..3 {
            raw.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
            raw.read_until("\r\n\r\nok").await;
        }
        assert_eq!(
            service.connections() - before,
            connections,
            "keepalive {keepalive}"
        );
    }
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    for (conf, error) in [
        (json!({}), "property \"uri\" is required"),
        (
            json!({ "uri": "http://a", "timeout": 60001 }),
            "property \"timeout\" validation failed: expected 60001 to be at most 60000",
        ),
        (
            json!({ "uri": "http://a", "request_method": "PUT" }),
            "property \"request_method\" validation failed: matches none of the enum values",
        ),
        (
            json!({ "uri": "ftp://a" }),
            "uri \"ftp://a\" is no URL of http or https",
        ),
    ] {
        assert_eq!(
            refused_route(&gateway, "forward-auth", conf).await,
            format!("failed to check the configuration of plugin forward-auth err: {error}")
        );
    }
}
