//! `file-logger`: one line of JSON per request, appended to a file (compat §6.9).

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phases, Plugin, PluginDef, ResponseHead, Step};
use sluice_net::Body;
use sluice_observe::FileSink;
use sluice_record::Record;
use sluice_resource::{CheckScope, Expr, PluginInfo, SchemaCompileError};

use crate::log_entry::{self, EntryFormat};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let mut properties = log_entry::properties();
    properties.insert("path".to_owned(), json!({ "type": "string" }));
    properties.insert(
        "match".to_owned(),
        json!({ "type": "array", "items": { "type": "array" } }),
    );
    let mut metadata = log_entry::metadata_properties();
    metadata.insert("path".to_owned(), json!({ "type": "string" }));
    let object = |properties: Map<String, Value>| json!({ "type": "object", "properties": properties });
    let info = PluginInfo::new("file-logger", 399, object(properties))?
        .with_metadata_schema(object(metadata))?
        .with_check(check)
        .with_metadata_check(|conf, metadata| path_of(conf, metadata).map(drop));
    Ok(PluginDef {
        info,
        compile: FileLogger::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    for expression in conf.get("match").and_then(Value::as_array).into_iter().flatten() {
        Expr::parse(expression)
            .map_err(|error| format!("failed to validate the 'match' expression: {error}"))?;
    }
    log_entry::check(conf)
}

/// The file, which stands in the configuration or in the metadata.
fn path_of<'a>(conf: &'a Value, metadata: Option<&'a Value>) -> Result<&'a str, String> {
    let in_either = [Some(conf), metadata].into_iter().flatten();
    in_either
        .filter_map(|holder| holder.get("path")?.as_str())
        .next()
        .ok_or_else(|| "property \"path\" is not set in either the plugin conf or the metadata".to_owned())
}

struct FileLogger {
    sink: FileSink,
    format: EntryFormat,
    /// Of which one must hold, if there are any.
    conditions: Option<Vec<Expr>>,
}

impl FileLogger {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let path = path_of(conf, env.metadata).map_err(CompileError)?;
        let expressions = conf.get("match").and_then(Value::as_array);
        let conditions = expressions
            .map(|all| all.iter().map(Expr::parse).collect::<Result<_, _>>())
            .transpose();
        Ok(Arc::new(Self {
            sink: env.services.files.sink(Path::new(path)),
            format: EntryFormat::compile(conf, env)?,
            conditions: conditions.map_err(|error| CompileError(error.to_string()))?,
        }))
    }

    fn wants(&self, cx: &Context) -> bool {
        self.conditions
            .as_ref()
            .is_none_or(|any| any.iter().any(|condition| condition.eval(cx)))
    }
}

impl Plugin for FileLogger {
    fn phases(&self) -> Phases {
        Phases::of(&self.format.phases())
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        self.format.access(cx);
        Step::CONTINUE
    }

    fn before_proxy<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        self.format.before_proxy(cx);
        Step::CONTINUE
    }

    fn response_head(&self, cx: &mut Context, _head: &mut ResponseHead) {
        self.format.response_head(cx);
    }

    fn response_body(&self, cx: &mut Context, body: Body) -> Body {
        self.format.response_body(cx, body)
    }

    fn log(&self, cx: &Context, record: &Record) {
        if self.wants(cx)
            && let Some(line) = self.format.line(cx, record)
        {
            // The sink counts what it has to drop.
            self.sink.append(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::fixture::Fixture;

    const LONG: Duration = Duration::from_secs(20);

    fn lines(fixture: &Fixture, path: &Path) -> Vec<Value> {
        assert!(fixture.services.files.flush(LONG));
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn appends_one_line_per_request() {
        let fixture = Fixture::new();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.json");
        let plugin = fixture
            .compile(
                definition,
                &json!({ "path": path, "log_format": { "uri": "$uri" } }),
            )
            .unwrap();
        for uri in ["/a", "/b"] {
            let cx = fixture.context("GET", uri);
            plugin.log(&cx, &fixture.record(&cx));
        }
        assert_eq!(
            lines(&fixture, &path),
            [json!({ "uri": "/a" }), json!({ "uri": "/b" })]
        );
    }

    #[tokio::test]
    async fn one_matching_expression_is_enough() {
        let fixture = Fixture::new();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.json");
        let conf = json!({
            "path": path, "log_format": { "name": "$arg_name" },
            "match": [[["arg_name", "==", "jack"]], [["arg_name", "==", "rose"]]],
        });
        let plugin = fixture.compile(definition, &conf).unwrap();
        for uri in ["/?name=jack", "/?name=cal", "/?name=rose", "/"] {
            let cx = fixture.context("GET", uri);
            plugin.log(&cx, &fixture.record(&cx));
        }
        assert_eq!(
            lines(&fixture, &path),
            [json!({ "name": "jack" }), json!({ "name": "rose" })]
        );
    }

    #[tokio::test]
    async fn the_path_may_stand_in_the_metadata() {
        let mut fixture = Fixture::new();
        let error = fixture.compile(definition, &json!({})).err().unwrap();
        let expected = "property \"path\" is not set in either the plugin conf or the metadata";
        assert_eq!(error.to_string(), expected);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.json");
        fixture.metadata = Some(json!({ "path": path, "log_format": { "from": "metadata" } }));
        let plugin = fixture.compile(definition, &json!({})).unwrap();
        let cx = fixture.context("GET", "/");
        plugin.log(&cx, &fixture.record(&cx));
        assert_eq!(lines(&fixture, &path), [json!({ "from": "metadata" })]);
    }

    #[test]
    fn expressions_are_checked() {
        let info = definition().unwrap().info;
        for (conf, error) in [
            (
                json!({ "match": [["arg_name", "==", "jack"]] }),
                "failed to validate the 'match' expression: rule should be wrapped inside brackets",
            ),
            (
                json!({ "include_req_body": true, "include_req_body_expr": [["bar", "<>", "foo"]] }),
                "failed to validate the 'include_req_body_expr' expression: invalid operator '<>'",
            ),
        ] {
            assert_eq!(info.check(&conf, CheckScope::Main).unwrap_err(), error);
        }
    }
}
