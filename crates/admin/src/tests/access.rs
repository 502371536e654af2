//! Keys, roles, networks, CORS (compat §1.1).

use http::Request;
use serde_json::json;
use sluice_store::Role;

use super::support::{Admin, Answer, KEY, VIEWER};

const DEFAULT: &str = "edd1c9f034335f136f87ad84b625c8f1";
const DEFAULT_VIEWER: &str = "4054f7cf07e344346cd3f287985e76a2";
const ROUTES: &str = "/apisix/admin/routes";

#[track_caller]
fn denied(answer: &Answer, why: &str) {
    answer.is(
        401,
        json!({"error_msg": "failed to check token", "description": why}),
    );
}

impl Admin {
    async fn with_key(&self, method: &str, key: &str) -> Answer {
        self.bare(method, ROUTES, &[("x-api-key", key)]).await
    }
}

#[tokio::test]
async fn keys_are_taken_from_three_places() {
    let admin = Admin::start().await;
    let cookie = format!("a=b; x_api_key={KEY}");
    let in_query = format!("{ROUTES}?api_key={KEY}");
    assert_eq!(admin.bare("GET", ROUTES, &[("x-api-key", KEY)]).await.status, 200);
    assert_eq!(
        admin.bare("GET", ROUTES, &[("cookie", &cookie)]).await.status,
        200
    );
    assert_eq!(
        admin
            .bare("GET", &in_query, &[("x-api-key", "wrong")])
            .await
            .status,
        200
    );
    let wrong_first = [("x-api-key", "wrong"), ("cookie", &*cookie)];
    denied(&admin.bare("GET", ROUTES, &wrong_first).await, "wrong apikey");
    denied(&admin.bare("GET", ROUTES, &[]).await, "missing apikey");
    denied(
        &admin.bare("GET", ROUTES, &[("x-api-key", "")]).await,
        "wrong apikey",
    );
    denied(
        &admin.bare("GET", &format!("{ROUTES}?api_key"), &[]).await,
        "wrong apikey",
    );
}

#[tokio::test]
async fn the_key_is_checked_before_anything_else() {
    let admin = Admin::start().await;
    for (method, path) in [
        ("GET", "nothing"),
        ("GET", "plugins/list"),
        ("PUT", "plugins/reload"),
        ("GET", "plugins/reload"),
        ("POST", "schema/validate/routes"),
        ("POST", "configs/validate"),
        ("DELETE", "schema/route"),
        ("GET", "schema/route"),
        ("PATCH", "routes/1/uri"),
        ("GET", "stream_routes"),
    ] {
        let answer = admin.bare(method, &format!("/apisix/admin/{path}"), &[]).await;
        denied(&answer, "missing apikey");
    }
}

#[tokio::test]
async fn viewers_only_read() {
    let admin = Admin::start().await;
    assert_eq!(admin.with_key("GET", VIEWER).await.status, 200);
    for method in ["PUT", "POST", "PATCH", "DELETE"] {
        denied(
            &admin.with_key(method, VIEWER).await,
            "invalid method for role viewer",
        );
    }
}

#[tokio::test]
async fn stored_keys_work_until_they_are_revoked() {
    let admin = Admin::start().await;
    let key = admin.add_key("stored-1", Role::Viewer).await;
    assert_eq!(admin.with_key("GET", "stored-1").await.status, 200);
    denied(
        &admin.with_key("PUT", "stored-1").await,
        "invalid method for role viewer",
    );
    admin.database.admin_keys().delete(key.id).await.unwrap();
    denied(&admin.with_key("GET", "stored-1").await, "wrong apikey");
}

#[tokio::test]
async fn published_keys_are_refused_even_if_somebody_configured_them() {
    let admin = Admin::start().await;
    admin.add_key(DEFAULT, Role::Admin).await;
    denied(&admin.with_key("GET", DEFAULT).await, "wrong apikey");
    denied(&admin.with_key("GET", DEFAULT_VIEWER).await, "wrong apikey");

    let lenient = Admin::with(|state| state.options.allow_default_key = true).await;
    assert_eq!(lenient.with_key("GET", DEFAULT).await.status, 200);
    assert_eq!(lenient.with_key("GET", DEFAULT_VIEWER).await.status, 200);
    denied(
        &lenient.with_key("PUT", DEFAULT_VIEWER).await,
        "invalid method for role viewer",
    );
}

#[tokio::test]
async fn no_key_at_all_admits_nobody_unless_none_is_required() {
    let empty = Admin::with(|state| state.options.keys.clear()).await;
    denied(&empty.bare("GET", ROUTES, &[]).await, "missing apikey");
    denied(
        &empty.bare("GET", ROUTES, &[("x-api-key", "")]).await,
        "wrong apikey",
    );
    let open = Admin::with(|state| state.options.key_required = false).await;
    assert_eq!(open.bare("GET", ROUTES, &[]).await.status, 200);
    assert_eq!(
        open.bare("GET", ROUTES, &[("x-api-key", "anything")])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_address_that_guesses_has_to_wait() {
    let mut admin = Admin::with(|state| state.options.allow = vec!["0.0.0.0/0".parse().unwrap()]).await;
    for _ in 0..3 {
        denied(&admin.bare("GET", ROUTES, &[]).await, "missing apikey");
    }
    for _ in 0..20 {
        denied(&admin.with_key("GET", "guess").await, "wrong apikey");
    }
    for key in ["guess", KEY] {
        let answer = admin.with_key("GET", key).await;
        assert_eq!(answer.status, 429);
        assert_eq!(answer.json()["error_msg"], "too many wrong keys");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds));
    }
    admin.call_from([10, 0, 0, 2]);
    assert_eq!(admin.with_key("GET", KEY).await.status, 200);
}

#[tokio::test]
async fn only_listed_networks_get_in() {
    let mut admin = Admin::start().await;
    admin.call_from([127, 0, 1, 1]);
    for path in [
        ROUTES,
        "/status",
        "/status/ready",
        "/metrics",
        "/",
        "/apisix/prometheus/metrics",
    ] {
        admin.bare("GET", path, &[("x-api-key", KEY)]).await.is_page(403);
    }
    admin.bare("OPTIONS", ROUTES, &[]).await.is_page(403);
}

#[tokio::test]
async fn a_request_of_unknown_origin_is_refused() {
    use tower::ServiceExt;

    let admin = Admin::start().await;
    let request = Request::builder().uri(ROUTES).header("x-api-key", KEY);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = admin.server.admin_router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn browsers_may_call_from_elsewhere() {
    let admin = Admin::start().await;
    let preflight = admin.bare("OPTIONS", "/apisix/admin/anything", &[]).await;
    preflight.is_text(200, "");
    assert_eq!(preflight.header("content-type"), Some("text/plain"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("*"));
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        Some("POST, GET, PUT, OPTIONS, DELETE, PATCH")
    );
    for answer in [
        preflight,
        admin.get("routes").await,
        admin.bare("GET", ROUTES, &[]).await,
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-expose-headers"), Some("*"));
        assert_eq!(answer.header("access-control-max-age"), Some("3600"));
    }
    let status = admin.bare("GET", "/status", &[]).await;
    assert_eq!(status.header("access-control-allow-origin"), None);

    let closed = Admin::with(|state| state.options.cors = false).await;
    closed.bare("OPTIONS", ROUTES, &[]).await.is_page(404);
    assert_eq!(
        closed.get("routes").await.header("access-control-allow-origin"),
        None
    );
}

#[tokio::test]
async fn what_is_outside_is_a_page() {
    let admin = Admin::start().await;
    for (method, path) in [
        ("POST", "/"),
        ("GET", "/apisix/admin"),
        ("GET", "/apisix/adminx"),
        ("POST", "/status"),
        ("TRACE", ROUTES),
        ("PROPFIND", ROUTES),
    ] {
        admin.bare(method, path, &[("x-api-key", KEY)]).await.is_page(404);
    }
    admin
        .bare("GET", "/apisix/admin/%zz", &[("x-api-key", KEY)])
        .await
        .is_page(400);
    admin.bare("HEAD", "/apisix/admin", &[]).await.is_text(200, "");
    assert_eq!(admin.bare("HEAD", ROUTES, &[]).await.status, 404);
}

#[tokio::test]
async fn headers_of_every_answer() {
    let admin = Admin::start().await;
    for path in [ROUTES, "/status", "/metrics", "/nothing", "/apisix/admin/%zz"] {
        assert_eq!(
            admin.bare("GET", path, &[]).await.header("server"),
            Some("APISIX/3.18.0")
        );
    }
    for (path, version) in [
        ("routes", Some("v3")),
        ("routes/1", Some("v3")),
        ("nothing", None),
        ("plugins/list", None),
    ] {
        assert_eq!(admin.get(path).await.header("x-api-version"), version, "{path}");
    }
    assert_eq!(
        admin.put("routes/1", json!({})).await.header("x-api-version"),
        Some("v3")
    );
    let other = Admin::with(|state| state.options.server = "APISIX".parse().unwrap()).await;
    assert_eq!(other.get("routes").await.header("server"), Some("APISIX"));
}
