//! The pages of the plugins against the registry.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_core::Registry;
use sluice_resource::{Catalogue, CheckScope, PluginCatalogue, PluginInfo, Schema};

use crate::fields;
use crate::markdown::{self, Page};

fn catalogue() -> std::sync::Arc<Catalogue> {
    Registry::new(sluice_plugins::all().unwrap(), None)
        .catalogue()
        .clone()
}

fn page(plugin: &PluginInfo) -> Page {
    Page::read(&format!("docs/plugins/{}.md", plugin.name))
}

#[test]
fn every_plugin_has_a_page_and_every_page_a_plugin() {
    let mut expected: Vec<_> = catalogue()
        .iter()
        .map(|plugin| format!("{}.md", plugin.name))
        .collect();
    expected.sort();
    assert_eq!(markdown::file_names("docs/plugins"), expected);
    let index = Page::read("docs/README.md").links();
    for name in expected {
        let target = format!("plugins/{name}");
        assert!(
            index.contains(&target),
            "docs/README.md does not link to {target}"
        );
    }
}

#[test]
fn pages_name_the_priority() {
    for plugin in catalogue().iter() {
        let page = page(plugin);
        let priority = plugin.priority.to_string();
        assert!(
            page.has_code(&priority),
            "{}: the priority is {priority}",
            page.path
        );
    }
}

#[test]
fn the_first_example_of_a_page_passes_the_check_of_its_plugin() {
    for plugin in catalogue().iter() {
        let page = page(plugin);
        let example = page.blocks().into_iter().find(|block| block.language == "json");
        let example = example.unwrap_or_else(|| panic!("{} has no example", page.path));
        let example: Value = serde_json::from_str(&example.text).unwrap();
        let conf = example.pointer(&format!("/plugins/{}", plugin.name));
        let conf = conf.unwrap_or_else(|| panic!("the example of {} is not about it", page.path));
        let scope = match example.get("username") {
            Some(_) => CheckScope::Consumer,
            None => CheckScope::Main,
        };
        assert_eq!(plugin.check(conf, scope), Ok(()), "{}", page.path);
    }
}

#[test]
fn all_examples_with_plugins_pass_their_checks() {
    let catalogue = catalogue();
    let mut checked = 0;
    for page in Page::all() {
        for block in page.blocks().into_iter().filter(|block| block.language == "json") {
            let example: Value = serde_json::from_str(&block.text)
                .unwrap_or_else(|error| panic!("{}: {error} in {}", page.path, block.text));
            let Some(plugins) = example.get("plugins").and_then(Value::as_object) else {
                continue;
            };
            let on_consumer = example.get("username").is_some();
            for (name, conf) in plugins {
                let plugin = catalogue
                    .get(name)
                    .unwrap_or_else(|| panic!("{}: no plugin {name}", page.path));
                let scope = if on_consumer {
                    CheckScope::Consumer
                } else {
                    CheckScope::Main
                };
                assert_eq!(plugin.check(conf, scope), Ok(()), "{}: {name}", page.path);
                checked += 1;
            }
        }
    }
    assert!(
        checked >= catalogue.names_by_priority().len(),
        "only {checked} examples"
    );
}

#[test]
fn field_tables_are_the_schemas() {
    let mut wrong = Vec::new();
    for plugin in catalogue().iter() {
        let page = page(plugin);
        for (heading, schema) in [
            ("Fields", Some(&plugin.schema)),
            ("Fields on a consumer", plugin.consumer_schema.as_ref()),
            ("Metadata", plugin.metadata_schema.as_ref()),
        ] {
            let (documented, real) = (
                documented(&page, heading),
                schema.map(real_fields).unwrap_or_default(),
            );
            for (field, default) in &real {
                match documented.get(field) {
                    None => wrong.push(format!("{} ({heading}): {field} is missing", page.path)),
                    Some(shown) if shown != default => {
                        wrong.push(format!(
                            "{} ({heading}): {field} is {shown:?}, not {default:?}",
                            page.path
                        ));
                    }
                    Some(_) => {}
                }
            }
            let invented = documented.keys().filter(|field| !real.contains_key(*field));
            wrong.extend(invented.map(|field| format!("{} ({heading}): there is no {field}", page.path)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Fields with their defaults, as a page shows them.
type Fields = BTreeMap<String, Option<String>>;

fn documented(page: &Page, heading: &str) -> Fields {
    let mut found = Fields::new();
    for row in page
        .section(heading)
        .map(|section| section.rows())
        .unwrap_or_default()
    {
        let [field, _, default, meaning] = &row[..] else {
            panic!("{}: a row of {row:?}", page.path)
        };
        assert!(!meaning.is_empty(), "{}: {field} means nothing", page.path);
        for field in alternatives(markdown::code(field).unwrap()) {
            let twice = found.insert(field.clone(), markdown::code(default).map(str::to_owned));
            assert_eq!(twice, None, "{}: {field} stands twice", page.path);
        }
    }
    found
}

/// `a.{b,c}` is short for `a.b` and `a.c`.
fn alternatives(field: &str) -> Vec<String> {
    let Some((before, rest)) = field.split_once('{') else {
        return vec![field.to_owned()];
    };
    let (inner, after) = rest.split_once('}').unwrap();
    inner
        .split(',')
        .map(|one| format!("{before}{one}{after}"))
        .collect()
}

fn real_fields(schema: &Schema) -> Fields {
    let rows = fields::of(schema.source()).into_iter();
    rows.map(|row| (row.path, row.default)).collect()
}
