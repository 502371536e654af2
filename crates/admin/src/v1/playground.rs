//! The playground: calls through the real data path, as a client that is chosen.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};
use serde_json::{Value, json};

use super::{ApiError, Call, Route, clients, route};
use crate::api::Api;

/// Most bytes of the answer to a test.
const ANSWER_MAX: usize = 4 << 20;

/// Who the operator is, which is nothing to the data plane, and what concerns one connection only.
const NOT_RELAYED: [HeaderName; 19] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::HOST,
    header::ORIGIN,
    header::REFERER,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("apikey"),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/playground/{client}/{path*}", Admin, "A call of the data path as a client", relay),
        route!(POST "/playground/{client}/{path*}", Admin, "A call of the data path as a client", relay),
        route!(DELETE "/playground/{client}/{path*}", Admin, "A call of the data path as a client", relay),
        route!(POST "/clients/{id}/test", Admin, "Make a real call as this client", test),
    ]
}

/// What goes through of a message's headers.
fn relayed(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| {
        let name = *name;
        !NOT_RELAYED.contains(name) && !name.as_str().starts_with("sec-")
    });
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn relay(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let client = call.param("client").to_owned();
    clients::consumer(&api, &client).await?;
    // The path as it was sent: what is escaped in it stays so.
    let whole = call.parts.uri.path();
    let path = whole
        .split_once("/playground/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map(|(_, path)| path)
        .ok_or_else(|| ApiError::not_found("the path of a call is wanted"))?;
    let query = call.parts.uri.query().map(|query| format!("?{query}"));
    let target = format!("/{path}{}", query.unwrap_or_default());
    let body = std::mem::take(call.body.get_mut().unwrap_or_else(PoisonError::into_inner));
    let mut request = Request::new(body);
    *request.method_mut() = call.parts.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| ApiError::invalid("this is no path"))?;
    *request.headers_mut() = relayed(&call.parts.headers);
    let answer = sent(&api, &client, request).await?;
    let (mut parts, body) = answer.into_parts();
    parts.headers = relayed(&parts.headers);
    // What a provider says is shown by our page, never by the browser itself.
    parts.headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
    Ok(Response::from_parts(parts, body))
}

async fn sent(api: &Api, client: &str, request: Request<Body>) -> Result<Response, ApiError> {
    let answer = api.state.data_path.call(client, request).await;
    answer.map_err(ApiError::bad_gateway)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    model: Option<String>,
}

async fn test(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Test = call.json().await?;
    let client = call.param("id").to_owned();
    let item = clients::consumer(&api, &client).await?;
    let model = wanted.model.filter(|model| !model.is_empty());
    let model = model.or_else(|| {
        item.value["plugins"]["ai-models"]["default"]
            .as_str()
            .map(str::to_owned)
    });
    let mut body = json!({
        "messages": [{ "role": "user", "content": "ping" }],
        "max_tokens": 16,
    });
    if let Some(model) = &model {
        body["model"] = model.as_str().into();
    }
    let started = Instant::now();
    let answer = ask(&api, &client, Method::POST, "/v1/chat/completions", Some(&body)).await?;
    let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(super::call::ok(&shown(&answer, model, latency, &body)))
}

/// What a call came to.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    pub(super) body: Value,
}

/// Makes a call as a client, and reads the whole answer.
pub(super) async fn ask(
    api: &Api,
    client: &str,
    method: Method,
    path: &'static str,
    body: Option<&Value>,
) -> Result<Answered, ApiError> {
    let sent_body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let mut request = Request::new(sent_body);
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(path);
    if body.is_some() {
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    let answer = sent(api, client, request).await?;
    let status = answer.status().as_u16();
    let request_id = answer.headers().get("x-sluice-request-id");
    let request_id = request_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let bytes = axum::body::to_bytes(answer.into_body(), ANSWER_MAX)
        .await
        .map_err(|_| ApiError::bad_gateway("the answer broke off, or is too large"))?;
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
        Value::from(
            String::from_utf8_lossy(&bytes)
                .chars()
                .take(2000)
                .collect::<String>(),
        )
    });
    Ok(Answered {
        status,
        request_id,
        body,
    })
}

/// What an error answer says, in whichever shape.
pub(super) fn complaint(body: &Value) -> String {
    let places = ["/error/message", "/error_msg", "/message", "/error"];
    let found = places.iter().find_map(|place| body.pointer(place)?.as_str());
    found
        .or(body.as_str())
        .unwrap_or("the gateway refused the call")
        .to_owned()
}

fn shown(answer: &Answered, model: Option<String>, latency: u64, sent: &Value) -> Value {
    let ok = answer.status == 200 && answer.body["choices"].is_array();
    let usage = &answer.body["usage"];
    let tokens = usage["prompt_tokens"].as_u64().map(
        |input| json!({ "input": input, "output": usage["completion_tokens"].as_u64().unwrap_or_default() }),
    );
    json!({
        "ok": ok,
        "status": answer.status,
        "latency_ms": latency,
        "model": model,
        "answered_model": answer.body["model"].as_str(),
        "error_class": answer.body["error"]["code"].as_str().or(answer.body["error"]["type"].as_str()),
        "message": if ok { "the model answered".to_owned() } else { complaint(&answer.body) },
        "text": answer.body["choices"][0]["message"]["content"].as_str(),
        "tokens": tokens,
        "request_id": answer.request_id,
        "request": {
            "method": "POST",
            "url": "/v1/chat/completions",
            "headers": { "content-type": "application/json", "authorization": "Bearer ***" },
            "body": sent,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_the_operator_is_stays_here() {
        let mut headers = HeaderMap::new();
        for name in [
            "cookie",
            "authorization",
            "x-csrf-token",
            "x-api-key",
            "sec-fetch-site",
            "host",
        ] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        let kept = relayed(&headers);
        assert_eq!(
            kept.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["anthropic-version"]
        );
    }

    #[test]
    fn complaints_are_found_in_every_shape() {
        assert_eq!(complaint(&json!({ "error": { "message": "a" } })), "a");
        assert_eq!(complaint(&json!({ "error_msg": "b" })), "b");
        assert_eq!(complaint(&json!({ "error": "c" })), "c");
        assert_eq!(complaint(&json!("d")), "d");
        assert_eq!(complaint(&json!([])), "the gateway refused the call");
    }
}
