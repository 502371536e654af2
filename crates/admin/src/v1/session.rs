//! Signing in and out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sluice_store::NewSession;

use super::call::{Signed, no_content, ok};
use super::{ApiError, Call, Route, password, route, setup};
use crate::api::Api;

/// The cookie that holds a session's secret.
const COOKIE: &str = "sluice_session";

/// Longest life of a session, in milliseconds: a week.
const LIFE: u64 = 7 * 24 * 3600 * 1000;

/// How long a session lives that nobody uses, in milliseconds: twelve hours.
const IDLE: u64 = 12 * 3600 * 1000;

/// How exactly the latest use is kept, in milliseconds.
const MINUTE: u64 = 60_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/session", Anybody, "Who is signed in", get),
        route!(POST "/session", Anybody, "Sign in with a name and password, or with a client's key", sign_in),
        route!(DELETE "/session", Anybody, "Sign out", sign_out),
        route!(POST "/session/password", Viewer, "Change one's own password", change_password),
    ]
}

/// Unix milliseconds.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A secret of 256 random bits.
pub(super) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

pub(super) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Made from the session's secret, so that it needs no place of its own.
fn csrf(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&format!("csrf {secret}")))
}

/// Who calls: by a token, else by a session. A wrong token is an error, an old cookie is nobody.
pub(super) async fn signed(
    api: &Api,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<Signed>, ApiError> {
    if let Some(token) = bearer(headers) {
        return api.auth.signed(&api.state.database, token, peer).await.map(Some);
    }
    let Some(secret) = cookie(headers) else {
        return Ok(None);
    };
    let sessions = api.state.database.sessions();
    let now = now();
    let Some(session) = sessions.find(&digest(secret), now).await? else {
        return Ok(None);
    };
    if now.saturating_sub(session.seen_at) > IDLE {
        sessions.end(session.id).await?;
        return Ok(None);
    }
    let role = match session.holder {
        true => None,
        // A member that was removed is nobody at once.
        false => match api.state.database.admin_users().get(&session.name).await? {
            Some(user) => Some(user.role),
            None => return Ok(None),
        },
    };
    if now.saturating_sub(session.seen_at) > MINUTE {
        sessions.seen(session.id, now).await?;
    }
    Ok(Some(Signed {
        name: session.name,
        role,
        credential: session.credential,
        session: Some(session.id),
        csrf: Some(csrf(secret)),
        expires_at: Some(session.expires_at),
    }))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    Ok(ok(&shown(&api, call.signed.as_ref()).await?))
}

/// What the page needs to know of who looks at it.
async fn shown(api: &Api, signed: Option<&Signed>) -> Result<Value, ApiError> {
    let state = match signed {
        Some(_) => "signed_in",
        None if setup::is_open(api).await? => "setup",
        None => "anonymous",
    };
    Ok(json!({
        "state": state,
        "name": signed.map(|signed| &signed.name),
        "role": signed.map(Signed::role_name),
        "csrf": signed.and_then(|signed| signed.csrf.as_ref()),
        "expires_at": signed.and_then(|signed| signed.expires_at),
        "version": api.state.options.version,
        "commit": api.state.options.commit,
        "demo": api.state.options.demo,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: Option<String>,
    password: Option<String>,
    key: Option<String>,
}

async fn sign_in(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: SignIn = call.json().await?;
    if let Some(seconds) = call.peer.and_then(|peer| api.auth.backoff.blocked(peer)) {
        return Err(ApiError::too_many(seconds));
    }
    match wanted {
        SignIn {
            name: Some(name),
            password: Some(password),
            key: None,
        } => {
            let user = api.state.database.admin_users().get(&name).await?;
            let hash = user.map(|user| user.password_hash);
            if !password::verified(password, hash).await {
                return Err(refused(&api, call.peer, "the name or the password is wrong"));
            }
            api.state.database.admin_users().signed_in(&name).await?;
            begin(&api, &call, &name, None).await
        }
        SignIn {
            key: Some(key),
            name: None,
            password: None,
        } => match api.state.keys.holder(&key) {
            Some(holder) => begin(&api, &call, &holder.consumer, Some(holder.credential)).await,
            None => Err(refused(&api, call.peer, "this key is not known")),
        },
        _ => Err(ApiError::invalid("send a name and a password, or a key")),
    }
}

fn refused(api: &Api, peer: Option<IpAddr>, message: &str) -> ApiError {
    if let Some(peer) = peer {
        api.auth.backoff.failed(peer);
    }
    ApiError::not_signed_in(message)
}

/// Begins a session: of a member, or with `holder` of whoever has that credential.
pub(super) async fn begin(
    api: &Api,
    call: &Call,
    name: &str,
    holder: Option<Option<String>>,
) -> Result<Response, ApiError> {
    let secret = secret();
    let at = now();
    let peer = call.peer.map(|peer| peer.to_string());
    let agent = call
        .headers()
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    let agent = agent.map(|agent| agent.chars().take(200).collect::<String>());
    let new = NewSession {
        digest: digest(&secret),
        name,
        holder: holder.is_some(),
        credential: holder.as_ref().and_then(|credential| credential.as_deref()),
        at,
        expires_at: at + LIFE,
        peer: peer.as_deref(),
        agent: agent.as_deref(),
    };
    api.state.database.sessions().begin(new).await?;
    let role = match holder {
        Some(_) => None,
        None => api
            .state
            .database
            .admin_users()
            .get(name)
            .await?
            .map(|user| user.role),
    };
    let signed = Signed {
        name: name.to_owned(),
        role,
        credential: holder.flatten(),
        session: None,
        csrf: Some(csrf(&secret)),
        expires_at: Some(at + LIFE),
    };
    let mut response = ok(&shown(api, Some(&signed)).await?);
    set_cookie(api, &mut response, &secret, LIFE / 1000);
    Ok(response)
}

async fn sign_out(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    if let Some(session) = call.signed.as_ref().and_then(|signed| signed.session) {
        api.state.database.sessions().end(session).await?;
    }
    let mut response = no_content();
    set_cookie(&api, &mut response, "", 0);
    Ok(response)
}

fn set_cookie(api: &Api, response: &mut Response, secret: &str, seconds: u64) {
    let secure = if api.state.options.secure_cookies {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    current: String,
    password: String,
}

async fn change_password(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: ChangePassword = call.json().await?;
    let signed = call.signed()?.clone();
    let users = api.state.database.admin_users();
    let Some(user) = users
        .get(&signed.name)
        .await?
        .filter(|_| signed.session.is_some())
    else {
        return Err(ApiError::forbidden("tokens have no password"));
    };
    if let Some(seconds) = call.peer.and_then(|peer| api.auth.backoff.blocked(peer)) {
        return Err(ApiError::too_many(seconds));
    }
    if !password::verified(wanted.current, Some(user.password_hash)).await {
        refused(&api, call.peer, "");
        return Err(ApiError::field("current", "this is not your password"));
    }
    let hash = password::hashed("password", wanted.password).await?;
    users.set_password(&signed.name, &hash).await?;
    api.state
        .database
        .sessions()
        .end_all(&signed.name, signed.session)
        .await?;
    super::audit::note(
        &api,
        &call,
        "password",
        format!("/admin_users/{}", signed.name),
        json!([]),
    )
    .await?;
    Ok(no_content())
}
