//! docs/apisix-compatibility.md is what the registry says. `make docs` writes it anew.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use sluice_core::Registry;
use sluice_resource::{Catalogue, PluginCatalogue, PluginInfo};
use sluice_testkit::Gateway;

use crate::fields;
use crate::markdown::{self, Page, root};

const PAGE: &str = "docs/apisix-compatibility.md";

/// Tells the test to write the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

/// The plugins of APISIX 3.18 with their priorities (compat §3.3).
const OF_APISIX: [(&str, i32); 62] = [
    ("real-ip", 23000),
    ("exit-transformer", 22950),
    ("ai", 22900),
    ("client-control", 22000),
    ("proxy-buffering", 21991),
    ("proxy-control", 21990),
    ("request-id", 12015),
    ("zipkin", 12011),
    ("opentelemetry", 12009),
    ("fault-injection", 11000),
    ("mocking", 10900),
    ("serverless-pre-function", 10000),
    ("cors", 4000),
    ("ip-restriction", 3000),
    ("ua-restriction", 2999),
    ("multi-auth", 2600),
    ("hmac-auth", 2530),
    ("basic-auth", 2520),
    ("jwt-auth", 2510),
    ("key-auth", 2500),
    ("acl", 2410),
    ("consumer-restriction", 2400),
    ("attach-consumer-label", 2399),
    ("forward-auth", 2002),
    ("opa", 2001),
    ("data-mask", 1500),
    ("error-log-logger", 1091),
    ("proxy-cache", 1085),
    ("body-transformer", 1080),
    ("ai-request-rewrite", 1073),
    ("ai-prompt-guard", 1072),
    ("ai-prompt-template", 1071),
    ("ai-prompt-decorator", 1070),
    ("ai-rag", 1060),
    ("ai-proxy-multi", 1041),
    ("ai-proxy", 1040),
    ("ai-cache", 1035),
    ("ai-aws-content-moderation", 1031),
    ("ai-rate-limiting", 1030),
    ("ai-aliyun-content-moderation", 1029),
    ("ai-lakera-guard", 1028),
    ("proxy-mirror", 1010),
    ("proxy-rewrite", 1008),
    ("workflow", 1006),
    ("api-breaker", 1005),
    ("limit-conn", 1003),
    ("limit-count", 1002),
    ("limit-req", 1001),
    ("gzip", 995),
    ("traffic-split", 966),
    ("redirect", 900),
    ("response-rewrite", 899),
    ("mcp-bridge", 510),
    ("public-api", 501),
    ("prometheus", 500),
    ("loki-logger", 414),
    ("echo", 412),
    ("http-logger", 410),
    ("kafka-logger", 403),
    ("syslog", 401),
    ("file-logger", 399),
    ("serverless-post-function", -2000),
];

const INTRODUCTION: &str = "\
# APISIX compatibility

Plugin by plugin and field by field, against APISIX 3.18. This page is made from the schemas that the Admin API checks
with: `make docs` writes it, and a test fails where it is not what the gateway does. What a field means stands on the
page of the plugin. For routes, consumers and the other resources see [Admin API](admin-api.md).
";

const REFUSED: &str = "\
## Refused

These plugins of APISIX are unknown here. A write that names one is answered with 400 and
`{\"error_msg\":\"unknown plugin [<name>]\"}`, and so is every other name that no table on this page has. In a store that
others write to, an unknown plugin is skipped.
";

const OWN: &str = "\
## Plugins that APISIX does not have

APISIX skips them in a shared store.
";

fn catalogue() -> Arc<Catalogue> {
    Registry::new(sluice_plugins::all().unwrap(), None)
        .catalogue()
        .clone()
}

fn refused(catalogue: &Catalogue) -> Vec<(&'static str, i32)> {
    let unknown = OF_APISIX.iter().filter(|(name, _)| catalogue.get(name).is_none());
    unknown.copied().collect()
}

#[test]
fn the_page_is_what_the_registry_says() {
    let expected = page(&catalogue());
    let file = root().join(PAGE);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file, expected).unwrap();
        return;
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = written.lines().zip(expected.lines());
    let differing = lines.find(|(written, expected)| written != expected);
    assert!(
        written == expected,
        "{PAGE} is stale, `make docs` writes it; first difference: {differing:?}"
    );
}

#[test]
fn plugins_run_where_they_run_in_apisix() {
    let catalogue = catalogue();
    for (name, priority) in OF_APISIX {
        if let Some(plugin) = catalogue.get(name) {
            assert_eq!(plugin.priority, priority, "{name}");
        }
    }
}

#[tokio::test]
async fn unknown_plugins_are_refused_in_these_words() {
    let gateway = Gateway::start(env!("CARGO_BIN_EXE_sluice")).await;
    let page = Page::read(PAGE);
    let names: Vec<_> = refused(&catalogue()).into_iter().map(|(name, _)| name).collect();
    for name in names.into_iter().chain(["no-plugin-of-anybody"]) {
        let route = json!({ "uri": "/refused", "plugins": { name: {} } });
        let answer = gateway
            .admin()
            .put("/routes/refused", route)
            .await
            .expect_status(400);
        let expected = json!({ "error_msg": format!("unknown plugin [{name}]") });
        assert_eq!(answer.json(), expected);
        let shown = page
            .section("Refused")
            .is_some_and(|section| section.has_code(name));
        assert_eq!(shown, name != "no-plugin-of-anybody", "{name}");
    }
}

fn page(catalogue: &Catalogue) -> String {
    let mut text = INTRODUCTION.to_owned();
    let of_apisix = |plugin: &&PluginInfo| OF_APISIX.iter().any(|(name, _)| *name == plugin.name);
    text.push_str("\n## Supported\n");
    let plugins = || {
        let names = catalogue.names_by_priority();
        names.into_iter().filter_map(|name| catalogue.get(name))
    };
    for plugin in plugins().filter(of_apisix) {
        section(&mut text, plugin);
    }
    text.push('\n');
    text.push_str(REFUSED);
    text.push_str("\n| Plugin | Priority |\n|---|---|\n");
    for (name, priority) in refused(catalogue) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {priority} |");
    }
    let own: Vec<_> = plugins().filter(|plugin| !of_apisix(plugin)).collect();
    if !own.is_empty() {
        text.push('\n');
        text.push_str(OWN);
        text.push_str("\n| Plugin | Priority |\n|---|---|\n");
        for plugin in own {
            let name = plugin.name;
            let _ = writeln!(text, "| [{name}](plugins/{name}.md) | {} |", plugin.priority);
        }
    }
    text
}

/// A plugin: its fields wherever it may be configured, and what its page says is different.
fn section(text: &mut String, plugin: &PluginInfo) {
    let name = plugin.name;
    let _ = write!(
        text,
        "\n### {name}\n\nPriority {}. [Its page](plugins/{name}.md).\n",
        plugin.priority
    );
    for (title, schema) in [
        ("", Some(&plugin.schema)),
        ("On a consumer:", plugin.consumer_schema.as_ref()),
        ("In `plugin_metadata`:", plugin.metadata_schema.as_ref()),
    ] {
        let rows = schema
            .map(|schema| fields::of(schema.source()))
            .unwrap_or_default();
        if rows.is_empty() {
            continue;
        }
        if !title.is_empty() {
            let _ = write!(text, "\n{title}\n");
        }
        text.push_str("\n| Field | Type | Default | Values |\n|---|---|---|---|\n");
        for row in rows {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                row.path,
                row.kind,
                row.default
                    .as_deref()
                    .map_or_else(|| "-".to_owned(), markdown::as_code),
                row.values
            );
        }
    }
    // That every plugin has a page is the business of another test.
    let page = format!("docs/plugins/{name}.md");
    let page = root().join(&page).exists().then(|| Page::read(&page));
    if let Some(differences) = page.and_then(|page| page.section("Differences from APISIX")) {
        let _ = write!(text, "\nDifferences:\n\n{}\n", differences.text().trim());
    }
}

#[test]
fn a_value_is_shown_as_the_schema_has_it() {
    let schema: Value = json!({
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": { "type": "integer", "minimum": 1, "maximum": 9 },
            "list": { "type": "array", "minItems": 1, "items": {
                "type": "object", "properties": { "s": { "enum": ["a", "b"], "default": "a" } },
            } },
            "either": { "oneOf": [{ "type": "string" }, { "type": "number", "exclusiveMinimum": 0 }] },
        },
    });
    let shown: Vec<_> = fields::of(&schema)
        .into_iter()
        .map(|row| {
            let default = row.default.unwrap_or_else(|| "-".to_owned());
            format!("{} {} {default} {}", row.path, row.kind, row.values)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "n integer - required; 1 to 9",
            "list array - at least 1 item",
            "list[].s string a `a`, `b`",
            "either string or number - more than 0",
        ]
    );
}
