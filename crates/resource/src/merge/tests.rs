use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn plugin_configs_fill_in_what_a_route_lacks() {
    let route = json!({"id": "r", "uri": "/", "plugins": {"cors": {"max_age": 1}}});
    let config = json!({"id": "p", "plugins": {"cors": {"max_age": 2, "x": 1}, "gzip": {}}});
    assert_eq!(
        merge_plugin_config(&route, &config),
        json!({"id": "r", "uri": "/", "plugins": {"cors": {"max_age": 1}, "gzip": {}}}),
    );
    assert_eq!(
        merge_plugin_config(&json!({"id": "r"}), &config)["plugins"],
        config["plugins"]
    );
    assert_eq!(merge_plugin_config(&route, &json!({})), route);
}

#[test]
fn routes_override_services() {
    let service = json!({
        "id": "s",
        "name": "service",
        "desc": "of the service",
        "upstream_id": "u",
        "timeout": {"connect": 1, "send": 1, "read": 1},
        "labels": {"a": "1"},
        "hosts": ["a.b"],
        "enable_websocket": true,
        "plugins": {"cors": {"max_age": 2, "x": 1}, "gzip": {}},
    });
    let bare = json!({"id": "r", "service_id": "s", "uri": "/", "plugins": {"cors": {"max_age": 1}}});
    let merged = merge_service(&bare, &service);
    assert_eq!(
        merged,
        json!({
            "id": "r",
            "service_id": "s",
            "desc": "of the service",
            "upstream_id": "u",
            "timeout": {"connect": 1, "send": 1, "read": 1},
            "labels": {"a": "1"},
            "hosts": ["a.b"],
            "enable_websocket": true,
            "plugins": {"cors": {"max_age": 1}, "gzip": {}},
        }),
    );

    let full = json!({
        "id": "r",
        "name": "route",
        "upstream": {"nodes": {}},
        "timeout": {"connect": 9, "send": 9, "read": 9},
        "labels": {"b": "2"},
        "host": "c.d",
        "enable_websocket": false,
    });
    assert_eq!(
        merge_service(&full, &service),
        json!({
            "id": "r",
            "service_id": "s",
            "name": "route",
            "desc": "of the service",
            "upstream": {"nodes": {}},
            "timeout": {"connect": 9, "send": 9, "read": 9},
            "labels": {"b": "2"},
            "host": "c.d",
            "enable_websocket": false,
            "plugins": {"cors": {"max_age": 2, "x": 1}, "gzip": {}},
        }),
    );
}

#[test]
fn an_upstream_id_wins_where_both_remain() {
    let source = |route: Value, service: Value| {
        let merged = merge_service(&route, &service);
        match upstream_source(&merged) {
            Some(UpstreamSource::Id(id)) => id.to_string(),
            Some(UpstreamSource::Inline(upstream)) => upstream["name"].to_string(),
            None => "none".to_owned(),
        }
    };
    assert_eq!(
        source(json!({"upstream": {"name": "r"}}), json!({"upstream_id": 1})),
        "\"r\""
    );
    assert_eq!(
        source(json!({"upstream_id": 2}), json!({"upstream": {"name": "s"}})),
        "2"
    );
    assert_eq!(
        source(json!({"upstream_id": 2, "upstream": {"name": "r"}}), json!({})),
        "2"
    );
    assert_eq!(
        source(json!({}), json!({"upstream_id": 1, "upstream": {"name": "s"}})),
        "1"
    );
    assert_eq!(source(json!({}), json!({})), "none");
}

#[test]
fn consumers_beat_groups_beat_routes() {
    let route = object(json!({"a": {"by": "route"}, "b": {"by": "route"}, "c": {"by": "route", "x": 1}}));
    let group = object(json!({"b": {"by": "group"}, "c": {"by": "group"}, "d": {}}));
    let consumer = object(json!({"c": {"by": "consumer"}}));
    assert_eq!(
        Value::Object(merge_consumer(&route, Some(&group), Some(&consumer))),
        json!({"a": {"by": "route"}, "b": {"by": "group"}, "c": {"by": "consumer"}, "d": {}}),
    );
    assert_eq!(merge_consumer(&route, None, None), route);
}

#[test]
fn a_patch_merges_objects_and_replaces_the_rest() {
    let stored =
        json!({"uri": "/a", "methods": ["GET"], "upstream": {"nodes": {"a": 1, "b": 1}, "retries": 1}});
    let patch = json!({
        "methods": ["PUT"],
        "name": "n",
        "upstream": {"nodes": {"b": null, "c": 2}, "retries": null, "tls": {"verify": true, "x": null}},
    });
    assert_eq!(
        merge_patch(&stored, Some(&patch)),
        Ok(json!({
            "uri": "/a",
            "methods": ["PUT"],
            "name": "n",
            "upstream": {"nodes": {"a": 1, "c": 2}, "tls": {"verify": true}},
        })),
    );
    assert_eq!(merge_patch(&stored, Some(&json!([]))), Ok(stored.clone()));
    assert_eq!(
        merge_patch(&stored, None).unwrap_err().message,
        "missing new configuration"
    );
    assert_eq!(
        merge_patch(&stored, Some(&json!("x"))).unwrap_err().message,
        "invalid configuration"
    );
    assert_eq!(
        merge_patch(&stored, Some(&json!([1]))).unwrap_err().message,
        "invalid configuration"
    );
}

#[test]
fn a_sub_path_sets_one_member() {
    let stored = json!({"uri": "/a", "upstream": {"nodes": {"a": 1}}, "plugins": []});
    let set = |path: &str, body: Value| set_at_path(&stored, path, Some(body));
    assert_eq!(set("uri", json!("/b")).unwrap()["uri"], "/b");
    assert_eq!(
        set("upstream/nodes", json!({"b": 2})).unwrap()["upstream"],
        json!({"nodes": {"b": 2}})
    );
    assert_eq!(
        set("upstream/nodes/", json!(null)).unwrap()["upstream"],
        json!({"nodes": null})
    );
    assert_eq!(
        set("upstream/tls/verify", json!(true)).unwrap()["upstream"]["tls"],
        json!({"verify": true})
    );
    assert_eq!(
        set("plugins/cors", json!({})).unwrap()["plugins"],
        json!({"cors": {}})
    );
    assert_eq!(
        set_at_path(&stored, "uri", None).unwrap_err().message,
        "missing new configuration"
    );
}

#[test]
fn a_sub_path_through_a_scalar_is_refused() {
    let stored = json!({"uri": "/a", "upstream": {"type": "chash"}, "uris": ["/b"]});
    let refusal = |path: &str| set_at_path(&stored, path, Some(json!(1))).unwrap_err().message;
    assert_eq!(refusal("uri/x"), "invalid sub-path: /uri1x");
    assert_eq!(refusal("uri/x/y"), "invalid sub-path: /uri1x1y");
    assert_eq!(refusal("upstream/type/a/b"), "invalid sub-path: /type1a1b");
    assert_eq!(refusal("uris/0"), "invalid sub-path: /uris10");
}

/// JSON of a few names and levels, so that patches meet what they patch.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..9).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        prop::collection::vec(0..3, 0..3).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop::collection::btree_map("[a-d]", inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    })
}

fn json_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-d]", json_value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn patched(stored: &Value, patch: &Value) -> Value {
    merge_patch(stored, Some(patch)).unwrap()
}

/// Everything that `patch` says holds in `merged`, and what it does not name is as it was.
fn follows(merged: &Value, patch: &Value, stored: &Value) -> bool {
    let Some(patch) = patch.as_object() else {
        return merged == patch;
    };
    let named = patch.iter().all(|(name, change)| match change {
        Value::Null => merged.get(name).is_none(),
        other => merged
            .get(name)
            .is_some_and(|m| follows(m, other, stored.get(name).unwrap_or(&Value::Null))),
    });
    let others = |from: &Value| -> Map<String, Value> {
        let members = from.as_object().into_iter().flatten();
        members
            .filter(|(name, _)| !patch.contains_key(*name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect()
    };
    named && merged.is_object() && others(merged) == others(stored)
}

proptest! {
    #[test]
    fn patches_do_what_they_say_and_nothing_else(stored in json_object(), patch in json_object()) {
        let merged = patched(&stored, &patch);
        prop_assert!(follows(&merged, &patch, &stored), "{merged}");
    }

    #[test]
    fn patching_twice_is_patching_once(stored in json_object(), patch in json_object()) {
        let once = patched(&stored, &patch);
        prop_assert_eq!(patched(&once, &patch), once);
    }

    #[test]
    fn what_a_sub_path_sets_is_there(stored in json_object(), path in "[a-d](/[a-d]){0,3}", body in json_value()) {
        if let Ok(changed) = set_at_path(&stored, &path, Some(body.clone())) {
            prop_assert_eq!(changed.pointer(&format!("/{path}")), Some(&body));
            let top = path.split('/').next().unwrap();
            for name in ["a", "b", "c", "d"].into_iter().filter(|name| *name != top) {
                prop_assert_eq!(changed.get(name), stored.get(name));
            }
        }
    }
}
