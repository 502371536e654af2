//! Templates as lua-resty-template writes them, as far as they are names: `{{name}}` escaped for HTML, `{*name*}` as it
//! stands, `{*_escape_json(name)*}` as JSON. Code is not run.

use serde_json::Value;

/// Why a template could not be filled in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RenderError {
    #[error("expression `{0}` is not a name; only names and _escape_json(name) are filled in")]
    Expression(String),
    #[error("code blocks are not run")]
    Code,
}

/// A template, cut into text and what is to be filled in.
#[derive(Debug)]
pub(super) struct PromptTemplate(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value { name: String, form: Form },
    Broken(String),
    Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Html,
    Raw,
    Json,
}

/// Openings, their ends, and what they are.
const TAGS: [(&str, &str); 4] = [("{{", "}}"), ("{*", "*}"), ("{%", "%}"), ("{#", "#}")];

impl PromptTemplate {
    /// Reads a template. An opening that is not closed is text.
    pub(super) fn parse(source: &str) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some((before, tag, inner, after)) = next_tag(rest) {
            text.push_str(before);
            rest = after;
            if tag == "{#" {
                continue;
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part(tag, inner.trim()));
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Self(parts)
    }

    /// Fills in members of `values`; what is not there leaves nothing.
    pub(super) fn render(&self, values: &Value) -> Result<String, RenderError> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Broken(expression) => return Err(RenderError::Expression(expression.clone())),
                Part::Code => return Err(RenderError::Code),
                Part::Value { name, form } => {
                    let value = look_up(values, name);
                    match form {
                        Form::Html => escape_html(&plain(value), &mut out),
                        Form::Raw => out.push_str(&plain(value)),
                        Form::Json => out.push_str(&value.unwrap_or(&Value::Null).to_string()),
                    }
                }
            }
        }
        Ok(out)
    }
}

/// The first tag that is closed: what stands before it, its opening, what is in it, and what follows.
fn next_tag(source: &str) -> Option<(&str, &'static str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = source[from..].find('{').map(|at| from + at) {
        let tag = TAGS.iter().find(|(open, _)| source[at..].starts_with(open));
        if let Some((open, close)) = tag
            && let Some(end) = source[at + 2..].find(close).map(|end| at + 2 + end)
        {
            return Some((&source[..at], open, &source[at + 2..end], &source[end + 2..]));
        }
        from = at + 1;
    }
    None
}

fn part(tag: &str, inner: &str) -> Part {
    let (name, form) = match (tag, inner.strip_prefix("_escape_json")) {
        ("{%", _) => return Part::Code,
        (_, Some(call)) => {
            let name = call
                .trim()
                .strip_prefix('(')
                .and_then(|call| call.strip_suffix(')'));
            (name.map(str::trim), Form::Json)
        }
        ("{{", None) => (Some(inner), Form::Html),
        (_, None) => (Some(inner), Form::Raw),
    };
    match name.filter(|name| is_name(name)) {
        Some(name) => Part::Value {
            name: name.to_owned(),
            form,
        },
        None => Part::Broken(inner.to_owned()),
    }
}

/// A name, or a path of names with dots.
fn is_name(text: &str) -> bool {
    text.split('.').all(|name| {
        let mut chars = name.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn look_up<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(values, |value, name| value.get(name))
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn escape_html(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '/' => out.push_str("&#47;"),
            // The template is JSON, in whose strings these cannot stand.
            '\\' => out.push_str("\\\\"),
            control @ '\0'..'\x20' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, values: &Value) -> Result<String, RenderError> {
        PromptTemplate::parse(source).render(values)
    }

    #[test]
    fn the_three_forms() {
        let values = json!({ "q": "a<b>&\"'/", "n": 3, "o": { "p": true } });
        assert_eq!(
            render("x {{q}} y", &values).unwrap(),
            "x a&lt;b&gt;&amp;&quot;&#39;&#47; y"
        );
        assert_eq!(
            render(r#"{"a":"{{q}}"}"#, &json!({ "q": "a\nb\\" })).unwrap(),
            r#"{"a":"a\u000ab\\"}"#
        );
        assert_eq!(render("{*q*}", &values).unwrap(), "a<b>&\"'/");
        assert_eq!(render("{*_escape_json(q)*}", &values).unwrap(), r#""a<b>&\"'/""#);
        assert_eq!(
            render("{{ n }}{{o.p}}{{nothing}}{#note#}.", &values).unwrap(),
            "3true."
        );
    }

    #[test]
    fn braces_of_json_are_text() {
        let source = r#"{"messages":[{"role":"user","content":"{{q}}"}]}"#;
        assert_eq!(
            render(source, &json!({ "q": "hi" })).unwrap(),
            r#"{"messages":[{"role":"user","content":"hi"}]}"#
        );
        assert_eq!(render("{{q", &json!({ "q": 1 })).unwrap(), "{{q");
    }

    #[test]
    fn nothing_is_run() {
        assert_eq!(render("{% os.exit() %}", &json!({})), Err(RenderError::Code));
        assert_eq!(
            render("{{os.exit()}}", &json!({})),
            Err(RenderError::Expression("os.exit()".to_owned()))
        );
    }
}
