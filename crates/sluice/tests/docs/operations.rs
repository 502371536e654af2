//! docs/operations.md against metrics, log variables and APISIX's configuration keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_observe::Variable;
use sluice_testkit::{Gateway, eventually};

use crate::markdown::{self, Page};

fn section(heading: &str) -> Page {
    Page::read("docs/operations.md").section(heading).unwrap()
}

#[test]
fn the_variables_of_the_access_log_exist() {
    let rows = section("Access log").rows();
    for row in &rows {
        let name = markdown::code(&row[0]).unwrap().trim_start_matches('$');
        assert!(Variable::find(name).is_some(), "there is no ${name}");
    }
    assert!(rows.len() > 40, "only {} variables", rows.len());
}

/// Calls of several kinds first: families come with their first sample.
#[tokio::test]
async fn every_metric_of_a_running_gateway_is_documented() {
    let gateway = Gateway::builder(env!("CARGO_BIN_EXE_sluice"))
        .arg("--demo")
        .start()
        .await;
    let loggers =
        json!({ "file-logger": { "path": "requests.json" }, "http-logger": { "uri": "http://127.0.0.1:1" } });
    let route = json!({ "uri": "/logged", "plugins": loggers });
    gateway
        .admin()
        .put("/routes/logged", route)
        .await
        .expect_status(201);
    gateway
        .client()
        .get("/logged")
        .send()
        .await
        .expect_status(503)
        .await;
    let key = crate::readme::demo_key(&gateway).await;
    for stream in [false, true] {
        let body =
            json!({ "model": "echo", "stream": stream, "messages": [{ "role": "user", "content": "a b" }] });
        let call = gateway
            .client()
            .post("/v1/chat/completions")
            .key(&key)
            .json(&body);
        call.send().await.expect_status(200).await.bytes().await;
    }
    let last = "sluice_llm_output_tokens_per_second";
    let scrape = eventually(last, async || {
        let scrape = gateway
            .admin()
            .client()
            .get("/metrics")
            .send()
            .await
            .expect_status(200)
            .await
            .text()
            .await;
        scrape.contains(last).then_some(scrape)
    })
    .await;
    let page = section("Metrics");
    let names: BTreeSet<_> = scrape
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    for expected in [
        "apisix_http_status",
        "ai_gateway_requests_total",
        "sluice_file_log_lines_total",
    ] {
        assert!(names.contains(expected), "{expected} is not in\n{scrape}");
    }
    for name in names {
        assert!(page.has_code(name), "{name} is not documented");
    }
}

/// Names of metrics in an expression, histograms by their family.
fn metrics_of(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words
        .filter(|word| {
            ["sluice_", "ai_gateway_", "apisix_"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        })
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word))
}

#[test]
fn the_dashboard_for_grafana_asks_for_metrics_that_exist() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/grafana/sluice.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let page = section("Metrics");
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 10);
    for panel in panels {
        let mut asked = 0;
        for target in panel["targets"].as_array().unwrap() {
            for name in metrics_of(target["expr"].as_str().unwrap()) {
                assert!(page.has_code(name), "{}: there is no {name}", panel["title"]);
                asked += 1;
            }
        }
        assert!(asked > 0, "{} asks for nothing", panel["title"]);
    }
}

#[test]
fn keys_of_apisix_change_the_settings_that_the_table_names() {
    let untouched = from_apisix("{}");
    let rows = section("Coming from APISIX").rows();
    for row in &rows {
        let [key, example, settings] = &row[..] else {
            panic!("a row of {row:?}")
        };
        let (key, example) = (markdown::code(key).unwrap(), markdown::code(example).unwrap());
        let nested = key
            .split('.')
            .rev()
            .fold(example.to_owned(), |inner, name| format!("{{{name}: {inner}}}"));
        let mut changed = Vec::new();
        differences(&untouched, &from_apisix(&nested), "", &mut changed);
        let named: Vec<_> = settings.split(", ").filter_map(markdown::code).collect();
        assert_eq!(changed, named, "{key}");
    }
    assert!(rows.len() > 15, "only {} keys", rows.len());
}

/// What a configuration of APISIX becomes; every key in it must be known.
fn from_apisix(text: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let (config, warnings) =
        sluice::from_apisix(&file, std::iter::empty()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(warnings, Vec::<String>::new(), "{text}");
    serde_json::to_value(config).unwrap()
}

fn differences(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if path != "plugin_attr" => {
            for (name, member) in new {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                differences(&old[name], member, &path, found);
            }
        }
        _ if before != after => found.push(path.to_owned()),
        _ => {}
    }
}
