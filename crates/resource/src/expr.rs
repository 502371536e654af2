//! Expressions over the variables of a request: `vars`, `_meta.filter`, `match` (compat §2.4).

mod operator;
mod parse;
mod pattern;
mod variables;

use std::sync::Arc;

use serde_json::Value;

use self::operator::Test;
pub use self::variables::Variables;

/// A compiled expression: parsed once, evaluated per request without allocating.
///
/// Clones share the compiled form.
///
/// ```
/// # use std::borrow::Cow;
/// use sluice_resource::{Expr, Variables};
///
/// struct Request;
/// impl Variables for Request {
///     fn get(&self, name: &str) -> Option<Cow<'_, str>> {
///         (name == "arg_age").then_some(Cow::Borrowed("21"))
///     }
/// }
///
/// let expr = Expr::parse(&serde_json::json!([["arg_age", ">=", 18], ["arg_name", "==", null]]))?;
/// assert!(expr.eval(&Request));
/// # Ok::<(), sluice_resource::ExprError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Expr(Arc<Node>);

impl Expr {
    /// Compiles an expression as it stands in a resource. `[]` is always true.
    ///
    /// # Errors
    ///
    /// When the shape, an operator, a pattern or an address is wrong; the texts are those of compat §1.7.
    pub fn parse(value: &Value) -> Result<Self, ExprError> {
        parse::expression(value).map(|root| Self(Arc::new(root)))
    }

    /// Whether the expression holds for these variables.
    pub fn eval(&self, vars: &dyn Variables) -> bool {
        self.0.eval(vars)
    }

    /// Whether some condition is about a variable that `is` accepts: tells what must be at hand before
    /// [`Expr::eval`], for example the body for `post_arg.model`.
    pub fn uses(&self, is: impl Fn(&str) -> bool) -> bool {
        self.0.uses(&is)
    }
}

/// Why an expression is refused. `Display` is the text that APISIX answers with (compat §1.7), but for
/// [`ExprError::InvalidPattern`]: APISIX takes such a pattern and never matches it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// A condition, or the whole expression, is not an array.
    #[error("rule should be wrapped inside brackets")]
    NotWrapped,
    /// A condition with less than two elements, or a logic form with less than two operands.
    #[error("rule too short")]
    TooShort,
    /// A four-element condition whose second element is not `!`, or a `!` with no operator after it.
    #[error("bad 'not' expression")]
    BadNot,
    /// More than four elements, a variable or operator that is no string, or an operand of the wrong type.
    #[error("invalid expression")]
    Invalid,
    /// No such operator.
    #[error("invalid operator '{0}'")]
    InvalidOperator(String),
    /// An operand of `ipmatch` is neither an address nor a network.
    #[error("invalid ip address: {0}")]
    InvalidAddress(String),
    /// An operand of `~~` or `~*` is no regular expression.
    #[error("invalid regular expression '{pattern}': {reason}")]
    InvalidPattern {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Debug)]
enum Node {
    Condition {
        variable: Box<str>,
        negated: bool,
        test: Test,
    },
    Group {
        logic: Logic,
        negated: bool,
        operands: Box<[Node]>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Logic {
    All,
    Any,
}

impl Node {
    fn eval(&self, vars: &dyn Variables) -> bool {
        match self {
            Self::Condition {
                variable,
                negated,
                test,
            } => test.holds(variable, vars) != *negated,
            Self::Group {
                logic,
                negated,
                operands,
            } => {
                let holds = match logic {
                    Logic::All => operands.iter().all(|operand| operand.eval(vars)),
                    Logic::Any => operands.iter().any(|operand| operand.eval(vars)),
                };
                holds != *negated
            }
        }
    }

    fn uses(&self, is: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Condition { variable, .. } => is(variable),
            Self::Group { operands, .. } => operands.iter().any(|operand| operand.uses(is)),
        }
    }
}

#[cfg(test)]
mod tests;
