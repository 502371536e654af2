//! The form of a client: what it says holds, and what it does not show stays.

use super::*;

#[tokio::test]
async fn a_client_is_made_and_calls_its_provider() {
    let site = Site::start().await;
    let (id, key) = site
        .client(json!({ "name": "Ann's laptop", "tags": ["team-a"], "owner": "ann" }))
        .await;
    assert_eq!(id, "ann-s-laptop");
    assert!(key.starts_with("gm_") && key.len() == 46, "{key}");
    let (status, answer) = site.ask(&key).await;
    assert_eq!(status, 200, "{answer}");
    let seen = site.upstream.last_request();
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization")),
        ("/v1/chat/completions", Some("Bearer sk-upstream"))
    );
    let client = site.get(&format!("/clients/{id}")).await;
    assert_eq!(client["provider"]["api_key_hint"], "…");
    assert!(!client.to_string().contains("sk-upstream") && !client.to_string().contains(&key));
    let second = site.client(json!({ "name": "Ann's laptop" })).await.0;
    assert_eq!(second, "ann-s-laptop-2");
    let list = site.get("/clients?search=LAPTOP&tag=team-a").await;
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &json!(id)));
}

#[tokio::test]
async fn every_field_comes_back_and_an_edit_touches_what_it_names() {
    let site = Site::start().await;
    let members = json!({
        "description": "for tests", "owner": "ann", "tags": ["a", "b"], "expires_at": 4_000_000_000_000_u64,
        "default_model": "gpt-4o", "allowed_models": ["gpt-*"], "aliases": { "fast": "gpt-4o-mini" },
        "system_prompt": { "text": "Be brief.", "position": "first", "locked": false },
        "limits": { "requests_per_minute": 60, "per_model": { "gpt-4o": { "tokens_per_day": 5 } } },
        "allowed_endpoints": ["/v1/*"], "allowed_addresses": ["127.0.0.0/8"], "log_payloads": true,
        "fallback_models": ["gpt-4o-mini"],
    });
    let (id, key) = site.client(members.clone()).await;
    let client = site.get(&format!("/clients/{id}")).await;
    for (member, value) in members.as_object().unwrap() {
        assert_eq!(&client[member], value, "{member}");
    }
    assert_eq!(site.ask(&key).await.0, 200);
    let sent = site.upstream.last_request().json();
    assert_eq!(
        sent["messages"][0],
        json!({ "role": "system", "content": "Be brief." })
    );

    // Somebody puts a plugin on the consumer; the form does not know it, and leaves it alone.
    let admin = site.gateway.admin();
    let mut consumer = admin.get(&format!("/consumers/{id}")).await.json()["value"].take();
    for time in ["create_time", "update_time"] {
        consumer.as_object_mut().unwrap().remove(time);
    }
    consumer["plugins"]["request-id"] = json!({});
    admin.put("/consumers", consumer).await.expect_status(200);
    let (status, changed) = site
        .change(&id, json!({ "owner": "bob", "system_prompt": null }))
        .await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["owner"], &changed["system_prompt"]),
        (&json!("bob"), &Value::Null)
    );
    assert_eq!(changed["unmanaged_plugins"], json!(["request-id"]));
    for member in [
        "tags",
        "limits",
        "allowed_models",
        "fallback_models",
        "expires_at",
    ] {
        assert_eq!(changed[member], members[member], "{member}");
    }
}

#[tokio::test]
async fn nobody_undoes_anothers_edit() {
    let site = Site::start().await;
    let (id, _) = site.client(json!({})).await;
    let version = site.get(&format!("/clients/{id}")).await["version"].clone();
    let path = format!("/clients/{id}");
    let first = json!({ "owner": "a", "version": version });
    assert_eq!(site.call(Method::PATCH, &path, first).await.0, 200);
    let second = json!({ "description": "b", "version": version });
    let (status, refused) = site.call(Method::PATCH, &path, second).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")));
    assert_eq!(site.get(&path).await["owner"], "a");
}

#[tokio::test]
async fn what_a_client_may_not_is_refused_in_its_dialect() {
    let site = Site::start().await;
    let (id, key) = site.client(json!({ "allowed_models": ["gpt-4o-mini"] })).await;
    let (status, refused) = site.ask(&key).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("model_not_allowed")),
        "{refused}"
    );
    for (members, code) in [
        (
            json!({ "allowed_models": [], "active": false }),
            "client_inactive",
        ),
        (json!({ "active": true, "expires_at": 1000 }), "client_expired"),
        (
            json!({ "expires_at": null, "allowed_addresses": ["10.0.0.0/8"] }),
            "address_not_allowed",
        ),
        (
            json!({ "allowed_addresses": [], "allowed_endpoints": ["/v1/embeddings"] }),
            "endpoint_not_allowed",
        ),
    ] {
        let (status, changed) = site.change(&id, members).await;
        assert_eq!(status, 200, "{changed}");
        let (status, refused) = site.ask(&key).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (403, &json!(code)),
            "{refused}"
        );
    }
    let messages =
        json!({ "model": "m", "max_tokens": 5, "messages": [{ "role": "user", "content": "hi" }] });
    let client = site.gateway.client().with_header("x-api-key", &key);
    let answer = client
        .post("/v1/messages")
        .json(&messages)
        .send()
        .await
        .expect_status(403)
        .await;
    assert_eq!(answer.json().await["error"]["type"], "permission_error");
}

#[tokio::test]
async fn wrong_values_are_told_at_their_field() {
    let site = Site::start().await;
    for (member, value, field) in [
        ("name", json!(""), "name"),
        ("id", json!("a/b"), "id"),
        ("tool_mode", json!("magic"), "tool_mode"),
        ("provider", json!({ "type": "nobody" }), "provider.type"),
        (
            "provider",
            json!({ "type": "openai", "base_url": "localhost" }),
            "provider.base_url",
        ),
        (
            "system_prompt",
            json!({ "text": "x", "position": "middle" }),
            "system_prompt.position",
        ),
        ("fallback_models", json!(["m"]), "fallback_models"),
        ("limits", json!(7), "limits"),
        ("nmae", json!("x"), "nmae"),
    ] {
        let mut body = json!({ "name": "x" });
        body[member] = value;
        let (status, refused) = site.call(Method::POST, "/clients", body).await;
        assert_eq!(status, 400, "{member}: {refused}");
        let told = refused["error"]["fields"][0]["field"]
            .as_str()
            .unwrap_or_default();
        assert_eq!(told, field, "{member}: {refused}");
    }
    let script = json!({ "name": "<script>alert(1)</script>", "description": "'\"><img src=x>" });
    let (status, made) = site.call(Method::POST, "/clients", script).await;
    assert_eq!(
        (status, &made["client"]["name"]),
        (201, &json!("<script>alert(1)</script>"))
    );
    assert_eq!(site.get("/clients").await["total"], 1);
}

#[tokio::test]
async fn several_are_changed_at_once_and_exported() {
    let site = Site::start().await;
    let (first, key) = site.client(json!({ "name": "=cmd()" })).await;
    let (second, _) = site.client(json!({ "name": "b" })).await;
    let bulk = |action: &str, tag: Option<&str>| json!({ "ids": [first, second, "nobody"], "action": action, "tag": tag });
    let (_, done) = site
        .call(Method::POST, "/clients/bulk", bulk("disable", None))
        .await;
    assert_eq!(done["done"], json!([first, second]));
    assert_eq!(done["failed"][0]["id"], "nobody");
    assert_eq!(site.ask(&key).await.0, 403);
    site.call(Method::POST, "/clients/bulk", bulk("enable", None))
        .await;
    site.call(Method::POST, "/clients/bulk", bulk("tag", Some("x")))
        .await;
    assert_eq!(site.get("/clients?tag=x").await["total"], 2);
    let csv = site.get("/clients/export.csv").await;
    assert!(csv.as_str().unwrap().contains("'=cmd()"), "{csv}");
    site.call(Method::POST, "/clients/bulk", bulk("delete", None))
        .await;
    assert_eq!(site.get("/clients").await["total"], 0);
    assert_eq!(site.ask(&key).await.0, 401);
}
