//! Limits and windows: a number, or text that is resolved per request.

use std::num::NonZeroU64;

use serde_json::Value;
use sluice_core::Context;
use sluice_resource::Template;

/// A positive integer, or a template that gives one.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    Fixed(NonZeroU64),
    PerRequest(Template),
}

impl Number {
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_u64().and_then(NonZeroU64::new).map(Self::Fixed),
            Value::String(text) => Some(Self::PerRequest(Template::parse(text))),
            _ => None,
        }
    }

    /// The number, when it is the same for all requests.
    pub(crate) fn fixed(&self) -> Option<u64> {
        match self {
            Self::Fixed(number) => Some(number.get()),
            Self::PerRequest(_) => None,
        }
    }

    /// The number for this request; `None` when the text gives no positive integer.
    pub(crate) fn resolve(&self, cx: &Context) -> Option<u64> {
        match self {
            Self::Fixed(number) => Some(number.get()),
            Self::PerRequest(template) => template
                .render(cx)
                .trim()
                .parse()
                .ok()
                .filter(|number| *number > 0),
        }
    }
}
