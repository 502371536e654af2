//! OpenAI responses.

use serde_json::{Value, json};

use super::completion::{Block, Citation, Completion, Stop};
use super::contract::{Ask, Contracted, named};
use super::openai::{logprob_items, span};

pub(super) fn respond(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let response = Response { ask, completion };
    let answer = if ask.streams() {
        response.stream()
    } else {
        Contracted::json(200, &response.finished()).with_cut(completion)
    };
    answer.with_header("x-request-id", format!("req_fake_{}", ask.number))
}

struct Response<'a> {
    ask: &'a Ask<'a>,
    completion: &'a Completion,
}

/// An item of the output, with the pieces in which it is streamed.
struct Item<'a> {
    item: Value,
    pieces: Vec<&'a str>,
}

impl Response<'_> {
    fn object(&self, status: &str, output: Value, usage: Value) -> Value {
        let request = self.ask.body;
        let or = |member: &str, usual: Value| match &request[member] {
            Value::Null => usual,
            given => given.clone(),
        };
        json!({
            "id": format!("resp_{}", self.ask.number),
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "error": null,
            "incomplete_details": if status == "incomplete" { self.incomplete() } else { Value::Null },
            "instructions": request["instructions"],
            "max_output_tokens": request["max_output_tokens"],
            "metadata": or("metadata", json!({})),
            "model": request["model"],
            "output": output,
            "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
            "previous_response_id": request["previous_response_id"],
            "reasoning": or("reasoning", json!({"effort": null, "summary": null})),
            "store": or("store", json!(true)),
            "temperature": or("temperature", json!(1.0)),
            "text": or("text", json!({"format": {"type": "text"}})),
            "tool_choice": or("tool_choice", json!("auto")),
            "tools": or("tools", json!([])),
            "top_p": or("top_p", json!(1.0)),
            "truncation": or("truncation", json!("disabled")),
            "usage": usage,
        })
    }

    fn incomplete(&self) -> Value {
        match self.completion.why() {
            Stop::Filtered => json!({"reason": "content_filter"}),
            _ => json!({"reason": "max_output_tokens"}),
        }
    }

    fn status(&self) -> &'static str {
        match self.completion.why() {
            Stop::Length | Stop::Filtered => "incomplete",
            Stop::End | Stop::Sequence(_) | Stop::ToolCalls => "completed",
        }
    }

    fn finished(&self) -> Value {
        let usage = self.completion.usage;
        let mut input_details = json!({"cached_tokens": usage.cached});
        if usage.cache_write > 0 {
            input_details["cache_write_tokens"] = usage.cache_write.into();
        }
        let usage = json!({
            "input_tokens": usage.prompt(),
            "input_tokens_details": input_details,
            "output_tokens": usage.completion(),
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.total(),
        });
        let items = self.items().into_iter().map(|item| item.item).collect();
        self.object(self.status(), items, usage)
    }

    /// The blocks as items: one message for each text.
    fn items(&self) -> Vec<Item<'_>> {
        let (mut items, mut calls, mut messages) = (Vec::new(), 0, 0);
        for (index, block) in self.completion.blocks.iter().enumerate() {
            items.push(match block {
                Block::Thinking { pieces, signature } => Item {
                    item: self.reasoning(index, &pieces.concat(), signature),
                    pieces: pieces.iter().map(String::as_str).collect(),
                },
                Block::Redacted(data) => Item {
                    item: self.reasoning(index, "", data),
                    pieces: Vec::new(),
                },
                Block::Text { pieces, citations } => {
                    messages += 1;
                    Item {
                        item: self.message(messages - 1, &pieces.concat(), citations),
                        pieces: pieces.iter().map(String::as_str).collect(),
                    }
                }
                Block::ToolCall(call) => {
                    calls += 1;
                    Item {
                        item: json!({
                            "id": format!("fc_{}", calls - 1),
                            "type": "function_call",
                            "status": "completed",
                            "call_id": call.id_or("call_", calls - 1),
                            "name": call.name,
                            "arguments": call.text(),
                        }),
                        pieces: call.arguments.iter().map(String::as_str).collect(),
                    }
                }
            });
        }
        items
    }

    /// Thoughts; encrypted where that is asked for.
    fn reasoning(&self, index: usize, text: &str, encrypted: &str) -> Value {
        let summary = if text.is_empty() {
            json!([])
        } else {
            json!([{"type": "summary_text", "text": text}])
        };
        let mut item = json!({"id": format!("rs_{index}"), "type": "reasoning", "summary": summary});
        let include = self.ask.body["include"].as_array();
        if include.is_some_and(|include| include.iter().any(|what| what == "reasoning.encrypted_content")) {
            item["encrypted_content"] = encrypted.into();
        }
        item
    }

    fn message(&self, index: usize, text: &str, citations: &[Citation]) -> Value {
        let annotations: Vec<_> = citations
            .iter()
            .map(|citation| annotation(text, citation))
            .collect();
        let mut part = text_part(text);
        part["annotations"] = annotations.into();
        part["logprobs"] = self.logprobs(&self.completion.logprobs);
        json!({
            "id": format!("msg_{index}"),
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [part],
        })
    }

    fn logprobs(&self, logprobs: &[(String, f64)]) -> Value {
        let include = self.ask.body["include"].as_array();
        if include.is_some_and(|include| include.iter().any(|what| what == "message.output_text.logprobs")) {
            logprob_items(logprobs).into()
        } else {
            json!([])
        }
    }

    fn stream(&self) -> Contracted {
        let open = self.object("in_progress", json!([]), Value::Null);
        let mut events = vec![
            json!({"type": "response.created", "response": open}),
            json!({"type": "response.in_progress", "response": open}),
        ];
        for (index, item) in self.items().iter().enumerate() {
            self.item_events(&mut events, index, item);
        }
        let kind = format!("response.{}", self.status());
        events.push(json!({"type": kind, "response": self.finished()}));
        let frames = events.into_iter().enumerate().map(|(number, mut event)| {
            event["sequence_number"] = number.into();
            named(&event)
        });
        Contracted::events(frames.collect(), self.completion.cut_after)
    }

    fn item_events(&self, events: &mut Vec<Value>, index: usize, streamed: &Item<'_>) {
        let item = &streamed.item;
        let mut opened = item.clone();
        let mut inner = Vec::new();
        let place = |kind: &str, place: &str, members: Value| {
            let mut event = json!({"type": kind, "item_id": item["id"], "output_index": index});
            if !place.is_empty() {
                event[place] = 0.into();
            }
            if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
                event.extend(members);
            }
            event
        };
        match item["type"].as_str() {
            Some("message") => {
                opened["status"] = "in_progress".into();
                opened["content"] = json!([]);
                let place = |kind: &str, members| place(kind, "content_index", members);
                self.text_events(&mut inner, streamed, &place);
            }
            Some("function_call") => {
                opened["status"] = "in_progress".into();
                opened["arguments"] = "".into();
                for piece in &streamed.pieces {
                    inner.push(place(
                        "response.function_call_arguments.delta",
                        "",
                        json!({"delta": piece}),
                    ));
                }
                let whole = json!({"name": item["name"], "arguments": item["arguments"]});
                inner.push(place("response.function_call_arguments.done", "", whole));
            }
            _ => {
                opened["summary"] = json!([]);
                if !streamed.pieces.is_empty() {
                    let place = |kind: &str, members| place(kind, "summary_index", members);
                    summary_events(&mut inner, streamed, &place);
                }
            }
        }
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": opened}));
        events.append(&mut inner);
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }

    fn text_events(
        &self,
        events: &mut Vec<Value>,
        streamed: &Item<'_>,
        place: &dyn Fn(&str, Value) -> Value,
    ) {
        let part = &streamed.item["content"][0];
        events.push(place(
            "response.content_part.added",
            json!({"part": text_part("")}),
        ));
        let count = streamed.pieces.len();
        for (number, piece) in streamed.pieces.iter().enumerate() {
            let logprobs = self.logprobs(self.completion.logprobs_of(number, count));
            let delta = json!({"delta": piece, "logprobs": logprobs});
            events.push(place("response.output_text.delta", delta));
        }
        let annotations = part["annotations"].as_array().into_iter().flatten();
        for (number, annotation) in annotations.enumerate() {
            let members = json!({"annotation_index": number, "annotation": annotation});
            events.push(place("response.output_text.annotation.added", members));
        }
        let done = json!({"text": part["text"], "logprobs": part["logprobs"]});
        events.push(place("response.output_text.done", done));
        events.push(place("response.content_part.done", json!({"part": part})));
    }
}

fn summary_events(events: &mut Vec<Value>, streamed: &Item<'_>, place: &dyn Fn(&str, Value) -> Value) {
    let part = &streamed.item["summary"][0];
    let empty = json!({"part": {"type": "summary_text", "text": ""}});
    events.push(place("response.reasoning_summary_part.added", empty));
    for piece in &streamed.pieces {
        events.push(place(
            "response.reasoning_summary_text.delta",
            json!({"delta": piece}),
        ));
    }
    events.push(place(
        "response.reasoning_summary_text.done",
        json!({"text": part["text"]}),
    ));
    events.push(place(
        "response.reasoning_summary_part.done",
        json!({"part": part}),
    ));
}

fn annotation(text: &str, citation: &Citation) -> Value {
    let (start, end) = span(text, citation);
    json!({
        "type": "url_citation", "url": citation.url, "title": citation.title,
        "start_index": start, "end_index": end,
    })
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}
