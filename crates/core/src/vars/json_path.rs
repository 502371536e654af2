//! The part of JSONPath that `post_arg.<path>` takes: names, indices, wildcards and descent.

use serde_json::Value;

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`, `['name']`: a member of an object.
    Name(String),
    /// `[0]`, `[-1]`: an element of an array; negative ones count from its end.
    Index(i64),
    /// `.*`, `[*]`: all members or elements.
    All,
    /// `..name`: all members of that name, however deep. What stands inside of a match is not searched.
    Deep(String),
    /// `..*`: everything that is neither array nor object.
    Leaves,
}

/// Whether a path is a JSONPath rather than names with dots between them.
pub(super) fn is_one(path: &str) -> bool {
    path.contains(['[', '*']) || path.contains("..")
}

/// The steps of a path, which begins below the root: `messages[*].role`. `None` when it is malformed or has what is not
/// supported: slices, unions, filters.
pub(super) fn parse(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(bracketed) => in_brackets(bracketed)?,
            None => match (rest.strip_prefix(".."), rest.strip_prefix('.')) {
                (Some(rest), _) => name(rest).map(|(name, after)| (deep(name), after))?,
                (None, Some(rest)) if !steps.is_empty() => {
                    name(rest).map(|(name, after)| (shallow(name), after))?
                }
                (None, None) if steps.is_empty() => name(rest).map(|(name, after)| (shallow(name), after))?,
                _ => return None,
            },
        };
        steps.push(step);
        rest = after;
    }
    (!steps.is_empty()).then_some(steps)
}

/// A name and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn shallow(name: &str) -> Step {
    if name == "*" {
        Step::All
    } else {
        Step::Name(name.to_owned())
    }
}

fn deep(name: &str) -> Step {
    if name == "*" {
        Step::Leaves
    } else {
        Step::Deep(name.to_owned())
    }
}

/// What stands behind `[`, up to the `]` that belongs to it, and what follows.
fn in_brackets(text: &str) -> Option<(Step, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (name, after) = text[1..].split_once(quote)?;
        return Some((Step::Name(name.to_owned()), after.strip_prefix(']')?));
    }
    let (inner, after) = text.split_once(']')?;
    let step = if inner == "*" {
        Step::All
    } else {
        Step::Index(inner.parse().ok()?)
    };
    Some((step, after))
}

/// Everything that the steps lead to. No result contains another, so that all of them together are no larger than
/// `root`.
pub(super) fn find<'a>(root: &'a Value, steps: &[Step]) -> Vec<&'a Value> {
    steps.iter().fold(vec![root], |found, step| {
        found.into_iter().flat_map(|value| take(value, step)).collect()
    })
}

fn take<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    match step {
        Step::Name(name) => value
            .as_object()
            .and_then(|members| members.get(name))
            .into_iter()
            .collect(),
        Step::Index(index) => value
            .as_array()
            .and_then(|items| element(items, *index))
            .into_iter()
            .collect(),
        Step::All => children(value),
        Step::Deep(name) => {
            let mut found = Vec::new();
            descend(value, name, &mut found);
            found
        }
        Step::Leaves => {
            let mut found = Vec::new();
            leaves(value, &mut found);
            found
        }
    }
}

fn element(items: &[Value], index: i64) -> Option<&Value> {
    let from_end = || {
        items
            .len()
            .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    };
    let position = if index < 0 {
        from_end()
    } else {
        usize::try_from(index).ok()
    };
    items.get(position?)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

fn descend<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                if member == name {
                    found.push(value);
                } else {
                    descend(value, name, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| descend(item, name, found)),
        _ => {}
    }
}

fn leaves<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(_) | Value::Object(_) => {
            children(value).into_iter().for_each(|child| leaves(child, found))
        }
        leaf => found.push(leaf),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn found(path: &str, value: &Value) -> Value {
        let steps = parse(path).unwrap();
        find(value, &steps).into_iter().cloned().collect()
    }

    #[test]
    fn which_paths_are_json_paths() {
        for path in ["a[0]", "a.*", "a..b", "..b", "['a']"] {
            assert!(is_one(path), "{path}");
        }
        for path in ["a", "a.b", "a.0"] {
            assert!(!is_one(path), "{path}");
        }
    }

    #[test]
    fn names_indices_and_wildcards() {
        let body = json!({"messages": [{"role": "system"}, {"role": "user", "n": [1, 2]}], "a.b": 7});
        assert_eq!(found("messages[*].role", &body), json!(["system", "user"]));
        assert_eq!(found("messages[0].role", &body), json!(["system"]));
        assert_eq!(found("messages[-1].role", &body), json!(["user"]));
        assert_eq!(found("messages[-3].role", &body), json!([]));
        assert_eq!(found("messages[2]", &body), json!([]));
        assert_eq!(found("messages.*.n[1]", &body), json!([2]));
        assert_eq!(found("messages[1].*", &body), json!(["user", [1, 2]]));
        assert_eq!(found("['a.b']", &body), json!([7]));
        assert_eq!(found("[\"messages\"][0]['role']", &body), json!(["system"]));
        assert_eq!(found("messages[*].role[0]", &body), json!([]));
    }

    #[test]
    fn descent() {
        let body = json!({"x": {"t": 1, "y": [{"t": {"t": 2}}, 3]}, "t": "z"});
        assert_eq!(
            found("..t", &body),
            json!([1, {"t": 2}, "z"]),
            "a match inside a match is none"
        );
        assert_eq!(found("x..t", &body), json!([1, {"t": 2}]));
        assert_eq!(found("..y[1]", &body), json!([3]));
        assert_eq!(found("..*", &body), json!([1, 2, 3, "z"]));
        assert_eq!(found("x.y..*", &body), json!([2, 3]));
    }

    #[test]
    fn what_is_no_path() {
        for path in [
            "",
            "a[",
            "a[]",
            "a[x]",
            "a[0:2]",
            "a[?(@.b)]",
            "a['b]",
            "a['b'",
            ".a[0]",
            "a[0]b",
            "a[*]...b",
            "a..",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(path in r#"[a.\[\]*'"0-2-]{0,12}"#) {
            let body = json!({"a": [{"a": [0, 1, 2]}, {"0": "a"}]});
            if let Some(steps) = parse(&path) {
                find(&body, &steps);
            }
        }
    }
}
