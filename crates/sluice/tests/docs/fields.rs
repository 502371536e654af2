//! The fields of a plugin's schema, as tables show them.

use serde_json::Value;

use crate::markdown;

/// A field of a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) kind: String,
    /// `None` where there is none, or where it depends on other fields.
    pub(crate) default: Option<String>,
    pub(crate) values: String,
}

/// The fields that a schema names, at any depth, each before those inside it: `a.b` inside an object, `a[].b` inside the
/// items of an array. An upstream inside a plugin has the fields of the resource, which are not listed.
pub(crate) fn of(schema: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    let upstream = sluice_resource::upstream_schema().unwrap();
    collect(schema, "", &upstream, &mut rows);
    rows
}

fn collect(schema: &Value, path: &str, upstream: &Value, rows: &mut Vec<Row>) {
    let required = |name: &str| items(schema, "required").any(|known| known == name);
    let members = schema.get("properties").and_then(Value::as_object);
    for (name, member) in members.into_iter().flatten().filter(|(name, _)| *name != "_meta") {
        let path = match path {
            "" => name.clone(),
            outer => format!("{outer}.{name}"),
        };
        let default = member.get("default").map(|default| shown(member, default));
        // Branches of a schema may name a field again.
        match rows.iter_mut().find(|row| row.path == path) {
            Some(known) if known.default != default => known.default = None,
            Some(_) => {}
            None => rows.push(Row {
                kind: kinds(member).join(" or "),
                values: values(member, required(name), member == upstream),
                path: path.clone(),
                default,
            }),
        }
        if member != upstream {
            collect(member, &path, upstream, rows);
        }
    }
    if let Some(inner) = schema.get("items") {
        collect(inner, &format!("{path}[]"), upstream, rows);
    }
    let conditional = ["then", "else"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword));
    for branch in branches(schema).chain(conditional) {
        collect(branch, path, upstream, rows);
    }
}

/// A default as tables show it. The schema endpoints print an empty list as `{}` (compat §1.8); readers see `[]`.
fn shown(member: &Value, default: &Value) -> String {
    let is_list = member.get("type").is_some_and(|kind| kind == "array");
    match default {
        Value::Object(members) if is_list && members.is_empty() => "[]".to_owned(),
        _ => markdown::shown(default),
    }
}

fn items<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = &'a Value> {
    schema
        .get(keyword)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .flat_map(|keyword| items(schema, keyword))
}

fn kinds(schema: &Value) -> Vec<String> {
    let named = match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ if items(schema, "enum").any(Value::is_string) => vec!["string".to_owned()],
        _ => branches(schema).flat_map(kinds).collect(),
    };
    let mut kinds: Vec<String> = Vec::new();
    for kind in named {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        kinds.push("any".to_owned());
    }
    kinds
}

fn values(schema: &Value, required: bool, is_upstream: bool) -> String {
    let mut said = Vec::new();
    if required {
        said.push("required".to_owned());
    }
    if is_upstream {
        said.push("the fields of an upstream".to_owned());
    } else {
        said.extend(constraints(schema));
    }
    if said.is_empty() {
        return "-".to_owned();
    }
    said.join("; ")
}

fn constraints(schema: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let names: Vec<_> = items(schema, "enum")
        .map(|value| markdown::as_code(&markdown::shown(value)))
        .collect();
    if !names.is_empty() {
        said.push(names.join(", "));
    }
    said.extend(schema.get("format").and_then(Value::as_str).map(str::to_owned));
    let number = |keyword: &str| schema.get(keyword).filter(|value| value.is_number());
    said.extend(range(number("minimum"), number("maximum"), ""));
    said.extend(number("exclusiveMinimum").map(|bound| format!("more than {bound}")));
    said.extend(range(number("minLength"), number("maxLength"), "character"));
    said.extend(range(number("minItems"), number("maxItems"), "item"));
    said.extend(range(number("minProperties"), number("maxProperties"), "member"));
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
        said.push("no duplicates".to_owned());
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        said.push(markdown::as_code(pattern));
    }
    if let Some(inner) = schema.get("items") {
        let inner = constraints(inner);
        if !inner.is_empty() {
            said.push(format!("items: {}", inner.join(", ")));
        }
    }
    for found in branches(schema).flat_map(constraints) {
        if !said.contains(&found) {
            said.push(found);
        }
    }
    said
}

/// Bounds in words; no length is below 0.
fn range(least: Option<&Value>, most: Option<&Value>, unit: &str) -> Option<String> {
    let least = least.filter(|least| unit.is_empty() || least.as_u64() != Some(0));
    let (bound, last) = match (least, most) {
        (Some(least), Some(most)) => (format!("{least} to {most}"), most),
        (Some(least), None) => (format!("at least {least}"), least),
        (None, Some(most)) => (format!("at most {most}"), most),
        (None, None) => return None,
    };
    let plural = if last.as_u64() == Some(1) { "" } else { "s" };
    Some(match unit {
        "" => bound,
        unit => format!("{bound} {unit}{plural}"),
    })
}
