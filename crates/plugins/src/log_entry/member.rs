//! Members that the operator wrote: `log_format` and `log_format_extra`.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use sluice_core::Context;

use super::body::{self, BodyRule};
use super::shown;

/// Objects that may stand in one another, the outermost included.
const MAX_DEPTH: usize = 5;

/// The members of an object, in the order written.
#[derive(Default)]
pub(super) struct Members(Vec<(String, Member)>);

enum Member {
    /// As it stands.
    Literal(Value),
    /// `$name`.
    Variable(String),
    /// `$request_body`, for which the size limit holds.
    RequestBody,
    /// `$resp_body`, for loggers that collect it.
    ResponseBody,
    Object(Members),
}

/// What members are filled in from.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) cx: &'a Context,
    pub(super) request_body_max: usize,
    pub(super) response_body: &'a BodyRule,
}

impl Members {
    pub(super) fn compile(format: &Map<String, Value>) -> Self {
        Self::at_depth(format, 1)
    }

    fn at_depth(format: &Map<String, Value>, depth: usize) -> Self {
        let member = |value: &Value| match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some("request_body") => Member::RequestBody,
                Some("resp_body") => Member::ResponseBody,
                Some(name) => Member::Variable(name.to_owned()),
                None => Member::Literal(value.clone()),
            },
            Value::Object(_) if depth == MAX_DEPTH => {
                tracing::warn!(
                    max = MAX_DEPTH,
                    "log format is nested too deep, what lies deeper is left out"
                );
                Member::Object(Self::default())
            }
            Value::Object(inner) => Member::Object(Self::at_depth(inner, depth + 1)),
            other => Member::Literal(other.clone()),
        };
        Self(
            format
                .iter()
                .map(|(name, value)| (name.clone(), member(value)))
                .collect(),
        )
    }

    /// Adds members whose names are not there yet.
    pub(super) fn append(&mut self, more: Self) {
        for (name, member) in more.0 {
            if !self.0.iter().any(|(known, _)| *known == name) {
                self.0.push((name, member));
            }
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    pub(super) fn use_request_body(&self) -> bool {
        self.0.iter().any(|(_, member)| match member {
            Member::RequestBody => true,
            Member::Object(inner) => inner.use_request_body(),
            _ => false,
        })
    }

    pub(super) fn use_variable(&self, name: &str) -> bool {
        self.0.iter().any(|(_, member)| match member {
            Member::Variable(variable) => variable == name,
            Member::Object(inner) => inner.use_variable(name),
            _ => false,
        })
    }

    /// Writes the members that `keep` lets pass. Variables without a value are left out.
    pub(super) fn write<M: SerializeMap>(
        &self,
        map: &mut M,
        scope: Scope<'_>,
        keep: impl Fn(&str) -> bool,
    ) -> Result<(), M::Error> {
        for (name, member) in self.0.iter().filter(|(name, _)| keep(name)) {
            match member {
                Member::Literal(value) => map.serialize_entry(name, value)?,
                Member::Object(members) => map.serialize_entry(name, &Filled { members, scope })?,
                Member::Variable(variable) => entry(map, name, shown::variable(scope.cx, variable))?,
                Member::RequestBody => {
                    entry(map, name, body::request_text(scope.cx, scope.request_body_max))?
                }
                Member::ResponseBody => {
                    let rule = scope.response_body;
                    entry(
                        map,
                        name,
                        rule.holds(scope.cx)
                            .then(|| body::response_text(scope.cx, rule.max))
                            .flatten(),
                    )?;
                }
            }
        }
        Ok(())
    }
}

fn entry<M: SerializeMap>(map: &mut M, name: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, &value))
}

struct Filled<'a> {
    members: &'a Members,
    scope: Scope<'a>,
}

impl Serialize for Filled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.members.write(&mut map, self.scope, |_| true)?;
        map.end()
    }
}
