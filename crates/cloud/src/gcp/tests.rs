use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use sluice_net::{Resolver, TlsClients};
use sluice_testkit::{FakeProvider, Gate, Reply};
use tokio::runtime::Handle;

use super::*;

fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn file(key: &KeyPair, token_uri: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": "p-1",
        "private_key_id": "k-1",
        "private_key": key.serialize_pem(),
        "client_email": "gw@p-1.iam.gserviceaccount.com",
        "token_uri": token_uri,
    })
}

struct Bench {
    endpoint: FakeProvider,
    key: KeyPair,
    tokens: GcpTokens,
    pool: Pool,
}

impl Bench {
    fn new(config: GcpTokenConfig) -> Self {
        let endpoint = FakeProvider::start();
        let key = key();
        let account = ServiceAccount::from_json(&file(&key, &endpoint.url("/token")).to_string()).unwrap();
        let origins = Origins::new(TlsClients::new());
        Self {
            tokens: GcpTokens::new(account, config, &origins).unwrap(),
            pool: Pool::new(Resolver::system(Handle::current()).unwrap()),
            endpoint,
            key,
        }
    }

    fn grants(&self, token: &str, expires_in: u64) {
        let granted = json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"});
        self.endpoint.next(Reply::json(200, &granted));
    }

    async fn get(&self) -> Result<String, GcpError> {
        let value = self.tokens.authorization(&self.pool).await?;
        assert!(value.is_sensitive());
        Ok(value.to_str().unwrap().to_owned())
    }
}

/// Moves tokio's clock without letting it run ahead while sockets are waited for.
async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_grant_is_signed_by_the_account() {
    let bench = Bench::new(GcpTokenConfig::default());
    bench.grants("ya29.one", 3600);
    assert_eq!(bench.get().await.unwrap(), "Bearer ya29.one");

    let request = bench.endpoint.last_request();
    assert_eq!(request.path, "/token");
    assert_eq!(
        request.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    let form = String::from_utf8(request.body.to_vec()).unwrap();
    let grant = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    let public = DecodingKey::from_rsa_pem(bench.key.public_key_pem().as_bytes()).unwrap();
    let mut check = Validation::new(Algorithm::RS256);
    check.set_audience(&[bench.endpoint.url("/token")]);
    let grant = jsonwebtoken::decode::<Value>(grant, &public, &check).unwrap();
    assert_eq!(grant.header.kid.as_deref(), Some("k-1"));
    assert_eq!(grant.claims["iss"], "gw@p-1.iam.gserviceaccount.com");
    assert_eq!(
        grant.claims["scope"],
        "https://www.googleapis.com/auth/cloud-platform"
    );
    let lives = grant.claims["exp"].as_u64().unwrap() - grant.claims["iat"].as_u64().unwrap();
    assert_eq!(lives, 3600);
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let bench = Bench::new(GcpTokenConfig::default());
    bench.grants("one", 3600);
    bench.grants("two", 3600);
    assert_eq!(bench.get().await.unwrap(), "Bearer one");
    advance(3530).await;
    assert_eq!(bench.get().await.unwrap(), "Bearer one");
    advance(20).await;
    assert_eq!(bench.get().await.unwrap(), "Bearer two");
    assert_eq!(bench.endpoint.requests().len(), 2);
}

#[tokio::test]
async fn max_ttl_caps_the_time() {
    let bench = Bench::new(GcpTokenConfig {
        max_ttl: Some(Duration::from_secs(100)),
        ..GcpTokenConfig::default()
    });
    bench.grants("one", 3600);
    bench.grants("two", 3600);
    assert_eq!(bench.get().await.unwrap(), "Bearer one");
    advance(101).await;
    assert_eq!(bench.get().await.unwrap(), "Bearer two");
}

#[tokio::test]
async fn a_token_that_ends_at_once_is_used_once() {
    let bench = Bench::new(GcpTokenConfig::default());
    bench.grants("one", 60);
    bench.grants("two", 60);
    assert_eq!(bench.get().await.unwrap(), "Bearer one");
    assert_eq!(bench.get().await.unwrap(), "Bearer two");
}

#[tokio::test]
async fn many_who_ask_share_one_request_and_its_failure() {
    let bench = Bench::new(GcpTokenConfig::default());
    let gate = Gate::closed();
    let refusal = json!({"error": "invalid_grant", "error_description": "canary"});
    bench.endpoint.next(Reply::json(400, &refusal).head_gated(&gate));
    bench.grants("one", 3600);
    let release = async {
        bench.endpoint.wait_requests(1).await;
        gate.open(1);
    };
    let (one, two, three, ()) = tokio::join!(bench.get(), bench.get(), bench.get(), release);
    for outcome in [one, two, three] {
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "token endpoint answered 400 Bad Request (invalid_grant)"
        );
    }
    let (one, two) = tokio::join!(bench.get(), bench.get());
    assert_eq!(
        (one.unwrap(), two.unwrap()),
        ("Bearer one".into(), "Bearer one".into())
    );
    assert_eq!(bench.endpoint.requests().len(), 2);
}

#[tokio::test]
async fn one_who_leaves_does_not_hold_up_the_others() {
    let bench = Bench::new(GcpTokenConfig::default());
    bench.endpoint.next(Reply::hang_up().head_gated(&Gate::closed()));
    bench.grants("one", 3600);
    tokio::select! {
        _ = bench.get() => unreachable!("its answer is held back"),
        _ = bench.endpoint.wait_requests(1) => {}
    }
    assert_eq!(bench.get().await.unwrap(), "Bearer one");
}

#[tokio::test]
async fn answers_without_a_token_are_errors_that_repeat_nothing() {
    let bench = Bench::new(GcpTokenConfig::default());
    let answers = [
        Reply::json(200, &json!({"id_token": "canary"})),
        Reply::json(200, &json!({"access_token": "can\nary", "expires_in": 3600})),
        Reply::body(200, "text/html", "canary"),
        Reply::json(503, &json!({"error": "Canary says canary"})),
        Reply::raw("canary\r\n\r\n"),
    ];
    let count = answers.len();
    for answer in answers {
        bench.endpoint.next(answer);
    }
    let mut said = Vec::new();
    for _ in 0..count {
        said.push(bench.get().await.unwrap_err().to_string());
    }
    assert_eq!(
        said,
        [
            "token endpoint answered without a usable access_token",
            "token endpoint answered without a usable access_token",
            "token endpoint answered without a usable access_token",
            "token endpoint answered 503 Service Unavailable",
            "token endpoint: answer is not valid HTTP",
        ]
    );
}

#[test]
fn bad_accounts_are_refused_without_showing_them() {
    let good = file(&key(), "https://oauth2.googleapis.com/token");
    let refused = |text: String| ServiceAccount::from_json(&text).unwrap_err().to_string();
    let with = |name: &str, value: Value| {
        let mut file = good.clone();
        file[name] = value;
        refused(file.to_string())
    };
    assert_eq!(
        refused("{canary".to_owned()),
        "key must be a string at line 1 column 2"
    );
    assert_eq!(refused(r#""canary""#.to_owned()), "not a JSON object");
    assert_eq!(
        with("client_email", json!(["canary"])),
        "client_email is missing or not a string"
    );
    assert_eq!(
        with("private_key", Value::Null),
        "private_key is missing or not a string"
    );
    assert_eq!(
        with("private_key", json!("canary")),
        "private_key is not an RSA key in PEM form"
    );
    assert_eq!(
        with("token_uri", json!("file:///canary")),
        "token_uri is not an http or https URL"
    );
    let account = ServiceAccount::from_json(&good.to_string()).unwrap();
    assert_eq!(account.project_id(), Some("p-1"));
    assert_eq!(
        format!("{account:?}"),
        "ServiceAccount(gw@p-1.iam.gserviceaccount.com)"
    );
}
