//! `key` and `key_type` of the limit plugins: what is counted apart (compat §6.3, §6.4).

use std::borrow::Cow;

use serde_json::Value;
use sluice_core::Context;
use sluice_resource::{Template, Variables};

/// What a limit counts apart.
#[derive(Clone, Debug)]
pub(crate) enum LimitKey {
    Variable(Box<str>),
    Combination(Template),
    Constant(Box<str>),
}

impl LimitKey {
    /// `key` of a configuration that holds its schema.
    pub(crate) fn parse(conf: &Value) -> Self {
        let text = |name: &str| conf.get(name).and_then(Value::as_str);
        let key = text("key").unwrap_or_default();
        match text("key_type") {
            Some("var_combination") => Self::Combination(Template::parse(key)),
            Some("constant") => Self::Constant(key.into()),
            _ => Self::Variable(key.into()),
        }
    }

    /// The text that is counted; without a value, the client's address.
    pub(crate) fn value<'a>(&'a self, cx: &'a Context) -> Cow<'a, str> {
        let value = match self {
            Self::Constant(text) => return Cow::Borrowed(text),
            Self::Variable(name) => cx.get(name),
            Self::Combination(template) => {
                let rendered = template.render_counted(cx);
                (rendered.resolved > 0).then_some(rendered.text)
            }
        };
        value
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| Cow::Owned(cx.request.peer.ip().to_string()))
    }
}
