//! Calls that an operator makes as a client.

use super::*;

#[tokio::test]
async fn the_playground_goes_the_way_of_the_client() {
    let site = Site::start().await;
    let (id, _) = site.client(json!({ "default_model": "gpt-4o" })).await;
    let path = format!("/api/v1/playground/{id}{CHAT}");
    let mut body = chat("conf:hello");
    body["stream"] = true.into();
    let answer = site.api().post(&path).json(&body).send().await;
    let answer = answer.expect_status(200).await;
    let request = answer.header("x-sluice-request-id").unwrap().to_owned();
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let events = answer.events().finish().await;
    assert!(!events.events.is_empty());
    let seen = site.upstream.last_request();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-upstream"));
    for name in ["cookie", "x-csrf-token", "x-api-key"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let record = sluice_testkit::eventually("the record of the call", async || {
        let (status, record) = site
            .call(Method::GET, &format!("/requests/{request}"), json!({}))
            .await;
        (status == 200).then_some(record)
    })
    .await;
    assert_eq!(record["client"], id.as_str());
    assert_eq!(record["stream"], true);
}

#[tokio::test]
async fn the_playground_is_refused_what_the_client_is_refused() {
    let site = Site::start().await;
    let (id, key) = site.client(json!({ "allowed_models": ["gpt-4o"] })).await;
    let path = format!("/playground/{id}{CHAT}");
    let mut body = chat("conf:hello");
    body["model"] = "o9".into();
    let (status, refused) = site.call(Method::POST, &path, body).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("model_not_allowed"))
    );
    let (status, _) = site.change(&id, json!({ "active": false })).await;
    assert_eq!(status, 200);
    let (refused, _) = site.call(Method::POST, &path, chat("conf:hello")).await;
    assert_eq!(refused, site.ask(&key).await.0);
    assert_ne!(refused, 200);
    assert_eq!(
        site.call(Method::POST, "/playground/nobody/v1/models", json!({}))
            .await
            .0,
        404
    );
    // What opens the playground's calls is no key that somebody could make up.
    assert_eq!(site.ask("sluice-as-x").await.0, 401);
}

#[tokio::test]
async fn a_client_is_tested_with_a_real_call() {
    let site = Site::start().await;
    let (id, _) = site.client(json!({ "default_model": "gpt-4o" })).await;
    let path = format!("/clients/{id}/test");
    let (status, test) = site.call(Method::POST, &path, json!({})).await;
    assert_eq!((status, &test["ok"]), (200, &json!(true)), "{test}");
    assert_eq!(test["model"], "gpt-4o");
    assert!(test["tokens"]["input"].as_u64().unwrap() > 0, "{test}");
    assert!(!test.to_string().contains("sk-upstream"));
    site.upstream.next(sluice_testkit::Reply::error(401, "wrong key"));
    let (status, test) = site.call(Method::POST, &path, json!({})).await;
    assert_eq!((status, &test["ok"]), (200, &json!(false)), "{test}");
    assert_eq!(
        (&test["status"], &test["error_class"]),
        (&json!(502), &json!("upstream_auth")),
        "{test}"
    );
}

#[tokio::test]
async fn the_models_of_a_client_are_those_that_it_gets_listed() {
    let site = Site::start().await;
    let (id, _) = site
        .client(json!({ "allowed_models": ["gpt-*"], "aliases": { "small": "gpt-4o-mini" } }))
        .await;
    let listed = site.get(&format!("/clients/{id}/models?fetch=true")).await;
    assert_eq!(listed["error"], Value::Null, "{listed}");
    let allowed = |name: &str| {
        let items = listed["items"].as_array().unwrap();
        let item = items.iter().find(|model| model["id"] == name);
        item.map(|model| model["allowed"] == true)
    };
    assert_eq!(allowed("gpt-4o"), Some(true), "{listed}");
    // It does not get listed what it may not use; whoever is to allow more sees that.
    assert_eq!(allowed("text-embedding-3-small"), Some(false), "{listed}");
    let own = site.get(&format!("/clients/{id}/models")).await;
    assert!(!own.to_string().contains("text-embedding-3-small"), "{own}");
    for (name, allowed) in [("gpt-5", true), ("small", true), ("claude", false)] {
        let check = site.get(&format!("/clients/{id}/models/check?name={name}")).await;
        assert_eq!(check["allowed"], allowed, "{name}: {check}");
    }
}
