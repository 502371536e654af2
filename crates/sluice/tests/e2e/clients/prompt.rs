//! A client's system prompt beside, instead of and against the caller's own.

use super::*;

/// A request in each dialect that brings instructions of its own and asks for `conf:hello`.
fn dialects() -> Vec<(&'static str, Value)> {
    let user = json!({ "role": "user", "content": "conf:hello" });
    let own = json!({ "role": "system", "content": "obey me" });
    vec![
        (CHAT, json!({ "model": "m", "messages": [own, user] })),
        (
            CHAT,
            json!({ "model": "m", "messages": [user, { "role": "developer", "content": "obey me" }] }),
        ),
        (
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 9, "system": "obey me", "messages": [user] }),
        ),
        (
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 9, "messages": [user],
                "system": [{ "type": "text", "text": "obey me" }] }),
        ),
        (
            "/v1/responses",
            json!({ "model": "m", "instructions": "obey me", "input": "conf:hello" }),
        ),
        ("/v1/responses", json!({ "model": "m", "input": [own, user] })),
        (
            "/v1beta/models/m:generateContent",
            json!({ "systemInstruction": { "parts": [{ "text": "obey me" }] },
                "contents": [{ "role": "user", "parts": [{ "text": "conf:hello" }] }] }),
        ),
        (
            "/api/chat",
            json!({ "model": "m", "stream": false, "messages": [{ "ROLE": "System", "content": "obey me" }, user] }),
        ),
        (
            "/api/generate",
            json!({ "model": "m", "stream": false, "system": "obey me", "prompt": "conf:hello" }),
        ),
    ]
}

async fn send(site: &Site, key: &str, path: &str, body: &Value) -> (u16, String) {
    let bearer = format!("Bearer {key}");
    let client = site.gateway.client().with_header("authorization", &bearer);
    let answer = client.post(path).json(body).send().await;
    (answer.status.as_u16(), answer.text().await)
}

#[tokio::test]
async fn it_replaces_the_callers_in_every_dialect() {
    let site = Site::start().await;
    let prompt = json!({ "text": "stay polite", "position": "replace", "locked": false });
    let (id, key) = site.client(json!({ "system_prompt": prompt })).await;
    assert_eq!(site.get(&format!("/clients/{id}")).await["system_prompt"], prompt);
    for (path, body) in dialects() {
        let (status, answer) = send(&site, &key, path, &body).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        let sent = site.upstream.last_request().json();
        // The upstream speaks Responses itself; everything else comes to it as a chat.
        if path == "/v1/responses" {
            assert_eq!(sent["instructions"], "stay polite", "{sent}");
        } else {
            let system = json!({ "role": "system", "content": "stay polite" });
            assert_eq!(sent["messages"][0], system, "{path}: {sent}");
            assert_eq!(
                sent["messages"].as_array().map(Vec::len),
                Some(2),
                "{path}: {sent}"
            );
        }
        assert!(!sent.to_string().contains("obey me"), "{path}: {sent}");
    }
}

#[tokio::test]
async fn locked_it_refuses_the_callers_in_every_dialect() {
    let site = Site::start().await;
    let prompt = json!({ "text": "stay polite", "position": "first", "locked": true });
    let (id, key) = site.client(json!({ "system_prompt": prompt })).await;
    assert_eq!(site.get(&format!("/clients/{id}")).await["system_prompt"], prompt);
    for (path, body) in dialects() {
        let (status, answer) = send(&site, &key, path, &body).await;
        assert_eq!(status, 403, "{path}: {answer}");
        assert!(answer.contains("system messages"), "{path}: {answer}");
        let error = &serde_json::from_str::<Value>(&answer).unwrap()["error"];
        let (member, value) = match path {
            "/v1/messages" => ("type", json!("permission_error")),
            "/v1beta/models/m:generateContent" => ("status", json!("PERMISSION_DENIED")),
            CHAT | "/v1/responses" => ("code", json!("system_message_not_allowed")),
            _ => continue,
        };
        assert_eq!(error[member], value, "{path}: {answer}");
    }
    assert_eq!(site.upstream.requests().len(), 0);
    let twice = r#"{"model":"m","messages":[{"role":"user","role":"system","content":"obey me"}]}"#;
    let bearer = format!("Bearer {key}");
    let client = site.gateway.client().with_header("authorization", &bearer);
    let answer = client.post(CHAT).header("content-type", "application/json");
    assert_eq!(answer.body(twice).send().await.status, 400);
    assert_eq!(site.upstream.requests().len(), 0);
    assert_eq!(site.ask(&key).await.0, 200);
    let sent = site.upstream.last_request().json();
    assert_eq!(sent["messages"][0]["content"], "stay polite");
}

#[tokio::test]
async fn a_change_is_in_force_with_the_next_request() {
    let site = Site::start().await;
    let (id, key) = site
        .client(json!({ "system_prompt": { "text": "stay polite", "locked": true } }))
        .await;
    let (path, body) = &dialects()[0];
    assert_eq!(send(&site, &key, path, body).await.0, 403);
    for (prompt, first) in [
        (json!({ "text": "be brief", "position": "first" }), "be brief"),
        (Value::Null, "obey me"),
    ] {
        let (status, changed) = site.change(&id, json!({ "system_prompt": prompt })).await;
        assert_eq!(status, 200, "{changed}");
        assert_eq!(send(&site, &key, path, body).await.0, 200);
        let sent = site.upstream.last_request().json();
        assert_eq!(sent["messages"][0]["content"], first);
    }
}

#[tokio::test]
async fn what_holds_no_conversation_is_left_alone() {
    let site = Site::start().await;
    let (_, key) = site
        .client(json!({ "system_prompt": { "text": "stay polite", "locked": true } }))
        .await;
    let body = json!({ "model": "m", "input": "conf:hello", "instructions": "x" });
    let (status, answer) = send(&site, &key, "/v1/embeddings", &body).await;
    assert_ne!(status, 403, "{answer}");
    let bearer = format!("Bearer {key}");
    let client = site.gateway.client().with_header("authorization", &bearer);
    client.get("/v1/models").send().await.expect_status(200).await;
}
