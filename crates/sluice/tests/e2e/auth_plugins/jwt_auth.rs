//! `jwt-auth` (compat §3.6).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway};

use super::{
    caller, consumer, put_consumer, refusal, refused, refused_route, refused_write, through, upstream,
};

const CHALLENGE: &str = "Bearer realm=\"jwt\"";
const SECRET: &str = "my-secret-key";

fn token(algorithm: &str, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(&json!({ "alg": algorithm, "typ": "JWT" })),
        part(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn signed_with(secret: &str, claims: &Value) -> String {
    token("HS256", claims, |message| {
        let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

fn valid() -> String {
    signed_with(SECRET, &json!({ "key": "user-key" }))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn with_jack(provider: &FakeProvider, conf: Value) -> Gateway {
    let gateway = through(provider, json!({ "jwt-auth": conf })).await;
    let plugin = json!({ "jwt-auth": { "key": "user-key", "secret": SECRET } });
    put_consumer(&gateway, "jack", plugin).await;
    gateway
}

fn shown(gateway: &Gateway, token: &str) -> Call {
    gateway.client().get("/").header("authorization", token)
}

#[tokio::test]
async fn a_token_may_stand_in_header_query_or_cookie() {
    let provider = upstream();
    let gateway = with_jack(&provider, json!({})).await;
    let (client, token) = (gateway.client(), valid());
    let calls = [
        client.get("/").header("authorization", &token),
        client
            .get("/")
            .header("authorization", &format!("Bearer {token}")),
        client
            .get("/")
            .header("authorization", &format!("bearer {token}")),
        client.get(&format!("/?jwt={token}")),
        client.get("/").header("cookie", &format!("a=1; jwt={token}")),
    ];
    for call in calls {
        call.send().await.expect_status(200).await;
        assert_eq!(caller(&provider), consumer("jack"));
        assert!(
            format!("{:?}", provider.last_request()).contains(&token),
            "not hidden unless asked"
        );
    }
    let first = client.get(&format!("/?jwt={token}")).header("authorization", "x");
    assert_eq!(
        refused(first).await,
        refusal(CHALLENGE, "JWT token invalid"),
        "the header is looked at first"
    );
}

#[tokio::test]
async fn places_have_names_and_hidden_tokens_do_not_travel() {
    let provider = upstream();
    let conf = json!({
        "header": "x-token", "query": "t", "cookie": "c", "key_claim_name": "iss", "realm": "mine",
        "hide_credentials": true,
    });
    let gateway = with_jack(&provider, conf).await;
    let token = signed_with(SECRET, &json!({ "iss": "user-key" }));
    let client = gateway.client();
    let calls = [
        client
            .get("/?a=1")
            .header("x-token", &token)
            .header("cookie", "a=1"),
        client.get(&format!("/?t={token}&a=1")).header("cookie", "a=1"),
        client.get("/?a=1").header("cookie", &format!("c={token}; a=1")),
    ];
    for call in calls {
        call.send().await.expect_status(200).await;
        let sent = provider.last_request();
        assert!(!format!("{sent:?}").contains(&token), "{sent:?}");
        assert_eq!(
            (sent.query.as_deref(), sent.header("cookie")),
            (Some("a=1"), Some("a=1"))
        );
    }
    let elsewhere = client.get("/").header("authorization", &token);
    assert_eq!(
        refused(elsewhere).await,
        refusal("Bearer realm=\"mine\"", "Missing JWT token in request")
    );
}

#[tokio::test]
async fn refusals_say_how_far_a_token_came() {
    let provider = upstream();
    let gateway = with_jack(&provider, json!({})).await;
    assert_eq!(
        refused(gateway.client().get("/")).await,
        refusal(CHALLENGE, "Missing JWT token in request")
    );
    let past = now() - 100;
    let future = now() + 100;
    let cases = [
        ("Bearer".to_owned(), "JWT token invalid"),
        ("a.b.c".to_owned(), "JWT token invalid"),
        (signed_with(SECRET, &json!({})), "missing user key in JWT token"),
        (
            signed_with(SECRET, &json!({ "key": "other" })),
            "Invalid user key in JWT token",
        ),
        (
            signed_with(SECRET, &json!({ "key": 1 })),
            "Invalid user key in JWT token",
        ),
        (
            signed_with("wrong", &json!({ "key": "user-key" })),
            "failed to verify jwt",
        ),
        (format!("{}x", valid()), "failed to verify jwt"),
        (
            token("HS512", &json!({ "key": "user-key" }), |_| vec![0; 64]),
            "failed to verify jwt",
        ),
        (
            token("none", &json!({ "key": "user-key" }), |_| Vec::new()),
            "failed to verify jwt",
        ),
        (
            signed_with(SECRET, &json!({ "key": "user-key", "exp": past })),
            "failed to verify jwt",
        ),
        (
            signed_with(SECRET, &json!({ "key": "user-key", "nbf": future })),
            "failed to verify jwt",
        ),
        (
            signed_with(SECRET, &json!({ "key": "user-key", "exp": "soon" })),
            "failed to verify jwt",
        ),
    ];
    for (token, message) in cases {
        assert_eq!(
            refused(shown(&gateway, &token)).await,
            refusal(CHALLENGE, message),
            "{token}"
        );
    }
    assert!(provider.requests().is_empty());
    let in_force = json!({ "key": "user-key", "exp": future, "nbf": past });
    shown(&gateway, &signed_with(SECRET, &in_force))
        .send()
        .await
        .expect_status(200)
        .await;
}

#[tokio::test]
async fn the_claims_to_verify_are_a_choice_and_clocks_may_differ() {
    let provider = upstream();
    let gateway = with_jack(&provider, json!({ "claims_to_verify": ["nbf"] })).await;
    let expired = signed_with(SECRET, &json!({ "key": "user-key", "exp": now() - 100 }));
    shown(&gateway, &expired).send().await.expect_status(200).await;
    let early = signed_with(SECRET, &json!({ "key": "user-key", "nbf": now() + 100 }));
    assert_eq!(
        refused(shown(&gateway, &early)).await,
        refusal(CHALLENGE, "failed to verify jwt")
    );
    let lenient =
        json!({ "jwt-auth": { "key": "user-key", "secret": SECRET, "lifetime_grace_period": 200 } });
    put_consumer(&gateway, "jack", lenient).await;
    shown(&gateway, &early).send().await.expect_status(200).await;
}

#[tokio::test]
async fn secrets_may_be_base64_and_keys_may_be_public() {
    let provider = upstream();
    let gateway = with_jack(&provider, json!({})).await;
    let encoded = json!({ "key": "user-key", "secret": STANDARD.encode(SECRET), "base64_secret": true });
    put_consumer(&gateway, "jack", json!({ "jwt-auth": encoded })).await;
    shown(&gateway, &valid()).send().await.expect_status(200).await;

    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        STANDARD.encode(der.as_ref())
    );
    let public = json!({ "key": "ann-key", "algorithm": "EdDSA", "public_key": pem });
    put_consumer(&gateway, "ann", json!({ "jwt-auth": public })).await;
    let claims = json!({ "key": "ann-key" });
    let signed = token("EdDSA", &claims, |message| pair.sign(message).as_ref().to_vec());
    shown(&gateway, &signed).send().await.expect_status(200).await;
    assert_eq!(caller(&provider), consumer("ann"));
    let confused = signed_with(&pem, &claims);
    assert_eq!(
        refused(shown(&gateway, &confused)).await,
        refusal(CHALLENGE, "failed to verify jwt")
    );
}

#[tokio::test]
async fn who_shows_no_valid_token_may_be_the_anonymous_consumer() {
    let provider = upstream();
    let conf = json!({ "anonymous_consumer": "nobody", "hide_credentials": true });
    let gateway = with_jack(&provider, conf).await;
    assert_eq!(
        refused(gateway.client().get("/")).await,
        refusal(CHALLENGE, "Invalid user authorization"),
        "there is no such consumer"
    );
    put_consumer(&gateway, "nobody", json!({})).await;
    shown(&gateway, "Bearer wrong")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(caller(&provider), consumer("nobody"));
    assert_eq!(provider.last_request().header("authorization"), None);
    shown(&gateway, &valid()).send().await.expect_status(200).await;
    assert_eq!(caller(&provider), consumer("jack"));
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    assert_eq!(
        refused_route(&gateway, "jwt-auth", json!({ "claims_to_verify": ["aud"] })).await,
        "failed to check the configuration of plugin jwt-auth err: property \"claims_to_verify\" validation failed: \
         failed to validate item 1: matches none of the enum values"
    );
    for (conf, error) in [
        (json!({ "secret": "s" }), "property \"key\" is required"),
        (
            json!({ "key": "k", "algorithm": "RS256" }),
            "failed to validate dependent schema for \"algorithm\": value should match only one schema, but matches none",
        ),
    ] {
        let consumer = json!({ "username": "jack", "plugins": { "jwt-auth": conf } });
        assert_eq!(
            refused_write(&gateway, "/consumers", consumer).await,
            format!(
                "invalid plugins configuration: failed to check the configuration of plugin jwt-auth err: {error}"
            )
        );
    }
}

#[tokio::test]
async fn claims_are_kept_for_others_where_that_is_asked_for() {
    let provider = upstream();
    for (keeps, shows) in [
        (true, Some(json!({ "key": "user-key", "team": "red" }))),
        (false, None),
    ] {
        let claims =
            json!({ "response-rewrite": { "headers": { "set": { "x-claims": "$jwt_auth_payload" } } } });
        let gateway = with_jack(&provider, json!({ "store_in_ctx": keeps })).await;
        gateway
            .admin()
            .patch("/routes/1", json!({ "plugins": claims }))
            .await
            .expect_status(200);
        let token = signed_with(SECRET, &json!({ "key": "user-key", "team": "red" }));
        let answer = shown(&gateway, &token).send().await.expect_status(200).await;
        let header = answer.header("x-claims").unwrap_or_default().to_owned();
        assert_eq!(serde_json::from_str::<Value>(&header).ok(), shows, "{header:?}");
        answer.bytes().await;
        let forged = signed_with("another-secret", &json!({ "key": "user-key" }));
        let answer = shown(&gateway, &forged).send().await.expect_status(401).await;
        assert_eq!(answer.header("x-claims").unwrap_or_default(), "");
        answer.bytes().await;
    }
}
