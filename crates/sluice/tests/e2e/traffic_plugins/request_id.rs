//! `request-id` (compat §6.7).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_testkit::Reply;

use super::{put_plain, through, upstream};

fn is_uuid(id: &str, version: char) -> bool {
    let parts: Vec<_> = id.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && id.chars().nth(14) == Some(version)
}

/// Whether an id looks as it should.
type Form<'a> = &'a dyn Fn(&str) -> bool;

#[tokio::test]
async fn an_id_is_made_in_the_form_asked_for() {
    let provider = upstream();
    let gateway = crate::support::gateway().await;
    let word = |id: &str, length: usize| id.len() == length && id.chars().all(|c| c.is_ascii_alphanumeric());
    let forms: [(Value, Form<'_>); 7] = [
        (json!({}), &|id| is_uuid(id, '4')),
        (json!({ "algorithm": "uuid" }), &|id| is_uuid(id, '4')),
        (json!({ "algorithm": "uuidv7" }), &|id| is_uuid(id, '7')),
        (json!({ "algorithm": "nanoid" }), &|id| id.len() == 21),
        (json!({ "algorithm": "ksuid" }), &|id| word(id, 27)),
        (json!({ "algorithm": "range_id" }), &|id| word(id, 16)),
        (
            json!({ "algorithm": "range_id", "range_id": { "length": 30, "char_set": "abcdef" } }),
            &|id| id.len() == 30 && id.chars().all(|c| ('a'..='f').contains(&c)),
        ),
    ];
    for (conf, has_form) in forms {
        let shown = conf.to_string();
        put_plain(&gateway, "1", "/*", &provider, json!({ "request-id": conf })).await;
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            let answer = gateway.client().get("/").send().await.expect_status(200).await;
            let id = answer.header("x-request-id").unwrap().to_owned();
            assert!(has_form(&id), "{shown}: {id}");
            assert_eq!(provider.last_request().header("x-request-id"), Some(id.as_str()));
            seen.insert(id);
        }
        assert_eq!(seen.len(), 3, "{shown}: {seen:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_there_is_kept() {
    let provider = upstream();
    let plugins = json!({
        "request-id": { "header_name": "X-Trace" },
        "response-rewrite": { "headers": { "x-var": "$apisix_request_id" } },
    });
    let gateway = through(&provider, plugins).await;
    let answer = gateway.client().get("/").header("x-trace", "mine").send().await;
    assert_eq!(
        (answer.header("x-trace"), answer.header("x-var")),
        (Some("mine"), Some("mine"))
    );
    assert_eq!(provider.last_request().header("x-trace"), Some("mine"));
    let answer = gateway.client().get("/").header("x-trace", "").send().await;
    assert!(
        is_uuid(answer.header("x-trace").unwrap(), '4'),
        "an empty one is none"
    );
    provider.next(Reply::body(200, "text/plain", "ok").header("x-trace", "of the upstream"));
    let answer = gateway.client().get("/").send().await;
    assert_eq!(answer.header("x-trace"), Some("of the upstream"));
    let plugins = json!({ "request-id": { "include_in_response": false } });
    put_plain(&gateway, "1", "/*", &provider, plugins).await;
    assert_eq!(
        gateway.client().get("/").send().await.header("x-request-id"),
        None
    );
    assert!(provider.last_request().header("x-request-id").is_some());
}
