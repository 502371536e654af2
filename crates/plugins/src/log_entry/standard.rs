//! The default entry.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use sluice_core::{Context, MASK};
use sluice_record::Record;
use smallvec::SmallVec;

use super::{EntryFormat, body};

/// The names that it uses, those of ids apart.
pub(super) const MEMBERS: [&str; 10] = [
    "request",
    "response",
    "server",
    "upstream",
    "consumer",
    "client_ip",
    "start_time",
    "latency",
    "upstream_latency",
    "apisix_latency",
];

/// Writes the default entry but for `service_id` and `route_id`.
pub(super) fn write<M: SerializeMap>(
    map: &mut M,
    format: &EntryFormat,
    cx: &Context,
    record: &Record,
) -> Result<(), M::Error> {
    map.serialize_entry("request", &request(format, cx, record))?;
    map.serialize_entry("response", &response(format, cx, record))?;
    let server = Server {
        hostname: &cx.services.hostname,
        version: env!("CARGO_PKG_VERSION"),
    };
    map.serialize_entry("server", &server)?;
    if !record.attempts.is_empty() {
        let addrs: Vec<&str> = record.attempts.iter().map(|attempt| &*attempt.addr).collect();
        map.serialize_entry("upstream", &addrs.join(", "))?;
    }
    if let Some(username) = record.consumer.as_deref() {
        map.serialize_entry("consumer", &Consumer { username })?;
    }
    let client_ip: IpAddr = record.client_ip().to_canonical();
    map.serialize_entry("client_ip", &client_ip)?;
    map.serialize_entry("start_time", &(record.started_us / 1000))?;
    map.serialize_entry("latency", &millis(record.duration_us))?;
    if !record.attempts.is_empty() {
        map.serialize_entry("upstream_latency", &millis(record.upstream_us))?;
    }
    map.serialize_entry(
        "apisix_latency",
        &millis(record.duration_us.saturating_sub(record.upstream_us)),
    )
}

#[derive(Serialize)]
struct Request<'a> {
    url: String,
    uri: Cow<'a, str>,
    method: &'a str,
    headers: Headers<'a>,
    querystring: Map<String, Value>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Response<'a> {
    status: u16,
    headers: Headers<'a>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize)]
struct Server<'a> {
    hostname: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Consumer<'a> {
    username: &'a str,
}

fn request<'a>(format: &EntryFormat, cx: &'a Context, record: &'a Record) -> Request<'a> {
    let uri = cx.logged_uri();
    let rule = &format.request_body;
    Request {
        url: format!(
            "{}://{}:{}{uri}",
            record.scheme,
            record.host,
            cx.request.local.port()
        ),
        uri,
        method: record.method.as_str(),
        headers: Headers {
            map: Some(&cx.request.headers),
            mask: Some(cx),
        },
        querystring: querystring(cx),
        size: record.request_bytes,
        body: rule.holds(cx).then(|| body::request_text(cx, rule.max)).flatten(),
    }
}

fn response<'a>(format: &EntryFormat, cx: &'a Context, record: &Record) -> Response<'a> {
    let rule = &format.response_body;
    Response {
        status: record.status,
        headers: Headers {
            map: cx.answer.headers.as_ref(),
            mask: None,
        },
        size: record.response_bytes,
        body: rule
            .holds(cx)
            .then(|| body::response_text(cx, rule.max))
            .flatten(),
    }
}

/// The query's arguments: one without `=` is `true`, one that stands several times an array.
fn querystring(cx: &Context) -> Map<String, Value> {
    let mut arguments = Map::new();
    for (name, value) in cx.request.query_args() {
        let value = match value {
            Some(_) if cx.hides_argument(&name) => Value::from(MASK),
            Some(value) => Value::from(value),
            None => Value::Bool(true),
        };
        match arguments.get_mut(&name) {
            None => drop(arguments.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    arguments
}

/// Headers by lower-case name: a text, or several.
struct Headers<'a> {
    /// Absent when there never was a head.
    map: Option<&'a HeaderMap>,
    /// The request whose keys are masked.
    mask: Option<&'a Context>,
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let named = self
            .map
            .into_iter()
            .flat_map(|map| map.keys().map(move |name| (name, map.get_all(name))));
        for (name, values) in named {
            let values: SmallVec<[_; 1]> = values.iter().map(text).collect();
            match &values[..] {
                _ if self.mask.is_some_and(|cx| cx.hides_header(name.as_str())) => {
                    map.serialize_entry(name.as_str(), MASK)?;
                }
                [value] if name == header::REFERER => {
                    let shown = self.mask.map(|cx| cx.masked_url(value));
                    map.serialize_entry(name.as_str(), shown.as_ref().unwrap_or(value))?;
                }
                [value] => map.serialize_entry(name.as_str(), value)?,
                values => map.serialize_entry(name.as_str(), values)?,
            }
        }
        map.end()
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// Milliseconds, with a fraction.
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
