//! `cost_expr`: arithmetic over the members of a usage object (compat §4.4).
//!
//! The grammar is the arithmetic of Lua: numbers, names, `+ - * / % ^`, parentheses, and calls of the functions of
//! `math`, of which `abs ceil floor max min` may stand alone. A name is a numeric top-level member of the usage
//! object; a missing one is 0. There are no loops, and both length and nesting are bounded, so every cost is worked
//! out in a few microseconds.

use serde_json::Value;

/// A parsed cost expression.
#[derive(Debug)]
pub(crate) struct CostExpr(Node);

#[derive(Debug)]
enum Node {
    Number(f64),
    Field(String),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

/// As in Lua, a function needs its arguments and ignores what is given beside them.
#[derive(Clone, Copy, Debug)]
enum Function {
    One(fn(f64) -> f64),
    Two(fn(f64, f64) -> f64),
    /// Of one and more.
    Many(fn(f64, f64) -> f64),
}

impl Function {
    fn find(name: &str) -> Option<Self> {
        let in_math = name.strip_prefix("math.");
        Some(match in_math.unwrap_or(name) {
            "abs" => Self::One(f64::abs),
            "ceil" => Self::One(f64::ceil),
            "floor" => Self::One(f64::floor),
            "max" => Self::Many(f64::max),
            "min" => Self::Many(f64::min),
            _ => return Self::of_math(in_math?),
        })
    }

    /// What does not stand alone.
    fn of_math(name: &str) -> Option<Self> {
        Some(match name {
            "sqrt" => Self::One(f64::sqrt),
            "exp" => Self::One(f64::exp),
            "log" => Self::One(f64::ln),
            "log10" => Self::One(f64::log10),
            "pow" => Self::Two(f64::powf),
            "fmod" => Self::Two(|a, b| a % b),
            "sin" => Self::One(f64::sin),
            "cos" => Self::One(f64::cos),
            "tan" => Self::One(f64::tan),
            "asin" => Self::One(f64::asin),
            "acos" => Self::One(f64::acos),
            "atan" => Self::One(f64::atan),
            "atan2" => Self::Two(f64::atan2),
            "sinh" => Self::One(f64::sinh),
            "cosh" => Self::One(f64::cosh),
            "tanh" => Self::One(f64::tanh),
            "deg" => Self::One(f64::to_degrees),
            "rad" => Self::One(f64::to_radians),
            _ => return None,
        })
    }

    fn arity(self) -> usize {
        match self {
            Self::One(_) | Self::Many(_) => 1,
            Self::Two(_) => 2,
        }
    }

    fn call(self, mut values: impl Iterator<Item = f64>) -> f64 {
        let first = values.next().unwrap_or(f64::NAN);
        match self {
            Self::One(function) => function(first),
            Self::Two(function) => function(first, values.next().unwrap_or(f64::NAN)),
            Self::Many(function) => values.fold(first, function),
        }
    }
}

/// Nesting beyond this is no cost formula.
const DEPTH_MAX: usize = 64;

/// Nor is what is longer.
const TOKENS_MAX: usize = 512;

impl CostExpr {
    /// Parses an expression.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut parser = Parser {
            tokens: tokenize(source)?,
            at: 0,
            depth: 0,
        };
        let node = parser.expression(0)?;
        match parser.tokens.get(parser.at) {
            None => Ok(Self(node)),
            Some(token) => Err(format!("unexpected {token} after the expression")),
        }
    }

    /// The cost of a usage object: negatives become 0, halves are rounded up.
    pub(crate) fn cost(&self, usage: &Value) -> Result<u64, String> {
        let value = self.0.evaluate(usage);
        if !value.is_finite() {
            return Err("the result is not a finite number".to_owned());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is not negative"
        )]
        Ok((value.max(0.0) + 0.5).floor() as u64)
    }
}

impl Node {
    fn evaluate(&self, usage: &Value) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Field(name) => usage.get(name).and_then(Value::as_f64).unwrap_or(0.0),
            Self::Negate(inner) => -inner.evaluate(usage),
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.evaluate(usage), right.evaluate(usage));
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                    // Lua's remainder takes the sign of the divisor.
                    Operator::Modulo => left - (left / right).floor() * right,
                    Operator::Power => left.powf(right),
                }
            }
            Self::Call(function, arguments) => {
                function.call(arguments.iter().map(|argument| argument.evaluate(usage)))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Operator(Operator),
    Open,
    Close,
    Comma,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Operator(operator) => write!(f, "{operator:?}"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
        }
    }
}

fn tokenize(source: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        if tokens.len() == TOKENS_MAX {
            return Err("the expression is too long".to_owned());
        }
        let length = match first {
            c if c.is_ascii_digit() || c == '.' => number_length(rest),
            c if is_word(c) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (text, after) = rest.split_at(length);
        tokens.push(match first {
            '+' => Token::Operator(Operator::Add),
            '-' => Token::Operator(Operator::Subtract),
            '*' => Token::Operator(Operator::Multiply),
            '/' => Token::Operator(Operator::Divide),
            '%' => Token::Operator(Operator::Modulo),
            '^' => Token::Operator(Operator::Power),
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            c if c.is_ascii_digit() || c == '.' => {
                Token::Number(text.parse().map_err(|_| format!("`{text}` is not a number"))?)
            }
            c if is_word(c) => Token::Name(text.to_owned()),
            other => return Err(format!("unexpected character `{other}`")),
        });
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// Length of the number at the start of `text`; a sign belongs to it behind an `e`.
fn number_length(text: &str) -> usize {
    let mut before = ' ';
    let is_over = |c: char| {
        let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        before = c;
        !sign && !is_word(c)
    };
    text.find(is_over).unwrap_or(text.len())
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn expression(&mut self, floor: u8) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("the expression is nested too deeply".to_owned());
        }
        let mut left = self.operand()?;
        while let Some(Token::Operator(operator)) = self.tokens.get(self.at).cloned() {
            let (binding, right_floor) = binding(operator);
            if binding < floor {
                break;
            }
            self.at += 1;
            let right = self.expression(right_floor)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node, String> {
        let token = self
            .tokens
            .get(self.at)
            .cloned()
            .ok_or("the expression ends too early")?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Node::Number(number)),
            Token::Operator(Operator::Subtract) => Ok(Node::Negate(Box::new(self.expression(UNARY)?))),
            Token::Open => {
                let inner = self.expression(0)?;
                self.expect(&Token::Close)?;
                Ok(inner)
            }
            Token::Name(name) if self.tokens.get(self.at) == Some(&Token::Open) => self.call(&name),
            Token::Name(name) if name == "math.pi" => Ok(Node::Number(std::f64::consts::PI)),
            Token::Name(name) if name == "math.huge" => Ok(Node::Number(f64::INFINITY)),
            Token::Name(name) if name.contains('.') => Err(format!("`{name}` is not known")),
            Token::Name(name) => Ok(Node::Field(name)),
            other => Err(format!("unexpected {other}")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Node, String> {
        let function = Function::find(name).ok_or_else(|| format!("`{name}` is not a function"))?;
        self.at += 1;
        let mut arguments = vec![self.expression(0)?];
        while self.tokens.get(self.at) == Some(&Token::Comma) {
            self.at += 1;
            arguments.push(self.expression(0)?);
        }
        self.expect(&Token::Close)?;
        if arguments.len() < function.arity() {
            return Err(format!("`{name}` needs {} arguments", function.arity()));
        }
        Ok(Node::Call(function, arguments))
    }

    fn expect(&mut self, token: &Token) -> Result<(), String> {
        match self.tokens.get(self.at) {
            Some(found) if found == token => {
                self.at += 1;
                Ok(())
            }
            Some(found) => Err(format!("expected {token}, found {found}")),
            None => Err(format!("expected {token} at the end")),
        }
    }
}

/// How tightly a unary minus binds: tighter than `*`, looser than `^`.
const UNARY: u8 = 5;

/// How tightly an operator binds, and the least its right side must bind.
fn binding(operator: Operator) -> (u8, u8) {
    match operator {
        Operator::Add | Operator::Subtract => (1, 2),
        Operator::Multiply | Operator::Divide | Operator::Modulo => (3, 4),
        // Binds to the right: 2^3^2 is 2^9.
        Operator::Power => (6, 6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cost(source: &str) -> Result<u64, String> {
        let usage = json!({ "prompt_tokens": 10, "completion_tokens": 5, "details": { "x": 1 } });
        CostExpr::parse(source)?.cost(&usage)
    }

    #[test]
    fn arithmetic_follows_lua() {
        for (source, value) in [
            ("prompt_tokens + 2 * completion_tokens", 20),
            ("(prompt_tokens + 2) * 3", 36),
            ("2 ^ 3 ^ 2", 512),
            ("-2 ^ 2 + 10", 6),
            ("-5 % 3", 1),
            ("math.max(prompt_tokens, completion_tokens, 7)", 10),
            ("ceil(completion_tokens / 2)", 3),
            ("completion_tokens / 2", 3),
            ("prompt_tokens - 100", 0),
            ("missing + details", 0),
            (".5 + .5", 1),
            ("1e1 + 50e-1", 15),
            ("math.floor(math.log(math.exp(7)) + 0.5)", 7),
            ("math.pow(2, 3) + math.fmod(-7, 3) + 1", 8),
            ("2 ^ -1 * 10", 5),
            ("max(1, 2, 3) - min(4, 2) + abs(-1, 9)", 2),
        ] {
            assert_eq!(cost(source), Ok(value), "{source}");
        }
    }

    #[test]
    fn what_is_no_formula_is_refused() {
        for source in [
            "",
            "1 +",
            "(1",
            "1 2",
            "os.exit(1)",
            "a.b",
            "print(1)",
            "1 = 1",
            "1e",
            "sqrt(4)",
            "math.pow(2)",
            "max()",
            "'x'",
        ] {
            assert!(CostExpr::parse(source).is_err(), "{source}");
        }
        assert!(CostExpr::parse(&"(".repeat(10_000)).is_err());
        assert!(CostExpr::parse(&"-".repeat(10_000)).is_err());
        assert!(CostExpr::parse(&("1".to_owned() + &"+1".repeat(100_000))).is_err());
        assert_eq!(cost(&("1".to_owned() + &"+1".repeat(255))), Ok(256));
        assert!(cost("1 / 0").is_err());
    }
}
