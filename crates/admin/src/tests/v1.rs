//! `/api/v1`: who may do what, and signing in.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use sluice_store::Role;

use super::support::{Admin, Answer, HOLDERS_KEY};
use crate::v1::{Least, routes};

const PASSWORD: &str = "a long password";

/// Somebody's cookie and the proof that goes with it.
struct Visitor {
    cookie: String,
    csrf: String,
}

async fn member(admin: &Admin, name: &str, role: Role) -> Visitor {
    let hash = crate::hash_password(PASSWORD).unwrap();
    admin
        .database
        .admin_users()
        .create(name, &hash, role)
        .await
        .unwrap();
    sign_in(admin, json!({ "name": name, "password": PASSWORD })).await
}

async fn sign_in(admin: &Admin, body: Value) -> Visitor {
    let answer = post(admin, "/session", &body, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    Visitor {
        cookie: cookie.split(';').next().unwrap().to_owned(),
        csrf: answer.json()["csrf"].as_str().unwrap().to_owned(),
    }
}

async fn call(admin: &Admin, method: &Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("host", "gateway:9180");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if method.is_safe() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    admin
        .send(admin.server.admin_router(), request.body(body).unwrap())
        .await
}

async fn post(admin: &Admin, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    call(admin, &Method::POST, path, body, headers).await
}

impl Visitor {
    fn headers(&self) -> Vec<(&str, &str)> {
        vec![
            ("cookie", self.cookie.as_str()),
            ("x-csrf-token", self.csrf.as_str()),
        ]
    }

    async fn call(&self, admin: &Admin, method: Method, path: &str, body: Value) -> Answer {
        call(admin, &method, path, &body, &self.headers()).await
    }
}

#[tokio::test]
async fn every_endpoint_lets_in_whom_it_says_and_nobody_else() {
    let mut admin = Admin::start().await;
    let visitors = [
        (Least::Viewer, member(&admin, "vera", Role::Viewer).await),
        (Least::Admin, member(&admin, "anna", Role::Admin).await),
        (Least::Owner, member(&admin, "olga", Role::Owner).await),
    ];
    let holder = sign_in(&admin, json!({ "key": HOLDERS_KEY })).await;
    for (number, route) in routes().into_iter().enumerate() {
        if route.path == "/session" || route.path.starts_with("/setup") {
            continue;
        }
        // Wrong tokens count against an address.
        admin.call_from([127, 0, 0, u8::try_from(number + 1).unwrap()]);
        let path = route.path.replace("{kind}", "routes").replace(['{', '}'], "");
        let what = format!("{} {}", route.method, route.path);
        let nobody = call(&admin, &route.method, &path, &json!({}), &[]).await;
        assert_eq!(
            nobody.status == 401,
            route.least != Least::Anybody,
            "{what}: {}",
            nobody.text
        );
        let wrong = call(
            &admin,
            &route.method,
            &path,
            &json!({}),
            &[("authorization", "Bearer wrong")],
        )
        .await;
        assert_eq!(wrong.status, 401, "{what}");
        let held = call(&admin, &route.method, &path, &json!({}), &holder.headers()).await;
        assert_eq!(
            held.status == 403,
            route.least > Least::Holder,
            "{what}: {}",
            held.text
        );
        for (role, visitor) in &visitors {
            let may = route.least == Least::Anybody || (route.least != Least::Holder && *role >= route.least);
            if !route.method.is_safe() && route.least != Least::Anybody {
                let cookie = [visitor.headers()[0]];
                let unproven = call(&admin, &route.method, &path, &json!({}), &cookie).await;
                assert_eq!(unproven.status, 403, "{what} without proof");
                let mut foreign = visitor.headers();
                foreign.push(("origin", "http://elsewhere"));
                let foreign = call(&admin, &route.method, &path, &json!({}), &foreign).await;
                assert_eq!(foreign.status, 403, "{what} from another site");
            }
            if may && !route.method.is_safe() {
                // What it does is another test's matter.
                continue;
            }
            let answer = call(&admin, &route.method, &path, &json!({}), &visitor.headers()).await;
            assert_eq!(answer.status == 403, !may, "{what} as {role:?}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn sessions_begin_with_the_right_password_and_end() {
    let admin = Admin::start().await;
    let anna = member(&admin, "anna", Role::Admin).await;
    let session = anna.call(&admin, Method::GET, "/session", json!({})).await.json();
    assert_eq!(
        (&session["state"], &session["role"]),
        (&json!("signed_in"), &json!("admin"))
    );
    for body in [
        json!({ "name": "anna", "password": "wrong password" }),
        json!({ "name": "nobody", "password": PASSWORD }),
        json!({ "key": "no such key" }),
    ] {
        let answer = post(&admin, "/session", &body, &[]).await;
        assert_eq!(answer.status, 401, "{body}: {}", answer.text);
    }
    let forged = [("cookie", "sluice_session=x")];
    let forged = call(&admin, &Method::GET, "/resources/routes", &json!({}), &forged).await;
    assert_eq!(forged.status, 401);
    assert_eq!(
        anna.call(&admin, Method::DELETE, "/session", json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        anna.call(&admin, Method::GET, "/resources/routes", json!({}))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn guesses_have_to_wait() {
    let admin = Admin::start().await;
    member(&admin, "anna", Role::Admin).await;
    let guess = json!({ "key": "guess" });
    for _ in 0..20 {
        assert_eq!(post(&admin, "/session", &guess, &[]).await.status, 401);
    }
    let late = post(
        &admin,
        "/session",
        &json!({ "name": "anna", "password": PASSWORD }),
        &[],
    )
    .await;
    assert_eq!(late.status, 429);
    assert!(late.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn the_setup_token_makes_an_owner_once() {
    let admin = Admin::start().await;
    let meta = admin.database.meta();
    meta.set(crate::SETUP_TOKEN, &crate::setup_token_value("token"))
        .await
        .unwrap();
    let hash = crate::hash_password("generated").unwrap();
    admin
        .database
        .admin_users()
        .create("admin", &hash, Role::Owner)
        .await
        .unwrap();
    let state = call(&admin, &Method::GET, "/session", &json!({}), &[])
        .await
        .json();
    assert_eq!(state["state"], "setup");
    let set_up =
        |token: &str, password: &str| json!({ "token": token, "name": "olga", "password": password });
    assert_eq!(
        post(&admin, "/setup", &set_up("guess", PASSWORD), &[])
            .await
            .status,
        400
    );
    let short = post(&admin, "/setup", &set_up("token", "short"), &[]).await;
    assert_eq!(short.json()["error"]["fields"][0]["field"], "password");
    let done = post(&admin, "/setup", &set_up("token", PASSWORD), &[]).await;
    assert_eq!(
        (done.status.as_u16(), &done.json()["role"]),
        (200, &json!("owner"))
    );
    assert_eq!(
        post(&admin, "/setup", &set_up("token", PASSWORD), &[])
            .await
            .status,
        400
    );
    let names: Vec<_> = admin.database.admin_users().list().await.unwrap();
    assert_eq!(
        names.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(),
        ["olga"]
    );
}

#[tokio::test]
async fn members_come_and_go_and_an_owner_stays() {
    let admin = Admin::start().await;
    let olga = member(&admin, "olga", Role::Owner).await;
    let add = json!({ "name": "vera", "role": "viewer", "password": PASSWORD });
    assert_eq!(
        olga.call(&admin, Method::POST, "/members", add.clone())
            .await
            .status,
        201
    );
    assert_eq!(olga.call(&admin, Method::POST, "/members", add).await.status, 409);
    let vera = sign_in(&admin, json!({ "name": "vera", "password": PASSWORD })).await;
    let demote = olga
        .call(&admin, Method::PATCH, "/members/olga", json!({ "role": "admin" }))
        .await;
    assert_eq!(demote.status, 400, "{}", demote.text);
    assert_eq!(
        olga.call(&admin, Method::DELETE, "/members/olga", json!({}))
            .await
            .status,
        400
    );
    let promote = olga
        .call(&admin, Method::PATCH, "/members/vera", json!({ "role": "admin" }))
        .await;
    assert_eq!(promote.json()["role"], "admin");
    assert_eq!(
        vera.call(&admin, Method::GET, "/audit", json!({})).await.status,
        200
    );
    assert_eq!(
        olga.call(&admin, Method::DELETE, "/members/vera", json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        vera.call(&admin, Method::GET, "/audit", json!({})).await.status,
        401
    );
    let odd = json!({ "name": "<script>", "role": "viewer", "password": PASSWORD });
    let odd = olga.call(&admin, Method::POST, "/members", odd).await;
    assert_eq!(odd.json()["error"]["fields"][0]["field"], "name");
    let audit = olga.call(&admin, Method::GET, "/audit", json!({})).await.json();
    assert_eq!(audit["items"][0]["key"], "/admin_users/vera");
    assert_eq!(audit["items"][0]["caller"], "olga");
}

#[tokio::test]
async fn tokens_work_until_they_are_revoked() {
    let admin = Admin::start().await;
    let olga = member(&admin, "olga", Role::Owner).await;
    let made = olga
        .call(
            &admin,
            Method::POST,
            "/tokens",
            json!({ "name": "ci", "role": "viewer" }),
        )
        .await
        .json();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(
        call(&admin, &Method::GET, "/resources/routes", &json!({}), &headers)
            .await
            .status,
        200
    );
    assert_eq!(
        call(&admin, &Method::GET, "/members", &json!({}), &headers)
            .await
            .status,
        403
    );
    let id = made["id"].as_str().unwrap();
    let listed = olga.call(&admin, Method::GET, "/tokens", json!({})).await;
    assert!(!listed.text.contains(made["token"].as_str().unwrap()));
    assert_eq!(
        olga.call(&admin, Method::DELETE, &format!("/tokens/{id}"), json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        call(&admin, &Method::GET, "/resources/routes", &json!({}), &headers)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn resources_are_written_by_version_and_shown_without_secrets() {
    let admin = Admin::start().await;
    let anna = member(&admin, "anna", Role::Admin).await;
    let value = json!({ "username": "jack", "plugins": { "key-auth": { "key": "very-secret" } } });
    let path = "/resources/consumers/jack";
    let made = anna
        .call(&admin, Method::PUT, path, json!({ "value": value }))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!(made["value"]["plugins"]["key-auth"]["key"], "***");
    let version = made["version"].as_u64().unwrap();
    // Nobody's edit is undone.
    let late = anna
        .call(
            &admin,
            Method::PUT,
            path,
            json!({ "value": value, "version": version - 1 }),
        )
        .await;
    assert_eq!(
        (late.status.as_u16(), &late.json()["error"]["code"]),
        (409, &json!("conflict"))
    );
    assert!(!late.text.contains("very-secret"));
    assert_eq!(
        anna.call(&admin, Method::PUT, path, json!({ "value": value }))
            .await
            .status,
        409
    );
    // A secret that comes back masked stays.
    let mut edited = made["value"].clone();
    edited["desc"] = json!("<script>alert(1)</script>");
    let edited = anna
        .call(
            &admin,
            Method::PUT,
            path,
            json!({ "value": edited, "version": version }),
        )
        .await;
    assert_eq!(edited.status, 200, "{}", edited.text);
    let stored = admin.store.get("/consumers/jack").await.unwrap().unwrap();
    assert_eq!(stored.value["plugins"]["key-auth"]["key"], "very-secret");
}

#[tokio::test]
async fn wrong_resources_are_refused_and_stale_ones_not_deleted() {
    let admin = Admin::start().await;
    let anna = member(&admin, "anna", Role::Admin).await;
    let path = "/resources/consumers/jack";
    let value = json!({ "value": { "username": "jack" } });
    assert_eq!(anna.call(&admin, Method::PUT, path, value).await.status, 201);
    let wrong = json!({ "value": { "username": "jo", "plugins": { "no-such": {} } } });
    let wrong = anna
        .call(&admin, Method::PUT, "/resources/consumers/jo", wrong)
        .await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.json()["error"]["code"]),
        (400, &json!("validation"))
    );
    let unknown = anna
        .call(&admin, Method::PUT, path, json!({ "value": {}, "vresion": 1 }))
        .await;
    assert_eq!(unknown.status, 400);
    assert!(
        unknown.text.contains("unknown field `vresion`"),
        "{}",
        unknown.text
    );
    let listed = anna
        .call(&admin, Method::GET, "/resources/consumers?search=JA", json!({}))
        .await
        .json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let now = listed["items"][0]["version"].as_u64().unwrap();
    let stale = format!("{path}?version={}", now - 1);
    assert_eq!(
        anna.call(&admin, Method::DELETE, &stale, json!({})).await.status,
        409
    );
    assert_eq!(
        anna.call(
            &admin,
            Method::DELETE,
            &format!("{path}?version={now}"),
            json!({})
        )
        .await
        .status,
        204
    );
}

#[tokio::test]
async fn the_document_lists_every_endpoint() {
    let admin = Admin::start().await;
    let document = call(&admin, &Method::GET, "/openapi.json", &json!({}), &[])
        .await
        .json();
    for route in routes() {
        let path = &document["paths"][format!("/api/v1{}", route.path.replace("*}", "}"))];
        let method = route.method.as_str().to_lowercase();
        assert_eq!(path[method]["summary"], route.summary, "{}", route.path);
    }
}
