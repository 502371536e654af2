//! A reading of the rules of an event stream (llm-protocols §4) that shares nothing with the encoder.

use std::collections::HashSet;

use serde_json::{Value, json};

/// A stream that keeps to the rules.
pub(super) struct Checked {
    /// All events.
    pub(super) events: Vec<Value>,
    /// The response in the last of them.
    pub(super) response: Value,
}

impl Checked {
    /// The types of the events, those that repeat once.
    pub(super) fn types(&self) -> Vec<&str> {
        let mut types: Vec<_> = self
            .events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        types.dedup();
        types
    }

    /// The response's output.
    pub(super) fn output(&self) -> &Value {
        &self.response["output"]
    }
}

/// An item as its events tell it.
struct Item {
    id: String,
    kind: String,
    contents: Vec<Content>,
    /// Text of summary or thought, or arguments.
    text: String,
    text_done: bool,
    /// Whether the part of a summary is open.
    part: Option<bool>,
    done: Option<Value>,
}

struct Content {
    kind: String,
    text: String,
    annotations: Vec<Value>,
    text_done: bool,
    done: bool,
}

#[derive(Default)]
struct Reader {
    response_id: Option<Value>,
    items: Vec<Item>,
    failed: bool,
    response: Option<Value>,
}

/// Checks a stream.
pub(super) fn check(stream: &str) -> Checked {
    let mut reader = Reader::default();
    let mut events = Vec::new();
    assert!(stream.ends_with("\n\n"), "the stream ends within a frame");
    for (number, frame) in stream.trim_end().split("\n\n").enumerate() {
        let (name, data) = frame.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        assert!(!data.contains('\n'), "one line of data per event");
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["type"], name);
        assert_eq!(event["sequence_number"], number, "{event}");
        assert!(reader.response.is_none(), "{event} behind the end");
        match number {
            0 => assert_eq!(name, "response.created"),
            1 => assert_eq!(name, "response.in_progress"),
            _ => {}
        }
        reader.event(name, &event);
        events.push(event);
    }
    Checked {
        events,
        response: reader.response.expect("no event ends the stream"),
    }
}

impl Reader {
    fn event(&mut self, name: &str, event: &Value) {
        if self.failed {
            assert_eq!(name, "response.failed");
        }
        match name {
            "response.created" | "response.in_progress" => {
                let response = self.lifecycle(event, "in_progress");
                assert_eq!(response["output"], json!([]));
                assert_eq!(response["usage"], Value::Null);
            }
            "response.completed" | "response.incomplete" => self.end(name, event),
            "response.failed" => {
                let response = self.lifecycle(event, "failed").clone();
                assert!(response["error"]["message"].is_string() && response["error"]["code"].is_string());
                self.response = Some(response);
            }
            "error" => {
                assert_eq!(event["message"], event["error"]["message"]);
                assert!(event["message"].is_string() && event["error"].is_object());
                self.failed = true;
            }
            "response.output_item.added" => self.added(event),
            "response.output_item.done" => self.item_done(event),
            _ => self.within(name, event),
        }
    }

    fn lifecycle<'a>(&mut self, event: &'a Value, status: &str) -> &'a Value {
        let response = &event["response"];
        assert_eq!(response["status"], status);
        let id = self.response_id.get_or_insert_with(|| response["id"].clone());
        assert_eq!(id, &response["id"], "the id changed");
        check_response(response);
        response
    }

    fn added(&mut self, event: &Value) {
        assert_eq!(event["output_index"], self.items.len(), "{event}");
        let item = &event["item"];
        let id = item["id"].as_str().unwrap().to_owned();
        assert!(self.items.iter().all(|known| known.id != id), "{id} twice");
        let kind = item["type"].as_str().unwrap();
        match kind {
            "message" => {
                assert_eq!(item["content"], json!([]));
                assert_eq!(item["status"], "in_progress");
                assert_eq!(item["role"], "assistant");
            }
            "function_call" => assert_eq!(item["arguments"], ""),
            "custom_tool_call" => assert_eq!(item["input"], ""),
            "reasoning" => assert_eq!(item["summary"], json!([])),
            _ => {}
        }
        self.items.push(Item {
            id,
            kind: kind.to_owned(),
            contents: Vec::new(),
            text: String::new(),
            text_done: false,
            part: None,
            done: None,
        });
    }

    /// The item that an event is about, which is not done.
    fn item(&mut self, event: &Value) -> &mut Item {
        let index = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
        let item = self.items.get_mut(index).expect("an item that was added");
        assert!(item.done.is_none(), "{event} behind the item's end");
        if let Some(id) = event.get("item_id") {
            assert_eq!(*id, item.id, "{event}");
        }
        item
    }

    fn within(&mut self, name: &str, event: &Value) {
        assert!(event["item_id"].is_string(), "{event}");
        let item = self.item(event);
        match name {
            "response.content_part.added" => item.content_added(event),
            "response.content_part.done" => item.content_done(event),
            "response.output_text.delta" | "response.refusal.delta" => {
                item.content(event, name)
                    .text
                    .push_str(event["delta"].as_str().unwrap());
                assert_eq!(
                    event.get("logprobs").is_some(),
                    name == "response.output_text.delta"
                );
            }
            "response.output_text.done" => item.content(event, name).finish(&event["text"]),
            "response.refusal.done" => item.content(event, name).finish(&event["refusal"]),
            "response.output_text.annotation.added" => {
                let content = item.content(event, name);
                assert_eq!(event["annotation_index"], content.annotations.len());
                content.annotations.push(event["annotation"].clone());
            }
            "response.reasoning_summary_part.added" => {
                assert_eq!((item.part, &event["summary_index"]), (None, &json!(0)));
                assert_eq!(event["part"], json!({"type": "summary_text", "text": ""}));
                item.part = Some(true);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                assert_eq!((item.part, &*item.kind), (Some(true), "reasoning"));
                item.text.push_str(event["delta"].as_str().unwrap());
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                item.finish(&event["text"]);
            }
            "response.reasoning_summary_part.done" => {
                assert_eq!(event["part"], json!({"type": "summary_text", "text": item.text}));
                assert!(item.text_done);
                item.part = Some(false);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                assert!(!item.text_done && item.kind == kind_of_call(name));
                item.text.push_str(event["delta"].as_str().unwrap());
            }
            "response.function_call_arguments.done" => item.finish(&event["arguments"]),
            "response.custom_tool_call_input.done" => item.finish(&event["input"]),
            other => panic!("{other} is no event"),
        }
    }

    fn item_done(&mut self, event: &Value) {
        let item = self.item(event);
        let json = &event["item"];
        assert_eq!(json["id"], item.id);
        assert_eq!(json["type"], item.kind);
        match &*item.kind {
            "message" => {
                let contents: Vec<_> = item
                    .contents
                    .iter()
                    .map(|content| {
                        assert!(content.done, "{event}");
                        content.text.as_str()
                    })
                    .collect();
                let told: Vec<_> = json["content"].as_array().unwrap().iter().map(said).collect();
                assert_eq!(told, contents);
                assert_ne!(json["status"], "in_progress");
            }
            "function_call" => assert!(item.text_done && json["arguments"] == item.text),
            "custom_tool_call" => assert!(item.text_done && json["input"] == item.text),
            "reasoning" => {
                let parts = [&json["summary"], &json["content"]];
                let told: String = parts
                    .iter()
                    .flat_map(|list| list.as_array().into_iter().flatten())
                    .map(said)
                    .collect();
                assert_eq!(told, item.text);
                assert!(item.part != Some(true), "a part goes on");
            }
            _ => {}
        }
        item.done = Some(json.clone());
    }

    fn end(&mut self, name: &str, event: &Value) {
        let status = name.strip_prefix("response.").unwrap();
        let response = self.lifecycle(event, status).clone();
        assert_eq!(response["error"], Value::Null);
        assert_eq!(response["incomplete_details"].is_object(), status == "incomplete");
        let items: Vec<_> = self
            .items
            .iter()
            .map(|item| item.done.clone().expect("an item that is done"))
            .collect();
        assert_eq!(
            response["output"],
            Value::Array(items),
            "the output is what the events told"
        );
        self.response = Some(response);
    }
}

impl Item {
    fn content_added(&mut self, event: &Value) {
        assert_eq!(
            event["content_index"],
            if self.kind == "message" {
                self.contents.len()
            } else {
                0
            }
        );
        let part = &event["part"];
        let kind = part["type"].as_str().unwrap().to_owned();
        assert_eq!(said(part), "");
        if kind == "reasoning_text" {
            self.part = Some(true);
            return;
        }
        if kind == "output_text" {
            assert_eq!(part["annotations"], json!([]));
        }
        self.contents.push(Content {
            kind,
            text: String::new(),
            annotations: Vec::new(),
            text_done: false,
            done: false,
        });
    }

    fn content_done(&mut self, event: &Value) {
        if self.kind == "reasoning" {
            assert_eq!(
                event["part"],
                json!({"type": "reasoning_text", "text": self.text})
            );
            self.part = Some(false);
            return;
        }
        let index = usize::try_from(event["content_index"].as_u64().unwrap()).unwrap();
        let content = &mut self.contents[index];
        assert!(content.text_done && !content.done);
        assert_eq!(event["part"]["type"], content.kind);
        assert_eq!(said(&event["part"]), content.text);
        if content.kind == "output_text" {
            assert_eq!(
                event["part"]["annotations"],
                Value::Array(content.annotations.clone())
            );
        }
        content.done = true;
    }

    fn content(&mut self, event: &Value, name: &str) -> &mut Content {
        let index = usize::try_from(event["content_index"].as_u64().unwrap()).unwrap();
        let content = &mut self.contents[index];
        assert!(!content.done, "{event}");
        assert!(
            !content.text_done || name.ends_with("annotation.added"),
            "{event}"
        );
        assert!(name.contains(&content.kind), "{name} in {}", content.kind);
        content
    }

    fn finish(&mut self, text: &Value) {
        assert_eq!(*text, self.text);
        assert!(!self.text_done);
        self.text_done = true;
    }
}

impl Content {
    fn finish(&mut self, text: &Value) {
        assert_eq!(*text, self.text);
        self.text_done = true;
    }
}

fn kind_of_call(event: &str) -> &'static str {
    if event.contains("custom") {
        "custom_tool_call"
    } else {
        "function_call"
    }
}

fn said(part: &Value) -> &str {
    part["text"]
        .as_str()
        .or_else(|| part["refusal"].as_str())
        .unwrap()
}

/// Checks that a response has what the Python SDK's type requires, and that its items do.
pub(super) fn check_response(response: &Value) {
    assert!(response["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(response["object"], "response");
    assert!(response["created_at"].is_number() && response["model"].is_string());
    assert!(response["parallel_tool_calls"].is_boolean() && response["tools"].is_array());
    assert!(response["tool_choice"].is_string() || response["tool_choice"].is_object());
    let mut ids = HashSet::new();
    for item in response["output"].as_array().unwrap() {
        assert!(ids.insert(item["id"].as_str().unwrap()), "{item}");
        match item["type"].as_str().unwrap() {
            "message" => {
                assert_eq!(item["role"], "assistant");
                assert!(item["status"].is_string());
                for part in item["content"].as_array().unwrap() {
                    assert!(
                        part["type"] == "refusal" || part["annotations"].is_array(),
                        "{part}"
                    );
                }
            }
            "function_call" => {
                assert!(
                    ["arguments", "call_id", "name"]
                        .iter()
                        .all(|name| item[name].is_string()),
                    "{item}"
                );
            }
            "custom_tool_call" => {
                assert!(
                    ["input", "call_id", "name"]
                        .iter()
                        .all(|name| item[name].is_string()),
                    "{item}"
                );
            }
            "reasoning" => assert!(item["summary"].is_array()),
            _ => {}
        }
    }
    let usage = &response["usage"];
    if !usage.is_null() {
        let total = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
        assert_eq!(usage["total_tokens"], total);
        assert!(usage["input_tokens_details"]["cached_tokens"].is_u64());
        assert!(usage["input_tokens_details"]["cache_write_tokens"].is_u64());
        assert!(usage["output_tokens_details"]["reasoning_tokens"].is_u64());
    }
}
