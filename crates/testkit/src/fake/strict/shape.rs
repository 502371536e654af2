//! What the members of a JSON object may be.

use serde_json::{Map, Value};

/// The form of a value.
pub(in crate::fake) enum Shape {
    Any,
    Text,
    Number,
    Integer,
    Flag,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// Any object.
    Map,
    List(&'static Shape),
    /// An object with these members and no others.
    Object(&'static [Member]),
    /// One of these.
    Either(&'static [Shape]),
    /// An object whose member of this name says which of these members it may have beside it.
    Tagged(&'static str, &'static [(&'static str, &'static [Member])]),
    /// An object with exactly one of the first members, and any of the second.
    Union(&'static [Member], &'static [Member]),
}

/// A member of an object.
pub(in crate::fake) struct Member {
    name: &'static str,
    shape: Shape,
    required: bool,
}

/// A member that may be missing.
pub(in crate::fake) const fn opt(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: false,
    }
}

/// A member that must be there.
pub(in crate::fake) const fn req(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        shape,
        required: true,
    }
}

/// The first thing about a value that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fake) struct Misfit {
    /// Names and indexes down to it.
    path: Vec<String>,
    pub(in crate::fake) problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fake) enum Problem {
    Unknown,
    Missing,
    /// It should be this.
    Wrong(&'static str),
}

impl Misfit {
    fn new(problem: Problem) -> Self {
        Self {
            path: Vec::new(),
            problem,
        }
    }

    fn below(mut self, step: impl Into<String>) -> Self {
        self.path.insert(0, step.into());
        self
    }

    /// `messages.0.content`
    pub(in crate::fake) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// `messages[0].content`
    pub(in crate::fake) fn bracketed(&self) -> String {
        self.path.iter().fold(String::new(), |mut out, step| {
            if step.bytes().all(|byte| byte.is_ascii_digit()) {
                out += &format!("[{step}]");
            } else {
                out += if out.is_empty() { "" } else { "." };
                out += step;
            }
            out
        })
    }

    /// The last step of the path, and the one before it.
    pub(in crate::fake) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    pub(in crate::fake) fn parent(&self) -> String {
        let parent = self.path.len().saturating_sub(1);
        Self {
            path: self.path[..parent].to_vec(),
            problem: self.problem,
        }
        .bracketed()
    }
}

impl Shape {
    /// Checks `value`; unknown members whose names are among `accepted` are taken.
    pub(in crate::fake) fn check(&self, value: &Value, accepted: &[String]) -> Result<(), Misfit> {
        let wrong = |expected| Err(Misfit::new(Problem::Wrong(expected)));
        match (self, value) {
            (Self::Any, _)
            | (Self::Text, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Flag, Value::Bool(_))
            | (Self::Map, Value::Object(_)) => Ok(()),
            (Self::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(()),
            (Self::Word(words), Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
            (Self::List(shape), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let checked = shape.check(item, accepted);
                    checked.map_err(|misfit| misfit.below(index.to_string()))?;
                }
                Ok(())
            }
            (Self::Object(members), Value::Object(object)) => check_object(&[members], "", object, accepted),
            (Self::Union(one, others), Value::Object(object)) => {
                let given = one
                    .iter()
                    .filter(|member| object.contains_key(member.name))
                    .count();
                check_object(&[one, others], "", object, accepted)?;
                if given == 1 {
                    Ok(())
                } else {
                    wrong("an object with exactly one kind of content")
                }
            }
            (Self::Tagged(tag, variants), Value::Object(object)) => {
                let Some(given) = object.get(*tag).and_then(Value::as_str) else {
                    return Err(Misfit::new(Problem::Missing).below(*tag));
                };
                match variants.iter().find(|(name, _)| *name == given) {
                    Some((_, members)) => check_object(&[members], tag, object, accepted),
                    None => Err(Misfit::new(Problem::Wrong("a known kind")).below(*tag)),
                }
            }
            (Self::Either(shapes), _) => {
                let mut nearest = Misfit::new(Problem::Wrong("something else"));
                for shape in *shapes {
                    match shape.check(value, accepted) {
                        Ok(()) => return Ok(()),
                        Err(misfit) if misfit.path.len() >= nearest.path.len() => nearest = misfit,
                        Err(_) => {}
                    }
                }
                Err(nearest)
            }
            _ => wrong(self.expected()),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Text => "a string",
            Self::Word(_) => "one of the known words",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Flag => "a boolean",
            Self::List(_) => "an array",
            Self::Map | Self::Object(_) | Self::Tagged(..) | Self::Union(..) => "an object",
            Self::Either(_) => "something else",
        }
    }
}

/// Checks an object that may have the members of all these lists and no others.
pub(in crate::fake) fn check_members(
    lists: &[&[Member]],
    value: &Value,
    accepted: &[String],
) -> Result<(), Misfit> {
    match value {
        Value::Object(object) => check_object(lists, "", object, accepted),
        _ => Err(Misfit::new(Problem::Wrong("an object"))),
    }
}

fn check_object(
    lists: &[&[Member]],
    tag: &str,
    object: &Map<String, Value>,
    accepted: &[String],
) -> Result<(), Misfit> {
    for (name, value) in object {
        let member = lists
            .iter()
            .flat_map(|list| list.iter())
            .find(|member| member.name == name);
        let checked = match member {
            // Every provider takes null for what may be missing.
            Some(_) if value.is_null() => Ok(()),
            Some(member) => member.shape.check(value, accepted),
            None if name == tag || accepted.contains(name) => Ok(()),
            None => Err(Misfit::new(Problem::Unknown)),
        };
        checked.map_err(|misfit| misfit.below(name.as_str()))?;
    }
    for member in lists
        .iter()
        .flat_map(|list| list.iter())
        .filter(|member| member.required)
    {
        if object.get(member.name).is_none_or(Value::is_null) {
            return Err(Misfit::new(Problem::Missing).below(member.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Shape::{Either, Flag, Integer, List, Object, Tagged, Text, Union};
    use super::*;

    const INNER: &[Member] = &[req("text", Text), opt("flag", Flag)];
    const VARIANTS: &[(&str, &[Member])] = &[("text", INNER), ("count", &[opt("n", Integer)])];
    const ITEM: Shape = Tagged("type", VARIANTS);
    const OUTER: Shape = Object(&[
        opt("items", Either(&[Text, List(&ITEM)])),
        opt("one", Union(INNER, &[])),
    ]);

    fn misfit(value: Value) -> (String, Problem) {
        let misfit = OUTER.check(&value, &["taken".to_owned()]).unwrap_err();
        (misfit.bracketed(), misfit.problem)
    }

    #[test]
    fn takes_what_fits() {
        for value in [
            json!({}),
            json!({"items": "text", "taken": 1}),
            json!({"items": [{"type": "text", "text": "", "flag": null}, {"type": "count", "n": 1}]}),
            json!({"one": {"text": ""}}),
        ] {
            assert_eq!(OUTER.check(&value, &["taken".to_owned()]), Ok(()), "{value}");
        }
    }

    #[test]
    fn says_where_and_why_something_does_not_fit() {
        assert_eq!(
            misfit(json!({"other": 1})),
            ("other".to_owned(), Problem::Unknown)
        );
        let items = |item: Value| misfit(json!({"items": [item]}));
        assert_eq!(
            items(json!({"type": "text"})),
            ("items[0].text".to_owned(), Problem::Missing)
        );
        assert_eq!(
            items(json!({"type": "none"})),
            ("items[0].type".to_owned(), Problem::Wrong("a known kind"))
        );
        assert_eq!(
            items(json!({"type": "count", "n": 0.5})),
            ("items[0].n".to_owned(), Problem::Wrong("an integer"))
        );
        assert_eq!(misfit(json!({"one": {"text": "", "flag": true}})).0, "one");
    }
}
