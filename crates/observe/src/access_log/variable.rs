//! The `$variables` of log formats, as a table.

use sluice_record::{AiRecord, Attempt, Cost, Record, Text};

use super::Value;
use crate::terms::{ended, ended_us, provenance, request_type, response_source};

/// A variable whose name has been looked up: reading it is one call.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    name: &'static str,
    read: for<'r> fn(&'r Record) -> Value<'r>,
}

impl Variable {
    /// The variable called `name` (without `$`), if the record has it.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        VARIABLES.iter().copied().find(|variable| variable.name == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its value in `record`.
    #[must_use]
    pub fn read<'r>(&self, record: &'r Record) -> Value<'r> {
        (self.read)(record)
    }
}

/// Value of the variable called `name` (without `$`); `None` when there is no such variable.
///
/// Looks the name up; what reads the same variable of many records finds the [`Variable`] once.
#[must_use]
pub fn var<'r>(record: &'r Record, name: &str) -> Option<Value<'r>> {
    Variable::find(name).map(|variable| variable.read(record))
}

const fn row(name: &'static str, read: for<'r> fn(&'r Record) -> Value<'r>) -> Variable {
    Variable { name, read }
}

/// Everything that a record can tell: nginx's variables, APISIX's, those of AI calls (compat §4.1.6), and our own.
const VARIABLES: &[Variable] = &[
    // nginx
    row("time_iso8601", |r| Value::Iso8601(ended_us(r))),
    row("time_local", |r| Value::CommonLog(ended_us(r))),
    row("msec", |r| {
        Value::Seconds(u64::try_from(ended_us(r)).unwrap_or(0))
    }),
    row("remote_addr", |r| Value::Ip(r.client_ip())),
    row("remote_port", |r| Value::Count(r.client.port().into())),
    row("remote_user", |_| Value::Absent),
    row("scheme", |r| Value::Text(r.scheme)),
    row("host", |r| Value::Text(&r.host)),
    row("http_host", |r| Value::Text(&r.host)),
    row("request", |r| Value::RequestLine(r)),
    row("request_method", |r| Value::Text(r.method.as_str())),
    row("request_uri", |r| Value::Text(&r.request_uri)),
    row("uri", |r| Value::Text(&r.uri)),
    row("args", query),
    row("query_string", query),
    row("server_protocol", |r| Value::Text(r.http_version)),
    row("status", |r| Value::Count(r.status.into())),
    row("request_length", |r| Value::Count(r.request_bytes)),
    row("bytes_sent", |r| Value::Count(r.response_bytes)),
    row("body_bytes_sent", |r| Value::Count(r.body_bytes)),
    row("request_time", |r| Value::Seconds(r.duration_us)),
    row("http_user_agent", |r| optional(r.user_agent.as_ref())),
    row("http_referer", |r| optional(r.referer.as_ref())),
    row("upstream_addr", |r| attempts(r, Value::AttemptAddrs)),
    row("upstream_status", |r| attempts(r, Value::AttemptStatuses)),
    row("upstream_response_time", |r| attempts(r, Value::AttemptTimes)),
    row("request_id", |r| Value::Id(r.id)),
    // APISIX
    row("route_id", |r| optional(r.route_id.as_ref())),
    row("route_name", |r| optional(r.route_name.as_ref())),
    row("service_id", |r| optional(r.service_id.as_ref())),
    row("service_name", |r| optional(r.service_name.as_ref())),
    row("matched_uri", |r| optional(r.matched_uri.as_ref())),
    row("matched_host", |r| optional(r.matched_host.as_ref())),
    row("consumer_name", |r| optional(r.consumer.as_ref())),
    row("consumer_group_id", |r| optional(r.consumer_group.as_ref())),
    row("balancer_ip", |r| optional(r.node.as_ref())),
    // AI calls, with the values that compat §4.1.6 gives to other requests
    row("request_type", |r| Value::Text(request_type(r))),
    row("request_llm_model", |r| {
        ai(r, Value::Text(""), |ai| Value::Text(&ai.model_asked))
    }),
    row("llm_model", |r| {
        ai(r, Value::Text(""), |ai| Value::Text(&ai.model_sent))
    }),
    row("llm_stream", |r| {
        ai(r, Value::Flag(false), |ai| Value::Flag(ai.stream))
    }),
    row("llm_tool_count", |r| ai_count(r, |ai| ai.tool_count.into())),
    row("llm_has_tool_calls", |r| {
        ai(r, Value::Flag(false), |ai| Value::Flag(ai.has_tool_calls))
    }),
    row("llm_end_user_id", |r| {
        ai(r, Value::Text(""), |ai| optional(ai.end_user.as_ref()))
    }),
    row("llm_time_to_first_token", |r| {
        ai_count(r, |ai| ai.ttft_us.unwrap_or(0) / 1000)
    }),
    row("apisix_upstream_response_time", |r| {
        Value::Count(r.upstream_us / 1000)
    }),
    row("llm_prompt_tokens", |r| ai_count(r, |ai| ai.counts.prompt)),
    row("llm_completion_tokens", |r| {
        ai_count(r, |ai| ai.counts.completion)
    }),
    row("llm_total_tokens", |r| ai_count(r, |ai| ai.counts.total)),
    row("llm_cache_read_input_tokens", |r| {
        ai_count(r, |ai| ai.counts.cache_read)
    }),
    row("llm_cache_creation_input_tokens", |r| {
        ai_count(r, |ai| ai.counts.cache_creation)
    }),
    row("llm_reasoning_tokens", |r| ai_count(r, |ai| ai.counts.reasoning)),
    // Nothing gives verdicts on content.
    row("llm_content_risk_level", |_| Value::Text("")),
    // our own
    row("credential_id", |r| optional(r.credential.as_ref())),
    row("response_source", |r| Value::Text(response_source(r.source))),
    row("ended", |r| Value::Text(ended(r.ended))),
    row("error", |r| r.error.map_or(Value::Absent, Value::Text)),
    row("llm_protocol", |r| {
        ai(r, Value::Absent, |ai| Value::Text(ai.protocol))
    }),
    row("llm_provider", |r| {
        ai(r, Value::Absent, |ai| Value::Text(ai.provider))
    }),
    row("llm_instance", |r| {
        ai(r, Value::Absent, |ai| Value::Text(&ai.instance))
    }),
    row("llm_answered_model", |r| {
        ai(r, Value::Absent, |ai| optional(ai.model_answered.as_ref()))
    }),
    row("llm_usage_provenance", |r| {
        ai(r, Value::Absent, |ai| Value::Text(provenance(ai.provenance)))
    }),
    row("llm_cost_micro_usd", |r| ai(r, Value::Absent, |ai| cost(ai.cost))),
    row("llm_routing", |r| {
        ai(r, Value::Absent, |ai| optional(ai.routing.as_ref()))
    }),
    row("ai_cache_status", |r| {
        r.cache
            .map_or(Value::Absent, |cache| Value::Text(cache.outcome.name()))
    }),
    row("ai_cache_layer", |r| {
        let layer = r.cache.and_then(|cache| cache.outcome.layer());
        layer.map_or(Value::Absent, Value::Text)
    }),
];

fn query(record: &Record) -> Value<'_> {
    record
        .request_uri
        .split_once('?')
        .map_or(Value::Absent, |(_, query)| Value::Text(query))
}

fn optional(text: Option<&Text>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Text(text))
}

fn attempts<'r>(record: &'r Record, value: fn(&'r [Attempt]) -> Value<'r>) -> Value<'r> {
    if record.attempts.is_empty() {
        Value::Absent
    } else {
        value(&record.attempts)
    }
}

fn ai<'r>(record: &'r Record, otherwise: Value<'r>, value: fn(&'r AiRecord) -> Value<'r>) -> Value<'r> {
    record.ai.as_deref().map_or(otherwise, value)
}

fn ai_count(record: &Record, count: fn(&AiRecord) -> u64) -> Value<'_> {
    Value::Count(record.ai.as_deref().map_or(0, count))
}

fn cost(cost: Cost) -> Value<'static> {
    match cost {
        Cost::Unpriced => Value::Absent,
        Cost::MicroUsd(micros) => Value::Amount(micros),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::access_log::Escape;
    use crate::testing::{ai_record, record};

    fn text(record: &Record, name: &str) -> String {
        let mut out = Vec::new();
        var(record, name).unwrap().write_text(Escape::Default, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = VARIABLES.iter().map(Variable::name).collect();
        assert_eq!(names.len(), VARIABLES.len());
    }

    #[test]
    fn other_requests_have_the_defaults_of_ai_variables() {
        let record = record();
        for (name, value) in [
            ("request_type", "traditional_http"),
            ("llm_model", "-"),
            ("llm_stream", "false"),
            ("llm_total_tokens", "0"),
            ("llm_time_to_first_token", "0"),
            ("llm_provider", "-"),
            ("upstream_addr", "-"),
            ("consumer_name", "-"),
        ] {
            assert_eq!(text(&record, name), value, "{name}");
        }
    }

    #[test]
    fn an_ai_request_tells_what_it_was() {
        let record = ai_record();
        for (name, value) in [
            ("time_iso8601", "2025-11-20T15:47:00+00:00"),
            ("msec", "1763653620.250"),
            ("remote_addr", "10.0.0.7"),
            ("args", "x=1"),
            ("request_time", "0.250"),
            ("upstream_status", "502, 200"),
            ("balancer_ip", "ai-proxy-openai"),
            ("request_type", "ai_stream"),
            ("request_llm_model", "gpt"),
            ("llm_model", "gpt-5"),
            ("llm_time_to_first_token", "50"),
            ("apisix_upstream_response_time", "240"),
            ("llm_prompt_tokens", "10"),
            ("llm_cost_micro_usd", "42"),
            ("llm_usage_provenance", "reported"),
        ] {
            assert_eq!(text(&record, name), value, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_none() {
        assert!(var(&record(), "http_x_secret").is_none());
    }
}
