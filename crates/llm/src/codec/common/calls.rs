//! Ids of tool calls in protocols that have none, or where they may be left out.

use std::collections::{HashMap, VecDeque};

use sluice_wire::sha256_hex;

/// The calls of a conversation, against which results are matched: by id, else by name in order, else in order.
#[derive(Debug, Default)]
pub(in crate::codec) struct Calls {
    /// Ids, and whether a result came.
    calls: Vec<(String, bool)>,
    by_id: HashMap<String, VecDeque<usize>>,
    by_name: HashMap<String, VecDeque<usize>>,
    /// All calls before this one are answered.
    first_open: usize,
}

impl Calls {
    /// Takes note of a call and returns its id, which is made by order if none is given.
    pub(in crate::codec) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let index = self.calls.len();
        let id = id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("{MADE}{}", index + 1));
        self.by_id.entry(id.clone()).or_default().push_back(index);
        self.by_name.entry(name.to_owned()).or_default().push_back(index);
        self.calls.push((id.clone(), false));
        id
    }

    /// The id of the call that a result answers. One that answers nothing gets an id of its own.
    pub(in crate::codec) fn answer(&mut self, id: Option<&str>, name: Option<&str>) -> String {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            if let Some(index) = open(&self.calls, self.by_id.get_mut(id)) {
                self.close(index);
            }
            return id.to_owned();
        }
        let name = name.filter(|name| !name.is_empty());
        let index = match name {
            Some(name) => open(&self.calls, self.by_name.get_mut(name)),
            None => self.first(),
        };
        match index.and_then(|index| self.close(index)) {
            Some(id) => id,
            None => format!("{MADE}{}", self.calls.len() + 1),
        }
    }

    fn first(&mut self) -> Option<usize> {
        while self.calls.get(self.first_open)?.1 {
            self.first_open += 1;
        }
        Some(self.first_open)
    }

    fn close(&mut self, index: usize) -> Option<String> {
        let (id, is_answered) = self.calls.get_mut(index)?;
        *is_answered = true;
        Some(id.clone())
    }
}

/// The first call of a queue without a result.
fn open(calls: &[(String, bool)], queue: Option<&mut VecDeque<usize>>) -> Option<usize> {
    let queue = queue?;
    while let Some(index) = queue.pop_front() {
        if calls.get(index).is_some_and(|(_, is_answered)| !is_answered) {
            return Some(index);
        }
    }
    None
}

/// What ids that [`Calls`] makes begin with; a number follows.
const MADE: &str = "call_";

/// Whether an id was made by order, so that the conversation it came from has none.
pub(in crate::codec) fn is_made(id: &str) -> bool {
    id.strip_prefix(MADE)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An id for a call in an answer whose provider gave none: the same for the same answer, and another for each call of
/// a conversation. `answer` is what the provider tells answers apart by.
pub(in crate::codec) fn derived_id(answer: &str, position: usize, name: &str, arguments: &str) -> String {
    let digest = sha256_hex(format!("{answer}\n{position}\n{name}\n{arguments}").as_bytes());
    format!("call_{}", digest.get(..24).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_find_their_calls() {
        let mut calls = Calls::default();
        assert_eq!(calls.call(Some("x".into()), "a"), "x");
        assert_eq!(calls.call(None, "a"), "call_2");
        assert_eq!(calls.call(None, "b"), "call_3");
        assert_eq!(calls.call(None, "b"), "call_4");
        assert_eq!(calls.answer(Some("x"), Some("a")), "x");
        assert_eq!(calls.answer(None, Some("b")), "call_3");
        assert_eq!(calls.answer(None, Some("a")), "call_2");
        assert_eq!(calls.answer(None, None), "call_4");
        assert_eq!(calls.answer(None, None), "call_5");
        assert_eq!(calls.answer(None, Some("unknown")), "call_5");
    }

    #[test]
    fn made_ids_are_known() {
        assert!(is_made("call_12"));
        for id in ["call_", "call_x1", "toolu_1", &derived_id("r", 0, "n", "{}")] {
            assert!(!is_made(id), "{id}");
        }
    }
}
