//! The document of the API, made from the table of endpoints.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::call::ok;
use super::{ApiError, BASE, Call, Least, Route, route};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![route!(GET "/openapi.json", Anybody, "This document", get)]
}

async fn get(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    Ok(ok(&document(&api.state.options.version)))
}

/// OpenAPI 3.1.
pub(crate) fn document(version: &str) -> Value {
    let mut paths = Map::new();
    for route in super::routes() {
        let path = paths
            .entry(format!("{BASE}{}", route.path.replace("*}", "}")))
            .or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": version,
            "description": "The API of the dashboard. Sign in with POST /api/v1/session, or send a token: \
                            Authorization: Bearer …. Errors are {\"error\": {\"code\", \"message\", \"fields\"}}.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "sluice_session" },
            },
            "schemas": { "Error": error_schema() },
        },
    })
}

fn operation(route: &Route) -> Value {
    let names = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_end_matches('*'));
    let parameters: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut operation = json!({
        "summary": route.summary,
        "description": format!("Needs: {}.", needs(route.least)),
        "tags": [tag(route.path)],
        "parameters": parameters,
        "responses": {
            "2XX": { "description": "Done" },
            "default": {
                "description": "Refused",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            },
        },
    });
    if route.least != Least::Anybody {
        operation["security"] = json!([{ "token": [] }, { "session": [] }]);
    }
    if !route.method.is_safe() && route.method != http::Method::DELETE {
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
    }
    operation
}

fn tag(path: &str) -> &str {
    path.split(['/', '.']).nth(1).unwrap_or_default()
}

fn needs(least: Least) -> &'static str {
    match least {
        Least::Anybody => "nothing",
        Least::Holder => "a session of a client's key",
        Least::Viewer => "viewer, admin or owner",
        Least::Admin => "admin or owner",
        Least::Owner => "owner",
    }
}

fn error_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": text,
                "message": text,
                "fields": {
                    "type": "array",
                    "items": { "type": "object", "properties": { "field": text, "message": text } },
                },
                "current": {},
            },
        } },
    })
}
