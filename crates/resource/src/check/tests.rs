use serde_json::json;

use super::*;
use crate::catalogue::{Catalogue, PluginInfo};
use crate::key::Key;

fn catalogue() -> Catalogue {
    let key_auth = PluginInfo::new(
        "key-auth",
        2500,
        json!({"type": "object", "properties": {"header": {"type": "string"}}}),
    )
    .unwrap()
    .with_consumer_schema(
        json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}),
    )
    .unwrap()
    .as_auth("key");
    let limit = PluginInfo::new(
        "limit-count",
        1002,
        json!({"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}),
    )
    .unwrap()
    .with_metadata_schema(json!({"type": "object", "properties": {"limit_header": {"type": "string"}}, "additionalProperties": false}))
    .unwrap();
    let cors = PluginInfo::new("cors", 4000, json!({"type": "object"}))
        .unwrap()
        .with_check(|conf, _| {
            if conf["allow_credential"] == true {
                Err("you can not".to_owned())
            } else {
                Ok(())
            }
        });
    Catalogue::new(vec![key_auth, limit, cors], None)
}

fn checker(unknown: UnknownPlugins) -> Checker {
    Checker::new(
        Arc::new(Schemas::compile().unwrap()),
        Arc::new(catalogue()),
        unknown,
    )
}

/// The message about a resource, or nothing when it holds.
fn message(checker: &Checker, target: Target<'_>, value: &Value) -> String {
    match checker.check(&target, value) {
        Ok(()) => String::new(),
        Err(error) => {
            assert_eq!(error.status, 400);
            error.message
        }
    }
}

#[track_caller]
fn messages(target: Target<'_>, cases: &[(Value, &str)]) {
    let checker = checker(UnknownPlugins::Refuse);
    for (value, text) in cases {
        assert_eq!(message(&checker, target, value), *text, "{target:?} {value}");
    }
}

fn of(kind: Kind) -> Target<'static> {
    Target::new(kind, None)
}

fn route(extra: Value) -> Value {
    let mut route = json!({"uri": "/"});
    route
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    route
}

#[test]
fn pairs_come_before_the_schema() {
    messages(
        of(Kind::Route),
        &[
            (
                json!({"host": 1, "hosts": 1}),
                "only one of host or hosts is allowed",
            ),
            (
                json!({"remote_addr": 1, "remote_addrs": 1}),
                "only one of remote_addr or remote_addrs is allowed",
            ),
        ],
    );
}

#[test]
fn schema_faults_are_invalid_configurations() {
    messages(
        of(Kind::Route),
        &[
            (
                json!("x"),
                "invalid configuration: wrong type: expected object, got string",
            ),
            (
                json!({"uri": "/", "id": "a b", "plugins": {}}),
                r#"invalid configuration: property "id" validation failed: object matches none of the required"#,
            ),
            (
                json!({"uri": "/", "upstream": null}),
                r#"invalid configuration: property "upstream" validation failed: wrong type: expected object, got userdata"#,
            ),
        ],
    );
}

#[test]
fn addresses_are_networks() {
    messages(
        of(Kind::Route),
        &[
            (route(json!({"plugins": {}, "remote_addr": "10.0.0.0/8"})), ""),
            (
                route(json!({"plugins": {}, "remote_addr": "::/999"})),
                r#"invalid configuration: property "remote_addr" validation failed: object matches none of the required"#,
            ),
            (
                route(json!({"plugins": {}, "remote_addrs": ["::1", "::/999"]})),
                r#"invalid configuration: property "remote_addrs" validation failed: failed to validate item 2: object matches none of the required"#,
            ),
        ],
    );
}

#[test]
fn upstreams_are_checked_wherever_they_stand() {
    let cases = [
        (
            json!({"nodes": {"a:80": 1, "b": 1, "[::1]:80": 1, "[::1]": 1}}),
            "",
        ),
        (json!({"nodes": {"a:http": 1}}), ""),
        (json!({"nodes": {"a:0": 1}}), "invalid port 0"),
        (json!({"nodes": {"a:65536": 1}}), "invalid port 65536"),
        (json!({"nodes": {"[::1]:0": 1}}), "invalid port 0"),
        (
            json!({"nodes": {"::1": 1}}),
            "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
        ),
        (
            json!({"nodes": {"1:2:3:4:5:6:7:8:80": 1}}),
            "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
        ),
        (
            json!({"nodes": [{"host": "::1", "port": 80, "weight": 1}]}),
            "invalid configuration: IPv6 address must be enclosed with '[' and ']'",
        ),
        (json!({"nodes": [{"host": "[::1]", "port": 80, "weight": 1}]}), ""),
        (
            json!({"nodes": {}, "pass_host": "rewrite"}),
            "`upstream_host` can't be empty when `pass_host` is `rewrite`",
        ),
        (
            json!({"nodes": {}, "pass_host": "rewrite", "upstream_host": "a.b"}),
            "",
        ),
        (json!({"nodes": {}, "type": "chash"}), "missing key"),
        (
            json!({"nodes": {}, "type": "chash", "hash_on": "vars_combinations"}),
            "missing key",
        ),
        (json!({"nodes": {}, "type": "chash", "hash_on": "consumer"}), ""),
        (json!({"nodes": {}, "type": "chash", "key": "arg_device_id"}), ""),
        (
            json!({"nodes": {}, "type": "chash", "hash_on": "header", "key": "X-Session"}),
            "",
        ),
        (
            json!({"nodes": {}, "type": "chash", "hash_on": "vars_combinations", "key": "$a$b"}),
            "",
        ),
        (
            json!({"nodes": {}, "type": "chash", "key": "not_support"}),
            "invalid configuration: failed to match pattern \"^((uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname|mqtt_client_id)|arg_[0-9a-zA-z_-]+)$\" with \"not_support\"",
        ),
        (
            json!({"nodes": {}, "type": "chash", "hash_on": "cookie", "key": "a?"}),
            "invalid configuration: failed to match pattern \"^[a-zA-Z0-9-_]+$\" with \"a?\"",
        ),
    ];
    let everywhere =
        |wrap: fn(&Value) -> Value| cases.clone().map(|(upstream, text)| (wrap(&upstream), text));
    messages(of(Kind::Upstream), &everywhere(Value::clone));
    messages(
        of(Kind::Route),
        &everywhere(|upstream| json!({"uri": "/", "upstream": upstream})),
    );
    messages(
        of(Kind::Service),
        &everywhere(|upstream| json!({"upstream": upstream})),
    );
}

#[test]
fn plugins() {
    messages(
        of(Kind::Route),
        &[
            (
                route(json!({"plugins": {"limit-count": {"count": 1}, "cors": {}}})),
                "",
            ),
            (route(json!({"plugins": []})), ""),
            (
                route(json!({"plugins": {"nothing": {}}})),
                "unknown plugin [nothing]",
            ),
            (
                route(json!({"plugins": {"cors": "x"}})),
                r#"invalid plugin conf "x" for plugin [cors]"#,
            ),
            (
                route(json!({"plugins": {"cors": null}})),
                "invalid plugin conf null for plugin [cors]",
            ),
            (
                route(json!({"plugins": {"limit-count": {}}})),
                r#"failed to check the configuration of plugin limit-count err: property "count" is required"#,
            ),
            (
                route(json!({"plugins": {"cors": {"allow_credential": true}}})),
                "failed to check the configuration of plugin cors err: you can not",
            ),
            (
                route(json!({"plugins": {"limit-count": {"_meta": {"disable": true}}}})),
                "",
            ),
            (
                route(json!({"plugins": {"limit-count": {"_meta": {"disable": false}}}})),
                r#"failed to check the configuration of plugin limit-count err: property "count" is required"#,
            ),
            (
                route(json!({"plugins": {"cors": {"_meta": {"filter": [["uri", "=", "/"]]}}}})),
                "failed to validate the 'vars' expression: invalid operator '='",
            ),
            (
                route(json!({"plugins": {"cors": {"_meta": {"x": 1}}}})),
                r#"failed to check the configuration of plugin cors err: property "_meta" validation failed: additional properties forbidden, found x"#,
            ),
        ],
    );
    for kind in [Kind::ConsumerGroup, Kind::PluginConfig, Kind::GlobalRule] {
        messages(
            of(kind),
            &[(
                json!({"id": 1, "plugins": {"nothing": {}}}),
                "unknown plugin [nothing]",
            )],
        );
    }
}

#[test]
fn readers_pass_over_unknown_plugins() {
    let checker = checker(UnknownPlugins::Ignore);
    let target = Target::new(Kind::Route, Some("1"));
    let with = |plugins: Value| route(json!({"plugins": plugins}));
    assert_eq!(
        checker.check(&target, &with(json!({"nothing": {"x": 1}}))),
        Ok(())
    );
    assert!(
        checker
            .check(&target, &with(json!({"nothing": {}, "limit-count": {}})))
            .is_err()
    );
}

#[test]
fn consumers() {
    let jack = |plugins: Value| json!({"username": "jack", "plugins": plugins});
    messages(
        of(Kind::Consumer),
        &[
            (
                jack(json!({"key-auth": {"key": "k"}, "limit-count": {"count": 1}})),
                "",
            ),
            (
                jack(json!({"nothing": {}})),
                "invalid plugins configuration: unknown plugin [nothing]",
            ),
            (
                jack(json!({"key-auth": {}})),
                r#"invalid plugins configuration: failed to check the configuration of plugin key-auth err: property "key" is required"#,
            ),
        ],
    );
    messages(
        Target::new(Kind::Consumer, Some("jane")),
        &[
            (jack(json!({})), "wrong username"),
            (
                json!({}),
                r#"invalid configuration: property "username" is required"#,
            ),
        ],
    );
}

#[test]
fn credentials() {
    let credential = |plugins: Value| json!({"id": "c1", "plugins": plugins});
    messages(
        Target::credential("jack", Some("c1")),
        &[
            (credential(json!({"key-auth": {"key": "k"}})), ""),
            (
                credential(json!({"cors": {}})),
                "only supports auth type plugins in consumer credential",
            ),
            (
                credential(json!({"key-auth": {}})),
                r#"invalid plugins configuration: failed to check the configuration of plugin key-auth err: property "key" is required"#,
            ),
        ],
    );
}

#[test]
fn plugin_metadata() {
    let of_plugin = |name| Target::new(Kind::PluginMetadata, name);
    messages(of_plugin(None), &[(json!({}), "missing plugin name")]);
    messages(of_plugin(Some("nothing")), &[(json!({}), "invalid plugin name")]);
    messages(
        of_plugin(Some("limit-count")),
        &[
            (json!({"id": "limit-count", "limit_header": "X"}), ""),
            (
                json!({"x": 1}),
                "invalid configuration: additional properties forbidden, found x",
            ),
        ],
    );
    messages(
        of_plugin(Some("cors")),
        &[
            (json!({"anything": 1}), ""),
            (
                json!("x"),
                "invalid configuration: wrong type: expected object, got string",
            ),
        ],
    );
}

#[test]
fn secrets() {
    let vault = json!({"id": "vault/1", "uri": "http://127.0.0.1:8200", "prefix": "kv", "token": "t"});
    let of_manager = |manager, text| messages(Target::secret(manager, Some("1")), &[(vault.clone(), text)]);
    of_manager("vault", "");
    of_manager("other", "invalid secret manager: other");
    of_manager(
        "aws",
        r#"invalid configuration: property "access_key_id" is required"#,
    );
}

#[test]
fn certificates_come_in_pairs() {
    let own = rcgen::generate_simple_self_signed(vec!["a.b".to_owned()]).unwrap();
    let (cert, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let ssl = |kind: &str, certs: usize, keys: usize| {
        json!({
            "type": kind, "sni": "a.b", "cert": cert, "key": key,
            "certs": vec![cert.clone(); certs], "keys": vec![key.clone(); keys],
        })
    };
    messages(
        of(Kind::Ssl),
        &[
            (ssl("server", 2, 2), ""),
            (ssl("server", 1, 0), "mismatched number of certs and keys"),
            (ssl("client", 1, 0), ""),
        ],
    );
}

#[test]
fn expressions_and_lua() {
    let vars = |vars: Value| route(json!({"plugins": {}, "vars": vars}));
    messages(
        of(Kind::Route),
        &[
            (vars(json!([["arg_a", "==", "1"]])), ""),
            (vars(json!([])), ""),
            (
                vars(json!([["arg_a", "=", "1"]])),
                "failed to validate the 'vars' expression: invalid operator '='",
            ),
            (
                vars(json!(["arg_a"])),
                "failed to validate the 'vars' expression: rule should be wrapped inside brackets",
            ),
            (
                route(json!({"plugins": {}, "filter_func": "function() end"})),
                "filter_func is not supported: this gateway does not run Lua",
            ),
            (
                route(json!({"script": "return 'a'"})),
                "script is not supported: this gateway does not run Lua",
            ),
        ],
    );
    messages(
        of(Kind::Service),
        &[(
            json!({"script": "return 'a'"}),
            "script is not supported: this gateway does not run Lua",
        )],
    );
}

#[test]
fn routes_are_checked_in_order() {
    let checker = checker(UnknownPlugins::Refuse);
    let target = Target::new(Kind::Route, Some("1"));
    let steps = [
        ("hosts", json!(["a"]), "only one of host or hosts is allowed"),
        (
            "priority",
            json!("x"),
            r#"invalid configuration: property "priority" validation failed: wrong type: expected integer, got string"#,
        ),
        ("upstream", json!({"nodes": {"a:0": 1}}), "invalid port 0"),
        (
            "upstream_id",
            json!(1),
            "failed to fetch upstream info by upstream id [1], response code: 404",
        ),
        (
            "service_id",
            json!(1),
            "failed to fetch service info by service id [1], response code: 404",
        ),
        (
            "plugin_config_id",
            json!("p"),
            "failed to fetch plugin config info by plugin config id [p], response code: 404",
        ),
        ("plugins", json!({"nothing": {}}), "unknown plugin [nothing]"),
        (
            "vars",
            json!(["x"]),
            "failed to validate the 'vars' expression: rule should be wrapped inside brackets",
        ),
        (
            "filter_func",
            json!("function() end"),
            "filter_func is not supported: this gateway does not run Lua",
        ),
    ];
    let mut all = json!({"uri": "/", "host": "a"});
    for (member, value, _) in &steps {
        all[*member] = value.clone();
    }
    for (member, _, text) in &steps {
        let outcome = checker
            .check_before_references(&target, &all)
            .and_then(|()| {
                references(&target, &all)
                    .iter()
                    .try_for_each(|reference| reference.check(None))
            })
            .and_then(|()| checker.check_after_references(&target, &all));
        assert_eq!(outcome.unwrap_err().message, *text);
        // A route without any target does not hold, so its plugins stay.
        match *member {
            "plugins" => all["plugins"] = json!({}),
            other => drop(all.as_object_mut().unwrap().shift_remove(other)),
        }
    }
}

#[test]
fn what_a_route_refers_to_is_not_looked_up_by_a_whole_check() {
    let key = Key::new(Kind::Route, "1");
    let value = json!({"id": "1", "uri": "/", "service_id": "gone"});
    assert_eq!(
        checker(UnknownPlugins::Refuse).check(&Target::of(&key), &value),
        Ok(())
    );
}

#[test]
fn refused_methods_name_the_kind() {
    let error = CheckError::method(Kind::ConsumerGroup, crate::kind::Method::Post);
    assert_eq!(
        (error.status, error.message.as_str()),
        (405, "not supported `POST` method for consumer group")
    );
}
