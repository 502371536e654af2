use super::*;
use crate::fixture::Fixture;

#[test]
fn configurations_are_checked() {
    let info = definition().unwrap().info;
    let refused = |conf: Value| info.check(&conf, CheckScope::Main).unwrap_err();
    assert_eq!(
        refused(json!({})),
        "object matches none of the required: [\"response_example\"] or [\"response_schema\"]"
    );
    for content_type in [
        "image/png",
        "application/json ;charset=utf8",
        "application/json;a;b",
    ] {
        let conf = json!({ "response_example": "x", "content_type": content_type });
        assert_eq!(refused(conf), "unsupported content type!", "{content_type}");
    }
    for content_type in [
        "text/xml",
        "application/xml;charset=utf8",
        "text/html;",
        "text/plain",
    ] {
        let conf = json!({ "response_example": "x", "content_type": content_type });
        assert_eq!(info.check(&conf, CheckScope::Main), Ok(()), "{content_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_may_take_their_time() {
    let fixture = Fixture::new();
    for (delay, seconds) in [(-1, 0), (0, 0), (3600, 3600)] {
        let conf = json!({ "response_example": "x", "delay": delay });
        let plugin = fixture.compile(definition, &conf).unwrap();
        let mut cx = fixture.context("GET", "/");
        let before = tokio::time::Instant::now();
        let verdict = match plugin.access(&mut cx) {
            Step::Done(verdict) => verdict,
            Step::Wait(future) => future.await,
        };
        assert!(matches!(verdict, Verdict::Reply(_)));
        assert_eq!(before.elapsed().as_secs(), seconds);
    }
}
