//! Finding the route of a request.

use http::StatusCode;
use sluice_core::{Context, Failure, Lookup, MatchedRoute, ReadBodyError, Request, RouteRequest};
use sluice_llm::ErrorKind;
use sluice_record::Text;

/// How much of a body routes may look into (compat §2.4).
const MATCHED_BODY_MAX: u64 = 64 << 20;

/// The route of a request: a stored one, or a built-in one when no stored route has the path.
pub(crate) async fn find_route(cx: &mut Context) -> Result<Option<MatchedRoute>, Failure> {
    if cx.snapshot.matches_bodies {
        cx.request.body.read(MATCHED_BODY_MAX).await.map_err(unreadable)?;
    }
    let request = RouteRequest {
        path: &cx.request.path,
        host: host_as_sent(&cx.request),
        method: &cx.request.method,
        remote_addr: cx.request.peer.ip(),
        vars: &*cx,
    };
    let found = match cx.snapshot.router.find(&request) {
        Lookup::Found(found) => Some(found),
        Lookup::Refused => None,
        Lookup::None => match cx.snapshot.builtin.find(&request) {
            Lookup::Found(found) => Some(found),
            _ => None,
        },
    };
    Ok(found.map(|found| MatchedRoute {
        route: found.target.clone(),
        uri: found.uri.clone(),
        host: found.host.cloned(),
        params: found
            .params
            .iter()
            .map(|(name, value)| (Text::clone(name), (*value).to_owned()))
            .collect(),
    }))
}

/// With its port, in the case in which it was sent: patterns may name a port (compat §2.1).
fn host_as_sent(request: &Request) -> &str {
    let target = request.uri.authority().map(|authority| authority.as_str());
    target.or_else(|| request.header("host")).unwrap_or_default()
}

fn unreadable(error: ReadBodyError) -> Failure {
    let status = match error {
        ReadBodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Failure::new(
        status,
        ErrorKind::InvalidRequest,
        "unreadable_body",
        error.to_string(),
    )
}
