use futures_util::FutureExt;
use http::HeaderValue;
use serde_json::json;
use sluice_net::Body;
use sluice_resource::{Expr, Variables};

use super::*;
use crate::context::Context;
use crate::request::RequestBody;
use crate::testing::Gateway;

fn post(content_type: &'static str, body: &'static str) -> Context {
    let mut cx = Gateway::new().context("POST", "/");
    cx.request.body = RequestBody::new(Body::from(body));
    cx.request.body.read(10_000).now_or_never().unwrap().unwrap();
    if !content_type.is_empty() {
        cx.request
            .headers
            .insert("content-type", HeaderValue::from_static(content_type));
    }
    cx
}

const CHAT: &str = r#"{
    "model": "gpt-\u0034", "stream": true, "n": 2, "stop": null, "a.b": "dotted",
    "metadata": {"user": {"id": "u7"}, "tags": ["x", "y"]},
    "messages": [{"role": "system"}, {"role": "user"}]
}"#;

fn chat() -> Context {
    post("application/json; charset=utf-8", CHAT)
}

#[test]
fn members_of_a_json_body() {
    let cx = chat();
    let get = |name: &str| cx.get(name).map(Cow::into_owned);
    assert_eq!(get("post_arg.model").as_deref(), Some("gpt-4"));
    assert_eq!(get("post_arg.stream").as_deref(), Some("true"));
    assert_eq!(get("post_arg.n").as_deref(), Some("2"));
    assert_eq!(get("post_arg.metadata.user.id").as_deref(), Some("u7"));
    assert_eq!(
        get("post_arg..model.").as_deref(),
        Some("gpt-4"),
        "empty names do not count"
    );
    for absent in [
        "post_arg.none",
        "post_arg.",
        "post_arg.model.x",
        "post_arg.metadata.none",
        "post_arg.messages.0",
    ] {
        assert_eq!(get(absent), None, "{absent}");
        assert_eq!(cx.get_json(absent), None, "{absent}");
    }
}

#[test]
fn arrays_objects_and_null_have_no_text_but_are_there() {
    let cx = chat();
    for (name, value) in [
        ("post_arg.messages", json!([{"role": "system"}, {"role": "user"}])),
        ("post_arg.metadata.user", json!({"id": "u7"})),
        ("post_arg.stop", Value::Null),
        ("post_arg.n", json!(2)),
    ] {
        assert_eq!(cx.get(name).is_some(), value.is_number(), "{name}");
        assert_eq!(cx.get_json(name), Some(value), "{name}");
    }
}

#[test]
fn json_paths_find_arrays() {
    let cx = chat();
    for (name, value) in [
        ("post_arg.messages[*].role", json!(["system", "user"])),
        ("post_arg.messages[-1].role", json!(["user"])),
        ("post_arg.metadata.tags[*]", json!(["x", "y"])),
        ("post_arg...id", json!(["u7"])),
        ("post_arg.metadata..id", json!(["u7"])),
        ("post_arg.metadata.*", json!([{"id": "u7"}, ["x", "y"]])),
        ("post_arg.['a.b']", json!(["dotted"])),
    ] {
        assert_eq!(cx.get_json(name), Some(value), "{name}");
        assert_eq!(cx.get(name), None, "{name}");
    }
    assert_eq!(
        cx.get_json("post_arg.messages[*].none"),
        None,
        "nothing found is no value"
    );
    assert_eq!(cx.get_json("post_arg.messages[?(@.role)]"), None);
}

#[test]
fn expressions_over_bodies() {
    let cx = chat();
    for (expr, holds) in [
        (json!([["post_arg.model", "==", "gpt-4"]]), true),
        (json!([["post_arg.n", ">", 1]]), true),
        (json!([["post_arg.stream", "==", true]]), true),
        (json!([["post_arg.messages[*].role", "has", "system"]]), true),
        (json!([["post_arg.messages[*].role", "has", "tool"]]), false),
        (json!([["post_arg.none", "==", null]]), true),
        (json!([["post_arg.stop", "==", null]]), false),
    ] {
        assert_eq!(Expr::parse(&expr).unwrap().eval(&cx), holds, "{expr}");
    }
}

#[test]
fn a_body_is_json_unless_its_type_says_otherwise() {
    assert_eq!(post("", CHAT).get("post_arg.n").as_deref(), Some("2"));
    assert_eq!(post("text/plain", CHAT).get("post_arg.n").as_deref(), Some("2"));
    assert_eq!(post("application/json", "{").get("post_arg.n"), None);
    assert_eq!(post("application/json", "[1]").get("post_arg.n"), None);
    assert_eq!(
        post("application/json", "[[1], [2]]").get_json("post_arg.[*][0]"),
        Some(json!([1, 2]))
    );
    assert_eq!(
        post("application/json", "[[1], [2]]").get_json("post_arg...*"),
        Some(json!([1, 2]))
    );
    assert_eq!(
        post("application/json", r#"{"n":1,"n":2}"#).get("post_arg.n"),
        None,
        "which one would the provider take?"
    );
}

#[test]
fn fields_of_forms() {
    let cx = post("application/x-www-form-urlencoded", "a=1&b=x+y&a=2&c.d=3");
    assert_eq!(cx.get("post_arg_b").as_deref(), Some("x y"));
    assert_eq!(cx.get("post_arg_a").as_deref(), Some("1"));
    assert_eq!(cx.get("post_arg.a").as_deref(), Some("1"));
    assert_eq!(cx.get_json("post_arg.a"), Some(json!("1")));
    assert_eq!(cx.get("post_arg_none"), None);
    assert_eq!(post("application/json", "a=1").get("post_arg_a"), None);
}

#[test]
fn fields_of_multipart_bodies() {
    const BODY: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n";
    let cx = post("multipart/form-data; boundary=b", BODY);
    assert_eq!(cx.get("post_arg.model").as_deref(), Some("whisper-1"));
    assert_eq!(cx.get_json("post_arg.model"), Some(json!("whisper-1")));
    assert_eq!(cx.get("post_arg_model"), None, "that is for the other form");
    assert_eq!(post("multipart/form-data", BODY).get("post_arg.model"), None);
}

#[test]
fn a_body_that_was_not_read_has_no_members() {
    let mut cx = Gateway::new().context("POST", "/");
    cx.request.body = RequestBody::new(Body::from(CHAT));
    assert_eq!(cx.get("post_arg.model"), None);
    assert_eq!(cx.get_json("post_arg.messages[*]"), None);
}
