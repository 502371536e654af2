//! Groups, keys that are shown again, and drafts of providers.

use super::*;

#[tokio::test]
async fn members_share_the_limits_of_their_group() {
    let site = Site::start().await;
    let group = json!({ "name": "Team", "limits": { "requests_per_day": 2 }, "allowed_models": ["gpt-*"] });
    let (status, made) = site.call(Method::PUT, "/groups/team", group.clone()).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(site.call(Method::PUT, "/groups/team", group).await.0, 409);
    let (_, ann) = site.client(json!({ "name": "Ann", "group": "team" })).await;
    let (_, bob) = site.client(json!({ "name": "Bob", "group": "team" })).await;
    assert_eq!(site.ask(&ann).await.0, 200);
    assert_eq!(site.ask(&bob).await.0, 200);
    assert_eq!(site.ask(&ann).await.0, 429);
    let shown = site.get("/groups/team").await;
    assert_eq!((&shown["members"], &shown["name"]), (&json!(2), &json!("Team")));
    assert_eq!(shown["standing"][0]["used"], 2, "{shown}");
    let wider = json!({ "limits": { "requests_per_day": 3 }, "version": shown["version"] });
    let (status, changed) = site.call(Method::PUT, "/groups/team", wider.clone()).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        changed["allowed_models"],
        json!(["gpt-*"]),
        "what the edit does not name stays"
    );
    assert_eq!(site.call(Method::PUT, "/groups/team", wider).await.0, 409);
    assert_eq!(site.ask(&bob).await.0, 200);
    let (status, refused) = site.call(Method::DELETE, "/groups/team", json!({})).await;
    assert_eq!(status, 400, "{refused}");
    let wrong = json!({ "limits": { "requests_per_day": "many" }, "version": changed["version"] });
    assert_eq!(site.call(Method::PUT, "/groups/team", wrong).await.0, 400);
}

#[tokio::test]
async fn only_keys_kept_for_it_are_shown_again() {
    let site = Site::start().await;
    let (id, _) = site.client(json!({})).await;
    let keys = format!("/clients/{id}/keys");
    let (status, made) = site
        .call(Method::POST, &keys, json!({ "show_again": true, "style": "sk" }))
        .await;
    assert_eq!(status, 201, "{made}");
    let (key, own) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert_eq!(site.ask(key).await.0, 200);
    let shown = site.get(&format!("/clients/{id}")).await;
    assert!(!shown.to_string().contains(key));
    assert_eq!(site.get(&format!("{keys}/{own}/reveal")).await["key"], key);
    let audit = site.get("/audit").await;
    let noted = audit["items"].as_array().unwrap();
    assert!(
        noted.iter().any(|entry| entry["action"] == "reveal-key"),
        "{audit}"
    );
    assert!(!audit.to_string().contains(key));
    let digest = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["show_again"] == false)
        .unwrap();
    let path = format!("{keys}/{}/reveal", digest["id"].as_str().unwrap());
    assert_eq!(site.call(Method::GET, &path, json!({})).await.0, 400);
}

#[tokio::test]
async fn drafts_of_providers_are_called_before_they_are_stored() {
    let site = Site::start().await;
    let draft = json!({ "type": "openai", "base_url": site.upstream.url("/v1"), "api_key": "sk-draft" });
    let wanted = json!({ "draft": draft, "model": "gpt-4o" });
    let (status, test) = site.call(Method::POST, "/providers/test", wanted).await;
    assert_eq!((status, &test["ok"]), (200, &json!(true)), "{test}");
    let seen = site.upstream.last_request();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-draft"));
    let (status, models) = site
        .call(Method::POST, "/providers/models", json!({ "draft": draft }))
        .await;
    assert_eq!(status, 200, "{models}");
    assert!(!models["items"].as_array().unwrap().is_empty());
    assert_eq!(
        site.get("/providers").await["items"],
        json!([]),
        "nothing is stored"
    );
    let mut stored = draft.clone();
    stored["id"] = "main".into();
    assert_eq!(site.call(Method::POST, "/providers", stored).await.0, 201);
    // The stored key is used where the form leaves it out, but only where it belongs.
    let same = json!({ "id": "main", "draft": { "timeout_ms": 5000 }, "model": "gpt-4o" });
    let (_, test) = site.call(Method::POST, "/providers/test", same).await;
    assert_eq!(test["ok"], true, "{test}");
    let elsewhere = FakeProvider::start();
    let moved = json!({ "id": "main", "draft": { "base_url": elsewhere.url("/v1") }, "model": "gpt-4o" });
    let (status, refused) = site.call(Method::POST, "/providers/test", moved).await;
    assert_eq!(
        (status, &refused["error"]["fields"][0]["field"]),
        (400, &json!("api_key")),
        "{refused}"
    );
    assert!(elsewhere.requests().is_empty());
}
