//! Labels that the operator adds: `metrics.<name>.extra_labels` (compat §7).

use sluice_record::Record;

use super::names::cut;
use crate::access_log::{AskedVariables, Escape, LogVariable, Value};

/// Families that take extra labels.
pub(super) const FAMILIES: [&str; 8] = [
    "http_status",
    "http_latency",
    "bandwidth",
    "llm_latency",
    "llm_prompt_tokens",
    "llm_completion_tokens",
    "llm_prompt_tokens_dist",
    "llm_completion_tokens_dist",
];

/// A label whose value is a variable.
#[derive(Clone, Debug)]
pub struct ExtraLabel {
    /// Name of the label.
    pub(super) name: String,
    variable: LogVariable,
}

impl ExtraLabel {
    /// The label `name` with the value of `variable`, whose leading `$` may be missing. What records do not have of
    /// themselves is added to `asked`.
    #[must_use]
    pub fn new(name: &str, variable: &str, asked: &mut AskedVariables) -> Self {
        let variable = variable.strip_prefix('$').unwrap_or(variable);
        Self {
            name: name.to_owned(),
            variable: LogVariable::find(variable, asked),
        }
    }

    /// Its value, cut like the names of models: it may be what a client says.
    pub(super) fn value(&self, record: &Record) -> String {
        match self.variable.read(record) {
            Value::Absent => String::new(),
            value => {
                let mut text = Vec::new();
                value.write_text(Escape::None, &mut text);
                cut(&String::from_utf8_lossy(&text)).to_owned()
            }
        }
    }
}

/// Values of all extra labels of all families, for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum ExtraValues<'v> {
    /// Those values.
    Known(&'v [String]),
    /// Any, past the budget of labels.
    Overflow,
    /// There are none.
    #[default]
    None,
}
