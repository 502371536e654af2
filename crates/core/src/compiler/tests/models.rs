use crate::models::Model;
use crate::testing::Gateway;

use super::*;

/// Providers `a` and `b`, and a model at each.
fn gateway() -> Gateway {
    let mut gateway = Gateway::new();
    for id in ["a", "b"] {
        gateway.put(&format!("/providers/{id}"), json!({"type": "openai"}));
        gateway.put(&format!("/models/m-{id}"), json!({"targets": [{"provider": id}]}));
    }
    gateway
}

fn model(gateway: &Gateway, name: &str) -> Arc<Model> {
    gateway.snapshot().models.find(name).unwrap().clone()
}

#[test]
fn an_edit_of_a_provider_compiles_its_models_and_no_others() {
    let mut gateway = gateway();
    let before = ["m-a", "m-b"].map(|name| model(&gateway, name));
    gateway.put("/providers/a", json!({"type": "openai", "timeout": 1}));
    let after = ["m-a", "m-b"].map(|name| model(&gateway, name));
    assert!(!Arc::ptr_eq(&before[0], &after[0]));
    assert!(Arc::ptr_eq(&before[1], &after[1]));
    gateway.put("/routes/1", json!({"uri": "/1"}));
    assert!(
        Arc::ptr_eq(&after[0], &model(&gateway, "m-a")),
        "an unrelated edit"
    );
}

#[test]
fn providers_may_come_late_and_go() {
    let mut gateway = Gateway::new();
    gateway.put("/models/m", json!({"targets": [{"provider": 7}]}));
    assert_eq!(gateway.providers_of("m"), "");
    gateway.put("/providers/7", json!({"type": "openai"}));
    assert_eq!(gateway.providers_of("m"), "7");
    gateway.delete("/providers/7");
    assert_eq!(gateway.providers_of("m"), "");
    gateway.delete("/models/m");
    assert!(gateway.snapshot().models.is_empty());
}

#[test]
fn what_does_not_hold_keeps_its_previous_form() {
    let mut gateway = gateway();
    let before = model(&gateway, "m-a");
    gateway.put("/models/m-a", json!({"targets": [], "fault": "no targets"}));
    assert!(Arc::ptr_eq(&before, &model(&gateway, "m-a")));
    assert_eq!(gateway.problem("/models/m-a").unwrap(), "\"no targets\"");
    gateway.put("/providers/a", json!({"fault": "no type"}));
    assert!(gateway.snapshot().models.provider("a").is_some());
    assert_eq!(gateway.problem("/providers/a").unwrap(), "\"no type\"");
}

#[test]
fn names_and_metadata_are_taken_over() {
    let mut gateway = gateway();
    let named = json!({
        "name": "gpt-*", "targets": [{"provider": "a"}], "create_time": 7, "metadata": {"owned_by": "x", "hidden": true},
    });
    gateway.put("/models/1", named);
    let found = model(&gateway, "gpt-4o");
    assert_eq!((&*found.id, &*found.name, found.created), ("1", "gpt-*", 7));
    assert_eq!(found.info.owned_by.as_deref(), Some("x"));
    assert!(found.info.hidden && found.is_pattern());
    assert_eq!(found.captured("gpt-4o"), Some("4o"));
}
