//! `hmac-auth` (compat §3.6.1).

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway};

use super::{caller, consumer, put_consumer, put_plain, refusal, refused, refused_write, through, upstream};

const CHALLENGE: &str = "hmac realm=\"hmac\"";
const GENERIC: &str = "client request can't be validated";

async fn with_jack(provider: &FakeProvider, conf: Value) -> Gateway {
    let gateway = through(provider, json!({ "hmac-auth": conf })).await;
    let plugin = json!({ "hmac-auth": { "key_id": "my-key", "secret_key": "my-secret" } });
    put_consumer(&gateway, "jack", plugin).await;
    gateway
}

fn http_date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

fn signature(algorithm: hmac::Algorithm, text: &str) -> String {
    let key = hmac::Key::new(algorithm, b"my-secret");
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// The header of a client that signed `text`, with HMAC-SHA256.
fn authorization(headers: &str, text: &str) -> String {
    let signature = signature(HMAC_SHA256, text);
    format!(
        "Signature keyId=\"my-key\",algorithm=\"hmac-sha256\",headers=\"{headers}\",signature=\"{signature}\""
    )
}

/// A `GET /` whose date is signed.
fn signed(gateway: &Gateway) -> Call {
    let date = http_date();
    let header = authorization("date", &format!("my-key\ndate: {date}\n"));
    gateway
        .client()
        .get("/")
        .header("date", &date)
        .header("authorization", &header)
}

#[tokio::test]
async fn a_signed_request_passes() {
    let provider = upstream();
    let gateway = with_jack(&provider, json!({})).await;
    signed(&gateway).send().await.expect_status(200).await;
    assert_eq!(caller(&provider), consumer("jack"));
    let sent = provider.last_request();
    assert!(sent.header("authorization").is_some(), "not hidden unless asked");

    let date = http_date();
    let text = format!("my-key\nPOST /a b/c?d=%20e\nDate: {date}\nX-Two: 2\n");
    let header = authorization("@request-target Date X-Two x-none", &text);
    put_plain(
        &gateway,
        &provider,
        json!({ "hmac-auth": { "signed_headers": ["Date", "x-none"] } }),
    )
    .await;
    let target = |target| {
        gateway
            .client()
            .call(Method::POST, target)
            .header("date", &date)
            .header("x-two", "2")
            .header("authorization", &header)
    };
    target("/a%20b/c?d=%20e").send().await.expect_status(200).await;
    assert_eq!(
        refused(target("/a%20b/d?d=%20e")).await,
        refusal(CHALLENGE, GENERIC),
        "another path"
    );
}

#[tokio::test]
async fn every_algorithm_that_the_route_allows() {
    let provider = upstream();
    let gateway = with_jack(&provider, json!({})).await;
    let algorithms = [
        ("hmac-sha1", HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        ("hmac-sha256", HMAC_SHA256),
        ("hmac-sha512", HMAC_SHA512),
    ];
    let call = |name: &str, algorithm| {
        let date = http_date();
        let signature = signature(algorithm, &format!("my-key\ndate: {date}\n"));
        let header = format!(
            "Signature keyId=\"my-key\",algorithm=\"{name}\",headers=\"date\",signature=\"{signature}\""
        );
        let call = gateway.client().get("/").header("date", &date);
        call.header("authorization", &header)
    };
    for (name, algorithm) in algorithms {
        call(name, algorithm).send().await.expect_status(200).await;
    }
    let one = json!({ "hmac-auth": { "allowed_algorithms": ["hmac-sha256"] } });
    put_plain(&gateway, &provider, one).await;
    for (name, algorithm) in algorithms {
        let answer = call(name, algorithm).send().await;
        let expected = if name == "hmac-sha256" { 200 } else { 401 };
        answer.expect_status(expected).await;
    }
    assert_eq!(
        refused(call("hmac-md5", HMAC_SHA256)).await,
        refusal(CHALLENGE, GENERIC)
    );
}

#[tokio::test]
async fn refusals() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "hmac-auth": {} })).await;
    assert_eq!(
        refused(signed(&gateway)).await,
        refusal(CHALLENGE, GENERIC),
        "nobody has the plugin"
    );
    let plugin = json!({ "hmac-auth": { "key_id": "my-key", "secret_key": "my-secret" } });
    put_consumer(&gateway, "jack", plugin).await;
    assert_eq!(
        refused(gateway.client().get("/")).await,
        refusal(
            CHALLENGE,
            "client request can't be validated: missing Authorization header"
        )
    );
    for other in ["Basic x", "signature keyId=\"my-key\""] {
        assert_eq!(
            refused(gateway.client().get("/").header("authorization", other)).await,
            refusal(
                CHALLENGE,
                "client request can't be validated: Authorization header does not start with 'Signature'"
            )
        );
    }
    let date = http_date();
    let good = authorization("date", &format!("my-key\ndate: {date}\n"));
    let with = |header: &str| {
        let call = gateway.client().get("/").header("date", &date);
        call.header("authorization", header)
    };
    with(&good).send().await.expect_status(200).await;
    for bad in [
        "Signature".to_owned(),
        good.replace("keyId", "keyid"),
        good.replace("algorithm=", "hash="),
        good.replace("signature=", "sig="),
        good.replace("my-key", "other-key"),
        good.replace("hmac-sha256", "hmac-sha512"),
        good.replace("headers=\"date\"", "headers=\"Date\""),
        good.replace("headers=\"date\",", ""),
        good.replace("signature=\"", "signature=\"AA"),
        authorization("date", "my-key\n"),
    ] {
        assert_eq!(refused(with(&bad)).await, refusal(CHALLENGE, GENERIC), "{bad}");
    }
    let undated = gateway.client().get("/").header("authorization", &good);
    assert_eq!(refused(undated).await, refusal(CHALLENGE, GENERIC), "no date");
}

#[tokio::test]
async fn requests_are_of_now() {
    let provider = upstream();
    let conf = json!({ "clock_skew": 60, "signed_headers": [] });
    let gateway = with_jack(&provider, conf).await;
    let header = authorization("", "my-key\n");
    let dated = |date: &str| {
        let call = gateway.client().get("/").header("date", date);
        call.header("authorization", &header)
    };
    let now = SystemTime::now();
    for (date, status) in [
        (now, 200),
        (now - Duration::from_secs(30), 200),
        (now + Duration::from_secs(30), 200),
        (now - Duration::from_secs(120), 401),
        (now + Duration::from_secs(120), 401),
    ] {
        let call = dated(&httpdate::fmt_http_date(date));
        call.send().await.expect_status(status).await;
    }
    assert_eq!(refused(dated("now")).await, refusal(CHALLENGE, GENERIC));
}

#[tokio::test]
async fn bodies_may_be_signed_by_their_digest() {
    let provider = upstream();
    let conf =
        json!({ "validate_request_body": true, "max_req_body_size": 8, "anonymous_consumer": "nobody" });
    let gateway = with_jack(&provider, conf).await;
    put_consumer(&gateway, "nobody", json!({})).await;
    let post = |body: &'static str, of: Option<&str>| {
        let date = http_date();
        let header = authorization("date", &format!("my-key\ndate: {date}\n"));
        let call = gateway.client().post("/").body(body).header("date", &date);
        let call = call.header("authorization", &header);
        match of {
            Some(text) => {
                let digest = STANDARD.encode(digest(&SHA256, text.as_bytes()));
                call.header("digest", &format!("SHA-256={digest}"))
            }
            None => call,
        }
    };
    for (body, of, name) in [
        ("12345678", Some("12345678"), "jack"),
        ("", Some(""), "jack"),
        ("1234", Some("other"), "nobody"),
        ("1234", None, "nobody"),
        ("", None, "nobody"),
    ] {
        post(body, of).send().await.expect_status(200).await;
        assert_eq!(caller(&provider), consumer(name), "{body:?} {of:?}");
        assert_eq!(provider.last_request().body, body);
    }
    let seen = provider.requests().len();
    let large = post("123456789", Some("123456789"));
    assert_eq!(
        refused(large).await,
        (
            413,
            None,
            json!({ "message": "request size 9 is greater than the maximum size 8 allowed" })
        )
    );
    assert_eq!(provider.requests().len(), seen);

    let strict = json!({ "hmac-auth": { "validate_request_body": true } });
    put_plain(&gateway, &provider, strict).await;
    assert_eq!(refused(post("1", Some("2"))).await, refusal(CHALLENGE, GENERIC));
    assert_eq!(refused(post("1", None)).await, refusal(CHALLENGE, GENERIC));
}

#[tokio::test]
async fn credentials_may_be_hidden_and_the_others_anonymous() {
    let provider = upstream();
    let conf = json!({ "hide_credentials": true, "anonymous_consumer": "nobody", "realm": "mine" });
    let gateway = with_jack(&provider, conf).await;
    assert_eq!(
        refused(gateway.client().get("/")).await,
        refusal("hmac realm=\"mine\"", "Invalid user authorization"),
        "there is no such consumer"
    );
    put_consumer(&gateway, "nobody", json!({})).await;
    let wrong = gateway.client().get("/").header("authorization", "Signature x");
    for (call, name) in [(signed(&gateway), "jack"), (wrong, "nobody")] {
        call.header("digest", "kept")
            .send()
            .await
            .expect_status(200)
            .await;
        assert_eq!(caller(&provider), consumer(name));
        let sent = provider.last_request();
        assert_eq!(
            (sent.header("authorization"), sent.header("digest")),
            (None, Some("kept"))
        );
    }
    assert!(provider.requests()[0].header("date").is_some());
}

#[tokio::test]
async fn bad_consumers_are_refused() {
    let gateway = crate::support::gateway().await;
    let consumer = json!({ "username": "jack", "plugins": { "hmac-auth": { "key_id": "k" } } });
    assert_eq!(
        refused_write(&gateway, "/consumers", consumer).await,
        "invalid plugins configuration: failed to check the configuration of plugin hmac-auth err: \
         property \"secret_key\" is required"
    );
}
