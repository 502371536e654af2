//! `prometheus`: has a request counted in the `apisix_*` metrics (compat §7).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef};
use sluice_observe::DisabledLabels;
use sluice_resource::{PluginInfo, SchemaCompileError};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": { "prefer_name": { "type": "boolean", "default": false } },
    });
    let labels = json!({ "type": "array", "items": { "type": "string" } });
    let metadata = json!({
        "type": "object",
        "properties": { "disabled_labels": { "type": "object", "additionalProperties": labels } },
    });
    let info = PluginInfo::new("prometheus", 500, schema)?.with_metadata_schema(metadata)?;
    Ok(PluginDef {
        info,
        compile: Prometheus::compile,
    })
}

struct Prometheus {
    prefer_name: bool,
}

impl Prometheus {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        // All instances see the same metadata, and all are compiled again when it changes.
        if !env.is_dry_run {
            env.services
                .metrics
                .set_disabled_labels(&disabled_labels(env.metadata));
        }
        Ok(Arc::new(Self {
            prefer_name: conf.get("prefer_name").and_then(Value::as_bool) == Some(true),
        }))
    }
}

/// Metadata that came past the schema and is wrong disables nothing: no route must fail for it.
fn disabled_labels(metadata: Option<&Value>) -> DisabledLabels {
    let Some(disabled) = metadata.and_then(|metadata| metadata.get("disabled_labels")) else {
        return DisabledLabels::new();
    };
    DisabledLabels::deserialize(disabled)
        .inspect_err(
            |error| tracing::error!(%error, "disabled_labels in the metadata of prometheus is ignored"),
        )
        .unwrap_or_default()
}

impl Plugin for Prometheus {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Settle])
    }

    fn prefers_names(&self) -> bool {
        self.prefer_name
    }

    /// The last phase before the record is made, and one that runs on every exit, refusals by other plugins included.
    fn settle(&self, cx: &mut Context) {
        cx.prometheus = Some(self.prefer_name);
    }
}

#[cfg(test)]
mod tests {
    use sluice_resource::CheckScope;

    use super::*;
    use crate::fixture::Fixture;

    #[tokio::test]
    async fn says_whether_names_are_preferred() {
        let fixture = Fixture::new();
        for (conf, expected) in [(json!({}), false), (json!({ "prefer_name": true }), true)] {
            let plugin = fixture.compile(definition, &conf).unwrap();
            let mut cx = fixture.context("GET", "/");
            plugin.settle(&mut cx);
            assert_eq!(cx.prometheus, Some(expected));
            assert_eq!(plugin.prefers_names(), expected);
        }
    }

    #[test]
    fn reads_the_labels_to_blank() {
        let metadata = json!({ "disabled_labels": { "http_status": ["node", "consumer"] } });
        let names = vec!["node".to_owned(), "consumer".to_owned()];
        assert_eq!(
            disabled_labels(Some(&metadata)),
            [("http_status".to_owned(), names)].into()
        );
        assert!(disabled_labels(Some(&json!({ "disabled_labels": { "http_status": 1 } }))).is_empty());
        assert!(disabled_labels(None).is_empty());
    }

    #[test]
    fn metadata_has_a_schema() {
        let info = definition().unwrap().info;
        let wrong = json!({ "disabled_labels": { "http_status": "node" } });
        assert!(info.check(&wrong, CheckScope::Metadata).is_err());
        assert_eq!(
            info.check(&json!({ "disabled_labels": {} }), CheckScope::Metadata),
            Ok(())
        );
    }
}
