//! The variables of a request (compat §2.4, §4.1.6).

mod graphql;
mod json_path;
mod multipart;
mod post_arg;

use std::borrow::Cow;

use serde_json::Value;
use sluice_resource::{Expr, Variables};

use crate::context::Context;

impl Variables for Context {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(header) = name.strip_prefix("http_") {
            return header_variable(self, header);
        }
        if let Some(arg) = name.strip_prefix("arg_") {
            return self.request.query_arg(arg).map(Cow::Owned);
        }
        if let Some(cookie) = name.strip_prefix("cookie_") {
            return self.request.cookie(cookie).map(Cow::Borrowed);
        }
        if let Some(param) = name.strip_prefix("uri_param_") {
            let params = &self.route.as_ref()?.params;
            return params
                .iter()
                .find(|(key, _)| &**key == param)
                .map(|(_, value)| Cow::Borrowed(value.as_str()));
        }
        if let Some(path) = name.strip_prefix("post_arg.") {
            return post_arg::text(&self.request, path);
        }
        if let Some(field) = name.strip_prefix("post_arg_") {
            return post_arg::form_argument(&self.request, field);
        }
        if let Some(part) = name.strip_prefix("graphql_") {
            return graphql::text(&self.request, part).map(Cow::Owned);
        }
        request_variable(self, name)
            .or_else(|| matched_variable(self, name))
            .or_else(|| answer_variable(self, name))
            .or_else(|| llm_variable(self, name))
    }

    fn get_json(&self, name: &str) -> Option<Value> {
        if name == "graphql_root_fields" {
            return graphql::root_fields(&self.request);
        }
        post_arg::json(&self.request, name.strip_prefix("post_arg.")?)
    }
}

/// Most bytes of a body that variables look into (compat §2.4).
pub(crate) const BODY_MAX: u64 = 64 << 20;

/// Whether evaluating the expression needs the request's body.
pub(crate) fn look_into_body(expr: &Expr) -> bool {
    expr.uses(|name| name.starts_with("post_arg") || name.starts_with("graphql_"))
}

/// Whether a name is that of a variable: for warnings, since an unknown one is merely empty.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    const OPEN: [&str; 7] = [
        "http_",
        "arg_",
        "cookie_",
        "uri_param_",
        "post_arg.",
        "post_arg_",
        "llm_",
    ];
    OPEN.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// Names of the variables that are not open-ended.
const NAMES: &[&str] = &[
    "uri",
    "request_uri",
    "real_request_uri",
    "args",
    "query_string",
    "is_args",
    "scheme",
    "host",
    "hostname",
    "server_name",
    "server_addr",
    "server_port",
    "server_protocol",
    "remote_addr",
    "realip_remote_addr",
    "remote_port",
    "request_method",
    "method",
    "request",
    "request_length",
    "content_length",
    "content_type",
    "request_body",
    "request_id",
    "apisix_request_id",
    "time_iso8601",
    "msec",
    "route_id",
    "route_name",
    "service_id",
    "service_name",
    "matched_uri",
    "matched_host",
    "consumer_name",
    "consumer_group_id",
    "credential_id",
    "jwt_auth_payload",
    "status",
    "bytes_sent",
    "body_bytes_sent",
    "request_time",
    "upstream_addr",
    "upstream_status",
    "upstream_response_time",
    "upstream_unresolved_host",
    "upstream_host",
    "upstream_scheme",
    "upstream_uri",
    "balancer_ip",
    "balancer_port",
    "rate_limiting_info",
    "graphql_operation",
    "graphql_name",
    "graphql_root_fields",
    "request_type",
    "request_llm_model",
    "apisix_upstream_response_time",
];

fn header_variable<'a>(cx: &'a Context, name: &str) -> Option<Cow<'a, str>> {
    if name.contains('_') {
        cx.request.header(&name.replace('_', "-")).map(Cow::Borrowed)
    } else {
        cx.request.header(name).map(Cow::Borrowed)
    }
}

fn request_variable<'a>(cx: &'a Context, name: &str) -> Option<Cow<'a, str>> {
    let request = &cx.request;
    let text: Cow<'_, str> = match name {
        "uri" => Cow::Borrowed(&*request.path),
        // As the client asked: edits of the query do not show.
        "request_uri" => match request.uri.query() {
            Some(query) => Cow::Owned(format!("{}?{query}", request.path)),
            None => Cow::Borrowed(&*request.path),
        },
        "real_request_uri" => Cow::Borrowed(request.uri.path_and_query()?.as_str()),
        "args" | "query_string" => Cow::Borrowed(request.query.as_deref()?),
        "is_args" => Cow::Borrowed(if request.query.is_some() { "?" } else { "" }),
        "scheme" => Cow::Borrowed(request.scheme),
        "host" => Cow::Borrowed(&*request.host),
        "hostname" => Cow::Borrowed(&*cx.services.hostname),
        "server_name" => Cow::Borrowed("_"),
        "server_addr" => Cow::Owned(request.local.ip().to_string()),
        "server_port" => Cow::Owned(request.local.port().to_string()),
        "server_protocol" => Cow::Borrowed(version_name(request.version)),
        "remote_addr" | "realip_remote_addr" => Cow::Owned(request.peer.ip().to_string()),
        "remote_port" => Cow::Owned(request.peer.port().to_string()),
        "request_method" | "method" => Cow::Borrowed(request.method.as_str()),
        "request" => {
            let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
            Cow::Owned(format!(
                "{} {target} {}",
                request.method,
                version_name(request.version)
            ))
        }
        "request_length" => {
            let body = request.body.bytes().map_or(0, |bytes| bytes.len() as u64);
            Cow::Owned((request.head_bytes + body).to_string())
        }
        "content_length" => Cow::Borrowed(request.header("content-length")?),
        "content_type" => Cow::Borrowed(request.header("content-type")?),
        "request_body" => String::from_utf8_lossy(request.body.bytes()?),
        "request_id" => Cow::Owned(format!("{:032x}", cx.id.0)),
        "apisix_request_id" => match &cx.request_id {
            Some(id) => Cow::Borrowed(&**id),
            None => Cow::Owned(format!("{:032x}", cx.id.0)),
        },
        "time_iso8601" => Cow::Owned(iso8601(now_us(cx))),
        "msec" => Cow::Owned(format!("{:.3}", now_us(cx) as f64 / 1e6)),
        _ => return None,
    };
    Some(text)
}

fn matched_variable<'a>(cx: &'a Context, name: &str) -> Option<Cow<'a, str>> {
    let matched = cx.route.as_ref();
    let service = matched.and_then(|m| m.route.service.as_ref());
    let text: Cow<'_, str> = match name {
        "route_id" => Cow::Borrowed(&*matched?.route.id),
        "route_name" => Cow::Borrowed(matched?.route.name.as_deref()?),
        "service_id" => Cow::Borrowed(&*service?.id),
        "service_name" => Cow::Borrowed(service?.name.as_deref()?),
        "matched_uri" => Cow::Borrowed(&*matched?.uri),
        "matched_host" => Cow::Borrowed(matched?.host.as_deref()?),
        "consumer_name" => Cow::Borrowed(&**cx.consumer_name()?),
        "consumer_group_id" => Cow::Borrowed(cx.caller.as_ref()?.consumer.group_id.as_deref()?),
        "jwt_auth_payload" => Cow::Owned(serde_json::to_string(cx.jwt_auth_payload.as_ref()?).ok()?),
        "credential_id" => Cow::Borrowed(cx.caller.as_ref()?.credential.as_deref()?),
        _ => return None,
    };
    Some(text)
}

fn answer_variable<'a>(cx: &'a Context, name: &str) -> Option<Cow<'a, str>> {
    let answer = &cx.answer;
    let attempts = &cx.attempts;
    let text: Cow<'_, str> = match name {
        "status" if answer.status != 0 => Cow::Owned(answer.status.to_string()),
        "bytes_sent" => Cow::Owned((answer.head_bytes + answer.body_bytes).to_string()),
        "body_bytes_sent" => Cow::Owned(answer.body_bytes.to_string()),
        "request_time" => Cow::Owned(format!("{:.3}", cx.elapsed_seconds())),
        "upstream_addr" => join(attempts.iter().map(|a| a.addr.to_string()))?,
        "upstream_status" => join(attempts.iter().map(|a| a.status.to_string()))?,
        "upstream_response_time" => upstream_response_time(cx)?,
        // Without an AI call it is what nginx measured.
        "apisix_upstream_response_time" if cx.ai.is_none() => upstream_response_time(cx)?,
        "upstream_unresolved_host" => Cow::Borrowed(
            attempts
                .last()?
                .addr
                .rsplit_once(':')
                .map_or("", |(host, _)| host),
        ),
        "upstream_host" => upstream_host(cx)?,
        "upstream_scheme" => Cow::Borrowed(cx.upstream_call.as_ref()?.origin.config().scheme.as_str()),
        "upstream_uri" => upstream_uri(cx)?,
        "balancer_ip" => Cow::Borrowed(cx.node.as_deref()?),
        "balancer_port" => Cow::Borrowed(attempts.last()?.addr.rsplit_once(':')?.1),
        "rate_limiting_info" => {
            let info = cx.rate_limit.as_ref()?;
            let json = serde_json::json!({
                "rate_limiting_key": info.key, "rate_limiting_limit": info.limit,
                "rate_limiting_remaining": info.remaining, "rate_limiting_reset": info.reset,
            });
            Cow::Owned(json.to_string())
        }
        _ => return None,
    };
    Some(text)
}

/// `Host` as the upstream was sent it; of an LLM endpoint its host alone.
fn upstream_host(cx: &Context) -> Option<Cow<'_, str>> {
    let call = cx.upstream_call.as_ref()?;
    Some(match &call.host {
        Some(host) => String::from_utf8_lossy(host.as_bytes()),
        None => Cow::Borrowed(&*call.origin.config().host),
    })
}

/// Path and query as the upstream was sent them; of an LLM endpoint the path alone, since its query may hold our key.
fn upstream_uri(cx: &Context) -> Option<Cow<'_, str>> {
    let target = &cx.upstream_call.as_ref()?.target;
    Some(Cow::Borrowed(if cx.ai.is_some() {
        target.path()
    } else {
        target.as_str()
    }))
}

fn llm_variable<'a>(cx: &'a Context, name: &str) -> Option<Cow<'a, str>> {
    if !(name.starts_with("llm_") || name.starts_with("request_") || name == "apisix_upstream_response_time")
    {
        return None;
    }
    let Some(ai) = cx.ai.as_deref() else {
        return default_llm_variable(name).map(Cow::Borrowed);
    };
    let text: Cow<'_, str> = match name {
        "request_type" => Cow::Borrowed(if ai.stream { "ai_stream" } else { "ai_chat" }),
        "request_llm_model" => Cow::Borrowed(&*ai.model_asked),
        "llm_model" => Cow::Borrowed(ai.model_sent.as_deref().unwrap_or_default()),
        "llm_stream" => Cow::Borrowed(if ai.stream { "true" } else { "false" }),
        "llm_tool_count" => Cow::Owned(ai.tool_count.to_string()),
        "llm_end_user_id" => Cow::Borrowed(ai.end_user.as_deref().unwrap_or_default()),
        "llm_request_body" => String::from_utf8_lossy(ai.request.as_ref()?.bytes()),
        _ => {
            return ai
                .progress
                .read(|state| progress_variable(cx, state, name))
                .map(Cow::Owned);
        }
    };
    Some(text)
}

fn progress_variable(cx: &Context, state: &crate::ai::ProgressState, name: &str) -> Option<String> {
    let since_start =
        |at: Option<std::time::Instant>| at.map_or(0, |at| at.duration_since(cx.started).as_millis());
    Some(match name {
        "llm_time_to_first_token" => since_start(state.first_token).to_string(),
        "apisix_upstream_response_time" => since_start(state.finished).to_string(),
        "llm_prompt_tokens" => state.counts.prompt.to_string(),
        "llm_completion_tokens" => state.counts.completion.to_string(),
        "llm_total_tokens" => state.counts.total.to_string(),
        "llm_cache_read_input_tokens" => state.counts.cache_read.to_string(),
        "llm_cache_creation_input_tokens" => state.counts.cache_creation.to_string(),
        "llm_reasoning_tokens" => state.counts.reasoning.to_string(),
        "llm_has_tool_calls" => state.has_tool_calls.to_string(),
        "llm_content_risk_level" => state.risk_level.as_deref().unwrap_or_default().to_owned(),
        "llm_response_text" => state.response_text.clone()?,
        _ => return None,
    })
}

/// What the variables say for requests that are no AI calls.
fn default_llm_variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "request_type" => "traditional_http",
        "llm_stream" | "llm_has_tool_calls" => "false",
        "request_llm_model" | "llm_model" | "llm_end_user_id" | "llm_content_risk_level" => "",
        "llm_tool_count"
        | "llm_time_to_first_token"
        | "llm_prompt_tokens"
        | "llm_completion_tokens"
        | "llm_total_tokens"
        | "llm_cache_read_input_tokens"
        | "llm_cache_creation_input_tokens"
        | "llm_reasoning_tokens" => "0",
        _ => return None,
    })
}

fn upstream_response_time(cx: &Context) -> Option<Cow<'static, str>> {
    join(
        cx.attempts
            .iter()
            .map(|attempt| format!("{:.3}", attempt.elapsed().as_secs_f64())),
    )
}

fn join(parts: impl Iterator<Item = String>) -> Option<Cow<'static, str>> {
    let joined = parts.collect::<Vec<_>>().join(", ");
    (!joined.is_empty()).then_some(Cow::Owned(joined))
}

/// The protocol version as a request line writes it.
#[must_use]
pub fn version_name(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "HTTP/0.9",
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Microseconds since the Unix epoch, by the clock that the request goes by.
fn now_us(cx: &Context) -> i64 {
    cx.started_us
        .saturating_add(i64::try_from(cx.started.elapsed().as_micros()).unwrap_or(i64::MAX))
}

fn iso8601(unix_us: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(unix_us / 1_000_000)
        .ok()
        .and_then(|at| {
            at.format(time::macros::format_description!(
                "[year]-[month]-[day]T[hour]:[minute]:[second]+00:00"
            ))
            .ok()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
