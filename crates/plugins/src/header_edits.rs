//! Header changes as `proxy-rewrite` and `response-rewrite` write them: `{add, set, remove}`, or a plain map.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use sluice_core::CompileError;
use sluice_resource::{Template, Variables};

/// How the text of a value becomes a template.
pub(crate) type ParseValue = fn(&str) -> Template;

/// Compiled header changes. Applied in the order add, set, remove.
#[derive(Debug, Default)]
pub(crate) struct HeaderEdits {
    add: Vec<(HeaderName, Vec<Template>)>,
    set: Vec<(HeaderName, Vec<Template>)>,
    remove: Vec<HeaderName>,
}

impl HeaderEdits {
    /// `value` tells what stands in a value: variables, or variables and groups.
    pub(crate) fn compile(conf: Option<&Value>, value: ParseValue) -> Result<Self, CompileError> {
        let Some(conf) = conf.and_then(Value::as_object) else {
            return Ok(Self::default());
        };
        let pairs = |map: &Map<String, Value>| pairs(map, value);
        if let Some(map) = plain_map(conf) {
            return Ok(Self {
                set: pairs(map)?,
                ..Self::default()
            });
        }
        let add = match conf.get("add") {
            Some(Value::Object(map)) => pairs(map)?,
            Some(Value::Array(lines)) => lines
                .iter()
                .filter_map(Value::as_str)
                .map(|text| line(text, value))
                .collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        let set = conf
            .get("set")
            .and_then(Value::as_object)
            .map(pairs)
            .transpose()?
            .unwrap_or_default();
        let names = conf
            .get("remove")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        Ok(Self {
            add,
            set,
            remove: names.map(name).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.set.is_empty() && self.remove.is_empty()
    }

    /// The changes with variables resolved, so that they can be applied while the variables are borrowed mutably.
    pub(crate) fn resolve(&self, vars: &dyn Variables) -> ResolvedEdits<'_> {
        let value = |value: &Template| HeaderValue::from_str(&value.render(vars)).ok();
        let resolved = |list: &[(HeaderName, Vec<Template>)]| {
            list.iter()
                .map(|(name, values)| (name.clone(), values.iter().filter_map(value).collect()))
                .collect()
        };
        ResolvedEdits {
            add: resolved(&self.add),
            set: resolved(&self.set),
            remove: &self.remove,
        }
    }
}

/// See [`HeaderEdits::resolve`].
pub(crate) struct ResolvedEdits<'a> {
    add: Vec<(HeaderName, Vec<HeaderValue>)>,
    set: Vec<(HeaderName, Vec<HeaderValue>)>,
    remove: &'a [HeaderName],
}

impl ResolvedEdits<'_> {
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        let append = |headers: &mut HeaderMap, name: HeaderName, values: Vec<HeaderValue>| {
            for value in values {
                headers.append(name.clone(), value);
            }
        };
        for (name, values) in self.add {
            append(headers, name, values);
        }
        // A value that cannot be sent leaves the header as it is.
        for (name, values) in self.set.into_iter().filter(|(_, values)| !values.is_empty()) {
            headers.remove(&name);
            append(headers, name, values);
        }
        for name in self.remove {
            headers.remove(name);
        }
    }
}

/// The headers, if they are a plain map of what is set.
pub(crate) fn plain_map(headers: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let structured = headers.get("add").is_some_and(|v| v.is_object() || v.is_array())
        || headers.get("set").is_some_and(Value::is_object)
        || headers.get("remove").is_some_and(Value::is_array);
    (!structured).then_some(headers)
}

fn pairs(
    map: &Map<String, Value>,
    parse: ParseValue,
) -> Result<Vec<(HeaderName, Vec<Template>)>, CompileError> {
    map.iter()
        .map(|(key, value)| Ok((name(key)?, templates(value, parse))))
        .collect()
}

/// A value, or a list of them.
fn templates(value: &Value, parse: ParseValue) -> Vec<Template> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let items = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    items.iter().map(|item| parse(&text(item))).collect()
}

/// `Name: value`
fn line(line: &str, parse: ParseValue) -> Result<(HeaderName, Vec<Template>), CompileError> {
    let (key, value) = line
        .split_once(':')
        .ok_or_else(|| CompileError(format!("invalid header line {line:?}")))?;
    Ok((name(key.trim())?, vec![parse(value.trim())]))
}

fn name(text: &str) -> Result<HeaderName, CompileError> {
    text.parse()
        .map_err(|_| CompileError(format!("invalid header name {text:?}")))
}
