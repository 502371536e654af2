//! The page of the model registry against its schemas and checks.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use sluice_core::Registry;
use sluice_resource::{Checker, Kind, Schemas, Target, UnknownPlugins};

use crate::fields;
use crate::markdown::Page;

const PAGE: &str = "docs/models.md";

/// What all resources have.
const COMMON: [&str; 6] = ["id", "name", "desc", "labels", "create_time", "update_time"];

#[test]
fn every_field_is_told() {
    let page = Page::read(PAGE);
    let schemas = Schemas::compile().unwrap();
    let mut missing = BTreeSet::new();
    for kind in [Kind::Provider, Kind::Model] {
        let rows = fields::of(schemas.of_kind(kind).unwrap().source());
        for row in rows.iter().filter(|row| !COMMON.contains(&row.path.as_str())) {
            let name = row.path.rsplit('.').next().unwrap().trim_end_matches("[]");
            if !page.text().contains(&format!("`{name}`"))
                && !page.text().contains(&format!(".{name}`"))
                && !page.text().contains(&format!("\"{name}\""))
            {
                missing.insert(row.path.clone());
            }
        }
    }
    assert!(missing.is_empty(), "{PAGE} does not tell of {missing:#?}");
}

#[test]
fn examples_hold() {
    let registry = Registry::new(sluice_plugins::all().unwrap(), None).with_models(sluice_plugins::models());
    let schemas = Arc::new(Schemas::compile().unwrap());
    let checker = Checker::new(schemas, registry.catalogue().clone(), UnknownPlugins::Refuse);
    let mut checked = 0;
    for block in Page::read(PAGE).blocks() {
        if block.language != "json" {
            continue;
        }
        let example: Value = serde_json::from_str(&block.text).unwrap();
        let kind = match example.get("targets") {
            Some(_) => Kind::Model,
            None => Kind::Provider,
        };
        let fault = checker.check(&Target::new(kind, Some("1")), &example).err();
        assert_eq!(fault, None, "{}", block.text);
        checked += 1;
    }
    assert!(checked >= 4, "only {checked} examples");
}
