//! What strict providers refuse.

use super::*;

mod anthropic;
mod gemini;
mod openai;
mod others;

/// A provider's path, a request that it takes, and changes to that (a pointer and a value), each with a part of the
/// reason why the result is refused.
struct Case {
    path: &'static str,
    good: Value,
    bad: Vec<(&'static str, Value, &'static str)>,
}

impl Case {
    async fn check(self) {
        let provider = FakeProvider::strict();
        let client = Client::new(provider.addr())
            .with_header("anthropic-version", "2023-06-01")
            .with_key(AWS_BEDROCK_API_KEY);
        let ask = async |body: &Value| client.post(self.path).json(body).send().await;
        ask(&self.good).await.expect_status(200).await;
        for (number, (pointer, value, reason)) in self.bad.into_iter().enumerate() {
            let mut body = self.good.clone();
            set(&mut body, pointer, value);
            let answer = ask(&body).await.expect_status(400).await.text().await;
            let refused = provider.refused();
            assert_eq!(refused.len(), number + 1);
            assert!(refused[number].contains(reason), "{pointer}: {}", refused[number]);
            let said = reason.replace('"', "\\\"");
            assert!(answer.contains(&said), "{answer}");
        }
    }
}

/// Puts a value where the pointer says; null takes away what is there.
fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Object(object) if value.is_null() => {
            object.remove(name);
        }
        Value::Array(items) if value.is_null() => {
            items.remove(name.parse().unwrap());
        }
        Value::Array(items) if name == "-" => items.push(value),
        other => match name.parse::<usize>() {
            Ok(index) => other[index] = value,
            Err(_) => other[name] = value,
        },
    }
}

#[tokio::test]
async fn only_strict_providers_refuse_and_members_can_be_accepted() {
    let provider = FakeProvider::start();
    let mut odd = chat("hello");
    odd["top_k"] = 1.into();
    let ask = async |body| post(&provider, "/v1/chat/completions", body).await;
    ask(odd.clone()).await.expect_status(200).await;
    provider.set_strict(true);
    provider.next(Reply::completion(Completion::new().text("never said")).status(201));
    ask(odd.clone()).await.expect_status(400).await;
    provider.next(Reply::json(200, &json!({})));
    ask(odd.clone()).await.expect_status(400).await;
    provider.accept(&["top_k"]);
    ask(odd).await.expect_status(200).await;
    assert_eq!(provider.refused().len(), 2);
}
