//! The one place where replies and failures become HTTP answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sluice_core::{Context, Failure, Profile, Reply, ReplyBody};
use sluice_llm::PublicError;
use sluice_net::Body;
use sluice_record::ResponseSource;

/// An answer on its way out, before plugins see its head.
pub(crate) struct Outgoing {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) source: ResponseSource,
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `X-APISIX-Upstream-Status`.
pub(crate) const UPSTREAM_STATUS: HeaderName = HeaderName::from_static("x-apisix-upstream-status");

/// Turns a reply into an answer (compat §0).
pub(crate) fn render(reply: Reply) -> Outgoing {
    let Reply {
        status,
        mut headers,
        body,
        source,
    } = reply;
    let (content_type, body) = match body {
        ReplyBody::Raw(body) => (None, body),
        ReplyBody::Text(text) => (Some(TEXT), chunked(Bytes::from(text.into_owned()))),
        ReplyBody::Json(value) => (Some(TEXT), chunked(Bytes::from(format!("{value}\n")))),
        ReplyBody::Page => match sluice_wire::html_page(status.as_u16()) {
            Some(page) => (Some(HTML), Body::from(page)),
            None => (None, Body::empty()),
        },
    };
    if let Some(content_type) = content_type {
        headers.entry(header::CONTENT_TYPE).or_insert(content_type);
    }
    Outgoing {
        status,
        headers,
        body,
        source,
    }
}

/// Turns a failure into an answer: as APISIX, or in the client's dialect.
pub(crate) fn render_failure(cx: &mut Context, failure: Failure) -> Outgoing {
    cx.answer.error = Some(failure.code);
    if failure.source.is_some() || failure.status().is_server_error() {
        tracing::warn!(id = format_args!("{:032x}", cx.id.0), path = %cx.request.path, "request failed: {failure}");
    }
    match cx.profile {
        Profile::Apisix => render(failure.reply),
        Profile::Native => {
            let mut error = PublicError::new(failure.kind, failure.message)
                .with_code(failure.code)
                .with_status(failure.reply.status);
            if let Some(param) = failure.param {
                error = error.with_param(param);
            }
            let dialect = cx.dialect();
            let body = error.body(dialect, Some(&format!("{:032x}", cx.id.0)));
            let mut headers = failure.reply.headers;
            headers.insert(header::CONTENT_TYPE, JSON);
            headers.extend(error.class_header(dialect));
            Outgoing {
                status: error.status(dialect),
                headers,
                body: Body::from(body),
                source: failure.reply.source,
            }
        }
    }
}

/// APISIX sends the bodies that it makes chunked.
fn chunked(bytes: Bytes) -> Body {
    Body::from(bytes).into_chunked()
}
