//! Who calls (compat §1.1).

mod backoff;
mod keys;

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use sluice_store::{Database, Role};

pub(crate) use self::backoff::Backoff;
pub use self::keys::{ConfiguredKey, is_published_key};
use self::keys::{Digest, digest, published_role};
use crate::query::Query;
use crate::reply::Reply;
use crate::v1::{ApiError, Signed};
use crate::{AdminOptions, allow};

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    name: String,
    role: Role,
    peer: Option<IpAddr>,
}

/// Checks keys.
pub(crate) struct Auth {
    required: bool,
    keys: Vec<ConfiguredKey>,
    allow_published: bool,
    pub(crate) backoff: Backoff,
}

impl Caller {
    /// Somebody who has shown who they are elsewhere.
    pub(crate) fn new(name: String, role: Role, peer: Option<IpAddr>) -> Self {
        Self { name, role, peer }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

impl Auth {
    pub(crate) fn new(options: &AdminOptions) -> Self {
        Self {
            required: options.key_required,
            keys: options.keys.clone(),
            allow_published: options.allow_default_key,
            backoff: Backoff::default(),
        }
    }

    /// The caller of a request, or the reply that sends it away.
    ///
    /// Without any key, in configuration or store, nobody gets in; APISIX would let everybody in then.
    pub(crate) async fn check(
        &self,
        database: &Database,
        request: &Parts,
        query: &Query,
    ) -> Result<Caller, Reply> {
        let peer = allow::peer(&request.extensions);
        if !self.required {
            return Ok(Caller {
                name: "anybody".to_owned(),
                role: Role::Admin,
                peer,
            });
        }
        if let Some(seconds) = peer.and_then(|peer| self.backoff.blocked(peer)) {
            return Err(too_many(seconds));
        }
        let Some(key) = presented(&request.headers, query) else {
            return Err(denied("missing apikey"));
        };
        let Some((name, role)) = self.find(database, &key).await? else {
            if let Some(peer) = peer {
                self.backoff.failed(peer);
            }
            return Err(denied("wrong apikey"));
        };
        if role == Role::Viewer && request.method != Method::GET {
            return Err(denied("invalid method for role viewer"));
        }
        Ok(Caller { name, role, peer })
    }

    /// Whose a token of `/api/v1` is.
    pub(crate) async fn signed(
        &self,
        database: &Database,
        token: &str,
        peer: Option<IpAddr>,
    ) -> Result<Signed, ApiError> {
        if let Some(seconds) = peer.and_then(|peer| self.backoff.blocked(peer)) {
            return Err(ApiError::too_many(seconds));
        }
        match self.find(database, token).await {
            Ok(Some((name, role))) => Ok(Signed {
                name,
                role: Some(role),
                credential: None,
                session: None,
                csrf: None,
                expires_at: None,
            }),
            Ok(None) => {
                if let Some(peer) = peer {
                    self.backoff.failed(peer);
                }
                Err(ApiError::not_signed_in("this token is not known"))
            }
            Err(_) => Err(ApiError::unavailable("tokens cannot be read at the moment")),
        }
    }

    async fn find(&self, database: &Database, key: &str) -> Result<Option<(String, Role)>, Reply> {
        if let Some(role) = published_role(key) {
            let caller = || ("the published key".to_owned(), role);
            return Ok(self.allow_published.then(caller));
        }
        let digest = digest(key);
        if let Some((name, role)) = self.configured(&digest) {
            return Ok(Some((format!("configured key {name}"), role)));
        }
        match database.admin_keys().find(&digest).await {
            Ok(found) => Ok(found.map(|key| (format!("key {} {}", key.id, key.name), key.role))),
            Err(error) => {
                tracing::error!(%error, "admin keys cannot be read");
                Err(Reply::error(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
            }
        }
    }

    fn configured(&self, digest: &Digest) -> Option<(&str, Role)> {
        let found = self.keys.iter().find(|key| key.is(digest))?;
        Some((found.name(), found.role()))
    }
}

/// The key of a request; the first place that has one counts, even if it is empty.
fn presented(headers: &HeaderMap, query: &Query) -> Option<String> {
    if let Some(key) = query.get("api_key") {
        return Some(key.to_owned());
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    if let Some(key) = headers.get("x-api-key") {
        return Some(text(key));
    }
    let mut cookies = headers.get_all(header::COOKIE).iter().map(text);
    cookies.find_map(|cookies| {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(name, _)| *name == "x_api_key")
            .map(|(_, value)| value.to_owned())
    })
}

fn denied(description: &str) -> Reply {
    let body = json!({"error_msg": "failed to check token", "description": description});
    Reply::json(StatusCode::UNAUTHORIZED, body)
}

fn too_many(seconds: u64) -> Reply {
    let body = json!({
        "error_msg": "too many wrong keys",
        "description": format!("try again in {seconds} seconds"),
    });
    Reply::json(StatusCode::TOO_MANY_REQUESTS, body).with_header(header::RETRY_AFTER, seconds.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_first_place_counts() {
        let all = headers(&[("x-api-key", "header"), ("cookie", "x_api_key=cookie")]);
        let found = |headers: &HeaderMap, query: &str| presented(headers, &Query::parse(query));
        assert_eq!(found(&all, "api_key=query").as_deref(), Some("query"));
        assert_eq!(found(&all, "x=1").as_deref(), Some("header"));
        assert_eq!(found(&all, "api_key").as_deref(), Some(""));
        let cookies = headers(&[("cookie", "a=b; x_api_key=c=d "), ("cookie", "x_api_key=e")]);
        assert_eq!(found(&cookies, "").as_deref(), Some("c=d"));
        assert_eq!(found(&headers(&[("cookie", "x_api_keys=1; y")]), ""), None);
    }
}
