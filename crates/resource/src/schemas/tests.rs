use super::*;

/// The text of the fault of `value`, or nothing when it holds.
fn fault(schema: &Schema, value: &Value) -> String {
    schema
        .check(value)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[track_caller]
fn faults(kind: Kind, cases: &[(Value, &str)]) {
    let schemas = Schemas::compile().unwrap();
    let schema = schemas.of_kind(kind).unwrap();
    for (value, text) in cases {
        assert_eq!(fault(schema, value), *text, "{kind:?} {value}");
    }
}

fn pem(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn names_are_those_of_the_schema_endpoint() {
    let schemas = Schemas::compile().unwrap();
    let mut names: Vec<&str> = schemas.named().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "consumer",
            "consumer_group",
            "credential",
            "global_rule",
            "model",
            "plugin_config",
            "plugins",
            "proto",
            "provider",
            "route",
            "service",
            "ssl",
            "stream_route",
            "upstream",
        ],
    );
    for kind in Kind::ALL {
        assert_eq!(
            schemas.of_kind(kind).is_some(),
            kind.info().schema_name.is_some(),
            "{kind:?}"
        );
    }
}

#[test]
fn every_kind_takes_its_members_and_forbids_others() {
    let cert = pem(128);
    let complete = [
        (Kind::Route, json!({"uri": "/", "plugins": {}})),
        (Kind::Service, json!({})),
        (Kind::Upstream, json!({"nodes": []})),
        (Kind::Consumer, json!({"username": "jack"})),
        (Kind::Credential, json!({})),
        (Kind::ConsumerGroup, json!({"id": "g", "plugins": {}})),
        (Kind::PluginConfig, json!({"id": 1, "name": "", "plugins": {}})),
        (Kind::GlobalRule, json!({"id": "r", "plugins": {}})),
        (Kind::Ssl, json!({"sni": "*.a.b", "cert": cert, "key": cert})),
        (Kind::Proto, json!({"content": "x"})),
        (Kind::StreamRoute, json!({"server_port": 1})),
        (Kind::Provider, json!({"type": "openai"})),
        (Kind::Model, json!({"targets": [{"provider": 1}]})),
    ];
    let schemas = Schemas::compile().unwrap();
    for (kind, mut value) in complete {
        let schema = schemas.of_kind(kind).unwrap();
        value["create_time"] = 1.into();
        value["update_time"] = 2.into();
        assert_eq!(fault(schema, &value), "", "{kind:?}");
        value["x"] = 1.into();
        assert_eq!(
            fault(schema, &value),
            "additional properties forbidden, found x",
            "{kind:?}"
        );
    }
}

#[test]
fn ids() {
    let text = r#"property "id" validation failed: object matches none of the required"#;
    let with_id = |id: Value| json!({"id": id, "uri": "/", "plugins": {}});
    faults(
        Kind::Route,
        &[
            (with_id(json!("a-Z_0.9")), ""),
            (with_id(json!(1)), ""),
            (with_id(json!("")), text),
            (with_id(json!("a b")), text),
            (with_id(json!(0)), text),
            (with_id(json!(1.5)), text),
            (with_id(json!("x".repeat(65))), text),
        ],
    );
}

#[test]
fn routes() {
    let route = |extra: Value| {
        let mut route = json!({"uri": "/", "plugins": {}});
        route
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        route
    };
    let pairs = r#"["plugins","uri"] or ["upstream","uri"] or ["upstream_id","uri"] or ["service_id","uri"] or ["plugins","uris"] or ["upstream","uris"] or ["upstream_id","uris"] or ["service_id","uris"] or ["script","uri"] or ["script","uris"]"#;
    faults(
        Kind::Route,
        &[
            (
                route(
                    json!({"host": "*.example.com", "remote_addr": "10.0.0.0/8", "methods": ["GET"], "status": 0}),
                ),
                "",
            ),
            (
                route(json!({"remote_addrs": ["::1", "fe80::/10", "127.0.0.1"], "hosts": ["*", "[::1]:80"]})),
                "",
            ),
            (
                json!({"uri": "/"}),
                &format!("object matches none of the required: {pairs}"),
            ),
            (
                json!({"plugins": {}}),
                "allOf 1 failed: value should match only one schema, but matches none",
            ),
            (
                route(json!({"uris": ["/a"]})),
                "allOf 1 failed: value should match only one schema, but matches both schemas 1 and 2",
            ),
            (
                route(json!({"methods": ["FETCH"]})),
                r#"property "methods" validation failed: failed to validate item 1: matches none of the enum values"#,
            ),
            (
                route(json!({"host": "a_b*"})),
                r#"property "host" validation failed: failed to match pattern "^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$" with "a_b*""#,
            ),
            (
                route(json!({"remote_addr": "10.0.0.300"})),
                r#"property "remote_addr" validation failed: object matches none of the required"#,
            ),
            (
                route(json!({"timeout": {"connect": 1, "send": 0, "read": 1}})),
                r#"property "timeout" validation failed: property "send" validation failed: expected 0 to be greater than 0"#,
            ),
            (
                route(json!({"script": "return 'ok'"})),
                "value wasn't supposed to match schema",
            ),
            (
                route(json!({"upstream": null})),
                r#"property "upstream" validation failed: wrong type: expected object, got userdata"#,
            ),
            (
                route(json!({"labels": {"a": "b c"}})),
                r#"property "labels" validation failed: failed to validate a (matching ".*"): failed to match pattern "^\\S+$" with "b c""#,
            ),
            (
                route(json!({"uri": ""})),
                r#"property "uri" validation failed: string too short, expected at least 1, got 0"#,
            ),
        ],
    );
}

#[test]
fn upstreams() {
    faults(
        Kind::Upstream,
        &[
            (
                json!({"nodes": {"127.0.0.1:80": 1}, "type": "chash", "key": "uri"}),
                "",
            ),
            (json!({"nodes": {}}), ""),
            (json!({"nodes": [{"host": "[::1]", "weight": 0}]}), ""),
            (json!({"service_name": "a", "discovery_type": "dns"}), ""),
            (json!({}), "value should match only one schema, but matches none"),
            (
                json!({"service_name": "a"}),
                "value should match only one schema, but matches none",
            ),
            (
                json!({"nodes": {}, "service_name": "a", "discovery_type": "dns"}),
                "value should match only one schema, but matches both schemas 1 and 2",
            ),
            (
                json!({"nodes": {"a": -1}}),
                r#"property "nodes" validation failed: object matches none of the required"#,
            ),
            (
                json!({"nodes": {}, "scheme": "ftp"}),
                r#"property "scheme" validation failed: matches none of the enum values"#,
            ),
            (
                json!({"nodes": {}, "tls": {"client_cert": pem(128)}}),
                r#"property "tls" validation failed: failed to validate dependent schema for "client_cert": property "client_key" is required"#,
            ),
            (
                json!({"nodes": {}, "checks": {"passive": {}}}),
                r#"property "checks" validation failed: object matches none of the required: ["active"] or ["active","passive"]"#,
            ),
            (
                json!({"nodes": {}, "checks": {"active": {"healthy": {"successes": 255}}}}),
                r#"property "checks" validation failed: property "active" validation failed: property "healthy" validation failed: property "successes" validation failed: expected 255 to be at most 254"#,
            ),
        ],
    );
    let schemas = Schemas::compile().unwrap();
    let upstream = schemas.of_kind(Kind::Upstream).unwrap().with_defaults(&json!({
        "nodes": [{"host": "a", "weight": 1}],
        "checks": {"active": {"unhealthy": {}}},
    }));
    let active = &upstream["checks"]["active"];
    assert_eq!(upstream["nodes"][0]["priority"], 0);
    assert_eq!(upstream["hash_on"], "vars");
    assert_eq!(
        (&active["timeout"], &active["unhealthy"]["timeouts"]),
        (&json!(1), &json!(3))
    );
}

#[test]
fn consumers_and_credentials() {
    faults(
        Kind::Consumer,
        &[
            (json!({}), r#"property "username" is required"#),
            (
                json!({"username": "jack", "id": "jack"}),
                "additional properties forbidden, found id",
            ),
            (
                json!({"username": "ja ck"}),
                r#"property "username" validation failed: failed to match pattern "^[a-zA-Z0-9_\\-]+$" with "ja ck""#,
            ),
        ],
    );
    faults(
        Kind::Credential,
        &[(
            json!({"plugins": {"key-auth": {}, "jwt-auth": {}}}),
            r#"property "plugins" validation failed: expect object to have at most 1 properties"#,
        )],
    );
}

#[test]
fn certificates() {
    let (cert, key) = (pem(128), pem(64));
    faults(
        Kind::Ssl,
        &[
            (json!({"snis": ["a.b"], "cert": cert, "key": key}), ""),
            (json!({"type": "client", "cert": cert, "key": key}), ""),
            (
                json!({"sni": "a.b", "cert": "$secret://vault/1/a", "key": "$ENV://KEY"}),
                "",
            ),
            (json!({"cert": cert, "key": key}), "then clause did not match"),
            (
                json!({"type": "client", "cert": cert}),
                "else clause did not match",
            ),
            (
                json!({"sni": "a", "cert": cert, "key": "x"}),
                r#"property "key" validation failed: string too short, expected at least 64, got 1"#,
            ),
            (
                json!({"sni": "a", "cert": cert, "key": key, "client": {}}),
                r#"property "client" validation failed: property "ca" is required"#,
            ),
            (
                json!({"sni": "a", "cert": cert, "key": key, "ssl_protocols": ["SSLv3"]}),
                r#"property "ssl_protocols" validation failed: failed to validate item 1: matches none of the enum values"#,
            ),
        ],
    );
}

#[test]
fn secrets() {
    let schemas = Schemas::compile().unwrap();
    let fault = |manager: &str, value: Value| fault(schemas.of_secret(manager).unwrap(), &value);
    assert_eq!(
        fault(
            "vault",
            json!({"uri": "http://127.0.0.1:8200", "prefix": "kv/a", "token": "t"})
        ),
        ""
    );
    assert_eq!(
        fault("vault", json!({"prefix": "kv"})),
        r#"property "uri" is required"#
    );
    assert_eq!(
        fault("aws", json!({"access_key_id": "a"})),
        r#"property "secret_access_key" is required"#
    );
    assert_eq!(
        fault("gcp", json!({})),
        "value should match only one schema, but matches none"
    );
    assert_eq!(fault("gcp", json!({"auth_file": "/a"})), "");
    assert!(schemas.of_secret("other").is_none());
}

#[test]
fn building_blocks_are_free_of_references() {
    let schemas = Schemas::compile().unwrap();
    assert!(
        !schemas
            .definition("upstream")
            .unwrap()
            .to_string()
            .contains("$ref")
    );
    assert!(schemas.definition("nothing").is_none());
}

#[test]
fn plugin_schemas_get_meta() {
    let schema = Schema::compile(with_meta(
        json!({"type": "object", "additionalProperties": false}),
    ))
    .unwrap();
    let fault = |value: Value| fault(&schema, &value);
    assert_eq!(
        fault(json!({"_meta": {"disable": true, "priority": 1, "filter": [], "error_response": {}}})),
        ""
    );
    assert_eq!(
        fault(json!({"_meta": {"pre_function": "return"}})),
        r#"property "_meta" validation failed: additional properties forbidden, found pre_function"#,
    );
    assert_eq!(
        fault(json!({"_meta": {"error_response": 1}})),
        r#"property "_meta" validation failed: property "error_response" validation failed: value should match only one schema, but matches none"#,
    );
    assert_eq!(schema.source()["$comment"], META_MARK);
}
