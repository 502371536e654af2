//! The control API (compat §10): a look at the configuration in force, on a listener of its own and without a
//! key. Secrets are left out therefore, where APISIX shows them.

mod checks;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};
use sluice_resource::{Key, Kind};
use sluice_store::Item;

use crate::api::Api;
use crate::reply::{Refusal, Reply};

impl Api {
    /// What the control listener serves.
    pub(crate) fn control_router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(self))
    }

    async fn control(&self, parts: &Parts) -> Result<Reply, Refusal> {
        let not_found = || Ok(Reply::empty(StatusCode::NOT_FOUND));
        let Ok(path) = sluice_core::normalize_path(parts.uri.path()) else {
            return Ok(Reply::empty(StatusCode::BAD_REQUEST));
        };
        let Some(path) = path.strip_prefix("/v1/") else {
            return not_found();
        };
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let method = &parts.method;
        if method == Method::PUT && *segments == ["plugins", "reload"] {
            return Ok(Reply::text(StatusCode::OK, "done"));
        }
        if method == Method::POST && *segments == ["gc"] {
            return Ok(Reply::empty(StatusCode::OK));
        }
        if method != Method::GET {
            return not_found();
        }
        match *segments {
            ["schema"] => Ok(self.control_schema()),
            ["healthcheck"] => Ok(self.all_checks(&parts.headers)),
            ["healthcheck", kind, ref rest @ ..] => self.one_check(kind, rest.first().copied()).await,
            ["plugin_metadatas"] => self.all_metadata().await,
            ["plugin_metadata", name] => self.one_metadata(name).await,
            ["routes"] => self.control_list(Kind::Route).await,
            ["services"] => self.control_list(Kind::Service).await,
            ["upstreams"] => self.control_list(Kind::Upstream).await,
            ["route", id] => self.control_one(Kind::Route, id).await,
            ["service", id] => self.control_one(Kind::Service, id).await,
            ["upstream", id] => self.control_one(Kind::Upstream, id).await,
            _ => not_found(),
        }
    }

    fn control_schema(&self) -> Reply {
        let named = self.state.schemas.named();
        let main: Map<String, Value> = named
            .map(|(name, schema)| (name.to_owned(), schema.source().clone()))
            .collect();
        let plugins = self.described_plugins();
        Reply::json(
            StatusCode::OK,
            json!({"main": main, "plugins": plugins, "stream_plugins": {}}),
        )
    }

    async fn control_list(&self, kind: Kind) -> Result<Reply, Refusal> {
        let all = self.all(kind).await?.into_iter();
        let entries: Value = all.map(|(key, item)| self.redacted_entry(&key, item)).collect();
        Ok(Reply::json(StatusCode::OK, entries))
    }

    async fn control_one(&self, kind: Kind, id: &str) -> Result<Reply, Refusal> {
        let key = Key::new(kind, id);
        match self.state.store.get(&key.to_string()).await? {
            Some(item) => Ok(Reply::json(StatusCode::OK, self.redacted_entry(&key, item))),
            None => {
                let message = format!("{}[{id}] not found", kind.info().name);
                Ok(Reply::error(StatusCode::NOT_FOUND, message))
            }
        }
    }

    fn redacted_entry(&self, key: &Key, mut item: Item) -> Value {
        item.value = self.redacted(key, item.value);
        self.entry(key, item)
    }

    async fn all_metadata(&self) -> Result<Reply, Refusal> {
        let all = self.all(Kind::PluginMetadata).await?.into_iter();
        let enabled = all.filter(|(key, _)| self.state.catalogue.get(key.id()).is_some());
        let values: Value = enabled.map(|(_, item)| item.value).collect();
        Ok(Reply::json(StatusCode::OK, values))
    }

    async fn one_metadata(&self, name: &str) -> Result<Reply, Refusal> {
        let key = Key::new(Kind::PluginMetadata, name);
        match self.state.store.get(&key.to_string()).await? {
            Some(item) => Ok(Reply::json(StatusCode::OK, item.value)),
            None => {
                let message = format!("plugin metadata[{name}] not found");
                Ok(Reply::error(StatusCode::NOT_FOUND, message))
            }
        }
    }
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = api.control(&parts).await.unwrap_or_else(Reply::from);
    let server = api.state.options.server.clone();
    reply.with_header(header::SERVER, server).into_response()
}
