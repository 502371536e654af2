use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::*;

fn view(text: &str) -> ObjectView {
    ObjectView::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn error(text: &str) -> String {
    JsonView::parse(Bytes::copy_from_slice(text.as_bytes()))
        .unwrap_err()
        .to_string()
}

mod views {
    use super::*;

    #[test]
    fn members_are_ranges_of_the_text() {
        let view = view(
            r#" { "model" : "gpt-4o", "stream":true, "tools":[ {}, [1,2], 3 ], "n":-1.50e+2, "x":null } "#,
        );
        let names: Vec<_> = view.iter().map(|member| member.name()).collect();
        assert_eq!(names, ["model", "stream", "tools", "n", "x"]);
        assert_eq!(view.get("model").unwrap().as_str().unwrap(), "gpt-4o");
        assert_eq!(view.get("stream").unwrap().kind(), Kind::True);
        assert_eq!(view.get("tools").unwrap().count(), 3);
        assert_eq!(view.get("tools").unwrap().raw(), b"[ {}, [1,2], 3 ]");
        assert_eq!(view.get("n").unwrap().raw(), b"-1.50e+2");
        assert_eq!(view.get("x").unwrap().kind(), Kind::Null);
        assert!(view.get("y").is_none());
    }

    #[test]
    fn names_and_strings_are_compared_after_unescaping() {
        let view = view(r#"{"mod\u0065l":"a\"b\u00e9","half":"\ud800"}"#);
        assert_eq!(view.get("model").unwrap().as_str().unwrap(), "a\"bé");
        assert_eq!(view.get("half").unwrap().as_str(), None);
    }

    #[test]
    fn roots_of_every_kind() {
        let array = JsonView::parse(Bytes::from_static(b"[1, [2,3], {\"a\":1}]")).unwrap();
        assert!(matches!(array, JsonView::Array { count: 3, .. }));
        let empty = JsonView::parse(Bytes::from_static(b" [ ] ")).unwrap();
        assert!(matches!(empty, JsonView::Array { count: 0, .. }));
        let scalar = JsonView::parse(Bytes::from_static(b" \"text\" ")).unwrap();
        assert!(matches!(
            scalar,
            JsonView::Scalar {
                kind: Kind::String,
                ..
            }
        ));
        let refused = ObjectView::parse(Bytes::from_static(b"[]")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Expected object but found T_ARR_BEGIN at character 1"
        );
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!("{:?}", view(r#"{"prompt":"canary"}"#));
        assert!(shown.contains("prompt") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn values_share_the_bytes_of_the_body() {
        let view = view(r#"{"messages":[1,2,3]}"#);
        let raw = view.get("messages").unwrap().raw_bytes();
        assert!(view.bytes().as_ptr_range().contains(&raw.as_ptr()));
    }
}

mod errors {
    use super::*;

    #[test]
    fn texts_are_in_the_style_of_lua_cjson() {
        let cases = [
            ("", "Expected value but found T_END at character 1"),
            ("invalid", "Expected value but found invalid token at character 1"),
            ("{", "Expected object key string but found T_END at character 2"),
            (
                "{]",
                "Expected object key string but found T_ARR_END at character 2",
            ),
            (r#"{"a"}"#, "Expected colon but found T_OBJ_END at character 5"),
            (
                r#"{"a":1 "b"}"#,
                "Expected comma or object end but found T_STRING at character 8",
            ),
            (
                r#"{"a":1,}"#,
                "Expected object key string but found T_OBJ_END at character 8",
            ),
            (
                "[1 2]",
                "Expected comma or array end but found T_NUMBER at character 4",
            ),
            ("[1,]", "Expected value but found T_ARR_END at character 4"),
            ("{} x", "Expected the end but found invalid token at character 4"),
            ("{}null", "Expected the end but found T_NULL at character 3"),
            (
                r#"{"a":"b"#,
                "Expected value but found unexpected end of string at character 6",
            ),
            (
                r#"{"a":"\x"}"#,
                "Expected value but found invalid escape code at character 6",
            ),
            (
                r#"{"a":"\u12g4"}"#,
                "Expected value but found invalid unicode escape code at character 6",
            ),
            (
                r#"{"a":-}"#,
                "Expected value but found invalid number at character 6",
            ),
            (
                r#"{"a":1.}"#,
                "Expected value but found invalid number at character 6",
            ),
            (
                r#"{"\ud800":1}"#,
                "Expected object key string but found invalid unicode escape code at character 2",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    #[test]
    fn a_repeated_name_is_refused_however_it_is_written() {
        assert_eq!(
            error(r#"{"model":"a","x":1,"model":"b"}"#),
            "Found duplicate object key at character 20"
        );
        assert_eq!(
            error(r#"{"model":"a","\u006dodel":"b"}"#),
            "Found duplicate object key at character 14"
        );
        assert_eq!(view(r#"{"a":{"x":1,"x":2}}"#).len(), 1);
    }

    #[test]
    fn invalid_utf8_names_its_place() {
        let refused = JsonView::parse(Bytes::from_static(b"{\"a\":\"\xff\"}")).unwrap_err();
        assert_eq!(refused, JsonError::InvalidUtf8 { at: 6 });
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(JsonView::parse(nested(MAX_DEPTH as usize).into()).is_ok());
        assert_eq!(
            error(&nested(MAX_DEPTH as usize + 1)),
            "Found too many nested data structures (127) at character 128"
        );
        assert!(JsonView::parse("[{\"a\":".repeat(1_000_000).into()).is_err());
    }

    #[test]
    fn the_number_of_members_is_bounded() {
        let object = |members: usize| {
            let members: Vec<_> = (0..members).map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(view(&object(MAX_MEMBERS)).len(), MAX_MEMBERS);
        assert!(error(&object(MAX_MEMBERS + 1)).starts_with("Found too many object keys (4096)"));
    }
}

mod splices {
    use super::*;

    /// Sets `name` where a value is given, else removes it.
    fn edited(text: &str, edits: &[(&str, Option<&str>)]) -> String {
        let view = view(text);
        let mut splice = Splice::new(&view);
        for (name, value) in edits {
            match value {
                Some(value) => splice.set(name, Bytes::copy_from_slice(value.as_bytes())),
                None => splice.remove(name),
            }
        }
        String::from_utf8(splice.finish().to_vec()).unwrap()
    }

    #[test]
    fn only_the_edited_member_changes() {
        let text = "{\n  \"a\" : 1.0 ,\n  \"model\": \"x\",\n  \"z\": [ 1 ]\n}\n";
        let expected = "{\n  \"a\" : 1.0 ,\n  \"model\": \"yy\",\n  \"z\": [ 1 ]\n}\n";
        assert_eq!(edited(text, &[("model", Some("\"yy\""))]), expected);
    }

    #[test]
    fn members_are_added_at_the_end() {
        assert_eq!(
            edited(r#"{"a":1}"#, &[("b", Some("2")), ("c", Some("3"))]),
            r#"{"a":1,"b":2,"c":3}"#
        );
        assert_eq!(edited("{ }", &[("b", Some("2"))]), r#"{"b":2 }"#);
        assert_eq!(edited("{}", &[("q\"\n", Some("2"))]), r#"{"q\"\n":2}"#);
    }

    #[test]
    fn removal_takes_the_right_comma() {
        let text = r#"{ "a":1, "b":2 , "c":3 }"#;
        assert_eq!(edited(text, &[("a", None)]), r#"{ "b":2 , "c":3 }"#);
        assert_eq!(edited(text, &[("b", None)]), r#"{ "a":1 , "c":3 }"#);
        assert_eq!(edited(text, &[("c", None)]), r#"{ "a":1, "b":2 }"#);
        assert_eq!(edited(text, &[("a", None), ("b", None)]), r#"{ "c":3 }"#);
        assert_eq!(edited(text, &[("a", None), ("b", None), ("c", None)]), "{  }");
        assert_eq!(
            edited(text, &[("a", None), ("b", None), ("c", None), ("d", Some("4"))]),
            r#"{ "d":4 }"#
        );
        assert_eq!(
            edited(text, &[("a", None), ("c", Some("[]"))]),
            r#"{ "b":2 , "c":[] }"#
        );
    }

    #[test]
    fn later_edits_see_earlier_ones() {
        assert_eq!(
            edited(r#"{"a":1}"#, &[("a", None), ("a", Some("2"))]),
            r#"{"a":2}"#
        );
        assert_eq!(
            edited(r#"{"a":1}"#, &[("b", Some("1")), ("b", Some("2"))]),
            r#"{"a":1,"b":2}"#
        );
        assert_eq!(
            edited(r#"{"a":1}"#, &[("b", Some("1")), ("b", None)]),
            r#"{"a":1}"#
        );
    }

    #[test]
    fn without_a_difference_the_bytes_are_the_same_bytes() {
        let view = view(r#"{"a": 1}"#);
        let mut splice = Splice::new(&view);
        splice.set("a", Bytes::from_static(b"2"));
        splice.set("a", Bytes::from_static(b"1"));
        splice.set("b", Bytes::from_static(b"1"));
        splice.remove("b");
        splice.remove("c");
        assert_eq!(splice.finish().as_ptr(), view.bytes().as_ptr());
    }
}

mod overlays {
    use super::*;

    fn merged(text: &str, fragment: Value, force: bool) -> String {
        let Value::Object(fragment) = fragment else {
            panic!("not an object")
        };
        let overlay = Overlay::new(&fragment);
        let view = view(text);
        let mut splice = Splice::new(&view);
        overlay.apply(&mut splice, force).unwrap();
        String::from_utf8(splice.finish().to_vec()).unwrap()
    }

    #[test]
    fn without_force_only_missing_members_are_filled() {
        let text = r#"{"a":1,"o":{"x": 1.00,"deep":{"k":"v"}},"s":"t"}"#;
        let fragment =
            json!({"a": 2, "b": 3, "o": {"x": 2, "y": 3, "deep": {"k": 0, "l": 1}}, "s": {"not": "merged"}});
        let expected = r#"{"a":1,"o":{"x": 1.00,"deep":{"k":"v","l":1},"y":3},"s":"t","b":3}"#;
        assert_eq!(merged(text, fragment, false), expected);
    }

    #[test]
    fn with_force_the_fragment_wins_but_objects_still_merge() {
        let text = r#"{"a":1,"o":{"x": 1.00,"keep":[ ]},"list":[1,2]}"#;
        let fragment = json!({"a": null, "o": {"x": 2}, "list": [3]});
        assert_eq!(
            merged(text, fragment, true),
            r#"{"a":null,"o":{"x": 2,"keep":[ ]},"list":[3]}"#
        );
    }

    #[test]
    fn a_duplicate_inside_a_merged_object_is_refused() {
        let overlay = Overlay::new(json!({"o": {"x": 1}}).as_object().unwrap());
        let view = view(r#"{"o":{"x":1,"x":2}}"#);
        assert!(overlay.apply(&mut Splice::new(&view), false).is_err());
    }

    /// The rule of compat §4.1.2 on trees, as a reference.
    fn reference(target: &mut Map<String, Value>, fragment: &Map<String, Value>, force: bool) {
        for (name, value) in fragment {
            match (target.get_mut(name), value) {
                (Some(Value::Object(inner)), Value::Object(value)) => reference(inner, value, force),
                (Some(_), _) if !force => {}
                _ => {
                    target.insert(name.clone(), value.clone());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn merging_bytes_equals_merging_trees(target in object(), fragment in object(), force: bool) {
            let text = Value::Object(target.clone()).to_string();
            let merged: Value = serde_json::from_str(&merged(&text, fragment.clone().into(), force)).unwrap();
            let mut expected = target;
            reference(&mut expected, &fragment, force);
            prop_assert_eq!(merged, Value::Object(expected));
        }
    }
}

/// JSON values with few names, so that objects overlap.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[abcd]|\\PC{0,3}", value(), 0..5).prop_map(|map| map.into_iter().collect())
}

/// Whether serde_json takes the text; its own depth limit does not apply to raw values.
fn serde_accepts(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

proptest! {
    #[test]
    fn the_scanner_accepts_what_serde_json_accepts(text in "[\\[\\]{}:,\"\\\\ntrue0-9.eE+ \\-u\u{1}é]{0,24}") {
        let refused = JsonView::parse(text.clone().into()).err();
        if !matches!(refused, Some(JsonError::DuplicateMember { .. })) && !text.contains("\\u") {
            prop_assert_eq!(refused.is_none(), serde_accepts(text.as_bytes()), "{:?}", refused);
        }
    }

    #[test]
    fn one_changed_byte_is_judged_as_serde_json_judges_it(value in value(), at: prop::sample::Index, byte: u8) {
        let mut bytes = value.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let refused = JsonView::parse(bytes.clone().into()).err();
        if !matches!(refused, Some(JsonError::DuplicateMember { .. })) {
            prop_assert_eq!(refused.is_none(), serde_accepts(&bytes), "{:?}", refused);
        }
    }

    #[test]
    fn members_equal_those_of_a_tree(object in object()) {
        let view = view(&serde_json::to_string_pretty(&object).unwrap());
        prop_assert_eq!(view.len(), object.len());
        for (name, expected) in &object {
            let member = view.get(name).unwrap();
            let found: Value = serde_json::from_slice(member.raw()).unwrap();
            let text = member.as_str();
            prop_assert_eq!(text.as_deref(), expected.as_str());
            let count = expected.as_array().map(Vec::len).or(expected.as_object().map(Map::len)).unwrap_or(0);
            prop_assert_eq!(member.count(), count);
            prop_assert_eq!(&found, expected);
        }
    }

    #[test]
    fn splicing_bytes_equals_editing_trees(
        object in object(),
        edits in prop::collection::vec(("[abcd]", prop::option::of(value())), 0..6),
    ) {
        let view = view(&serde_json::to_string_pretty(&object).unwrap());
        let mut splice = Splice::new(&view);
        let mut expected = object;
        for (name, value) in &edits {
            match value {
                Some(value) => {
                    splice.set(name, value.to_string().into());
                    expected.insert(name.clone(), value.clone());
                }
                None => {
                    splice.remove(name);
                    expected.remove(name);
                }
            }
            let seen = splice.get(name).map(|raw| serde_json::from_slice::<Value>(&raw).unwrap());
            prop_assert_eq!(seen.as_ref(), expected.get(name));
        }
        let spliced: Value = serde_json::from_slice(&splice.finish()).unwrap();
        prop_assert_eq!(spliced, Value::Object(expected));
    }
}
