//! `ai-aliyun-content-moderation`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Recorded, Reply};

use super::{CHAT, answer, finds, moderated, said};
use crate::support::{chat, gateway};

const NAME: &str = "ai-aliyun-content-moderation";

fn conf(service: &FakeProvider, more: Value) -> Value {
    let mut conf = json!({
        "endpoint": format!("http://{}", service.addr()), "region_id": "cn-shanghai",
        "access_key_id": "fake-key", "access_key_secret": "fake-secret",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        conf[name] = value.clone();
    }
    conf
}

fn verdict(is_bad: bool) -> Value {
    let advice = json!([{ "HitLabel": "violent", "Answer": "As an AI I cannot." }]);
    let level = if is_bad { "high" } else { "low" };
    json!({ "Code": 200, "Data": { "RiskLevel": level, "Advice": advice } })
}

/// The form of a call.
fn form(asked: &Recorded) -> Vec<(String, String)> {
    let body = String::from_utf8(asked.body.to_vec()).unwrap();
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn field(asked: &Recorded, name: &str) -> String {
    let found = form(asked).into_iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

#[tokio::test]
async fn a_prompt_at_the_bar_gets_the_services_advice() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", verdict));
    let gateway = moderated(NAME, conf(&service, json!({})), &provider).await;
    let post = |text: &str| gateway.client().post(CHAT).json(&chat(text));
    assert_eq!(answer(post("conf:hello")).await.0, 200);
    let asked = service.last_request();
    assert_eq!(
        asked.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    for (name, expected) in [
        ("Action", "TextModerationPlus"),
        ("Version", "2022-03-02"),
        ("AccessKeyId", "fake-key"),
        ("RegionId", "cn-shanghai"),
        ("Service", "llm_query_moderation"),
        ("SignatureMethod", "HMAC-SHA1"),
    ] {
        assert_eq!(field(&asked, name), expected);
    }
    let parameters: Value = serde_json::from_str(&field(&asked, "ServiceParameters")).unwrap();
    assert_eq!(parameters["content"], "conf:hello");
    assert!(parameters["sessionId"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(field(&asked, "Signature"), signature(&asked));

    assert_eq!(said(&answer(post("bad")).await.2), "As an AI I cannot.");
    assert_eq!(provider.requests().len(), 1);
}

/// The signature as Aliyun's documentation has it, reckoned from what came over the wire.
fn signature(asked: &Recorded) -> String {
    use aws_lc_rs::hmac;
    use base64::Engine;

    let body = String::from_utf8(asked.body.to_vec()).unwrap();
    let mut pairs: Vec<_> = body
        .split('&')
        .filter(|pair| !pair.starts_with("Signature="))
        .collect();
    pairs.sort_unstable();
    let canonical = pairs
        .join("&")
        .replace('%', "%25")
        .replace('&', "%26")
        .replace('=', "%3D");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"fake-secret&");
    let signed = hmac::sign(&key, format!("POST&%2F&{canonical}").as_bytes());
    base64::engine::general_purpose::STANDARD.encode(signed)
}

#[tokio::test]
async fn the_bar_decides() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", verdict));
    let max = moderated(
        NAME,
        conf(&service, json!({ "risk_level_bar": "max" })),
        &provider,
    )
    .await;
    let call = max.client().post(CHAT).json(&chat("conf:hello bad"));
    assert_eq!(said(&answer(call).await.2), "Hello from the upstream.");
    let low = moderated(
        NAME,
        conf(&service, json!({ "risk_level_bar": "low" })),
        &provider,
    )
    .await;
    let call = low.client().post(CHAT).json(&chat("conf:hello"));
    assert_eq!(said(&answer(call).await.2), "As an AI I cannot.");
}

#[tokio::test]
async fn without_advice_a_standard_text_is_said_and_a_message_wins() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(Reply::json(200, &json!({ "Data": { "RiskLevel": "high" } })));
    let gateway = moderated(NAME, conf(&service, json!({})), &provider).await;
    let call = gateway.client().post(CHAT).json(&chat("x"));
    assert_eq!(
        said(&answer(call).await.2),
        "Your request violate our content policy."
    );
    let gateway = moderated(NAME, conf(&service, json!({ "deny_message": "No." })), &provider).await;
    let call = gateway.client().post(CHAT).json(&chat("x"));
    assert_eq!(said(&answer(call).await.2), "No.");
}

#[tokio::test]
async fn errors_of_the_service_let_content_pass() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    let conf = conf(&service, json!({ "check_response": true }));
    let gateway = moderated(NAME, conf, &provider).await;
    for reply in [
        Reply::body(500, "text/plain", "down"),
        Reply::body(200, "text/plain", "what"),
        Reply::json(200, &json!({ "Code": 401 })),
    ] {
        service.always(reply);
        let call = gateway.client().post(CHAT).json(&chat("conf:hello"));
        let (status, _, body) = answer(call).await;
        assert_eq!((status, said(&body)), (200, json!("Hello from the upstream.")));
    }
}

#[tokio::test]
async fn long_texts_are_judged_piece_by_piece() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("never", verdict));
    let conf = conf(&service, json!({ "request_check_length_limit": 5 }));
    let gateway = moderated(NAME, conf, &provider).await;
    let call = gateway.client().post(CHAT).json(&chat("conf:helloä"));
    assert_eq!(answer(call).await.0, 200);
    let pieces: Vec<_> = service
        .requests()
        .iter()
        .map(|asked| {
            let parameters: Value = serde_json::from_str(&field(asked, "ServiceParameters")).unwrap();
            parameters["content"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(pieces, ["conf:", "hello", "ä"]);
}

#[tokio::test]
async fn answers_are_judged_by_their_own_service() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("upstream", verdict));
    let conf = conf(&service, json!({ "check_response": true, "deny_code": 403 }));
    let gateway = moderated(NAME, conf, &provider).await;
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat("conf:hello"))).await;
    assert_eq!((status, said(&body)), (403, json!("As an AI I cannot.")));
    assert_eq!(
        field(&service.last_request(), "Service"),
        "llm_response_moderation"
    );
}

#[tokio::test]
async fn all_four_of_its_keys_are_required() {
    let service = FakeProvider::start();
    let gateway = gateway().await;
    for member in ["endpoint", "region_id", "access_key_id", "access_key_secret"] {
        let mut conf = conf(&service, json!({}));
        conf.as_object_mut().unwrap().remove(member);
        let route = json!({ "uri": "/a", "plugins": { NAME: conf } });
        let answer = gateway.admin().put("/routes/1", route).await;
        assert_eq!(answer.status, 400);
        let text = answer.text();
        assert!(
            text.contains(&format!(r#"property \"{member}\" is required"#)),
            "{text}"
        );
    }
}
