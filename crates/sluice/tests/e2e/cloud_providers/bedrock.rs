use serde_json::{Value, json};
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, Answer, Call, FakeProvider, Gate, Gateway, Reply,
    bedrock_event, bedrock_exception,
};

use super::{proxying, refusal};
use crate::scrape::Scrape;
use crate::support::gateway;

const MODEL: &str = "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-v1:0";
const WHOLE: &str = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.anthropic.claude-sonnet-4-5-v1%3A0/converse";
const STREAM: &str = "application/vnd.amazon.eventstream";

fn bedrock(provider: &FakeProvider) -> Value {
    json!({
        "provider": "bedrock",
        "auth": { "aws": { "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": AWS_SECRET_ACCESS_KEY } },
        "provider_conf": { "region": "eu-central-1" },
        "override": { "endpoint": provider.url("") },
    })
}

fn ask(gateway: &Gateway, body: &Value) -> Call {
    gateway.client().post("/my/converse").json(body)
}

fn converse(text: &str) -> Value {
    json!({ "model": MODEL, "messages": [{ "role": "user", "content": [{ "text": text }] }] })
}

fn streamed(text: &str) -> Value {
    let mut body = converse(text);
    body["stream"] = json!(true);
    body
}

async fn start(provider: &FakeProvider) -> Gateway {
    proxying("/my/converse", bedrock(provider)).await
}

/// The tokens that were counted, once the request is done.
async fn counted(gateway: &Gateway) -> (f64, f64) {
    let scrape = Scrape::when(gateway, "the request", |scrape| {
        scrape.sum("sluice_requests_ended_total", &[]) == 1.0
    })
    .await;
    (
        scrape.sum("apisix_llm_prompt_tokens", &[]),
        scrape.sum("apisix_llm_completion_tokens", &[]),
    )
}

async fn text_of(answer: Answer) -> String {
    answer.json().await["output"]["message"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_call_is_signed_and_names_the_model_in_its_path() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let call = ask(&gateway, &converse("conf:hello"))
        .header("authorization", "AWS4-HMAC-SHA256 Credential=client")
        .header("x-amz-security-token", "the client's")
        .header("x-amz-content-sha256", "the client's");
    let answer = call.send().await.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-amzn-requestid"), None);
    assert_eq!(text_of(answer).await, "Hello from the upstream.");
    let sent = provider.last_request();
    assert_eq!(sent.path, WHOLE);
    assert_eq!(
        sent.body,
        r#"{"messages":[{"role":"user","content":[{"text":"conf:hello"}]}]}"#
    );
    let authorization = sent.header("authorization").unwrap();
    assert!(
        authorization
            .contains("/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date,")
    );
    assert_eq!(sent.header("x-amz-security-token"), None);
    assert_eq!(counted(&gateway).await, (10.0, 5.0));
}

#[tokio::test]
async fn a_session_token_is_sent_and_signed() {
    let provider = FakeProvider::start();
    let mut conf = bedrock(&provider);
    conf["auth"]["aws"]["session_token"] = json!("session");
    conf["auth"]["query"] = json!({ "b": "x y", "a": "1" });
    let gateway = proxying("/my/converse", conf).await;
    ask(&gateway, &converse("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        provider.last_request().header("x-amz-security-token"),
        Some("session")
    );
}

#[tokio::test]
async fn a_binary_stream_passes_byte_for_byte_and_is_counted() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let answer = ask(&gateway, &streamed("conf:tool"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("content-type"), Some(STREAM));
    let body = answer.bytes().await;
    let metadata = json!({
        "usage": { "inputTokens": 20, "outputTokens": 7, "totalTokens": 27 }, "metrics": { "latencyMs": 7 },
    });
    assert!(body.starts_with(&bedrock_event("messageStart", &json!({ "role": "assistant" }))));
    assert!(body.ends_with(&bedrock_event("metadata", &metadata)));
    let sent = provider.last_request();
    assert_eq!(sent.path, format!("{WHOLE}-stream"));
    assert_eq!(sent.json().get("stream"), None);
    assert_eq!(counted(&gateway).await, (20.0, 7.0));
}

#[tokio::test]
async fn events_do_not_wait_for_each_other() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let gate = Gate::closed();
    provider.next(Reply::contract().gated(&gate));
    gate.open(1);
    let mut answer = ask(&gateway, &streamed("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    let first = bedrock_event("messageStart", &json!({ "role": "assistant" }));
    assert_eq!(answer.chunk().await.unwrap().unwrap(), first);
    gate.open_for_good();
    assert!(answer.bytes().await.len() > 300);
}

#[tokio::test]
async fn an_exception_ends_a_stream_and_passes() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let delta = json!({ "contentBlockIndex": 0, "delta": { "text": "Hel" } });
    let frames = [
        bedrock_event("contentBlockDelta", &delta),
        bedrock_exception("throttlingException", &json!({ "message": "slow down" })),
    ];
    provider.next(Reply::frames(STREAM, frames.clone()));
    let answer = ask(&gateway, &streamed("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.bytes().await, frames.concat());
}

#[tokio::test]
async fn limits_end_binary_streams_too() {
    let provider = FakeProvider::start();
    let mut conf = bedrock(&provider);
    conf["max_response_bytes"] = json!(200);
    let gateway = proxying("/my/converse", conf).await;
    let event = |text: &str| bedrock_event("contentBlockDelta", &json!({ "delta": { "text": text } }));
    let long = event(&"x".repeat(300));
    provider.next(Reply::frames(STREAM, [long.clone()]));
    let answer = ask(&gateway, &streamed("hi"))
        .send()
        .await
        .expect_status(502)
        .await;
    assert_eq!(answer.text().await, "max_response_bytes exceeded");

    let gate = Gate::closed();
    provider.next(Reply::frames(STREAM, [event("a"), long]).gated(&gate));
    gate.open(1);
    let mut answer = ask(&gateway, &streamed("hi"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), event("a"));
    gate.open_for_good();
    assert_eq!(answer.bytes().await, "", "the stream ends without its terminator");
}

#[tokio::test]
async fn errors_of_bedrock_pass_as_they_are() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    for (text, status) in [("conf:err429", 429), ("conf:err500", 500), ("conf:err400", 400)] {
        let answer = ask(&gateway, &converse(text))
            .send()
            .await
            .expect_status(status)
            .await;
        assert_eq!(answer.json().await["message"], format!("fake error {status}"));
    }
    let mut conf = bedrock(&provider);
    conf["auth"]["aws"]["secret_access_key"] = json!("wrong");
    let gateway = proxying("/my/converse", conf).await;
    let answer = ask(&gateway, &converse("conf:hello"))
        .send()
        .await
        .expect_status(403)
        .await;
    assert!(
        answer
            .text()
            .await
            .contains("signature we calculated does not match")
    );
}

#[tokio::test]
async fn edits_of_the_body_follow_their_order() {
    let provider = FakeProvider::start();
    let mut conf = bedrock(&provider);
    conf["options"] =
        json!({ "model": "amazon.nova-pro-v1:0", "inferenceConfig": { "topP": 0.5, "maxTokens": 1 } });
    conf["override"]["llm_options"] = json!({ "max_tokens": 64 });
    conf["override"]["request_body"] = json!({
        "bedrock-converse": { "inferenceConfig": { "maxTokens": 2, "temperature": 0 }, "model": "kept out" },
        "openai-chat": { "never": true },
    });
    let gateway = proxying("/my/converse", conf.clone()).await;
    ask(&gateway, &converse("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    let sent = provider.last_request();
    assert_eq!(sent.path, "/model/amazon.nova-pro-v1%3A0/converse");
    assert_eq!(
        sent.json()["inferenceConfig"],
        json!({ "topP": 0.5, "maxTokens": 64, "temperature": 0 })
    );
    assert_eq!(sent.json().as_object().unwrap().len(), 2);

    conf["override"]["request_body_force_override"] = json!(true);
    let gateway = proxying("/my/converse", conf).await;
    ask(&gateway, &converse("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        provider.last_request().json()["inferenceConfig"],
        json!({ "topP": 0.5, "maxTokens": 2, "temperature": 0 })
    );
}

#[tokio::test]
async fn requests_that_cannot_be_made_are_refused() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let mut nameless = converse("hi");
    nameless.as_object_mut().unwrap().remove("model");
    let answer = ask(&gateway, &nameless).send().await.expect_status(400).await;
    assert_eq!(
        answer.json().await["error_msg"],
        "could not resolve upstream path: ensure the route or request body specifies a model, or that \
         override.endpoint includes a path"
    );
    crate::support::put_route(&gateway, "2", "/v1/*", json!({ "ai-proxy": bedrock(&provider) })).await;
    let chat = gateway
        .client()
        .post("/v1/chat/completions")
        .json(&converse("hi"));
    let answer = chat.send().await.expect_status(400).await;
    assert_eq!(
        answer.text().await,
        "provider bedrock does not support openai-chat protocol (supported: bedrock-converse)"
    );

    let mut conf = bedrock(&provider);
    conf["auth"]["aws"]["session_token"] = json!("canary\nline");
    let gateway = proxying("/my/converse", conf).await;
    let answer = ask(&gateway, &converse("hi"))
        .send()
        .await
        .expect_status(500)
        .await;
    assert_eq!(
        answer.json().await,
        json!({ "error_msg": "failed to sign request: session_token contains characters that a header cannot carry" })
    );
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn another_instance_takes_over_from_one_that_throttles() {
    let provider = FakeProvider::start();
    let instance = |name: &str, priority: u8| {
        let mut conf = bedrock(&provider);
        conf["name"] = json!(name);
        conf["weight"] = json!(1);
        conf["priority"] = json!(priority);
        conf["options"] = json!({ "model": name });
        conf
    };
    let conf =
        json!({ "instances": [instance("a", 1), instance("b", 0)], "fallback_strategy": ["http_429"] });
    let gateway = gateway().await;
    crate::support::put_route(&gateway, "1", "/my/converse", json!({ "ai-proxy-multi": conf })).await;
    provider.next(Reply::json(429, &json!({ "message": "slow down" })));
    let answer = ask(&gateway, &converse("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(text_of(answer).await, "Hello from the upstream.");
    let paths: Vec<_> = provider
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/model/a/converse", "/model/b/converse"]);
}

#[tokio::test]
async fn a_broken_stream_ends_with_an_exception_in_the_native_profile() {
    let provider = FakeProvider::start();
    let mut conf = bedrock(&provider);
    conf["profile"] = json!("native");
    let gateway = proxying("/my/converse", conf).await;
    let answer = ask(&gateway, &streamed("conf:cut"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("x-amzn-requestid"), Some("req-fake-1"));
    let exception = json!({ "message": "the provider broke off its stream" });
    let body = answer.bytes().await;
    assert!(body.ends_with(&bedrock_exception("modelStreamErrorException", &exception)));
}

#[tokio::test]
async fn on_native_routes_bedrocks_own_paths_name_model_and_stream() {
    let provider = FakeProvider::start();
    let mut conf = bedrock(&provider);
    conf["profile"] = json!("native");
    let gateway = proxying("/model/*", conf).await;
    let body = json!({ "messages": [{ "role": "user", "content": [{ "text": "conf:hello" }] }] });
    let ask = |path: &str| gateway.client().post(path).json(&body);
    let answer = ask(WHOLE).send().await.expect_status(200).await;
    assert_eq!(text_of(answer).await, "Hello from the upstream.");
    assert_eq!(provider.last_request().path, WHOLE);

    let path = format!("{WHOLE}-stream");
    let answer = ask(&path).send().await.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some(STREAM));
    answer.bytes().await;
    assert_eq!(provider.last_request().path, path);
    let counted = Scrape::when(&gateway, "both requests", |scrape| {
        scrape.sum("apisix_llm_prompt_tokens", &[]) == 20.0
    });
    counted.await;
}

#[tokio::test]
async fn what_bedrock_needs_is_asked_for() {
    let gateway = gateway().await;
    let refused = async |without: &str| {
        let mut conf = json!({
            "provider": "bedrock", "provider_conf": { "region": "eu-central-1" },
            "auth": { "aws": { "access_key_id": "a", "secret_access_key": "s" } },
        });
        let (parent, name) = without.rsplit_once('/').unwrap();
        let parent = conf.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
        parent.remove(name).unwrap();
        refusal(&gateway, "ai-proxy", conf).await
    };
    let told = refused("/provider_conf/region").await;
    assert!(told.ends_with("bedrock requires provider_conf.region"), "{told}");
    let told = refused("/auth/aws").await;
    assert!(told.ends_with("bedrock requires auth.aws"), "{told}");
    let told = refused("/auth/aws/secret_access_key").await;
    assert!(
        told.contains("property \"secret_access_key\" is required"),
        "{told}"
    );

    let instance = json!({ "name": "a", "provider": "bedrock", "auth": {}, "weight": 1 });
    let told = refusal(&gateway, "ai-proxy-multi", json!({ "instances": [instance] })).await;
    assert!(
        told.ends_with("instance 'a': bedrock requires provider_conf.region"),
        "{told}"
    );
}
