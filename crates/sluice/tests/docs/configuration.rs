//! docs/configuration.md against the configuration itself.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use sluice::{Config, TEMPLATE};

use crate::markdown::{self, Page};

/// Sections whose content is free.
const FREE: [&str; 1] = ["plugin_attr"];

/// Settings that only a file can set.
const FILE_ONLY: &str = "commands.";

/// The environment variable of a setting, if it has one.
fn variable(key: &str) -> Option<String> {
    (!key.starts_with(FILE_ONLY)).then(|| format!("SLUICE_{}", key.replace('.', "_").to_uppercase()))
}

/// Every setting as a dotted path, with its default as the page shows it.
fn settings() -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    collect(&serde_json::to_value(Config::default()).unwrap(), "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeMap<String, Option<String>>) {
    match value {
        Value::Object(members) if !FREE.contains(&path) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(member, &path, found);
            }
        }
        Value::Null => drop(found.insert(path.to_owned(), None)),
        other => drop(found.insert(path.to_owned(), Some(markdown::shown(other)))),
    }
}

#[test]
fn every_setting_is_documented_with_variable_and_default() {
    let page = Page::read("docs/configuration.md").section("Settings").unwrap();
    let mut documented = BTreeMap::new();
    for row in page.rows() {
        let [key, shown, default, meaning] = &row[..] else {
            panic!("a row of {row:?}")
        };
        let key = markdown::code(key).unwrap();
        assert_eq!(markdown::code(shown), variable(key).as_deref(), "{key}");
        assert!(!meaning.is_empty(), "{key} means nothing");
        documented.insert(key.to_owned(), markdown::code(default).map(str::to_owned));
    }
    assert_eq!(documented, settings());
}

#[test]
fn every_variable_takes_its_default_as_the_page_writes_it() {
    let expected = serde_json::to_value(Config::default()).unwrap();
    for (key, default) in settings() {
        let (Some(default), Some(variable)) = (default, variable(&key)) else {
            continue;
        };
        let config = sluice::load(None, std::iter::once((variable.clone(), default.clone())));
        let config = config.unwrap_or_else(|error| panic!("{variable}={default}: {error}"));
        assert_eq!(
            serde_json::to_value(config).unwrap(),
            expected,
            "{variable}={default}"
        );
    }
}

#[test]
fn the_template_shows_every_setting() {
    let mut section = String::new();
    let mut shown = Vec::new();
    for line in TEMPLATE.lines() {
        let (indented, line) = (line.starts_with("  "), line.trim_start().trim_start_matches('#'));
        let Some((name, rest)) = line.split_once(':').filter(|(name, _)| !name.contains(' ')) else {
            continue;
        };
        match (indented, rest.trim()) {
            (false, "") => section = format!("{name}."),
            (false, _) => shown.push(name.to_owned()),
            (true, _) => shown.push(format!("{section}{name}")),
        }
    }
    shown.sort();
    assert_eq!(shown, settings().into_keys().collect::<Vec<_>>());
}

#[test]
fn every_option_of_the_command_line_is_documented() {
    let page = Page::read("docs/configuration.md")
        .section("Command line")
        .unwrap();
    for command in [
        &["serve"][..],
        &["init"],
        &["validate"],
        &["admin", "new-key"],
        &["admin", "reset-password"],
    ] {
        let help = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(command)
            .arg("--help")
            .output()
            .unwrap();
        assert!(help.status.success());
        let help = String::from_utf8(help.stdout).unwrap();
        let words = help.split_whitespace().filter(|word| word.starts_with("--"));
        let options: Vec<_> = words
            .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_lowercase()))
            .collect();
        assert!(options.contains(&"--help"), "{help}");
        for option in options
            .into_iter()
            .filter(|option| !["--help", "--version"].contains(option))
        {
            assert!(page.has_code(option), "{option} of {command:?} is not documented");
        }
        assert!(page.has_code(&command.join(" ")), "{command:?} is not documented");
    }
}
