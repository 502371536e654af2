//! What loggers write of a request (compat §6.9): the default entry, or one of the operator's making.
//!
//! One difference to APISIX is deliberate: callers' keys are masked (DESIGN §8), in headers, query arguments and the
//! variables that show them.

mod body;
mod llm;
mod member;
mod original;
mod schema;
mod shown;
mod standard;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use sluice_core::{CompileEnv, CompileError, Context, Phase};
use sluice_net::Body;
use sluice_record::Record;

use self::body::BodyRule;
use self::llm::LlmMembers;
use self::member::{Members, Scope};
pub(crate) use self::schema::{check, metadata_properties, properties};

/// What a logger writes: compiled once with its plugin.
pub(crate) struct EntryFormat {
    /// Whether the default entry is written, before `members`.
    standard: bool,
    /// Whether the request is written as it came instead.
    original: bool,
    members: Members,
    request_body: BodyRule,
    response_body: BodyRule,
    /// `route_id` of requests without a route, if they get one.
    no_route: Option<&'static str>,
}

impl EntryFormat {
    /// Compiles the shared members of a logger's configuration; what the plugin says wins over its metadata.
    pub(crate) fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Self, CompileError> {
        let custom = format_of("log_format", conf, env);
        let extra = format_of("log_format_extra", conf, env);
        let standard = custom.is_none();
        let mut members = custom.map(Members::compile).unwrap_or_default();
        members.append(extra.map(Members::compile).unwrap_or_default());
        members.retain(|name| !["route_id", "service_id"].contains(&name));
        if standard {
            members.retain(|name| !standard::MEMBERS.contains(&name));
        }
        Ok(Self {
            standard,
            original: false,
            members,
            request_body: BodyRule::compile(conf, "req")?,
            response_body: BodyRule::compile(conf, "resp")?,
            no_route: None,
        })
    }

    /// Gives requests without a route this `route_id`.
    pub(crate) fn with_route_id_of_unmatched(mut self, id: &'static str) -> Self {
        self.no_route = Some(id);
        self
    }

    /// Writes requests as they came instead of entries (`meta_format: origin` of kafka-logger).
    pub(crate) fn of_request_as_it_came(mut self) -> Self {
        self.original = true;
        self.standard = false;
        self.members = Members::default();
        self
    }

    /// The phases that a logger with this format takes part in.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let mut phases = vec![Phase::Log];
        if self.reads_request_body() {
            phases.push(Phase::BeforeProxy);
        }
        if self.members.use_variable("llm_response_text") {
            phases.push(Phase::Access);
        }
        if self.standard {
            phases.push(Phase::ResponseHead);
        }
        if self.response_body.include {
            phases.push(Phase::ResponseBody);
        }
        phases
    }

    /// In the access phase, for formats that show what an AI answer says: has that kept before anybody is called.
    pub(crate) fn access(&self, cx: &mut Context) {
        cx.keeps_answer_text = true;
    }

    /// In the before-proxy phase: bodies that nobody has read so far are copied as they pass.
    pub(crate) fn before_proxy(&self, cx: &mut Context) {
        body::copy_request(cx, self.request_body.max);
    }

    /// In the response-head phase, which every answer goes through: has the headers kept for the log phase.
    pub(crate) fn response_head(&self, cx: &mut Context) {
        cx.keeps_answer_headers = true;
    }

    /// In the response-body phase.
    pub(crate) fn response_body(&self, cx: &mut Context, body: Body) -> Body {
        if self.response_body.holds(cx) {
            body::copy_response(cx, body, self.response_body.max)
        } else {
            body
        }
    }

    /// The entry of a finished request, ready to be serialised.
    pub(crate) fn entry<'a>(&'a self, cx: &'a Context, record: &'a Record) -> Entry<'a> {
        Entry {
            format: self,
            cx,
            record,
        }
    }

    /// The entry as one line of JSON. Nothing when it cannot be written, which says so in the log.
    pub(crate) fn line(&self, cx: &Context, record: &Record) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.entry(cx, record))
            .inspect_err(|error| tracing::error!(%error, "log entry could not be written"))
            .ok()
    }

    /// The request as it came, keys masked, if that is to be written.
    pub(crate) fn original(&self, cx: &Context) -> Option<String> {
        let rule = &self.request_body;
        self.original.then(|| original::text(cx, rule))
    }

    fn reads_request_body(&self) -> bool {
        if (self.standard || self.original) && self.request_body.include {
            return true;
        }
        self.members.use_request_body()
    }
}

/// A format of the plugin, else of its metadata. An empty one counts only on the plugin itself.
fn format_of<'a>(name: &str, conf: &'a Value, env: &CompileEnv<'a>) -> Option<&'a Map<String, Value>> {
    let own = conf.get(name).and_then(Value::as_object);
    own.or_else(|| {
        env.metadata?
            .get(name)?
            .as_object()
            .filter(|format| !format.is_empty())
    })
}

/// One log entry.
pub(crate) struct Entry<'a> {
    format: &'a EntryFormat,
    cx: &'a Context,
    record: &'a Record,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { format, cx, record } = *self;
        let mut map = serializer.serialize_map(None)?;
        let service_id = record.service_id.as_deref();
        let service_id = if format.standard {
            standard::write(&mut map, format, cx, record)?;
            let default = if record.route_id.is_some() {
                ""
            } else {
                &*record.host
            };
            Some(service_id.unwrap_or(default))
        } else {
            service_id
        };
        for (name, id) in [
            ("service_id", service_id),
            ("route_id", record.route_id.as_deref().or(format.no_route)),
        ] {
            if let Some(id) = id {
                map.serialize_entry(name, id)?;
            }
        }
        let llm = LlmMembers::of(cx);
        let scope = Scope {
            cx,
            request_body_max: format.request_body.max,
            response_body: &format.response_body,
        };
        format.members.write(&mut map, scope, |name| {
            llm.as_ref().is_none_or(|llm| !llm.writes(name))
        })?;
        if let Some(llm) = llm {
            llm.write(&mut map)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
