//! PUT, POST and GET of one: envelopes, ids, times (compat §1.2–1.4).

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::support::Admin;
use crate::api::unix_now;
use crate::{CompileReport, DataPlane};

fn route() -> Value {
    json!({"uri": "/a", "plugins": {}})
}

#[tokio::test]
async fn put_creates_and_replaces() {
    let admin = Admin::start().await;
    let before = unix_now();
    let created = admin
        .put(
            "routes/1",
            json!({"uri": "/a", "upstream": {"nodes": {"a:1": 1}}}),
        )
        .await;
    let value = created.value();
    let time = value["create_time"].as_u64().unwrap();
    assert!((before..=unix_now()).contains(&time));
    assert_eq!(value["update_time"], value["create_time"]);
    let expected = json!({
        "uri": "/a", "upstream": {"nodes": {"a:1": 1}}, "id": "1",
        "create_time": time, "update_time": time,
    });
    created.is(201, json!({"key": "/apisix/routes/1", "value": expected}));

    admin
        .store
        .put(
            "/routes/1",
            json!({"id": "1", "uri": "/a", "create_time": 5}),
            None,
        )
        .await
        .unwrap();
    let replaced = admin.put("routes/1", route()).await;
    assert_eq!(replaced.status, 200);
    assert_eq!(replaced.value()["create_time"], 5);
    assert!(replaced.value()["update_time"].as_u64().unwrap() >= before);
}

#[tokio::test]
async fn get_adds_the_revisions() {
    let admin = Admin::start().await;
    let put = admin.has("routes/1", route()).await;
    admin.has("routes/1", route()).await;
    let item = admin.store.get("/routes/1").await.unwrap().unwrap();
    admin.get("routes/1").await.is(
        200,
        json!({
            "key": "/apisix/routes/1", "value": put.value(),
            "createdIndex": item.create_revision, "modifiedIndex": item.mod_revision,
        }),
    );
    assert!(item.create_revision < item.mod_revision);
    let absent = json!({"message": "Key not found"});
    admin.get("routes/2").await.is(404, absent.clone());
    admin.delete("routes/2").await.is(404, absent.clone());
    admin.patch("routes/2", json!({})).await.is(404, absent);
}

#[tokio::test]
async fn paths_are_normalised_and_extra_segments_ignored() {
    let admin = Admin::start().await;
    admin.has("routes/a.b-c_1", route()).await;
    for path in [
        "routes/a.b-c_1/",
        "routes//a.b-c_1",
        "./routes/a%2eb-c_1",
        "routes/a.b-c_1/more/of/it",
    ] {
        assert_eq!(
            admin.get(path).await.json()["key"],
            "/apisix/routes/a.b-c_1",
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_prefix_of_keys_is_configured() {
    let admin = Admin::with(|state| state.options.key_prefix = "/gateway".to_owned()).await;
    assert_eq!(
        admin.put("routes/1", route()).await.json()["key"],
        "/gateway/routes/1"
    );
    assert_eq!(
        admin.get("routes").await.json()["list"][0]["key"],
        "/gateway/routes/1"
    );
}

#[tokio::test]
async fn ids_come_from_the_path_or_the_body() {
    let admin = Admin::start().await;
    let with_id = |id: Value| json!({"id": id, "uri": "/a", "plugins": {}});
    assert_eq!(
        admin.put("routes", with_id(json!(7))).await.value()["id"],
        json!(7)
    );
    assert_eq!(admin.get("routes/7").await.value()["id"], json!(7));
    assert_eq!(
        admin.put("routes/7", with_id(json!(7))).await.value()["id"],
        json!("7")
    );
    admin
        .put("routes", route())
        .await
        .refused(400, "missing route id");
    admin
        .put("routes/1", with_id(json!("2")))
        .await
        .refused(400, "wrong route id");
    admin
        .put("consumer_groups", json!({"plugins": {}}))
        .await
        .refused(400, "missing consumer group id");
    let bad =
        r#"invalid configuration: property "id" validation failed: object matches none of the required"#;
    let long = "x".repeat(65);
    for id in ["a%20b", "é", "a$", &long] {
        let answer = admin
            .put(&format!("routes/{}", id.replace('é', "%C3%A9")), route())
            .await;
        answer.refused(400, bad);
    }
    for id in [
        json!(""),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(null),
        json!(true),
        json!({}),
        json!("a/b"),
    ] {
        admin.put("routes", with_id(id)).await.refused(400, bad);
    }
}

#[tokio::test]
async fn post_generates_an_id() {
    let admin = Admin::start().await;
    let answer = admin.post("routes", route()).await;
    assert_eq!(answer.status, 201);
    let id = answer.value()["id"].as_str().unwrap().to_owned();
    assert!(
        id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_digit()),
        "{id}"
    );
    assert_eq!(answer.json()["key"], format!("/apisix/routes/{id}"));
    assert_eq!(answer.value()["create_time"], answer.value()["update_time"]);
    assert_eq!(admin.get(&format!("routes/{id}")).await.value(), answer.value());
    let next = admin.post("routes/", route()).await.value()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(next > id);
    let message = "wrong route id, do not need it";
    admin.post("routes/1", route()).await.refused(400, message);
    admin
        .post("routes", json!({"id": 1, "uri": "/a", "plugins": {}}))
        .await
        .refused(400, message);
}

#[tokio::test]
async fn kinds_refuse_methods() {
    let admin = Admin::start().await;
    for (path, kind) in [
        ("consumers", "consumer"),
        ("consumers/jack/credentials", "credential"),
        ("consumer_groups", "consumer group"),
        ("plugin_configs", "plugin config"),
        ("global_rules", "global rule"),
        ("plugin_metadata", "plugin_metadata"),
        ("secrets/vault", "secret"),
    ] {
        let message = format!("not supported `POST` method for {kind}");
        admin.post(path, json!({})).await.refused(405, &message);
    }
    for (path, kind) in [
        ("consumers/jack", "consumer"),
        ("consumers/jack/credentials/1", "credential"),
        ("plugin_metadata/cors", "plugin_metadata"),
        ("protos/1", "proto"),
    ] {
        let message = format!("not supported `PATCH` method for {kind}");
        admin.patch(path, json!({})).await.refused(405, &message);
    }
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        for path in ["plugins", "plugins/cors", "schema/route", "schema/plugins/cors"] {
            admin
                .raw(method, path, "not even JSON")
                .await
                .refused(404, "not found");
        }
    }
    admin
        .get("nothing")
        .await
        .refused(404, "Unsupported resource type: nothing");
    admin.get("").await.refused(404, "Unsupported resource type: ");
    for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
        let message = "stream mode is disabled, can not add stream routes";
        admin
            .raw(method, "stream_routes/1", "{")
            .await
            .refused(400, message);
    }
}

#[tokio::test]
async fn the_order_of_checks() {
    let admin = Admin::start().await;
    let put = async |path: &str, body: &str| admin.raw("PUT", path, body.to_owned()).await;
    let message = "invalid request body: Expected value but found invalid token at character 2";
    put("consumers/?ttl=x", "{x")
        .await
        .is(400, json!({"error_msg": message, "req_body": "{x"}));
    put("nothing", "{x")
        .await
        .refused(404, "Unsupported resource type: nothing");
    let post = admin.raw("POST", "consumers?ttl=x", "{}").await;
    post.refused(400, "invalid argument ttl: should be a number");
    admin
        .raw("POST", "consumers", "")
        .await
        .refused(405, "not supported `POST` method for consumer");
    put("routes", "").await.refused(400, "missing configurations");
    put("routes", r#"{"create_time": 1}"#)
        .await
        .refused(400, "missing route id");
    let times = "the property is forbidden:  create_time";
    put("routes/1", r#"{"create_time": 1, "uri": 7}"#)
        .await
        .refused(400, times);
    put("routes/1", r#"{"uri": 7}"#).await.refused(
        400,
        "invalid configuration: property \"uri\" validation failed: wrong type: expected string, got number",
    );
}

#[tokio::test]
async fn bodies_are_bounded() {
    let admin = Admin::start().await;
    let size = 1_572_864;
    let padded = |size: usize| {
        let start = r#"{"uri": "/a", "plugins": {}, "desc": ""}"#;
        format!("{start}{}", " ".repeat(size - start.len()))
    };
    assert_eq!(admin.raw("PUT", "routes/1", padded(size)).await.status, 201);
    let message = |size: usize| {
        format!("invalid request body: request size {size} is greater than the maximum size 1572864 allowed")
    };
    admin
        .raw("PUT", "routes/1", padded(size + 1))
        .await
        .refused(400, &message(size + 1));
    admin
        .raw("GET", "routes", padded(size + 1))
        .await
        .refused(400, &message(size + 1));
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let answer = admin
        .raw("PUT", "routes/1", axum::body::Body::from_stream(endless))
        .await;
    assert!(
        answer.text.contains("is greater than the maximum size"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn kinds_store_their_ids_in_their_own_ways() {
    let admin = Admin::start().await;
    let jack = admin.put("consumers", json!({"username": "jack"})).await;
    assert_eq!(jack.json()["key"], "/apisix/consumers/jack");
    assert_eq!(jack.value().get("id"), None);
    assert_eq!(
        admin
            .put("consumers/jack", json!({"username": "jack"}))
            .await
            .status,
        200
    );
    admin
        .put("consumers/jane", json!({"username": "jack"}))
        .await
        .refused(400, "wrong username");

    let credential = admin
        .put("consumers/jack/credentials/c1", json!({"plugins": {}}))
        .await;
    assert_eq!(credential.json()["key"], "/apisix/consumers/jack/credentials/c1");
    assert_eq!(credential.value()["id"], "c1");
    let by_body = admin
        .put("consumers/jack/credentials", json!({"id": "c2", "plugins": {}}))
        .await;
    assert_eq!(by_body.json()["key"], "/apisix/consumers/jack/credentials/c2");

    let metadata = admin
        .put("plugin_metadata/limit-count", json!({"limit_header": "x"}))
        .await;
    metadata.is(
        201,
        json!({
            "key": "/apisix/plugin_metadata/limit-count", "value": {"limit_header": "x", "id": "limit-count"},
        }),
    );
    admin
        .put("plugin_metadata", json!({}))
        .await
        .refused(400, "missing plugin name");
    admin
        .put("plugin_metadata/nothing", json!({}))
        .await
        .refused(400, "invalid plugin name");
    admin.put("plugin_metadata/limit-count", json!({"limit_header": 1})).await.refused(
        400,
        "invalid configuration: property \"limit_header\" validation failed: wrong type: expected string, got number",
    );

    let vault = json!({"uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "t"});
    let secret = admin.put("secrets/vault/1", vault.clone()).await;
    assert_eq!(secret.json()["key"], "/apisix/secrets/vault/1");
    assert_eq!(secret.value()["id"], "vault/1");
    assert_eq!(admin.get("secrets/vault/1").await.value()["id"], "vault/1");
    admin
        .put("secrets/other/1", vault)
        .await
        .refused(400, "invalid secret manager: other");
}

#[tokio::test]
async fn times_to_live_are_numbers() {
    let admin = Admin::start().await;
    for ttl in ["abc", "", "1s", "nan"] {
        let path = format!("routes/1?ttl={ttl}");
        admin
            .put(&path, route())
            .await
            .refused(400, "invalid argument ttl: should be a number");
        admin
            .get(&path)
            .await
            .refused(400, "invalid argument ttl: should be a number");
    }
    for ttl in ["0", "-1"] {
        let path = format!("routes/1?ttl={ttl}");
        admin
            .put(&path, route())
            .await
            .refused(400, "invalid argument ttl: should be positive");
    }
    for ttl in ["60", "1e400", "0x10"] {
        assert!(
            admin
                .put(&format!("routes/1?ttl={ttl}"), route())
                .await
                .status
                .is_success(),
            "{ttl}"
        );
    }
}

#[tokio::test]
async fn what_has_a_time_to_live_vanishes() {
    let admin = Admin::start().await;
    let revision = admin.store.load().await.unwrap().revision;
    let mut changes = admin.store.subscribe(revision);
    admin.has("routes/1?ttl=0.05", route()).await;
    admin.has("routes/2", route()).await;
    admin.patch("routes/2?ttl=0.05", json!({"desc": "x"})).await;
    let posted = admin.post("routes?ttl=0.05", route()).await.value()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut gone = Vec::new();
    while gone.len() < 3 {
        if let Some(sluice_store::Change::Event(event)) = changes.next().await
            && matches!(event.kind, sluice_store::EventKind::Delete { .. })
        {
            gone.push(event.key().to_owned());
        }
    }
    gone.sort();
    let mut expected = [
        format!("/routes/{posted}"),
        "/routes/1".to_owned(),
        "/routes/2".to_owned(),
    ];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(admin.get("routes").await.json()["total"], 0);
}

/// Follows when it is told to.
struct Held(watch::Sender<(u64, u64)>);

impl DataPlane for Held {
    fn reached(&self, revision: u64) -> BoxFuture<'_, ()> {
        self.0.send_modify(|(asked, _)| *asked = revision);
        let mut seen = self.0.subscribe();
        async move { drop(seen.wait_for(|(_, reached)| *reached >= revision).await) }.boxed()
    }

    fn report(&self) -> CompileReport {
        CompileReport::default()
    }
}

#[tokio::test]
async fn writes_answer_when_the_data_plane_has_followed() {
    let plane = Arc::new(Held(watch::Sender::new((0, 0))));
    let held = Arc::clone(&plane);
    let admin = Admin::with(move |state| state.data_plane = held).await;
    let mut asked = plane.0.subscribe();
    let created = {
        let mut put = std::pin::pin!(admin.put("routes/1", route()));
        let revision = tokio::select! {
            answer = &mut put => panic!("answered early: {answer:?}"),
            revision = async { asked.wait_for(|(asked, _)| *asked > 0).await.unwrap().0 } => revision,
        };
        plane.0.send_modify(|(_, reached)| *reached = revision);
        put.await
    };
    assert_eq!(created.status, 201);

    let mut delete = std::pin::pin!(admin.delete("routes/1"));
    let revision = tokio::select! {
        answer = &mut delete => panic!("answered early: {answer:?}"),
        revision = async { asked.wait_for(|(asked, reached)| asked > reached).await.unwrap().0 } => revision,
    };
    plane.0.send_modify(|(_, reached)| *reached = revision);
    assert_eq!(delete.await.status, 200);
}

#[tokio::test]
async fn writes_do_not_wait_for_long() {
    let admin = Admin::with(|state| {
        state.data_plane = Arc::new(Held(watch::Sender::new((0, 0))));
        state.options.follow_wait = Duration::from_millis(1);
    });
    assert_eq!(admin.await.put("routes/1", route()).await.status, 201);
}

#[tokio::test]
async fn a_store_that_fails_is_503() {
    let admin = Admin::start().await;
    admin.has("routes/1", route()).await;
    admin.store.close().await;
    admin
        .put("routes/1", route())
        .await
        .refused(503, "the configuration store is closed");
    admin
        .delete("routes/1")
        .await
        .refused(503, "the configuration store is closed");
    assert_eq!(admin.get("routes/1").await.status, 200);
}

#[tokio::test]
async fn parallel_writes_do_not_slip_past_the_checks() {
    let admin = Admin::start().await;
    let put = |name: &'static str| {
        let body = json!({"username": name, "plugins": {"key-auth": {"key": "same"}}});
        admin.put("consumers", body)
    };
    let answers = futures_util::future::join_all(["a", "b", "c", "d"].map(put)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
}
