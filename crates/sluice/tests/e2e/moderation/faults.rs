//! Services that judge, away, silent, or out of their mind: each moderator does what its page says, in time, and
//! requests that it does not judge go on.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{CHAT, said};
use crate::support::{babbling, chat, chat_stream, dead_addr, gateway, openai, put_route, silent};

/// `timeout` of the moderators, in milliseconds.
const TIMEOUT: u64 = 300;

/// Far more than a timeout, far less than none.
const BOUND: Duration = Duration::from_secs(10);

const MODERATORS: [&str; 4] = [
    "ai-aws-content-moderation",
    "ai-aliyun-content-moderation",
    "ai-content-moderation",
    "ai-lakera-guard",
];

fn conf(name: &str, endpoint: &str) -> Value {
    let (mut conf, of_answers) = match name {
        "ai-aws-content-moderation" => {
            let comprehend = json!({
                "access_key_id": "a", "secret_access_key": "s", "region": "r", "endpoint": endpoint,
            });
            (
                json!({ "comprehend": comprehend }),
                json!({ "check_response": true }),
            )
        }
        "ai-aliyun-content-moderation" => (
            json!({
                "endpoint": endpoint, "region_id": "r", "access_key_id": "a", "access_key_secret": "s",
            }),
            json!({ "check_response": true }),
        ),
        "ai-content-moderation" => (json!({ "endpoint": endpoint }), json!({ "check_response": true })),
        _ => (
            json!({ "api_key": "k", "lakera_endpoint": endpoint }),
            json!({ "direction": "both" }),
        ),
    };
    for (member, value) in of_answers.as_object().unwrap() {
        conf[member] = value.clone();
    }
    conf["timeout"] = json!(TIMEOUT);
    conf
}

/// Who cannot judge, and passes, refuses, or says so with 500.
fn is_answered(name: &str, status: u16, body: &str) {
    match name {
        "ai-aliyun-content-moderation" => {
            assert_eq!(
                (status, said(body)),
                (200, json!("Hello from the upstream.")),
                "{name}"
            );
        }
        "ai-lakera-guard" => {
            assert_eq!(
                (status, said(body)),
                (200, json!("Request blocked by Lakera Guard")),
                "{name}"
            );
        }
        _ => {
            assert_eq!(status, 500, "{name}: {body}");
            assert!(!body.is_empty() && !body.contains("127.0.0.1"), "{name}: {body}");
        }
    }
}

async fn in_trouble(gateway: &Gateway, provider: &FakeProvider, endpoint: &str) {
    for name in MODERATORS {
        let plugins = json!({ name: conf(name, endpoint), "ai-proxy": openai(provider) });
        put_route(gateway, "1", CHAT, plugins).await;
        let start = Instant::now();
        let waiting = tokio::spawn(gateway.client().post(CHAT).json(&chat("conf:hello")).send());
        // Nobody else waits.
        for _ in 0..5 {
            let free = gateway.client().post("/free").json(&chat("conf:hello"));
            free.send().await.expect_status(200).await.bytes().await;
        }
        let answer = waiting.await.unwrap();
        let status = answer.status.as_u16();
        is_answered(name, status, &answer.text().await);
        let answer = gateway
            .client()
            .post(CHAT)
            .json(&chat_stream("conf:hello"))
            .send()
            .await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 200 | 500), "{name}: {status}");
        answer.bytes().await;
        assert!(
            start.elapsed() < BOUND,
            "{name} at {endpoint}: {:?}",
            start.elapsed()
        );
    }
}

async fn scene() -> (Gateway, FakeProvider) {
    let (gateway, provider) = (gateway().await, FakeProvider::start());
    put_route(&gateway, "2", "/free", json!({ "ai-proxy": openai(&provider) })).await;
    (gateway, provider)
}

fn url(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

#[tokio::test]
async fn a_service_that_is_away() {
    let (gateway, provider) = scene().await;
    in_trouble(&gateway, &provider, &url(dead_addr())).await;
}

#[tokio::test]
async fn a_service_that_never_answers() {
    let (gateway, provider) = scene().await;
    let silent = silent();
    in_trouble(&gateway, &provider, &url(silent.local_addr().unwrap())).await;
}

#[tokio::test]
async fn a_service_that_talks_nonsense() {
    let (gateway, provider) = scene().await;
    in_trouble(&gateway, &provider, &url(babbling().await)).await;
    let service = FakeProvider::start();
    for reply in [
        Reply::body(200, "text/html", "<html>welcome</html>"),
        Reply::json(200, &json!([])),
        Reply::json(200, &json!({ "flagged": "perhaps", "ResultList": 1, "Data": [] })),
        Reply::json(503, &json!({ "message": "busy" })),
        Reply::huge(64 << 20),
    ] {
        service.always(reply);
        in_trouble(&gateway, &provider, &service.url("")).await;
    }
}

/// What was judged before stays as it was; the answer is what the service cannot judge.
#[tokio::test]
async fn a_service_that_fails_when_the_answer_comes() {
    let (gateway, provider) = scene().await;
    let service = FakeProvider::start();
    let fine = json!({
        "flagged": false, "ResultList": [{ "Toxicity": 0, "Labels": [] }], "Code": 200,
        "Data": { "RiskLevel": "none" },
    });
    service.always(Reply::body(500, "text/plain", "down"));
    for name in MODERATORS {
        let plugins = json!({ name: conf(name, &service.url("")), "ai-proxy": openai(&provider) });
        put_route(&gateway, "1", CHAT, plugins).await;
        service.next(Reply::json(200, &fine));
        let answer = gateway.client().post(CHAT).json(&chat("conf:hello")).send().await;
        let (status, body) = (answer.status.as_u16(), answer.text().await);
        match name {
            "ai-aliyun-content-moderation" => {
                assert_eq!((status, said(&body)), (200, json!("Hello from the upstream.")));
            }
            "ai-lakera-guard" => {
                assert_eq!(
                    (status, said(&body)),
                    (200, json!("Response blocked by Lakera Guard"))
                );
            }
            _ => assert!(
                status == 500 && !body.contains("Hello"),
                "{name}: {status} {body}"
            ),
        }
    }
}
