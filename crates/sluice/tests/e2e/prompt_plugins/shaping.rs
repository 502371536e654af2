//! `ai-prompt-decorator` and `ai-prompt-template`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use crate::support::{chat, chat_stream, done, node, openai, put, put_consumer, stream_to_end, with_route};

const CHAT: &str = "/v1/chat/completions";

fn around() -> Value {
    json!({
        "prepend": [{ "role": "system", "content": "Be brief." }],
        "append": [{ "role": "user", "content": "Thanks." }],
    })
}

async fn decorated(provider: &FakeProvider) -> Gateway {
    with_route(json!({ "ai-prompt-decorator": around(), "ai-proxy": openai(provider) })).await
}

#[tokio::test]
async fn messages_are_put_around_those_of_a_chat() {
    let provider = FakeProvider::start();
    let gateway = decorated(&provider).await;
    done(gateway.client().post(CHAT).json(&chat("conf:hello")), 200).await;
    let sent = provider.last_request().json();
    assert_eq!(
        sent["messages"],
        json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "conf:hello" },
            { "role": "user", "content": "Thanks." },
        ])
    );
    assert_eq!(sent["model"], "gpt-4o");
    let events = stream_to_end(gateway.client().post(CHAT).json(&chat_stream("conf:hello"))).await;
    assert_eq!(events.data().last(), Some(&"[DONE]"));
    assert_eq!(provider.last_request().json()["messages"][0]["role"], "system");
}

#[tokio::test]
async fn each_protocol_has_its_place_for_instructions() {
    let provider = FakeProvider::start();
    let gateway = gateway_on_every_path(&provider).await;
    let post = |path: &str, body: Value| gateway.client().post(path).json(&body);
    done(
        post("/v1/responses", json!({ "model": "m", "input": "conf:hello" })),
        200,
    )
    .await;
    let sent = provider.last_request().json();
    assert_eq!(sent["instructions"], "Be brief.");
    assert_eq!(sent["input"], "conf:hello\nThanks.");

    done(
        post("/v1/embeddings", json!({ "model": "m", "input": "conf:hello" })),
        200,
    )
    .await;
    let sent = provider.last_request().json();
    assert_eq!(sent, json!({ "model": "m", "input": "conf:hello" }));
}

async fn gateway_on_every_path(provider: &FakeProvider) -> Gateway {
    let gateway = crate::support::gateway().await;
    let mut target = openai(provider);
    target["override"]["endpoint"] = json!(format!("http://{}", provider.addr()));
    let plugins = json!({ "ai-prompt-decorator": around(), "ai-proxy": target });
    crate::support::put_route(&gateway, "1", "/v1/*", plugins).await;
    gateway
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let provider = FakeProvider::start();
    let gateway = decorated(&provider).await;
    let refusal = |body: &'static str| {
        let call = gateway.client().post(CHAT).body(body);
        async move { call.send().await.expect_status(400).await.json().await["message"].clone() }
    };
    assert_eq!(refusal("").await, "could not get body: request body is empty");
    let message = refusal("{").await;
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("could not parse JSON request body: "),
        "{message}"
    );
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_plain_upstream_gets_the_decorated_body_too() {
    let upstream = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    let route = json!({
        "uri": "/v1/chat/completions", "upstream": node(upstream.addr()),
        "plugins": { "ai-prompt-decorator": { "prepend": [{ "role": "system", "content": "S" }] } },
    });
    put(&gateway, "/routes/1", route).await;
    done(gateway.client().post(CHAT).json(&chat("conf:hello")), 200).await;
    assert_eq!(
        upstream.last_request().json()["messages"][0],
        json!({ "role": "system", "content": "S" })
    );
}

#[tokio::test]
async fn a_consumers_system_prompt_reaches_the_model_and_spares_other_requests() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    put_consumer(&gateway, "ann").await;
    let plugins = json!({
        "key-auth": { "key": "key-ann" }, "ai-proxy": openai(&provider),
        "ai-prompt-decorator": { "prepend": [{ "role": "system", "content": "For Ann." }] },
    });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "ann", "plugins": plugins }),
    )
    .await;
    let client = gateway.client().with_header("authorization", "Bearer key-ann");
    done(client.post(CHAT).json(&chat("conf:hello")), 200).await;
    assert_eq!(
        provider.last_request().json()["messages"][0]["content"],
        "For Ann."
    );
    done(client.get("/v1/models"), 200).await;
}

#[tokio::test]
async fn no_body_gets_around_a_consumers_prompt_plugins() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    for (name, conf) in [
        (
            "ai-prompt-guard",
            json!({ "deny_patterns": ["hello"], "max_req_body_size": 100 }),
        ),
        (
            "ai-prompt-decorator",
            json!({ "prepend": [{ "role": "system", "content": "S" }], "max_req_body_size": 100 }),
        ),
    ] {
        let plugins = json!({ "key-auth": { "key": "key-ann" }, "ai-proxy": openai(&provider), name: conf });
        let ann = json!({ "username": "ann", "plugins": plugins });
        put(&gateway, "/consumers", ann).await;
        let client = gateway.client().with_header("authorization", "Bearer key-ann");
        let long = chat(&format!("conf:hello {}", "x".repeat(200)));
        done(client.post(CHAT).json(&long), 400).await;
        done(client.post(CHAT).body("{"), 400).await;
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn a_decorator_needs_something_to_put() {
    let gateway = crate::support::gateway().await;
    let route = |conf: Value| json!({ "uri": "/a", "plugins": { "ai-prompt-decorator": conf } });
    for conf in [
        json!({}),
        json!({ "prepend": [{ "role": "tool", "content": "x" }] }),
        json!({ "append": [{ "role": "user", "content": "" }] }),
    ] {
        let answer = gateway.admin().put("/routes/1", route(conf.clone())).await;
        assert_eq!(answer.status, 400, "{conf}: {}", answer.text());
        let text = answer.text();
        assert!(text.contains("plugin ai-prompt-decorator err: "), "{text}");
    }
}

fn templates() -> Value {
    json!({ "templates": [{
        "name": "code",
        "template": {
            "model": "gpt-4",
            "messages": [
                { "role": "system", "content": "You write {{language}}." },
                { "role": "user", "content": "conf:hello {{prompt}}" },
            ],
        },
    }] })
}

#[tokio::test]
async fn a_template_becomes_the_body() {
    let provider = FakeProvider::start();
    let gateway =
        with_route(json!({ "ai-prompt-template": templates(), "ai-proxy": openai(&provider) })).await;
    let body = json!({ "template_name": "code", "language": "C & C++", "prompt": "a <b>" });
    done(gateway.client().post(CHAT).json(&body), 200).await;
    assert_eq!(
        provider.last_request().json(),
        json!({
            "model": "gpt-4",
            "messages": [
                { "role": "system", "content": "You write C &amp; C++." },
                { "role": "user", "content": "conf:hello a &lt;b&gt;" },
            ],
        })
    );
}

#[tokio::test]
async fn template_errors() {
    let provider = FakeProvider::start();
    let mut conf = templates();
    conf["templates"][0]["template"]["messages"][0]["content"] = json!("{% os.exit() %}");
    let gateway = with_route(json!({ "ai-prompt-template": conf, "ai-proxy": openai(&provider) })).await;
    let cases = [
        (json!({}), 400, "template name is missing in request."),
        (
            json!({ "template_name": "x" }),
            400,
            "template: x not configured.",
        ),
        (
            json!({ "template_name": "code" }),
            503,
            "request template rendering: code blocks are not run",
        ),
    ];
    for (body, status, message) in cases {
        let answer = gateway.client().post(CHAT).json(&body).send().await;
        let answer = answer.expect_status(status).await.json().await;
        assert_eq!(answer, json!({ "message": message }), "{body}");
    }
    let answer = gateway.client().post(CHAT).body("").send().await;
    let answer = answer.expect_status(400).await.json().await;
    assert_eq!(answer["message"], "could not get body: request body is empty");
    assert!(provider.requests().is_empty());
}
