//! Where expressions and templates read from.

use std::borrow::Cow;

use serde_json::Value;

/// The variables of a request, by name (compat §2.4, "Variables usable anywhere").
pub trait Variables {
    /// The value as text, or `None` when the variable is unknown or has no value.
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The typed value of a variable that is more than text: an array, number or boolean of a body.
    ///
    /// `None` for variables that are text by nature. An implementation that answers here also answers
    /// [`Variables::get`] for everything that has a text form.
    fn get_json(&self, _name: &str) -> Option<Value> {
        None
    }
}
