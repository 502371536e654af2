//! Keys of clients.

use super::*;

#[tokio::test]
async fn keys_are_accepted_in_every_place_and_kept_as_digests() {
    let site = Site::start().await;
    let (id, key) = site.client(json!({})).await;
    let client = site.gateway.client();
    for (header, value) in [
        ("authorization", format!("Bearer {key}")),
        ("x-api-key", key.clone()),
        ("api-key", key.clone()),
        ("apikey", key.clone()),
        ("x-goog-api-key", key.clone()),
    ] {
        let call = client.post(CHAT).header(header, &value).json(&chat("conf:hello"));
        assert_eq!(call.send().await.status, 200, "{header}");
        assert!(
            !site
                .upstream
                .last_request()
                .headers
                .iter()
                .any(|(_, sent)| sent.as_bytes() == key.as_bytes()),
            "{header}"
        );
    }
    let by_query = client
        .post(&format!("{CHAT}?key={key}"))
        .json(&chat("conf:hello"));
    assert_eq!(by_query.send().await.status, 200);
    let credentials = site
        .gateway
        .admin()
        .get(&format!("/consumers/{id}/credentials"))
        .await
        .text();
    assert!(
        credentials.contains("digest") && !credentials.contains(&key),
        "{credentials}"
    );
}

#[tokio::test]
async fn keys_end_and_are_replaced() {
    let site = Site::start().await;
    let (id, first) = site.client(json!({})).await;
    let keys = format!("/clients/{id}/keys");
    let (status, made) = site
        .call(Method::POST, &keys, json!({ "style": "sk", "name": "second" }))
        .await;
    assert_eq!(status, 201, "{made}");
    let second = made["key"].as_str().unwrap().to_owned();
    assert!(second.starts_with("sk-"));
    assert_eq!((site.ask(&first).await.0, site.ask(&second).await.0), (200, 200));
    let path = format!("{keys}/{}", made["id"].as_str().unwrap());
    let (_, off) = site.call(Method::PATCH, &path, json!({ "active": false })).await;
    assert_eq!(off["active"], false, "{off}");
    let (status, refused) = site.ask(&second).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (401, &json!("api_key_inactive")),
        "{refused}"
    );
    site.call(Method::PATCH, &path, json!({ "active": true })).await;
    let (status, next) = site
        .call(
            Method::POST,
            &format!("{path}/rotate"),
            json!({ "grace_seconds": 3600 }),
        )
        .await;
    assert_eq!(status, 201, "{next}");
    let third = next["key"].as_str().unwrap().to_owned();
    assert!(third.starts_with("sk-") && next["name"] == "second");
    assert_eq!((site.ask(&second).await.0, site.ask(&third).await.0), (200, 200));
    let at_once = format!("{keys}/{}/rotate", next["id"].as_str().unwrap());
    let (_, last) = site.call(Method::POST, &at_once, json!({})).await;
    assert_eq!(
        (
            site.ask(&third).await.0,
            site.ask(last["key"].as_str().unwrap()).await.0
        ),
        (401, 200)
    );
    assert_eq!(site.call(Method::DELETE, &path, json!({})).await.0, 204);
    assert_eq!(site.ask(&second).await.0, 401);
    let past = json!({ "expires_at": 1000 });
    assert_eq!(
        site.call(Method::POST, &keys, past).await.1["error"]["fields"][0]["field"],
        "expires_at"
    );
}

#[tokio::test]
async fn whoever_has_a_key_sees_what_is_theirs_and_nothing_else() {
    let site = Site::start().await;
    let (id, key) = site.client(json!({ "limits": { "requests_per_day": 10 } })).await;
    site.ask(&key).await;
    let page = Client::new(site.gateway.admin_addr());
    let session = page
        .post("/api/v1/session")
        .json(&json!({ "key": key }))
        .send()
        .await
        .expect_status(200)
        .await;
    let cookie = session
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let session = session.json().await;
    assert_eq!(
        (&session["role"], &session["name"]),
        (&json!("holder"), &json!(id))
    );
    let page = page.with_header("cookie", &cookie);
    let me = page
        .get("/api/v1/me")
        .send()
        .await
        .expect_status(200)
        .await
        .json()
        .await;
    assert_eq!(
        (&me["limits"][0]["name"], &me["limits"][0]["used"]),
        (&json!("requests_per_day"), &json!(1))
    );
    assert_eq!(page.get("/api/v1/clients").send().await.status, 403);
    let csrf = session["csrf"].as_str().unwrap();
    let rotate = page
        .post("/api/v1/me/rotate")
        .header("x-csrf-token", csrf)
        .json(&json!({}));
    let rotated = rotate.send().await.expect_status(201).await.json().await;
    assert_eq!(
        (
            site.ask(&key).await.0,
            site.ask(rotated["key"].as_str().unwrap()).await.0
        ),
        (401, 200)
    );
}

#[tokio::test]
async fn an_expired_key_says_so_and_signs_nobody_in() {
    let site = Site::start().await;
    let (id, _) = site.client(json!({})).await;
    let digest = "c19534ed842ee213c0a8b229dab2926b542ad6d5d0a0e6f8e7262b0c0cb492a8";
    for (expires_at, call, session) in [(9_000_000_000_000_u64, 200, 200), (1, 401, 401)] {
        let key = json!({ "plugins": { "ai-key": { "digest": digest, "expires_at": expires_at } } });
        let path = format!("/consumers/{id}/credentials/over");
        let put = site.gateway.admin().put(&path, key).await;
        assert!(matches!(put.status, 200 | 201), "{}", put.text());
        let (status, answer) = site.ask("gm_over").await;
        assert_eq!(status, call, "{answer}");
        if call == 401 {
            assert_eq!(answer["error"]["code"], "api_key_expired");
        }
        let client = Client::new(site.gateway.admin_addr());
        let signed_in = client
            .post("/api/v1/session")
            .json(&json!({ "key": "gm_over" }))
            .send()
            .await;
        assert_eq!(signed_in.status.as_u16(), session);
    }
}

#[tokio::test]
async fn keys_that_are_shown_again_end_and_are_replaced_too() {
    let site = Site::start().await;
    let (id, first) = site.client(json!({})).await;
    let keys = format!("/clients/{id}/keys");
    let own = |made: &Value| {
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    };
    let kept = async |members: Value| {
        let mut wanted = json!({ "show_again": true, "style": "sk-ant" });
        for (name, value) in members.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        let (status, made) = site.call(Method::POST, &keys, wanted).await;
        assert_eq!((status, &made["show_again"]), (201, &json!(true)), "{made}");
        own(&made)
    };
    let far = 4_000_000_000_000_u64;
    for members in [json!({ "expires_at": far }), json!({})] {
        let (key_id, key) = kept(members.clone()).await;
        assert_eq!(site.ask(&key).await.0, 200);
        // Its end is set, and it can still be shown.
        let path = format!("{keys}/{key_id}");
        let (status, changed) = site
            .call(Method::PATCH, &path, json!({ "expires_at": far + 1 }))
            .await;
        assert_eq!(
            (status, &changed["expires_at"]),
            (200, &json!(far + 1)),
            "{members}: {changed}"
        );
        assert_eq!(site.get(&format!("{path}/reveal")).await["key"], key);
        assert_eq!(site.ask(&key).await.0, 200);
        // The new one is like the old one, which says where it went.
        let grace = json!({ "grace_seconds": 600 });
        let (status, next) = site.call(Method::POST, &format!("{path}/rotate"), grace).await;
        assert_eq!((status, &next["show_again"]), (201, &json!(true)), "{next}");
        let (next_id, next_key) = own(&next);
        assert!(next_key.starts_with("sk-ant-") && next_key != key);
        assert_eq!((site.ask(&key).await.0, site.ask(&next_key).await.0), (200, 200));
        assert_eq!(
            site.get(&format!("{keys}/{next_id}/reveal")).await["key"],
            next_key
        );
        let shown = site.get(&format!("/clients/{id}")).await;
        let old = shown["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|own| own["id"] == key_id.as_str());
        assert_eq!(old.unwrap()["rotated_to"], next_id.as_str(), "{shown}");
        assert!(!shown.to_string().contains(&next_key));
        // Switched off like any other.
        let (_, off) = site
            .call(
                Method::PATCH,
                &format!("{keys}/{next_id}"),
                json!({ "active": false }),
            )
            .await;
        assert_eq!(off["active"], false, "{off}");
        assert_eq!(site.ask(&next_key).await.0, 401);
    }
    // Nothing of it lies about in plain text.
    let (_, key) = kept(json!({ "expires_at": far })).await;
    let stored = std::fs::read(site.gateway.dir().join("data/sluice.db-wal")).unwrap();
    let found = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    assert!(!found(&stored, &key) && !found(&stored, &first));
    assert!(!site.get("/audit").await.to_string().contains(&key));
}

#[tokio::test]
async fn a_client_comes_with_its_key_or_not_at_all() {
    let site = Site::start().await;
    let (id, key) = site.client(json!({ "id": "ann" })).await;
    assert_eq!((&*id, site.ask(&key).await.0), ("ann", 200));
    // Both are of one revision.
    let consumer = site.get("/resources/consumers/ann").await;
    let credentials = site
        .gateway
        .admin()
        .get("/consumers/ann/credentials")
        .await
        .json();
    let credential = &credentials["list"][0];
    assert_eq!(credential["createdIndex"], consumer["version"], "{credentials}");
    // A name that is taken changes nothing.
    let body = json!({ "id": "ann", "name": "Another", "limits": {} });
    let (status, taken) = site.call(Method::POST, "/clients", body).await;
    assert_eq!(status, 409, "{taken}");
    let again = site
        .gateway
        .admin()
        .get("/consumers/ann/credentials")
        .await
        .json();
    assert_eq!(again["total"], 1, "{again}");
    assert_eq!(site.get("/clients/ann").await["name"], "Ann");
    // One that does not hold leaves nothing behind.
    let wrong = json!({ "id": "bob", "name": "Bob", "limits": { "requests_per_day": "many" } });
    assert_eq!(site.call(Method::POST, "/clients", wrong).await.0, 400);
    assert_eq!(site.gateway.admin().get("/consumers/bob").await.status, 404);
}
