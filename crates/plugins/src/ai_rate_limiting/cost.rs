//! `cost_expr`: arithmetic over the members of a usage object (compat §4.4).
//!
//! The grammar is the arithmetic of Lua: numbers, names, `+ - * / % ^`, parentheses, and calls of `abs ceil floor max
//! min`, alone or behind `math.`. A name is a numeric top-level member of the usage object; a missing one is 0.

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

#[derive(Clone, Copy, Debug)]
enum Function {
    Abs,
    Ceil,
    Floor,
    Max,
    Min,
    Sqrt,
}

/// Nesting beyond this is no cost formula.
const DEPTH_MAX: usize = 64;

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
                let mut values = arguments.iter().map(|argument| argument.evaluate(usage));
                let first = values.next().unwrap_or(0.0);
                match function {
                    Function::Abs => first.abs(),
                    Function::Ceil => first.ceil(),
                    Function::Floor => first.floor(),
                    Function::Sqrt => first.sqrt(),
                    Function::Max => values.fold(first, f64::max),
                    Function::Min => values.fold(first, f64::min),
                }
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
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let length = match first {
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
        let function = match name.strip_prefix("math.").unwrap_or(name) {
            "abs" => Function::Abs,
            "ceil" => Function::Ceil,
            "floor" => Function::Floor,
            "max" => Function::Max,
            "min" => Function::Min,
            "sqrt" if name == "math.sqrt" => Function::Sqrt,
            _ => return Err(format!("`{name}` is not a function")),
        };
        self.at += 1;
        let mut arguments = vec![self.expression(0)?];
        while self.tokens.get(self.at) == Some(&Token::Comma) {
            self.at += 1;
            arguments.push(self.expression(0)?);
        }
        self.expect(&Token::Close)?;
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
            "'x'",
        ] {
            assert!(CostExpr::parse(source).is_err(), "{source}");
        }
        assert!(CostExpr::parse(&"(".repeat(10_000)).is_err());
        assert!(CostExpr::parse(&"-".repeat(10_000)).is_err());
        assert!(cost("1 / 0").is_err());
    }
}
