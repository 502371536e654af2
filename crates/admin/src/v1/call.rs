//! A call of an endpoint: who, with what.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_store::Role;

use super::{ApiError, Least};
use crate::auth::Caller;
use crate::body;
use crate::query::Query;

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// A member, a token's name, or the consumer of a holder.
    pub(crate) name: String,
    /// `None` for a holder.
    pub(crate) role: Option<Role>,
    /// The credential that a holder signed in with.
    pub(crate) credential: Option<String>,
    /// The session, if it is not a token.
    pub(crate) session: Option<u64>,
    /// Proves that a write comes from our own page.
    pub(crate) csrf: Option<String>,
    /// When the session is over, in unix milliseconds.
    pub(crate) expires_at: Option<u64>,
}

impl Signed {
    /// Whether that is enough for an endpoint.
    pub(crate) fn may(&self, least: Least) -> bool {
        match (least, self.role) {
            (Least::Anybody, _) | (Least::Holder, None) => true,
            (Least::Viewer, role) => role >= Some(Role::Viewer),
            (Least::Admin, role) => role >= Some(Role::Admin),
            (Least::Owner, role) => role >= Some(Role::Owner),
            (Least::Holder, Some(_)) => false,
        }
    }

    /// `owner`, `admin`, `viewer` or `holder`.
    pub(crate) fn role_name(&self) -> &'static str {
        self.role.map_or("holder", Role::as_str)
    }
}

/// A call of an endpoint.
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) query: Query,
    /// In a lock so that calls can be shared; nobody waits for it.
    pub(crate) body: Mutex<Body>,
    /// What stands for the names in the path.
    pub(crate) params: Vec<(&'static str, String)>,
    pub(crate) signed: Option<Signed>,
    pub(crate) peer: Option<IpAddr>,
}

impl Call {
    /// What stands for a name in the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Who calls. Endpoints for anybody have to expect nobody.
    pub(crate) fn signed(&self) -> Result<&Signed, ApiError> {
        self.signed
            .as_ref()
            .ok_or_else(|| ApiError::not_signed_in("sign in first"))
    }

    /// Who calls, as the Admin API and the audit log know callers.
    pub(crate) fn caller(&self) -> Result<Caller, ApiError> {
        let signed = self.signed()?;
        Ok(Caller::new(
            signed.name.clone(),
            signed.role.unwrap_or(Role::Viewer),
            self.peer,
        ))
    }

    /// Takes the body. Unknown members are refused by types that say so, with their place.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, ApiError> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let bytes = body::read(std::mem::take(body)).await?;
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let message = without_place(&error.into_inner().to_string());
            let field = match (path.as_str(), named(&message)) {
                (".", None) => return ApiError::invalid(message),
                (".", Some(name)) => name.to_owned(),
                // The path of what is not known ends with its name already.
                (path, Some(name)) if !path.ends_with(name) => format!("{path}.{name}"),
                _ => path,
            };
            ApiError::field(field, message)
        })?;
        deserializer
            .end()
            .map_err(|error| ApiError::invalid(without_place(&error.to_string())))?;
        Ok(value)
    }

    /// An unsigned number of the query.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.query.get(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::field(name, "a whole number is wanted")),
        }
    }

    /// A text of the query; an empty one is none.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.query
            .get(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    /// `limit` of the query within its bounds.
    pub(crate) fn limit(&self) -> Result<u32, ApiError> {
        let limit = self.number("limit")?.unwrap_or(50).clamp(1, 500);
        Ok(u32::try_from(limit).unwrap_or(500))
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }
}

/// What serde says, without its line and column: forms are no files.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// The member that serde says is missing or not known.
fn named(message: &str) -> Option<&str> {
    let name = message
        .strip_prefix("missing field `")
        .or_else(|| message.strip_prefix("unknown field `"))?;
    Some(name.split_once('`')?.0)
}

/// 200 with JSON.
pub(crate) fn ok(value: &Value) -> Response {
    json_response(StatusCode::OK, value)
}

/// 201 with JSON.
pub(crate) fn created(value: &Value) -> Response {
    json_response(StatusCode::CREATED, value)
}

/// 204.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A download that no spreadsheet takes for a page.
pub(crate) fn csv(name: &str, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    );
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
