//! Calls to providers.

use serde_json::json;

use super::support::Admin;

#[tokio::test]
async fn a_test_takes_a_model_or_nothing() {
    let admin = Admin::start().await;
    let answer = admin.post("providers/known/test", json!({"model": "m"})).await;
    answer.is(
        200,
        json!({
            "ok": true, "status": 200, "latency_ms": 12, "model": "m", "answered_model": null, "error_class": null,
            "message": "the provider answered",
        }),
    );
    for bad in [
        json!({"model": 7}),
        json!({"model": ""}),
        json!({"x": 1}),
        json!([1]),
    ] {
        let answer = admin.post("providers/known/test", bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    let answer = admin.post("providers/other/test", json!({})).await;
    answer.is(404, json!({"error_msg": "no provider [other] is in force"}));
}

#[tokio::test]
async fn a_list_is_shown_with_its_length() {
    let admin = Admin::start().await;
    let answer = admin.get("providers/known/models").await;
    answer.is(200, json!({"total": 0, "list": []}));
    assert_eq!(admin.get("providers/other/models").await.status, 404);
}
