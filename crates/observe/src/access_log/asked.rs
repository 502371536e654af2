//! Variables that no record has unless somebody asks.

use sluice_record::{Record, Text};

use super::{Value, Variable};

/// The names of variables that records carry because formats or metrics ask for them, in the order of
/// [`Record::asked`].
#[derive(Clone, Debug, Default)]
pub struct AskedVariables(Vec<Text>);

impl AskedVariables {
    /// The names.
    #[must_use]
    pub fn names(&self) -> &[Text] {
        &self.0
    }

    /// The place of a variable, which gets one if it has none.
    fn place(&mut self, name: &str) -> usize {
        let known = self.0.iter().position(|asked| **asked == *name);
        known.unwrap_or_else(|| {
            self.0.push(Text::from(name));
            self.0.len() - 1
        })
    }
}

/// A variable whose name has been looked up, wherever records have it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogVariable {
    /// In every record.
    Recorded(Variable),
    /// Because it was asked for.
    Asked(usize),
}

impl LogVariable {
    /// The variable called `name` (without `$`). What records do not have of themselves is asked for.
    pub(crate) fn find(name: &str, asked: &mut AskedVariables) -> Self {
        Variable::find(name).map_or_else(|| Self::Asked(asked.place(name)), Self::Recorded)
    }

    pub(crate) fn read<'r>(&self, record: &'r Record) -> Value<'r> {
        match self {
            Self::Recorded(variable) => variable.read(record),
            Self::Asked(place) => match record.asked.get(*place) {
                Some(Some(value)) => Value::Text(value),
                _ => Value::Absent,
            },
        }
    }
}
