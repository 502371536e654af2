use http::HeaderValue;
use sluice_resource::CheckScope;

use super::*;
use crate::fixture::Fixture;

fn plugin(conf: &Value) -> HmacAuth {
    let conf = definition()
        .unwrap()
        .info
        .checked(conf, CheckScope::Main)
        .unwrap();
    HmacAuth::new(Config::deserialize(&conf).unwrap()).unwrap()
}

#[tokio::test]
async fn dates_may_be_so_far_away_in_all_three_forms() {
    let plugin = plugin(&json!({ "clock_skew": 60 }));
    let fixture = Fixture::new();
    // Sun, 06 Nov 1994 08:49:37 GMT and half a second.
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500);
    let skewed = Err("Clock skew exceeded");
    let malformed = Err("Invalid GMT format time");
    for (date, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Ok(())),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Ok(())),
        ("Sun Nov  6 08:49:37 1994", Ok(())),
        ("Sun, 06 Nov 1994 08:48:37 GMT", Ok(())),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Ok(())),
        ("Sun, 06 Nov 1994 08:48:36 GMT", skewed),
        ("Sun, 06 Nov 1994 08:50:38 GMT", skewed),
        ("1994-11-06T08:49:37Z", malformed),
        ("", malformed),
    ] {
        let mut cx = fixture.context("GET", "/");
        cx.request
            .headers
            .insert(DATE, HeaderValue::from_str(date).unwrap());
        assert_eq!(plugin.check_date(&cx, now), expected, "{date}");
    }
    let cx = fixture.context("GET", "/");
    let missing = Err("Date header missing. failed to validate clock skew");
    assert_eq!(plugin.check_date(&cx, now), missing);
}

#[test]
fn configurations_are_checked() {
    let info = definition().unwrap().info;
    let main = |conf: Value| info.check(&conf, CheckScope::Main).unwrap_err();
    assert_eq!(
        main(json!({ "clock_skew": 0 })),
        "property \"clock_skew\" validation failed: expected 0 to be at least 1"
    );
    assert_eq!(
        main(json!({ "allowed_algorithms": [] })),
        "property \"allowed_algorithms\" validation failed: expect array to have at least 1 items"
    );
    assert_eq!(
        main(json!({ "allowed_algorithms": ["md5"] })),
        "property \"allowed_algorithms\" validation failed: failed to validate item 1: matches none of the enum values"
    );
    let consumer = |conf: Value| info.check(&conf, CheckScope::Consumer).unwrap_err();
    assert_eq!(
        consumer(json!({ "key_id": "k" })),
        "property \"secret_key\" is required"
    );
    assert_eq!(
        consumer(json!({ "key_id": "k".repeat(320), "secret_key": "s" })),
        "property \"key_id\" validation failed: string too long, expected at most 256, got 320"
    );
}
