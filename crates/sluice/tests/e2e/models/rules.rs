//! Rules that choose targets by what a request is.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::{answered, ask, chat_with, counts, model, with_providers};

/// Targets `a` and `b`; a request that the rule is for goes to `b`, every other one to `a`.
async fn goes_to_b(when: Value, yes: &[Value], no: &[Value]) {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let rule = json!({ "name": "r", "when": when, "targets": ["b"] });
    model(
        &gateway,
        &["a", "b"],
        json!({ "strategy": "priority", "rules": [rule] }),
    )
    .await;
    for (bodies, place) in [(yes, 1), (no, 0)] {
        for body in bodies {
            let before = counts([&a, &b]);
            answered(ask(&gateway, body)).await;
            let after = counts([&a, &b]);
            assert_eq!(after[place], before[place] + 1, "{when} {body}");
        }
    }
}

fn with(text: &str, members: Value) -> Value {
    let mut body = chat_with("m", text);
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn by_length() {
    let long = "conf:hello ".to_owned() + &"word ".repeat(500);
    let (short, long) = (chat_with("m", "conf:hello"), chat_with("m", &long));
    goes_to_b(
        json!({ "min_tokens": 200 }),
        std::slice::from_ref(&long),
        std::slice::from_ref(&short),
    )
    .await;
    goes_to_b(json!({ "max_tokens": 200 }), &[short], &[long]).await;
}

#[tokio::test]
async fn by_tools_and_images() {
    let tool = json!({ "type": "function", "function": { "name": "get_weather", "parameters": { "type": "object" } } });
    let tools = with("conf:hello", json!({ "tools": [tool] }));
    let plain = with("conf:hello", json!({ "tools": [] }));
    goes_to_b(
        json!({ "has_tools": true }),
        std::slice::from_ref(&tools),
        std::slice::from_ref(&plain),
    )
    .await;
    goes_to_b(json!({ "has_tools": false }), &[plain], &[tools]).await;
    let image = json!([
        { "type": "text", "text": "conf:hello" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
    ]);
    let image = json!({ "model": "m", "messages": [{ "role": "user", "content": image }] });
    goes_to_b(
        json!({ "has_images": true }),
        &[image],
        &[chat_with("m", "conf:hello image_url")],
    )
    .await;
}

#[tokio::test]
async fn by_words_of_the_user() {
    let yes = chat_with("m", "conf:hello please write SQL for me");
    let mut only_system = chat_with("m", "conf:hello");
    only_system["messages"] = json!([
        { "role": "system", "content": "You write SQL." }, { "role": "user", "content": "conf:hello" },
    ]);
    goes_to_b(
        json!({ "prompt": ["(?i)\\bsql\\b", "postgres"] }),
        &[yes],
        &[only_system],
    )
    .await;
}

#[tokio::test]
async fn by_class_of_task() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    a.always(Reply::contract());
    let gateway = with_providers(&[&a, &b]).await;
    let rule = |name: &str, target: &str, examples: &[&str]| json!({ "name": name, "when": { "task": { "examples": examples } }, "targets": [target] });
    let rules = json!([
        rule(
            "code",
            "a",
            &["write a function that sorts a list", "fix the bug in this code"]
        ),
        rule("talk", "b", &["hello, how are you?", "tell me a joke"]),
    ]);
    model(
        &gateway,
        &["a", "b"],
        json!({ "strategy": "priority", "rules": rules }),
    )
    .await;
    answered(ask(&gateway, &chat_with("m", "tell me another joke"))).await;
    assert_eq!(counts([&a, &b]), [0, 1]);
    answered(ask(&gateway, &chat_with("m", "please fix a bug in my code"))).await;
    assert_eq!(counts([&a, &b]), [1, 1]);
}

#[tokio::test]
async fn by_headers() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let when = json!({ "headers": { "X-Tier": "gold*" } });
    let rule = json!({ "name": "gold", "when": when, "targets": ["b"] });
    model(
        &gateway,
        &["a", "b"],
        json!({ "strategy": "priority", "rules": [rule] }),
    )
    .await;
    let body = chat_with("m", "conf:hello");
    answered(ask(&gateway, &body).header("x-tier", "golden")).await;
    answered(ask(&gateway, &body).header("x-tier", "silver")).await;
    answered(ask(&gateway, &body)).await;
    assert_eq!(counts([&a, &b]), [2, 1]);
}

#[tokio::test]
async fn a_strict_rule_keeps_to_its_targets_and_others_fall_back() {
    for (strict, status, expected) in [(true, 500, [0, 1]), (false, 200, [1, 1])] {
        let (a, b) = (FakeProvider::start(), FakeProvider::start());
        b.next(Reply::json(500, &json!({})));
        let gateway = with_providers(&[&a, &b]).await;
        let when = json!({ "stream": false });
        let rule = json!({ "name": "r", "when": when, "targets": ["b"], "strict": strict });
        model(&gateway, &["a", "b"], json!({ "rules": [rule] })).await;
        let answer = ask(&gateway, &chat_with("m", "conf:hello")).send().await;
        answer.expect_status(status).await.bytes().await;
        assert_eq!(counts([&a, &b]), expected, "strict {strict}");
    }
}
