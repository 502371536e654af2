use super::*;
use crate::fixture::Fixture;

fn refused(conf: Value) -> String {
    definition()
        .unwrap()
        .info
        .check(&conf, CheckScope::Main)
        .unwrap_err()
}

#[test]
fn one_of_three_targets() {
    assert_eq!(
        refused(json!({})),
        "value should match only one schema, but matches none"
    );
    assert_eq!(
        refused(json!({ "uri": "/a", "http_to_https": false })),
        "value should match only one schema, but matches both schemas 1 and 3"
    );
    assert_eq!(
        refused(json!({ "uri": "/" })),
        "property \"uri\" validation failed: string too short, expected at least 2, got 1"
    );
    assert!(refused(json!({ "uri": r"\\" })).contains("failed to match pattern"));
    assert_eq!(
        refused(json!({ "http_to_https": true, "append_query_string": true })),
        "only one of `http_to_https` and `append_query_string` can be configured."
    );
    assert!(refused(json!({ "regex_uri": ["(", "/$1"] })).starts_with("invalid regex_uri ((, /$1), err:"));
    assert_eq!(
        refused(json!({ "regex_uri": ["a", "$uri"] })),
        "invalid regex_uri (a, $uri), err:a `$` in the template is followed by neither the number of a group nor \
         another `$`"
    );
}

/// Status and target of a redirect of `GET {uri}`.
fn redirected(fixture: &Fixture, conf: &Value, uri: &str) -> Option<(u16, String)> {
    let plugin = fixture.compile(definition, conf).unwrap();
    let mut cx = fixture.context("GET", uri);
    match plugin.rewrite(&mut cx) {
        Step::Done(Verdict::Reply(reply)) => {
            let location = reply.headers[header::LOCATION].to_str().unwrap().to_owned();
            Some((reply.status.as_u16(), location))
        }
        Step::Done(Verdict::Continue) => None,
        _ => panic!("{conf} {uri}"),
    }
}

#[tokio::test]
async fn encoding_and_query() {
    let fixture = Fixture::new();
    let to = |conf: Value, uri: &str| redirected(&fixture, &conf, uri).map(|(_, target)| target);
    let encode = json!({ "uri": "/a b%20#?c d", "encode_uri": true, "append_query_string": true });
    assert_eq!(to(encode, "/?e=f").as_deref(), Some("/a%20b%2520%23?c d&e=f"));
    let append = json!({ "uri": "/a", "append_query_string": true });
    assert_eq!(to(append.clone(), "/?e=f").as_deref(), Some("/a?e=f"));
    assert_eq!(to(append, "/").as_deref(), Some("/a"));
    let split = json!({ "uri": "/$arg_x" });
    assert_eq!(
        to(split, "/?x=%0d%0aSet-Cookie:a").as_deref(),
        Some("/%0D%0ASet-Cookie:a")
    );
}

#[tokio::test]
async fn statuses_and_patterns() {
    let fixture = Fixture::new();
    let to = |conf: Value, uri: &str| redirected(&fixture, &conf, uri);
    assert_eq!(to(json!({ "uri": "/a" }), "/"), Some((302, "/a".to_owned())));
    assert_eq!(
        to(json!({ "uri": "/a", "ret_code": 70_000 }), "/"),
        Some((999, "/a".to_owned()))
    );
    let pattern = json!({ "regex_uri": ["^/test/(.*)", "http://b/$1"], "ret_code": 308 });
    assert_eq!(
        to(pattern.clone(), "/test/x?y=1"),
        Some((308, "http://b/x".to_owned()))
    );
    assert_eq!(to(pattern, "/other"), None);
    assert_eq!(to(json!({ "http_to_https": false }), "/"), None);
}

#[tokio::test]
async fn https_of_the_same_address() {
    let mut fixture = Fixture::new();
    let conf = json!({ "http_to_https": true, "ret_code": 302 });
    for (ports, target) in [
        (&[][..], "https://gw.example/a?b=1"),
        (&[443], "https://gw.example/a?b=1"),
        (&[9443], "https://gw.example:9443/a?b=1"),
    ] {
        Arc::get_mut(&mut fixture.services).unwrap().https_ports = ports.into();
        assert_eq!(
            redirected(&fixture, &conf, "/a?b=1"),
            Some((301, target.to_owned()))
        );
    }
    let plugin = fixture.compile(definition, &conf).unwrap();
    let mut cx = fixture.context("POST", "/a");
    match plugin.rewrite(&mut cx) {
        Step::Done(Verdict::Reply(reply)) => assert_eq!(reply.status, StatusCode::PERMANENT_REDIRECT),
        _ => panic!("no answer"),
    }
    cx.request.scheme = "https";
    assert!(matches!(plugin.rewrite(&mut cx), Step::Done(Verdict::Continue)));
}
