//! Headers of calls to providers (compat §4.1.4; native: allow-lists per provider).

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sluice_core::{Context, Profile};
use sluice_llm::{AnthropicToChat, Carriage, Operation};

use crate::target::Target;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Headers that never travel: they belong to the client's connection or body.
fn stays_behind(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::HOST
            | header::CONTENT_LENGTH
            | header::ACCEPT_ENCODING
            | header::CONNECTION
            | header::TRANSFER_ENCODING
            | header::TE
            | header::TRAILER
            | header::UPGRADE
            | header::EXPECT
            | header::CONTENT_TYPE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// The headers of a call.
pub(crate) fn for_provider(cx: &Context, target: &Target, carriage: &Carriage) -> HeaderMap {
    let client = &cx.request.headers;
    let mut headers = HeaderMap::with_capacity(client.len() + target.auth_headers.len() + 4);
    for (name, value) in client {
        let travels = match cx.profile {
            Profile::Apisix => !stays_behind(name),
            Profile::Native => target.provider.takes_header(name.as_str()) && !stays_behind(name),
        };
        if travels {
            headers.append(name, value.clone());
        }
    }
    match cx.profile {
        Profile::Apisix => set_forwarded(cx, &mut headers),
        Profile::Native => {
            for (name, value) in target.provider.fixed_headers() {
                headers
                    .entry(HeaderName::from_static(name))
                    .or_insert(HeaderValue::from_static(value));
            }
        }
    }
    if let Carriage::AnthropicToChat(_) = carriage {
        AnthropicToChat::convert_headers(&mut headers);
    }
    let auth = match cx.profile {
        Profile::Apisix => &target.auth_headers,
        Profile::Native => &target.native_auth_headers,
    };
    for (name, value) in auth {
        headers.insert(name, value.clone());
    }
    let body = cx.request.body.bytes();
    if is_relayed(cx) {
        let content_type = client.get(header::CONTENT_TYPE);
        if let Some(content_type) = content_type.filter(|_| body.is_some_and(|body| !body.is_empty())) {
            headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
    } else if *carriage != Carriage::Passthrough || body.is_some() {
        headers.insert(header::CONTENT_TYPE, JSON);
    }
    headers
}

/// Whether the body goes out as the client's media type says.
fn is_relayed(cx: &Context) -> bool {
    let ai = cx.ai.as_deref();
    cx.profile == Profile::Native
        && ai.is_some_and(|ai| ai.request.is_none() && ai.protocol.operation() == Operation::Relay)
}

/// What the gateway tells about the client's connection.
fn set_forwarded(cx: &Context, headers: &mut HeaderMap) {
    let host = HeaderValue::from_str(&cx.request.host);
    headers.insert(
        HeaderName::from_static("x-forwarded-proto"),
        HeaderValue::from_static(cx.request.scheme),
    );
    headers.insert(
        HeaderName::from_static("x-forwarded-port"),
        HeaderValue::from(cx.request.local.port()),
    );
    if let Ok(host) = host {
        headers.insert(HeaderName::from_static("x-forwarded-host"), host);
    }
}

/// The headers of a provider's answer that the client gets: its content type, on native routes also what the
/// provider's allow-list names.
pub(crate) fn for_client(profile: Profile, target: &Target, answer: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = answer.get(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, content_type.clone());
    }
    if profile == Profile::Native {
        for (name, value) in answer {
            if target.provider.returns_header(name.as_str()) && *name != header::CONTENT_TYPE {
                headers.append(name, value.clone());
            }
        }
    }
    headers
}

/// Tells the client which members of its request the provider did not get.
pub(crate) fn name_dropped(names: &[Cow<'static, str>], headers: &mut HeaderMap) {
    if names.is_empty() {
        return;
    }
    // Names may come from the client's body.
    let printable = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '_' };
    let list: Vec<String> = names
        .iter()
        .map(|name| name.chars().take(64).map(printable).collect())
        .collect();
    if let Ok(value) = HeaderValue::from_str(&list.join(", ")) {
        headers.insert(HeaderName::from_static("x-sluice-dropped"), value);
    }
}
