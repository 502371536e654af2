use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;

/// Variables out of a JSON object: strings are text, everything else is typed as well.
struct Vars(Value);

impl Variables for Vars {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.0.get(name)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Array(_) | Value::Null => None,
            other => Some(Cow::Owned(other.to_string())),
        }
    }

    fn get_json(&self, name: &str) -> Option<Value> {
        self.0.get(name).filter(|value| !value.is_string()).cloned()
    }
}

fn holds(expr: Value, vars: &Value) -> bool {
    Expr::parse(&expr)
        .unwrap_or_else(|error| panic!("{expr}: {error}"))
        .eval(&Vars(vars.clone()))
}

fn error(expr: Value) -> String {
    match Expr::parse(&expr) {
        Ok(_) => panic!("{expr} was accepted"),
        Err(error) => error.to_string(),
    }
}

/// Checks each condition, its `!` form, and that both disagree.
fn check(vars: Value, cases: &[(Value, bool)]) {
    for (condition, expected) in cases {
        assert_eq!(holds(json!([condition]), &vars), *expected, "{condition}");
        let mut negated = condition.as_array().unwrap().clone();
        if negated.len() == 3 {
            negated.insert(1, json!("!"));
            assert_eq!(holds(json!([negated]), &vars), !expected, "not {condition}");
        }
    }
}

#[test]
fn equality() {
    let vars = json!({"arg_name": "jack", "arg_n": "1", "flag": true, "list": [1]});
    check(
        vars,
        &[
            (json!(["arg_name", "==", "jack"]), true),
            (json!(["arg_name", "jack"]), true),
            (json!(["arg_name", "==", "Jack"]), false),
            (json!(["arg_none", "==", "jack"]), false),
            (json!(["arg_n", "==", 1]), true),
            (json!(["arg_n", "==", 1.0]), true),
            (json!(["arg_n", "==", "1"]), true),
            (json!(["arg_n", "==", "1.0"]), false),
            (json!(["arg_name", "==", 1]), false),
            (json!(["arg_none", "==", 1]), false),
            (json!(["arg_name", "~=", 1]), true),
            (json!(["arg_none", "~=", 1]), true),
            (json!(["arg_n", "~=", 1]), false),
            (json!(["arg_name", "~=", "jack"]), false),
            (json!(["arg_none", "~=", "jack"]), true),
            (json!(["flag", "==", true]), true),
            (json!(["flag", "==", false]), false),
            (json!(["arg_name", "==", true]), false),
            (json!(["list", "==", [1]]), false),
        ],
    );
}

#[test]
fn null_means_absent() {
    check(
        json!({"arg_name": "", "list": [1]}),
        &[
            (json!(["arg_none", "==", null]), true),
            (json!(["arg_none", null]), true),
            (json!(["arg_name", "==", null]), false),
            (json!(["list", "==", null]), false),
            (json!(["arg_name", "~=", null]), true),
            (json!(["arg_none", "~=", null]), false),
        ],
    );
}

#[test]
fn order() {
    check(
        json!({"n": "10", "hex": "0x1F", "blank": " 7 ", "minus": "-3", "word": "ten"}),
        &[
            (json!(["n", ">", 9]), true),
            (json!(["n", ">", "9"]), true),
            (json!(["n", ">", 10]), false),
            (json!(["n", ">=", 10]), true),
            (json!(["n", "<", 10]), false),
            (json!(["n", "<", 10.5]), true),
            (json!(["n", "<=", 10]), true),
            (json!(["hex", "==", 31]), true),
            (json!(["blank", "==", 7]), true),
            (json!(["minus", "<", 0]), true),
            (json!(["word", ">", 1]), false),
            (json!(["word", "<", 1]), false),
            (json!(["none", "<", 1]), false),
            (json!(["n", ">", "many"]), false),
            (json!(["n", ">", null]), false),
            (json!(["n", ">", [1]]), false),
        ],
    );
}

#[test]
fn patterns() {
    check(
        json!({"uri": "/v1/Chat", "agent": "curl/8.0", "umlaut": "é"}),
        &[
            (json!(["uri", "~~", "^/v1/C"]), true),
            (json!(["uri", "~~", "chat"]), false),
            (json!(["uri", "~*", "chat$"]), true),
            (json!(["none", "~~", ".*"]), false),
            (json!(["agent", "~~", 8.0]), true),
            (json!(["agent", "~~", "^(?!wget)"]), true),
            (json!(["agent", "~~", "(.)\\1"]), false),
            (json!(["uri", "~*", "^(?!/admin).*CHAT"]), true),
            (json!(["umlaut", "~~", "\\w"]), false),
            (json!(["umlaut", "~~", "[é]"]), true),
        ],
    );
}

#[test]
fn a_catastrophic_pattern_gives_up() {
    // The second branch would match, once the first had been tried in some 2^50 ways.
    let text = format!("{}d", "a".repeat(50));
    assert!(!holds(
        json!([["x", "~~", "^(?:(?:(?=a)a+)+c|a+d)$"]]),
        &json!({ "x": text })
    ));
    assert!(holds(
        json!([["x", "~~", "^(?:(?:(?=a)a+)+c|a+d)$"]]),
        &json!({"x": "aaad"})
    ));
}

#[test]
fn lists() {
    check(
        json!({"arg_n": "1", "name": "b", "n": 2, "tags": ["x", 3, true]}),
        &[
            (json!(["name", "in", ["c", "b", "a"]]), true),
            (json!(["name", "IN", ["b"]]), true),
            (json!(["name", "in", ["c", "a"]]), false),
            (json!(["name", "in", []]), false),
            (json!(["none", "in", ["a", null]]), false),
            (json!(["name", "in", "b"]), false),
            (json!(["arg_n", "in", [1]]), false),
            (json!(["arg_n", "in", ["1"]]), true),
            (json!(["n", "in", ["a", 2.0]]), true),
            (json!(["tags", "has", "x"]), true),
            (json!(["tags", "HAS", 3]), true),
            (json!(["tags", "has", true]), true),
            (json!(["tags", "has", "3"]), false),
            (json!(["name", "has", "b"]), false),
            (json!(["none", "has", "b"]), false),
        ],
    );
}

#[test]
fn addresses() {
    check(
        json!({"remote_addr": "10.1.2.3", "six": "fd00::7", "word": "localhost"}),
        &[
            (
                json!(["remote_addr", "ipmatch", ["192.168.0.1", "10.0.0.0/8"]]),
                true,
            ),
            (json!(["remote_addr", "ipmatch", ["10.1.2.3"]]), true),
            (json!(["remote_addr", "ipmatch", "10.1.2.3"]), true),
            (json!(["remote_addr", "ipmatch", ["10.1.2.4"]]), false),
            (json!(["six", "IPMatch", ["fd00::/8"]]), true),
            (json!(["six", "ipmatch", ["10.0.0.0/8"]]), false),
            (json!(["word", "ipmatch", ["0.0.0.0/0"]]), false),
            (json!(["none", "ipmatch", ["0.0.0.0/0"]]), false),
        ],
    );
}

#[test]
fn lists_of_conditions_are_anded() {
    let vars = json!({"a": "1", "b": "2"});
    assert!(holds(json!([]), &vars));
    assert!(holds(json!([["a", "==", "1"], ["b", "==", "2"]]), &vars));
    assert!(!holds(json!([["a", "==", "1"], ["b", "==", "1"]]), &vars));
}

#[test]
fn logic_forms() {
    let vars = json!({"t": "1"});
    let (yes, no) = (json!(["t", "==", "1"]), json!(["t", "==", "2"]));
    for (name, both, one, neither) in [
        ("AND", true, false, false),
        ("OR", true, true, false),
        ("!AND", false, true, true),
        ("!OR", false, false, true),
    ] {
        for name in [name.to_owned(), name.to_lowercase()] {
            assert_eq!(holds(json!([name, yes, yes]), &vars), both, "{name} of both");
            assert_eq!(holds(json!([name, yes, no]), &vars), one, "{name} of one");
            assert_eq!(
                holds(json!([[name, no, no]]), &vars),
                neither,
                "{name} of neither"
            );
        }
    }
    let nested = json!(["OR", no, ["AND", yes, ["!OR", no, no, no]]]);
    assert!(holds(nested.clone(), &vars));
    assert!(holds(json!([yes, nested]), &vars));
}

#[test]
fn error_texts() {
    let cases = [
        (json!([["arg_name", "=", "x"]]), "invalid operator '='"),
        (json!([["arg_name", "!", "<>", "x"]]), "invalid operator '<>'"),
        (
            json!(["arg_name", "==", "x"]),
            "rule should be wrapped inside brackets",
        ),
        (json!({"arg_name": "x"}), "rule should be wrapped inside brackets"),
        (json!("arg_name"), "rule should be wrapped inside brackets"),
        (
            json!([["a", "==", "x"], "b"]),
            "rule should be wrapped inside brackets",
        ),
        (
            json!(["AND", ["a", "==", "x"], "b"]),
            "rule should be wrapped inside brackets",
        ),
        (json!([[]]), "rule too short"),
        (json!([["arg_name"]]), "rule too short"),
        (json!(["AND"]), "rule too short"),
        (json!([["OR", ["a", "==", "x"]]]), "rule too short"),
        (json!([["a", "==", "x", "y"]]), "bad 'not' expression"),
        (json!([["a", "!", "=="]]), "bad 'not' expression"),
        (json!([["a", "!", "==", "x", "y"]]), "invalid expression"),
        (json!([[1, "==", "x"]]), "invalid expression"),
        (json!([["a", 1, "x"]]), "invalid expression"),
        (
            json!([[["a", "==", "x"], ["b", "==", "x"]]]),
            "invalid expression",
        ),
        (json!([["a", "~~", ["x"]]]), "invalid expression"),
        (json!([["a", "ipmatch", 7]]), "invalid expression"),
        (
            json!([["a", "ipmatch", ["10.0.0.0/33"]]]),
            "invalid ip address: 10.0.0.0/33",
        ),
    ];
    for (expr, text) in cases {
        assert_eq!(error(expr.clone()), text, "{expr}");
    }
    assert!(error(json!([["a", "~~", "(x"]])).starts_with("invalid regular expression '(x': "));
}

#[test]
fn tells_which_variables_it_uses() {
    let expr = Expr::parse(&json!([
        ["uri", "==", "/"],
        ["OR", ["post_arg.model", "a"], ["host", "b"]]
    ]))
    .unwrap();
    assert!(expr.uses(|name| name.starts_with("post_arg")));
    assert!(!expr.uses(|name| name.starts_with("http_")));
}

#[test]
fn a_map_of_text_is_enough() {
    struct Plain(HashMap<&'static str, &'static str>);
    impl Variables for Plain {
        fn get(&self, name: &str) -> Option<Cow<'_, str>> {
            self.0.get(name).map(|text| Cow::Borrowed(*text))
        }
    }
    let vars = Plain(HashMap::from([("host", "a.com")]));
    assert!(
        Expr::parse(&json!([["host", "==", "a.com"]]))
            .unwrap()
            .eval(&vars)
    );
    assert!(
        !Expr::parse(&json!([["host", "has", "a.com"]]))
            .unwrap()
            .eval(&vars)
    );
}

#[test]
fn an_empty_object_is_an_empty_list() {
    assert!(holds(json!({}), &json!({})));
    assert_eq!(error(json!({ "a": 1 })), "rule should be wrapped inside brackets");
}
