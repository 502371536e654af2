//! Plugins and schemas (compat §1.8).

use http::StatusCode;
use serde_json::{Map, Value, json};
use sluice_resource::{Kind, PluginInfo};

use crate::api::Api;
use crate::query::Query;
use crate::reply::Reply;

impl Api {
    /// `GET plugins/list`. There are no plugins of layer 4.
    pub(crate) fn plugin_list(&self, query: &Query) -> Reply {
        match query.get("subsystem") {
            None | Some("http") => {
                let names = self.state.catalogue.names_by_priority();
                Reply::json(StatusCode::OK, json!(names))
            }
            Some("stream") => Reply::json(StatusCode::OK, json!([])),
            Some(_) => Reply::text(StatusCode::BAD_REQUEST, "invalid subsystem passed"),
        }
    }

    /// `GET plugins/{name}`, and `GET plugins?all=true`.
    pub(crate) fn plugin(&self, name: Option<&str>, query: &Query) -> Reply {
        let subsystem = query.get("subsystem").unwrap_or("http");
        let http = match subsystem {
            "http" => true,
            "stream" => false,
            other => {
                let message = format!("unsupported subsystem: {other}");
                return Reply::error(StatusCode::BAD_REQUEST, message);
            }
        };
        if query.get("all") == Some("true") {
            let plugins = if http {
                self.described_plugins()
            } else {
                Map::new()
            };
            return Reply::json(StatusCode::OK, plugins.into());
        }
        let Some(plugin) = name
            .filter(|_| http)
            .and_then(|name| self.state.catalogue.get(name))
        else {
            let message = format!("plugin not found in subsystem {subsystem}");
            return Reply::error(StatusCode::NOT_FOUND, message);
        };
        let schema = match query.get("schema_type") {
            Some("consumer") => plugin.consumer_schema.as_ref(),
            _ => Some(&plugin.schema),
        };
        match schema {
            Some(schema) => Reply::json(StatusCode::OK, schema.source().clone()),
            None => Reply::error(StatusCode::BAD_REQUEST, "not found schema"),
        }
    }

    /// Every plugin with its schemas.
    pub(crate) fn described_plugins(&self) -> Map<String, Value> {
        let catalogue = &self.state.catalogue;
        let names = catalogue.names_by_priority().into_iter();
        let plugins = names.filter_map(|name| catalogue.get(name));
        plugins
            .map(|plugin: &PluginInfo| (plugin.name.to_owned(), plugin.describe()))
            .collect()
    }

    /// `GET schema/{name}`.
    pub(crate) fn schema(&self, name: Option<&str>) -> Reply {
        let name = name.unwrap_or_default();
        match self.state.schemas.by_name(name) {
            Some(schema) => Reply::json(StatusCode::OK, schema.source().clone()),
            None => Reply::error(StatusCode::BAD_REQUEST, format!("not found schema: {name}")),
        }
    }

    /// `POST schema/validate/{segment}`: the JSON schema and nothing else.
    pub(crate) fn validate_schema(&self, segment: &str, value: Option<&Value>) -> Reply {
        let kind = Kind::ALL.into_iter().find(|kind| kind.info().segment == segment);
        let Some(kind) = kind else {
            let message = format!("Unsupported resource type: {segment}");
            return Reply::error(StatusCode::NOT_FOUND, message);
        };
        let Some(schema) = self.state.schemas.of_kind(kind) else {
            return Reply::error(StatusCode::BAD_REQUEST, format!("not found schema: {segment}"));
        };
        match value.map(|value| schema.check(value)) {
            Some(Ok(())) => Reply::empty(StatusCode::OK),
            Some(Err(fault)) => Reply::error(StatusCode::BAD_REQUEST, fault.to_string()),
            None => Reply::error(StatusCode::BAD_REQUEST, "wrong type: expected object, got nil"),
        }
    }
}
