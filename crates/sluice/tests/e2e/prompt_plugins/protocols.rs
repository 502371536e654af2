//! Every protocol that a client can speak, through each plugin that reads or changes prompts.

use serde_json::{Value, json};
use sluice_llm::Protocol;
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, Call, FakeProvider, Gateway, Recorded, Reply,
};

use crate::support::{done, gateway, node, openai, put};

/// A request of a protocol.
struct Asked {
    path: &'static str,
    body: Value,
    /// Where in the body its text stands.
    text: &'static str,
}

/// A request that says `text`. `None` for what only providers speak.
fn asked(protocol: Protocol, text: &str) -> Option<Asked> {
    let turn = json!([{ "role": "user", "content": text }]);
    let (path, body, text) = match protocol {
        Protocol::OpenAiChat => (
            "/chat/completions",
            json!({ "messages": turn }),
            "/messages/0/content",
        ),
        Protocol::AnthropicMessages => (
            "/v1/messages",
            json!({ "max_tokens": 9, "messages": turn }),
            "/messages/0/content",
        ),
        Protocol::BedrockConverse => (
            "/my/converse",
            json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] }),
            "/messages/0/content/0/text",
        ),
        Protocol::OpenAiResponses => ("/v1/responses", json!({ "input": text }), "/input"),
        Protocol::OpenAiEmbeddings => ("/v1/embeddings", json!({ "input": text }), "/input"),
        Protocol::Passthrough => ("/other", json!({ "prompt": text }), "/prompt"),
        Protocol::OpenAiCompletions => ("/v1/completions", json!({ "prompt": text }), "/prompt"),
        Protocol::CohereChat => ("/v2/chat", json!({ "messages": turn }), "/messages/0/content"),
        Protocol::OllamaChat => (
            "/api/chat",
            json!({ "stream": false, "messages": turn }),
            "/messages/0/content",
        ),
        Protocol::OllamaGenerate => (
            "/api/generate",
            json!({ "stream": false, "prompt": text }),
            "/prompt",
        ),
        Protocol::GeminiGenerate => (
            "/v1beta/models/m:generateContent",
            json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] }),
            "/contents/0/parts/0/text",
        ),
        Protocol::CohereEmbed => (
            "/v2/embed",
            json!({ "texts": [text], "input_type": "search_query" }),
            "/texts/0",
        ),
        Protocol::CohereRerank => (
            "/v2/rerank",
            json!({ "query": text, "documents": ["d"] }),
            "/query",
        ),
        Protocol::JinaRerank => (
            "/v1/rerank",
            json!({ "query": text, "documents": ["d"] }),
            "/query",
        ),
        Protocol::OllamaEmbed => ("/api/embed", json!({ "input": text }), "/input"),
        Protocol::GeminiEmbed => (
            "/v1beta/models/m:embedContent",
            json!({ "content": { "parts": [{ "text": text }] } }),
            "/content/parts/0/text",
        ),
        _ => return None,
    };
    let mut body = body;
    if !matches!(protocol, Protocol::GeminiGenerate | Protocol::GeminiEmbed) {
        body["model"] = json!("m");
    }
    Some(Asked { path, body, text })
}

/// Whether it is known on native routes alone.
fn is_native(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::CohereChat
            | Protocol::CohereEmbed
            | Protocol::CohereRerank
            | Protocol::GeminiEmbed
            | Protocol::GeminiGenerate
            | Protocol::JinaRerank
            | Protocol::OllamaEmbed
            | Protocol::OllamaChat
            | Protocol::OllamaGenerate
            | Protocol::OpenAiCompletions
    )
}

fn every_protocol(text: &str) -> Vec<(Protocol, Asked)> {
    let protocols = Protocol::ALL.into_iter();
    protocols
        .filter_map(|protocol| Some((protocol, asked(protocol, text)?)))
        .collect()
}

fn post(gateway: &Gateway, asked: &Asked) -> Call {
    gateway.client().post(asked.path).json(&asked.body)
}

/// A gateway whose every path has these plugins before a plain upstream.
async fn before_upstream(upstream: &FakeProvider, plugins: Value) -> Gateway {
    let gateway = gateway().await;
    upstream.always(Reply::json(200, &json!({})));
    let route = json!({ "uri": "/*", "upstream": node(upstream.addr()), "plugins": plugins });
    put(&gateway, "/routes/1", route).await;
    gateway
}

/// Makes every path of a gateway have a plugin before a provider that speaks the protocol.
async fn before_provider(
    gateway: &Gateway,
    protocol: Protocol,
    provider: &FakeProvider,
    name: &str,
    conf: &Value,
) {
    let mut target = openai(provider);
    match protocol {
        Protocol::AnthropicMessages => target["provider"] = json!("anthropic"),
        Protocol::BedrockConverse => {
            target["provider"] = json!("bedrock");
            target["auth"] = json!({ "aws": { "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": AWS_SECRET_ACCESS_KEY } });
            target["provider_conf"] = json!({ "region": "eu-central-1" });
        }
        Protocol::CohereChat | Protocol::CohereEmbed | Protocol::CohereRerank => {
            target["provider"] = json!("cohere");
        }
        Protocol::JinaRerank => target["provider"] = json!("vllm"),
        Protocol::GeminiGenerate | Protocol::GeminiEmbed => target["provider"] = json!("gemini"),
        Protocol::OllamaChat | Protocol::OllamaGenerate | Protocol::OllamaEmbed => {
            target["provider"] = json!("ollama")
        }
        Protocol::Passthrough => target["override"]["endpoint"] = json!(provider.url("/other")),
        _ => {}
    }
    if is_native(protocol) {
        target["profile"] = json!("native");
    }
    provider.always(Reply::json(200, &json!({})));
    let route = json!({ "uri": "/*", "plugins": { name: conf, "ai-proxy": target } });
    put(gateway, "/routes/1", route).await;
}

/// What a body becomes between a `system` and a `user` message that say `before` and `after`.
fn decorated(protocol: Protocol, body: &Value) -> Value {
    let mut body = body.clone();
    match protocol {
        Protocol::OpenAiChat | Protocol::AnthropicMessages | Protocol::CohereChat | Protocol::OllamaChat => {
            let messages = body["messages"].as_array_mut().unwrap();
            messages.insert(0, json!({ "role": "system", "content": "before" }));
            messages.push(json!({ "role": "user", "content": "after" }));
        }
        Protocol::BedrockConverse => {
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({ "role": "user", "content": [{ "text": "after" }] }));
            body["system"] = json!([{ "text": "before" }]);
        }
        Protocol::OpenAiResponses => {
            body["instructions"] = json!("before");
            body["input"] = json!(format!("{}\nafter", body["input"].as_str().unwrap()));
        }
        Protocol::OllamaGenerate => {
            body["system"] = json!("before");
            body["prompt"] = json!(format!("{}\nafter", body["prompt"].as_str().unwrap()));
        }
        Protocol::OpenAiCompletions => {
            body["prompt"] = json!(format!("before\n{}\nafter", body["prompt"].as_str().unwrap()));
        }
        Protocol::GeminiGenerate => {
            let contents = body["contents"].as_array_mut().unwrap();
            contents.push(json!({ "role": "user", "parts": [{ "text": "after" }] }));
            body["systemInstruction"] = json!({ "parts": [{ "text": "before" }] });
        }
        _ => {}
    }
    body
}

#[tokio::test]
async fn a_decorator_knows_where_messages_go() {
    let upstream = FakeProvider::start();
    let decorator = json!({
        "prepend": [{ "role": "system", "content": "before" }],
        "append": [{ "role": "user", "content": "after" }],
    });
    let native = gateway().await;
    let plain = before_upstream(&upstream, json!({ "ai-prompt-decorator": decorator })).await;
    for (protocol, asked) in every_protocol("q") {
        let gateway = if is_native(protocol) { &native } else { &plain };
        if is_native(protocol) {
            before_provider(gateway, protocol, &upstream, "ai-prompt-decorator", &decorator).await;
        }
        done(post(gateway, &asked), 200).await;
        assert_eq!(
            upstream.last_request().json(),
            decorated(protocol, &asked.body),
            "{protocol}"
        );
    }
}

#[tokio::test]
async fn on_built_in_routes_anthropics_instructions_stand_in_system() {
    let provider = FakeProvider::start();
    let gateway = gateway().await;
    let mut target = openai(&provider);
    target["provider"] = json!("anthropic");
    let plugins = json!({
        "key-auth": { "key": "key-ann" }, "ai-proxy": target,
        "ai-prompt-decorator": { "prepend": [{ "role": "system", "content": "Be brief." }] },
    });
    let ann = json!({ "username": "ann", "plugins": plugins });
    put(&gateway, "/consumers", ann).await;
    let client = gateway.client().with_header("x-api-key", "key-ann");
    let body =
        json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "conf:hello" }] });
    done(client.post("/v1/messages").json(&body), 200).await;
    let sent = provider.last_request();
    assert_eq!(sent.path, "/v1/messages");
    assert_eq!(sent.json()["system"], "Be brief.");
    assert_eq!(sent.json()["messages"], body["messages"]);
}

#[tokio::test]
async fn what_was_looked_up_goes_where_a_users_message_goes() {
    let (embeddings, search, upstream) = (
        FakeProvider::start(),
        FakeProvider::start(),
        FakeProvider::start(),
    );
    embeddings.always(Reply::json(200, &json!({ "data": [{ "embedding": [1] }] })));
    search.always(Reply::body(200, "application/json", "after"));
    let rag = json!({
        "embeddings_provider": { "azure_openai": { "endpoint": embeddings.url("/e"), "api_key": "k" } },
        "vector_search_provider": { "azure_ai_search": { "endpoint": search.url("/s"), "api_key": "k" } },
    });
    let native = gateway().await;
    let plain = before_upstream(&upstream, json!({ "ai-rag": rag })).await;
    for (protocol, mut asked) in every_protocol("q") {
        let gateway = if is_native(protocol) { &native } else { &plain };
        if is_native(protocol) {
            before_provider(gateway, protocol, &upstream, "ai-rag", &rag).await;
        }
        let mut expected = decorated(protocol, &asked.body);
        match protocol {
            Protocol::OpenAiChat
            | Protocol::AnthropicMessages
            | Protocol::CohereChat
            | Protocol::OllamaChat => {
                expected["messages"].as_array_mut().unwrap().remove(0);
            }
            Protocol::OpenAiCompletions => expected["prompt"] = json!("q\nafter"),
            _ => {
                let members = expected.as_object_mut().unwrap();
                members.remove("systemInstruction");
                members.remove("system");
                members.remove("instructions");
            }
        }
        asked.body["ai_rag"] = json!({ "embeddings": { "input": "x" }, "vector_search": { "fields": "v" } });
        done(post(gateway, &asked), 200).await;
        assert_eq!(upstream.last_request().json(), expected, "{protocol}");
    }
}

#[tokio::test]
async fn a_template_can_be_a_body_of_any_protocol_whose_contents_are_texts() {
    let upstream = FakeProvider::start();
    for (protocol, asked) in every_protocol("{{q}}") {
        if is_native(protocol) {
            continue;
        }
        let gateway = gateway().await;
        let templates = json!({ "templates": [{ "name": "t", "template": asked.body }] });
        let route = json!({
            "uri": "/*", "upstream": node(upstream.addr()), "plugins": { "ai-prompt-template": templates },
        });
        let written = gateway.admin().put("/routes/1", route).await;
        if protocol == Protocol::BedrockConverse {
            assert_eq!(written.status, 400, "contents are texts: {}", written.text());
            continue;
        }
        assert_eq!(written.status, 201, "{protocol}: {}", written.text());
        upstream.always(Reply::json(200, &json!({})));
        let filled = json!({ "template_name": "t", "q": "a & b" });
        done(gateway.client().post(asked.path).json(&filled), 200).await;
        let sent = upstream.last_request().json();
        assert_eq!(sent.pointer(asked.text), Some(&json!("a &amp; b")), "{protocol}");
    }
}

#[tokio::test]
async fn the_pattern_guard_finds_the_text_of_each() {
    let upstream = FakeProvider::start();
    let native = gateway().await;
    let conf = json!({ "deny_patterns": ["jane"], "fail_mode": "error" });
    let gateway = before_upstream(&upstream, json!({ "ai-prompt-guard": conf })).await;
    for (protocol, asked) in every_protocol("mail jane@example.org") {
        if is_native(protocol) {
            before_provider(&native, protocol, &upstream, "ai-prompt-guard", &conf).await;
            let answer = post(&native, &asked).send().await.expect_status(400).await;
            let text = answer.text().await;
            assert!(
                text.contains("Request contains prohibited content"),
                "{protocol}: {text}"
            );
            continue;
        }
        let message = match protocol {
            Protocol::Passthrough => "Request format not recognized by ai-prompt-guard",
            _ => "Request contains prohibited content",
        };
        let answer = post(&gateway, &asked).send().await.expect_status(400).await;
        assert_eq!(answer.json().await, json!({ "message": message }), "{protocol}");
    }
    assert!(upstream.requests().is_empty());
    for (protocol, asked) in every_protocol("fine") {
        if protocol != Protocol::Passthrough && !is_native(protocol) {
            done(post(&gateway, &asked), 200).await;
        }
    }
}

#[tokio::test]
async fn the_content_guard_masks_and_refuses_in_each() {
    let gateway = gateway().await;
    let provider = FakeProvider::start();
    for (protocol, asked) in every_protocol("mail jane@example.org") {
        let conf = json!({ "mask": ["email"], "fail_mode": "error" });
        before_provider(&gateway, protocol, &provider, "ai-guard", &conf).await;
        if protocol == Protocol::Passthrough {
            let answer = post(&gateway, &asked).send().await.expect_status(500).await;
            assert_eq!(answer.text().await, "unsupported protocol: passthrough");
            continue;
        }
        done(post(&gateway, &asked), 200).await;
        let sent = provider.last_request().json();
        assert_eq!(
            sent.pointer(asked.text),
            Some(&json!("mail [EMAIL_1]")),
            "{protocol}"
        );

        let count = provider.requests().len();
        let conf = json!({ "block": ["email"] });
        before_provider(&gateway, protocol, &provider, "ai-guard", &conf).await;
        let answer = post(&gateway, &asked).send().await.expect_status(200).await;
        let text = "The request contains content that must not be sent.";
        assert_refused(protocol, &answer.json().await, text);
        assert_eq!(provider.requests().len(), count, "{protocol}: nothing was sent");
    }
}

#[tokio::test]
async fn moderators_judge_the_text_of_each_and_refuse_in_its_protocol() {
    let gateway = gateway().await;
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(Reply::by(|asked: &Recorded| {
        let is_bad = String::from_utf8_lossy(&asked.body).contains("bad");
        // One answer that each of the services could give.
        let score = if is_bad { 0.9 } else { 0.1 };
        Reply::json(
            200,
            &json!({ "flagged": is_bad, "message": "Refused.", "ResultList": [{ "Toxicity": score, "Labels": [] }],
                "Code": 200, "Data": { "RiskLevel": if is_bad { "high" } else { "none" } } }),
        )
    }));
    let comprehend = json!({
        "access_key_id": "a", "secret_access_key": "s", "region": "us-east-1", "endpoint": service.url(""),
    });
    let moderators = [
        (
            "ai-content-moderation",
            json!({ "endpoint": service.url("/") }),
            "Refused.",
        ),
        (
            "ai-aws-content-moderation",
            json!({ "comprehend": comprehend }),
            "request body exceeds toxicity threshold",
        ),
        (
            "ai-aliyun-content-moderation",
            json!({
                "endpoint": service.url(""), "region_id": "cn-shanghai", "access_key_id": "a",
                "access_key_secret": "s",
            }),
            "Your request violate our content policy.",
        ),
        (
            "ai-lakera-guard",
            json!({ "api_key": "k", "lakera_endpoint": service.url("/") }),
            "Request blocked by Lakera Guard",
        ),
    ];
    for (name, mut conf, refusal) in moderators {
        conf["fail_mode"] = json!("error");
        for (protocol, asked) in every_protocol("something bad") {
            before_provider(&gateway, protocol, &provider, name, &conf).await;
            let answer = post(&gateway, &asked).send().await;
            if protocol == Protocol::Passthrough {
                let answer = answer.expect_status(500).await;
                assert_eq!(answer.text().await, "unsupported protocol: passthrough", "{name}");
                continue;
            }
            let answer = answer.expect_status(200).await.json().await;
            assert_refused(protocol, &answer, refusal);
            let judged = String::from_utf8_lossy(&service.last_request().body).into_owned();
            assert!(judged.contains("bad"), "{name} {protocol}: {judged}");
        }
    }
    assert!(provider.requests().is_empty());
}

/// Whether an answer says `text` as its protocol has it (compat §4.1.8).
fn assert_refused(protocol: Protocol, answer: &Value, text: &str) {
    let place = match protocol {
        Protocol::OpenAiChat => "/choices/0/message/content",
        Protocol::AnthropicMessages => "/content/0/text",
        Protocol::BedrockConverse => "/output/message/content/0/text",
        Protocol::OpenAiResponses => "/output/0/content/0/text",
        Protocol::OpenAiEmbeddings | Protocol::GeminiEmbed | Protocol::JinaRerank => "/error/message",
        Protocol::CohereEmbed | Protocol::CohereRerank => "/message",
        Protocol::OllamaEmbed => "/error",
        Protocol::CohereChat => "/message/content/0/text",
        Protocol::GeminiGenerate => "/candidates/0/content/parts/0/text",
        Protocol::OllamaChat => "/message/content",
        Protocol::OllamaGenerate => "/response",
        Protocol::OpenAiCompletions => "/choices/0/text",
        _ => panic!("{protocol} has no refusals"),
    };
    assert_eq!(answer.pointer(place), Some(&json!(text)), "{protocol}: {answer}");
}
