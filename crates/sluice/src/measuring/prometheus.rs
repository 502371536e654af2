//! `plugin_attr.prometheus` (compat §7).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use sluice_observe::{AskedVariables, ExtraLabel, Metrics, MetricsConfig};

use crate::config::Config;

/// Whether metrics can be made as configured.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    Metrics::new(self::config(config, "", &mut AskedVariables::default())?)?;
    Ok(())
}

/// The settings of metrics. What their labels show beside what records have is added to `asked`.
pub(super) fn config(
    config: &Config,
    hostname: &str,
    asked: &mut AskedVariables,
) -> anyhow::Result<MetricsConfig> {
    let mut metrics = MetricsConfig {
        hostname: hostname.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    };
    let Some(attributes) = config.plugin_attr.get("prometheus") else {
        return Ok(metrics);
    };
    if let Some(prefix) = attributes.get("metric_prefix") {
        metrics.prefix = prefix
            .as_str()
            .context("metric_prefix: expected text")?
            .to_owned();
    }
    for (name, buckets) in [
        ("default_buckets", &mut metrics.latency_buckets),
        ("llm_latency_buckets", &mut metrics.llm_latency_buckets),
        ("llm_prompt_tokens_buckets", &mut metrics.prompt_token_buckets),
        (
            "llm_completion_tokens_buckets",
            &mut metrics.completion_token_buckets,
        ),
    ] {
        if let Some(given) = attributes.get(name) {
            *buckets = serde_json::from_value(given.clone())
                .with_context(|| format!("{name}: expected a list of numbers"))?;
        }
    }
    let none = Map::new();
    let named = attributes
        .get("metrics")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    metrics.expire = expiries(named);
    for (name, metric) in named {
        let labels = extra_labels(metric, asked).with_context(|| format!("metrics.{name}.extra_labels"))?;
        if !labels.is_empty() {
            metrics.extra_labels.insert(name.clone(), labels);
        }
    }
    Ok(metrics)
}

/// `expire` of every metric that has one.
fn expiries(named: &Map<String, Value>) -> BTreeMap<String, Duration> {
    let seconds = |metric: &Value| metric.get("expire")?.as_u64().filter(|seconds| *seconds > 0);
    named
        .iter()
        .filter_map(|(name, metric)| Some((name.clone(), Duration::from_secs(seconds(metric)?))))
        .collect()
}

/// `extra_labels` of one metric: a list of `{<label>: $<variable>}`.
fn extra_labels(metric: &Value, asked: &mut AskedVariables) -> anyhow::Result<Vec<ExtraLabel>> {
    let Some(given) = metric.get("extra_labels") else {
        return Ok(Vec::new());
    };
    let pairs = given
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object);
    let mut labels = Vec::new();
    for (name, variable) in pairs.flatten() {
        match variable.as_str() {
            Some(variable) => labels.push(ExtraLabel::new(name, variable, asked)),
            None => bail!("`{name}` is not a variable"),
        }
    }
    if !given.is_array() {
        bail!("expected a list of labels and variables");
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(attributes: Value) -> anyhow::Result<(MetricsConfig, Vec<String>)> {
        let mut config = Config::default();
        config.plugin_attr.insert("prometheus".to_owned(), attributes);
        let mut asked = AskedVariables::default();
        let metrics = super::config(&config, "gw", &mut asked)?;
        let names = asked.names().iter().map(|name| name.to_string()).collect();
        Ok((metrics, names))
    }

    #[test]
    fn labels_ask_for_what_records_do_not_have() {
        let labels = json!([{ "team": "$http_x_team" }, { "upstream": "$upstream_addr" }]);
        let (metrics, asked) =
            with(json!({ "metrics": { "http_status": { "extra_labels": labels, "expire": 60 } } })).unwrap();
        assert_eq!(asked, ["http_x_team"]);
        assert_eq!(metrics.extra_labels["http_status"].len(), 2);
        assert_eq!(metrics.expire["http_status"], Duration::from_secs(60));
        assert!(Metrics::new(metrics).is_ok());
    }

    #[test]
    fn bad_labels_are_refused() {
        for (labels, message) in [
            (
                json!({ "a": "$b" }),
                "metrics.http_status.extra_labels: expected a list",
            ),
            (
                json!([{ "a": 1 }]),
                "metrics.http_status.extra_labels: `a` is not a variable",
            ),
        ] {
            let error = with(json!({ "metrics": { "http_status": { "extra_labels": labels } } }));
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.starts_with(message), "{error}");
        }
        for (name, label) in [("http_status", "no-name"), ("node_info", "fine")] {
            let labels = json!([{ label: "$status" }]);
            let (metrics, _) = with(json!({ "metrics": { name: { "extra_labels": labels } } })).unwrap();
            assert!(Metrics::new(metrics).is_err(), "{name}");
        }
    }
}
