//! What is different between two versions of a resource.

use serde_json::{Map, Value, json};

/// The differences, each as `{"path", "from", "to"}` with a JSON pointer (RFC 6901). What was not there has no `from`,
/// what is gone no `to`. Arrays of other lengths are one difference.
pub(crate) fn diff(before: Option<&Value>, after: Option<&Value>) -> Value {
    let mut found = Vec::new();
    compare(&mut String::new(), before, after, &mut found);
    found.into()
}

fn compare(path: &mut String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Value>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => members(path, before, after, found),
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                below(path, &index.to_string(), Some(before), Some(after), found);
            }
        }
        (before, after) => {
            let mut difference = json!({ "path": path });
            for (name, value) in [("from", before), ("to", after)] {
                if let Some(value) = value {
                    difference[name] = value.clone();
                }
            }
            found.push(difference);
        }
    }
}

fn members(
    path: &mut String,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<Value>,
) {
    for (name, value) in before {
        below(path, name, Some(value), after.get(name), found);
    }
    for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        below(path, name, None, Some(value), found);
    }
}

fn below(
    path: &mut String,
    name: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<Value>,
) {
    let length = path.len();
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    compare(path, before, after, found);
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_say_where_they_are() {
        let before =
            json!({"uri": "/a", "hosts": ["x", "y"], "upstream": {"a/b": 1, "gone": true}, "same": [1]});
        let after =
            json!({"uri": "/b", "hosts": ["x", "z"], "upstream": {"a/b": 2}, "same": [1], "new": [1, 2]});
        assert_eq!(
            diff(Some(&before), Some(&after)),
            json!([
                {"path": "/uri", "from": "/a", "to": "/b"},
                {"path": "/hosts/1", "from": "y", "to": "z"},
                {"path": "/upstream/a~1b", "from": 1, "to": 2},
                {"path": "/upstream/gone", "from": true},
                {"path": "/new", "to": [1, 2]},
            ])
        );
        assert_eq!(
            diff(Some(&json!([1])), Some(&json!([1, 2]))),
            json!([{"path": "", "from": [1], "to": [1, 2]}])
        );
        assert_eq!(diff(None, Some(&before)), json!([{"path": "", "to": before}]));
        assert_eq!(diff(Some(&before), None), json!([{"path": "", "from": before}]));
        assert_eq!(diff(Some(&before), Some(&before)), json!([]));
    }
}
