use serde_json::{Value, json};

use super::*;

fn compiled(schema: Value) -> Schema {
    Schema::compile(schema).unwrap()
}

/// The text of the fault of `value`, or nothing when it holds.
fn fault(schema: &Value, value: &Value) -> String {
    compiled(schema.clone())
        .check(value)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[track_caller]
fn faults(schema: Value, cases: &[(Value, &str)]) {
    for (value, text) in cases {
        assert_eq!(fault(&schema, value), *text, "{value} against {schema}");
    }
}

#[test]
fn types_are_named_as_lua_names_them() {
    faults(
        json!({"type": "object"}),
        &[
            (json!({"a": 1}), ""),
            (json!([]), ""),
            (json!("x"), "wrong type: expected object, got string"),
            (json!([1]), "wrong type: expected object, got table"),
            (json!(null), "wrong type: expected object, got userdata"),
            (json!(true), "wrong type: expected object, got boolean"),
            (json!(1.5), "wrong type: expected object, got number"),
        ],
    );
    faults(
        json!({"type": "integer"}),
        &[
            (json!(2), ""),
            (json!(2.0), ""),
            (json!(2.5), "wrong type: expected integer, got number"),
        ],
    );
    faults(json!({"type": "array"}), &[(json!([1]), ""), (json!({}), "")]);
    faults(
        json!({"type": ["string", "integer"]}),
        &[
            (json!("a"), ""),
            (json!(1), ""),
            (
                json!(null),
                "wrong type: expected one of string, integer, got userdata",
            ),
        ],
    );
}

#[test]
fn properties_and_required() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "object", "properties": {"c": {"type": "number"}}}},
        "required": ["z", "a"],
    });
    faults(
        schema,
        &[
            (json!({"a": "x", "z": null}), ""),
            // Described members come first, whatever the order of `required`.
            (json!({}), r#"property "a" is required"#),
            (json!({"a": "x"}), r#"property "z" is required"#),
            (
                json!({"a": 1}),
                r#"property "a" validation failed: wrong type: expected string, got number"#,
            ),
            (
                json!({"a": "x", "b": {"c": "1"}}),
                r#"property "b" validation failed: property "c" validation failed: wrong type: expected number, got string"#,
            ),
        ],
    );
}

#[test]
fn other_members() {
    faults(
        json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false}),
        &[
            (json!({"a": 1}), ""),
            (
                json!({"a": 1, "x": 1, "y": 1}),
                "additional properties forbidden, found x",
            ),
        ],
    );
    faults(
        json!({"additionalProperties": {"type": "string"}}),
        &[(
            json!({"x": 1}),
            "failed to validate additional property x: wrong type: expected string, got number",
        )],
    );
    let labels = json!({"patternProperties": {"^x\\.": {"type": "string"}}, "additionalProperties": false});
    faults(
        labels,
        &[
            (json!({"x.a": "1"}), ""),
            (
                json!({"x.a": 1}),
                r#"failed to validate x.a (matching "^x\\."): wrong type: expected string, got number"#,
            ),
            (json!({"y": "1"}), "additional properties forbidden, found y"),
        ],
    );
    faults(
        json!({"minProperties": 1, "maxProperties": 2}),
        &[
            (json!({}), "expect object to have at least 1 properties"),
            (json!([]), "expect object to have at least 1 properties"),
            (
                json!({"a": 1, "b": 2, "c": 3}),
                "expect object to have at most 2 properties",
            ),
            (json!([1, 2, 3]), ""),
        ],
    );
}

#[test]
fn dependencies() {
    let schema = json!({
        "properties": {"a": {}, "b": {}},
        "dependencies": {
            "a": ["b"],
            "client_cert": {"required": ["client_key"], "not": {"required": ["client_cert_id"]}},
        },
    });
    faults(
        schema,
        &[
            (json!({"b": 1}), ""),
            (json!({"a": 1}), r#"property "b" is required when "a" is set"#),
            (
                json!({"client_cert": ""}),
                r#"failed to validate dependent schema for "client_cert": property "client_key" is required"#,
            ),
            (
                json!({"client_cert": "", "client_key": "", "client_cert_id": 1}),
                r#"failed to validate dependent schema for "client_cert": value wasn't supposed to match schema"#,
            ),
        ],
    );
}

#[test]
fn arrays() {
    let schema = json!({
        "type": "array",
        "items": {"type": ["integer", "object", "boolean"]},
        "minItems": 1,
        "maxItems": 3,
        "uniqueItems": true,
    });
    faults(
        schema,
        &[
            (json!([1, true, {}]), ""),
            (json!([]), "expect array to have at least 1 items"),
            (json!({}), "expect array to have at least 1 items"),
            (json!([1, 2, 3, 4]), "expect array to have at most 3 items"),
            (
                json!([1, "a"]),
                "failed to validate item 2: wrong type: expected one of integer, object, boolean, got string",
            ),
            (
                json!([1, 1.0]),
                "expected unique items but items 1 and 2 are equal",
            ),
            (
                json!([true, {"a": []}, {"a": {}}]),
                "expected unique items but items 2 and 3 are equal",
            ),
        ],
    );
    faults(
        json!({"uniqueItems": true}),
        &[
            (json!(["1", 1, null, false]), ""),
            (
                json!(["x", "y", "x"]),
                "expected unique items but items 1 and 3 are equal",
            ),
            (
                json!([0, -0.0]),
                "expected unique items but items 1 and 2 are equal",
            ),
        ],
    );
    faults(
        json!({"contains": {"const": 1}}),
        &[(json!([2, 1]), ""), (json!([2]), "failed to check contains")],
    );
}

#[test]
fn strings_are_measured_in_characters() {
    faults(
        json!({"type": "string", "minLength": 2, "maxLength": 3}),
        &[
            (json!("éé"), ""),
            (json!("é"), "string too short, expected at least 2, got 1"),
            (json!("éééé"), "string too long, expected at most 3, got 4"),
        ],
    );
    faults(
        json!({"pattern": r#"^[a-z\-"]+$"#}),
        &[
            (json!("a-b"), ""),
            (
                json!(r"A\"),
                r#"failed to match pattern "^[a-z\\-\"]+$" with "A\\""#,
            ),
            (json!(5), ""),
        ],
    );
}

#[test]
fn formats() {
    faults(
        json!({"format": "ipv4"}),
        &[
            (json!("10.0.0.1"), ""),
            (json!("x"), "expect valid ipv4 address but got: x"),
        ],
    );
    faults(
        json!({"format": "ipv6"}),
        &[
            (json!("::1"), ""),
            (json!("1.1.1.1"), "expect valid ipv6 address but got: 1.1.1.1"),
        ],
    );
    faults(
        json!({"format": "email"}),
        &[
            (json!("a.b+c@example.org"), ""),
            (json!("a@b"), "expect valid email address but got: a@b"),
            (json!("a..b@c.d"), "expect valid email address but got: a..b@c.d"),
            (json!("a@-c.d"), "expect valid email address but got: a@-c.d"),
            (json!("ab"), "expect valid email address but got: ab"),
        ],
    );
    faults(json!({"format": "uri"}), &[(json!("anything"), "")]);
}

#[test]
fn numbers() {
    faults(
        json!({"minimum": 1, "maximum": 10}),
        &[
            (json!(1), ""),
            (json!(0), "expected 0 to be at least 1"),
            (json!(10.5), "expected 10.5 to be at most 10"),
            (json!("0"), ""),
        ],
    );
    faults(
        json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        &[
            (json!(0.5), ""),
            (json!(0), "expected 0 to be greater than 0"),
            (json!(1), "expected 1 to be smaller than 1"),
        ],
    );
    faults(
        json!({"multipleOf": 5}),
        &[(json!(15), ""), (json!(7), "expected 7 to be a multiple of 5")],
    );
}

#[test]
fn fixed_values() {
    faults(
        json!({"enum": ["a", 1, {"x": []}]}),
        &[
            (json!("a"), ""),
            (json!(1.0), ""),
            (json!({"x": {}}), ""),
            (json!("b"), "matches none of the enum values"),
        ],
    );
    faults(
        json!({"const": 1}),
        &[(json!(1), ""), (json!(2), "failed to check const value")],
    );
}

#[test]
fn schemas_of_schemas() {
    faults(
        json!({"anyOf": [{"required": ["a"]}, {"type": "string"}, {"required": ["b", "c"], "type": "object"}]}),
        &[
            (json!("x"), ""),
            (json!({"b": 1, "c": 1}), ""),
            (
                json!({"b": 1}),
                r#"object matches none of the required: ["a"] or ["b","c"]"#,
            ),
        ],
    );
    faults(
        json!({"anyOf": [{"type": "string"}]}),
        &[(json!(1), "object matches none of the required")],
    );
    faults(
        json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]}),
        &[
            (json!({"b": 1}), ""),
            (json!({}), "value should match only one schema, but matches none"),
            (
                json!({"a": 1, "c": 1}),
                "value should match only one schema, but matches both schemas 1 and 3",
            ),
        ],
    );
    faults(
        json!({"allOf": [{}, {"required": ["a"]}]}),
        &[
            (json!({"a": 1}), ""),
            (json!({}), r#"allOf 2 failed: property "a" is required"#),
        ],
    );
    faults(
        json!({"not": {"required": ["a"]}}),
        &[
            (json!({}), ""),
            (json!({"a": 1}), "value wasn't supposed to match schema"),
        ],
    );
    faults(
        json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}),
        &[
            (json!({"a": 1, "b": 1}), ""),
            (json!({"c": 1}), ""),
            (json!({"a": 1}), "then clause did not match"),
            (json!({}), "else clause did not match"),
        ],
    );
}

#[test]
fn keywords_are_checked_in_order() {
    let schema = json!({
        "not": {},
        "oneOf": [],
        "anyOf": [{"required": ["any"]}],
        "allOf": [{"required": ["all"]}],
        "enum": [{"e": 1}, {"e": 1, "all": 1}, {"e": 1, "all": 1, "any": 1}],
        "minProperties": 1,
        "additionalProperties": {"type": "integer"},
        "dependencies": {"d": ["dd"]},
        "required": ["e"],
        "properties": {"p": {"type": "string"}},
        "type": "object",
    });
    faults(
        schema,
        &[
            (json!(1), "wrong type: expected object, got number"),
            (
                json!({"p": 1, "d": 1}),
                r#"property "p" validation failed: wrong type: expected string, got number"#,
            ),
            (json!({"d": 1}), r#"property "e" is required"#),
            (
                json!({"d": "x", "e": 1}),
                r#"property "dd" is required when "d" is set"#,
            ),
            (
                json!({"e": "x"}),
                "failed to validate additional property e: wrong type: expected integer, got string",
            ),
            (json!({"e": 2}), "matches none of the enum values"),
            (json!({"e": 1}), r#"allOf 1 failed: property "all" is required"#),
            (
                json!({"e": 1, "all": 1}),
                r#"object matches none of the required: ["any"]"#,
            ),
            (
                json!({"e": 1, "all": 1, "any": 1}),
                "value wasn't supposed to match schema",
            ),
        ],
    );
}

#[test]
fn the_first_faulty_property_of_the_schema_is_reported() {
    let schema = json!({"properties": {"b": {"type": "string"}, "a": {"type": "string"}}});
    let text = r#"property "b" validation failed: wrong type: expected string, got number"#;
    faults(
        schema,
        &[(json!({"a": 1, "b": 1}), text), (json!({"b": 1, "a": 1}), text)],
    );
}

#[test]
fn secret_references_pass_string_schemas() {
    let schema = json!({"properties": {
        "key": {"type": "string", "maxLength": 3, "enum": ["a"]},
        "count": {"type": "integer"},
        "either": {"type": ["string", "integer"], "maxLength": 3},
    }});
    faults(
        schema,
        &[
            (json!({"key": "$ENV://NAME"}), ""),
            (json!({"key": "$secret://vault/1/a"}), ""),
            (
                json!({"key": "other"}),
                r#"property "key" validation failed: string too long, expected at most 3, got 5"#,
            ),
            (
                json!({"count": "$env://NAME"}),
                r#"property "count" validation failed: wrong type: expected integer, got string"#,
            ),
            (
                json!({"either": "$env://NAME"}),
                r#"property "either" validation failed: string too long, expected at most 3, got 11"#,
            ),
        ],
    );
}

#[test]
fn later_keywords_see_defaults() {
    let schema = json!({
        "type": "object",
        "properties": {"policy": {"enum": ["local", "redis"], "default": "local"}},
        "if": {"properties": {"policy": {"enum": ["redis"]}}},
        "then": {"required": ["redis_host"]},
    });
    faults(
        schema,
        &[
            (json!({}), ""),
            (json!({"policy": "redis"}), "then clause did not match"),
        ],
    );
    faults(
        json!({"properties": {"a": {"default": 1}}, "required": ["a"]}),
        &[(json!({}), r#"property "a" is required"#)],
    );
}

#[test]
fn defaults_are_filled_in_at_every_depth() {
    let schema = compiled(json!({
        "type": "object",
        "properties": {
            "timeout": {"type": "integer", "default": 3},
            "checks": {"type": "object", "properties": {"path": {"default": "/"}}},
            "nodes": {"type": "array", "items": {"properties": {"priority": {"default": 0}}}},
            "rules": {"type": "array", "default": []},
        },
        "patternProperties": {"^x-": {"properties": {"y": {"default": true}}}},
    }));
    assert_eq!(
        schema.with_defaults(&json!({"checks": [], "nodes": [{"host": "a"}, {"priority": 2}], "x-1": {}})),
        json!({
            "timeout": 3,
            "checks": {"path": "/"},
            "nodes": [{"host": "a", "priority": 0}, {"priority": 2}],
            "rules": [],
            "x-1": {"y": true},
        }),
    );
    assert_eq!(
        schema.with_defaults(&json!([])),
        json!({"timeout": 3, "rules": []})
    );
}

#[test]
fn only_branches_that_hold_leave_defaults() {
    let branch =
        |name: &str| json!({"properties": {name: {"default": 1}}, "required": [format!("use_{name}")]});
    for keyword in ["anyOf", "oneOf"] {
        let schema = compiled(json!({keyword: [branch("a"), branch("b")]}));
        assert_eq!(
            schema.with_defaults(&json!({"use_b": true})),
            json!({"use_b": true, "b": 1}),
            "{keyword}"
        );
    }
    let schema = compiled(json!({
        "if": {"properties": {"a": {"default": 1}}},
        "then": {"properties": {"b": {"default": 2}}},
    }));
    assert_eq!(schema.with_defaults(&json!({})), json!({"b": 2}));
}

#[test]
fn a_check_leaves_the_value_alone() {
    let schema = compiled(json!({"properties": {"a": {"default": 1}}}));
    let value = json!({});
    schema.check(&value).unwrap();
    assert_eq!(value, json!({}));
    assert_eq!(schema.checked(&value).unwrap(), json!({"a": 1}));
}

#[test]
fn empty_array_defaults_print_as_objects() {
    let schema =
        compiled(json!({"properties": {"default": {"type": "array", "default": []}}, "required": []}));
    let printed = json!({"properties": {"default": {"type": "array", "default": {}}}, "required": []});
    assert_eq!(schema.source(), &printed);
    assert_eq!(schema.with_defaults(&json!({})), json!({"default": []}));
}

#[test]
fn faulty_schemas_do_not_compile() {
    let cases = [
        (
            json!({"properties": {"a": {"minlength": 1}}}),
            "/properties/a",
            r#"unknown keyword "minlength""#,
        ),
        (
            json!({"items": {"type": "text"}}),
            "/items/type",
            r#"unknown type "text""#,
        ),
        (
            json!({"anyOf": [{}, {"required": "a"}]}),
            "/anyOf/1/required",
            "expected an array of strings",
        ),
        (
            json!({"additionalProperties": {"minLength": -1}}),
            "/additionalProperties/minLength",
            "expected a count",
        ),
        (json!({"not": false}), "/not", "expected an object or true"),
        (json!({"items": [{}]}), "/items", "expected an object or true"),
    ];
    for (schema, pointer, reason) in cases {
        let error = Schema::compile(schema).unwrap_err();
        assert_eq!((error.pointer.as_str(), error.reason.as_str()), (pointer, reason));
    }
    assert_eq!(
        Schema::compile(json!({"pattern": "("})).unwrap_err().pointer,
        "/pattern"
    );
}
