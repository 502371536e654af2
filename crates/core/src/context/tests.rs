use serde_json::json;

use super::*;
use crate::testing::Gateway;

#[test]
fn the_upstream_is_told_who_calls_and_nobody_else_can_say_so() {
    let mut gateway = Gateway::new();
    gateway.put("/consumers/jack", json!({"labels": {"custom_id": "j-7"}}));
    gateway.put("/consumers/jill", json!({}));
    let mut cx = gateway.context("GET", "/");
    for name in [CONSUMER_USERNAME, CREDENTIAL_IDENTIFIER, CONSUMER_CUSTOM_ID] {
        cx.request
            .headers
            .append(&name, HeaderValue::from_static("forged"));
        cx.request
            .headers
            .append(&name, HeaderValue::from_static("forged twice"));
    }
    let sent = |cx: &Context| {
        [CONSUMER_USERNAME, CREDENTIAL_IDENTIFIER, CONSUMER_CUSTOM_ID].map(|name| {
            let values: Vec<_> = cx
                .request
                .headers
                .get_all(name)
                .iter()
                .map(|v| v.to_str().unwrap().to_owned())
                .collect();
            values.join(" ")
        })
    };
    cx.attach(Caller {
        credential: Some(Text::from("c1")),
        ..gateway.caller("jack")
    });
    assert_eq!(sent(&cx), ["jack", "c1", "j-7"]);
    cx.attach(gateway.caller("jill"));
    assert_eq!(sent(&cx), ["jill", "", ""], "the last one to attach decides");
    assert_eq!(cx.consumer_name().map(|name| &**name), Some("jill"));
}

#[test]
fn a_filter_is_decided_once() {
    let mut gateway = Gateway::new();
    let meta = json!({"filter": [["http_x", "==", "1"]]});
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "plugins": {"a": {"_meta": meta}, "b": {"_meta": meta}, "c": {}}}),
    );
    let route = gateway.route("/r");
    let entry = |name| route.pipeline.plugins().get(name).unwrap();
    let mut cx = gateway.context("GET", "/r");
    assert!(cx.passes_filter(entry("c")));
    assert!(!cx.passes_filter(entry("a")));
    cx.request.headers.insert("x", HeaderValue::from_static("1"));
    assert!(!cx.passes_filter(entry("a")));
    assert!(
        cx.passes_filter(entry("b")),
        "every plugin has a filter of its own"
    );
}

#[test]
fn status_once_it_is_known() {
    let mut cx = Gateway::new().context("GET", "/");
    assert_eq!(cx.status(), None);
    cx.answer.status = 404;
    assert_eq!(cx.status(), Some(StatusCode::NOT_FOUND));
}

#[test]
fn attempts_take_until_they_end() {
    let started = Instant::now();
    let mut trial = Trial {
        addr: Text::from("a:1"),
        status: 200,
        started,
        ended: None,
    };
    let first = trial.elapsed();
    assert!(trial.elapsed() >= first);
    trial.ended = Some(started + Duration::from_secs(3));
    assert_eq!(trial.elapsed(), Duration::from_secs(3));
}

/// Every request carries one around; whoever makes it larger should know.
#[test]
fn contexts_stay_small() {
    assert!(size_of::<Context>() <= 1400, "{} bytes", size_of::<Context>());
}
