//! What the Admin API must refuse.

use serde_json::{Value, json};
use sluice_testkit::{Client, RawConn};

use super::Watched;

#[tokio::test]
async fn ids_that_are_none() {
    let watched = Watched::start().await;
    let admin = watched.gateway.admin();
    let long = "x".repeat(65);
    let route = json!({ "uri": "/x", "plugins": {} });
    for id in [
        "a%20b",
        "%00",
        "%ff",
        "a*b",
        "%F0%9F%98%80",
        "a%27%20OR%201",
        &long,
    ] {
        for (kind, body) in [("routes", &route), ("upstreams", &json!({ "nodes": {} }))] {
            let answer = admin.put(&format!("/{kind}/{id}"), body.clone()).await;
            assert!(
                (400..500).contains(&answer.status),
                "{kind}/{id}: {}: {}",
                answer.status,
                answer.text()
            );
        }
        let read = admin.get(&format!("/routes/{id}")).await;
        assert!(
            (400..500).contains(&read.status),
            "{id}: {}: {}",
            read.status,
            read.text()
        );
    }
    for name in ["a%20b", "a.b", "%F0%9F%98%80"] {
        let name_body = json!({ "username": name.replace("%20", " ") });
        let answer = admin.put("/consumers", name_body).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
    }
    for id in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!({}),
        json!([]),
        json!(true),
        json!(""),
        json!("a b"),
    ] {
        let mut body = route.clone();
        body["id"] = id.clone();
        let answer = admin.put("/routes", body).await;
        assert_eq!(answer.status, 400, "{id}: {}", answer.text());
    }
    watched.is_as_before().await;
}

#[tokio::test]
async fn plugins_configured_with_wrong_types() {
    let watched = Watched::start().await;
    let admin = watched.gateway.admin();
    let names = admin.get("/plugins/list").await.expect_status(200).json();
    let names: Vec<_> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in &names {
        // An empty array is an empty object to APISIX.
        for wrong in [json!(null), json!(1), json!("text"), json!([{}]), json!(true)] {
            let route = json!({ "uri": "/x", "plugins": { name: wrong } });
            let answer = admin.put("/routes/x", route).await.expect_status(400);
            let message = answer.json()["error_msg"].as_str().unwrap().to_owned();
            assert!(message.contains(name.as_str()), "{message}");
        }
        // Whatever a schema says of a member, it is not all of these at once.
        let schema = admin
            .get(&format!("/schema/plugins/{name}"))
            .await
            .expect_status(200)
            .json();
        for member in schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|members| members.keys())
        {
            let mut accepted = Vec::new();
            for wrong in [
                json!({ "\u{0}": [] }),
                json!([[]]),
                json!(-1e300),
                json!("\u{0}"),
                json!(false),
            ] {
                let conf = json!({ "uri": "/x", "plugins": { name: { member: wrong } } });
                let answer = admin.put("/routes/x", conf).await;
                assert!(
                    [200, 201, 400].contains(&answer.status),
                    "{name}.{member}: {wrong}: {}",
                    answer.text()
                );
                if answer.status != 400 {
                    let status = admin.client().get("/status").send().await.json().await;
                    assert_eq!(
                        status["problems"],
                        json!([]),
                        "{name}.{member}: {wrong} was accepted"
                    );
                    accepted.push(wrong);
                    admin.delete("/routes/x").await.expect_status(200);
                }
            }
            assert!(accepted.len() < 5, "{name}.{member} takes anything");
        }
    }
    let unknown = json!({ "uri": "/x", "plugins": { "no-such": {} } });
    let answer = admin.put("/routes/x", unknown).await.expect_status(400);
    assert_eq!(answer.json()["error_msg"], "unknown plugin [no-such]");
    watched.is_as_before().await;
}

/// The Admin API refuses to store this, and says why.
async fn refused(watched: &Watched, path: &str, body: Value) {
    let answer = watched.gateway.admin().put(path, body.clone()).await;
    assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
    let says = answer.json();
    assert!(says["error_msg"].is_string(), "{path} {body}: {says}");
}

/// `base` with more members, or other ones.
fn with(base: &Value, members: Value) -> Value {
    let mut whole = base.clone();
    whole
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    whole
}

#[tokio::test]
async fn resources_with_absurd_members() {
    let watched = Watched::start().await;
    let route = json!({ "uri": "/x", "plugins": {} });
    for members in [
        json!({ "priority": "high" }),
        json!({ "priority": 1.5 }),
        json!({ "status": 2 }),
        json!({ "methods": ["FETCH"] }),
        json!({ "vars": [["a", "=", 1]] }),
        json!({ "vars": "a" }),
        json!({ "remote_addr": "everywhere" }),
        json!({ "host": "a b" }),
        json!({ "timeout": { "connect": -1, "send": 1, "read": 1 } }),
        json!({ "timeout": 5 }),
        json!({ "uris": [] }),
        json!({ "unknown_member": 1 }),
        json!({ "service_id": "none" }),
    ] {
        refused(&watched, "/routes/x", with(&route, members)).await;
    }
    for members in [
        json!({ "nodes": { "127.0.0.1:1": -1 } }),
        json!({ "nodes": { "127.0.0.1:1": "heavy" } }),
        json!({ "nodes": { "127.0.0.1:99999": 1 } }),
        json!({ "nodes": [{ "host": "127.0.0.1", "port": 0, "weight": 1 }] }),
        json!({ "retries": -1 }),
        json!({ "type": "chash" }),
        json!({ "pass_host": "rewrite" }),
        json!({ "scheme": "gopher" }),
    ] {
        refused(&watched, "/upstreams/x", with(&json!({ "nodes": {} }), members)).await;
    }
    for (path, body) in [
        ("/routes/x", json!([])),
        ("/routes/x", json!(null)),
        ("/routes/x", json!("text")),
        ("/consumers", json!({ "username": "" })),
        ("/consumers", json!({ "username": 5 })),
        (
            "/consumers",
            json!({ "username": "x", "plugins": { "key-auth": {} } }),
        ),
        (
            "/consumers",
            json!({ "username": "x", "plugins": { "key-auth": { "key": "key-bob" } } }),
        ),
        ("/global_rules/x", json!({ "plugins": 1 })),
        ("/plugin_metadata/no-such", json!({})),
        ("/plugin_metadata/limit-count", json!({ "limit_header": 5 })),
    ] {
        refused(&watched, path, body).await;
    }
    watched.is_as_before().await;
}

#[tokio::test]
async fn weights_beyond_all_bounds() {
    let watched = Watched::start().await;
    let admin = watched.gateway.admin();
    for weight in [u64::from(u32::MAX), 1 << 53, u64::MAX] {
        let nodes = json!({ watched.provider.addr().to_string(): weight, "127.0.0.1:1": 1 });
        let route = json!({ "uri": "/heavy", "upstream": { "type": "roundrobin", "nodes": nodes } });
        let answer = admin.put("/routes/x", route).await;
        if answer.status != 400 {
            let call = watched.gateway.client().get("/heavy");
            call.send().await.expect_status(200).await;
            admin.delete("/routes/x").await.expect_status(200);
        }
    }
    watched.is_as_before().await;
}

#[tokio::test]
async fn admin_calls_that_are_no_json() {
    let watched = Watched::start().await;
    let addr = watched.gateway.admin_addr();
    let key = watched.gateway.admin_key();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"uri\":\"/x\",\"desc\":\"{}\"}}", "x".repeat(2 << 20));
    for (body, statuses) in [
        (&b""[..], &[400][..]),
        (b"{", &[400]),
        (b"{\"uri\":\"/x\",\"plugins\":{},\"uri\":\"/y\"} x", &[400]),
        (b"{\"uri\":\"/\xff\",\"plugins\":{}}", &[400]),
        (deep.as_bytes(), &[400]),
        (large.as_bytes(), &[400, 413]),
        (b"uri=/x", &[400]),
    ] {
        let client = Client::new(addr).with_header("x-api-key", key);
        let answer = client
            .call(http::Method::PUT, "/apisix/admin/routes/x")
            .body(body.to_vec())
            .send()
            .await;
        let status = answer.status.as_u16();
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert!(statuses.contains(&status), "{shown}: {status}");
        assert!(answer.json().await["error_msg"].is_string(), "{shown}");
    }
    for (bytes, status) in [
        ("nonsense\r\n\r\n", "400"),
        (
            "PUT /apisix/admin/routes/x HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            "400",
        ),
        (
            "GET /apisix/admin/routes/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "400",
        ),
    ] {
        let mut conn = RawConn::connect(addr).await;
        conn.write(bytes).await;
        let head = conn.read_head().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{bytes:?}: {head}"
        );
    }
    watched.is_as_before().await;
}
