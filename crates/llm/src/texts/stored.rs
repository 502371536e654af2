//! Texts of what OpenAI's endpoints keep: inputs of moderations, stored responses, and the lines of batches, each of which
//! is a request or an answer of its own (llm-protocols §5).

use std::borrow::Cow;

use super::answer::Found;
use super::json::{Body, Members, members, objects, string};

/// The JSON objects of a body: the whole of it, or each of its lines. `None` if it is anything else.
pub(super) fn records(body: Body<'_>) -> Option<Vec<Members<'_>>> {
    if let Some(whole) = body.members() {
        return Some(vec![whole]);
    }
    let lines = body.0.split(|byte| *byte == b'\n');
    let filled = lines.filter(|line| !line.trim_ascii().is_empty());
    filled.map(|line| Body(line).members()).collect()
}

/// A line of a batch's input: where the request would go, and its body.
pub(super) fn batched<'a>(record: &Members<'a>) -> Option<(Cow<'a, str>, Members<'a>)> {
    Some((string(record, "url")?, members(record.get("body")?)?))
}

impl<'a> Found<'a> {
    /// A stored response, a list of items, or the answers within a batch's output.
    pub(super) fn stored(&mut self, record: &Members<'a>) {
        let answered = record.get("response").and_then(|response| members(response));
        if let Some(answer) = answered.and_then(|response| members(response.get("body")?)) {
            return self.stored(&answer);
        }
        self.output(record);
        self.choices(record);
        self.completions(record);
        let items: Vec<_> = objects(record.get("data"));
        for (index, item) in (0..).zip(&items) {
            self.item(item, index);
        }
    }
}

/// Whether all that a body says can be found: it is JSON, or lines of JSON.
pub(super) fn is_readable(body: &[u8]) -> bool {
    records(Body(body)).is_some()
}
