//! OpenAI: chat completions, on Azure too, and completions.

use bytes::Bytes;
use serde_json::{Value, json};

use super::completion::{Citation, Completion, Stop, Usage};
use super::contract::{Ask, Contracted, data};
use super::openai_extras::CREATED;

const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

pub(super) fn chat(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    if ask.streams() {
        return ChatStream::new(ask, completion).finish();
    }
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    let text = completion.whole_text();
    if !text.is_empty() {
        message["content"] = text.into();
    }
    if let Some(thoughts) = completion.thoughts() {
        message["reasoning_content"] = thoughts.into();
    }
    let calls = tool_calls(completion);
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let annotations = annotations(completion);
    if !annotations.is_empty() {
        message["annotations"] = annotations.into();
    }
    let mut choice = json!({
        "index": 0, "message": message, "logprobs": null, "finish_reason": finish(completion),
    });
    if wants_logprobs(ask) {
        choice["logprobs"] = logprobs(&completion.logprobs);
    }
    let mut body = json!({
        "id": format!("chatcmpl-{}", ask.number),
        "object": "chat.completion",
        "created": CREATED,
        "model": model(ask),
        "choices": choices(ask, choice),
        "usage": usage(completion.usage),
        "system_fingerprint": "fp_fake",
    });
    if is_azure(ask) {
        body["prompt_filter_results"] = prompt_filter();
        body["choices"][0]["content_filter_results"] = filter();
    }
    with_request_id(ask, Contracted::json(200, &body).with_cut(completion))
}

/// As many choices as were asked for.
fn choices(ask: &Ask<'_>, choice: Value) -> Value {
    let count = ask.body["n"].as_u64().unwrap_or(1);
    (0..count)
        .map(|index| {
            let mut choice = choice.clone();
            choice["index"] = index.into();
            choice
        })
        .collect()
}

struct ChatStream<'a> {
    ask: &'a Ask<'a>,
    completion: &'a Completion,
    frames: Vec<Bytes>,
}

impl<'a> ChatStream<'a> {
    fn new(ask: &'a Ask<'a>, completion: &'a Completion) -> Self {
        Self {
            ask,
            completion,
            frames: Vec::new(),
        }
    }

    fn finish(mut self) -> Contracted {
        if is_azure(self.ask) {
            let mut first = self.chunk(json!([]));
            first["model"] = "".into();
            first["prompt_filter_results"] = prompt_filter();
            self.frames.push(data(&first));
        }
        self.push(json!({"role": "assistant", "content": ""}));
        for piece in self.completion.thought_pieces() {
            self.push(json!({"reasoning_content": piece}));
        }
        self.text();
        self.tool_calls();
        let annotations = annotations(self.completion);
        if !annotations.is_empty() {
            self.push(json!({"annotations": annotations}));
        }
        self.choice(json!({}), Value::Null, finish(self.completion).into());
        if wants_usage(self.ask) {
            let mut last = self.chunk(json!([]));
            last["usage"] = usage(self.completion.usage);
            self.frames.push(data(&last));
        }
        self.frames.push(DONE);
        with_request_id(
            self.ask,
            Contracted::events(self.frames, self.completion.cut_after),
        )
    }

    fn text(&mut self) {
        let pieces = self.completion.text_pieces();
        for (index, piece) in pieces.iter().enumerate() {
            let probable = self.completion.logprobs_of(index, pieces.len());
            let probable = if wants_logprobs(self.ask) {
                logprobs(probable)
            } else {
                Value::Null
            };
            self.choice(json!({"content": piece}), probable, Value::Null);
        }
    }

    fn tool_calls(&mut self) {
        let mut deltas = Vec::new();
        for (index, call) in self.completion.calls().enumerate() {
            let mut of_call = vec![json!({
                "index": index,
                "id": call.id_or("call_", index),
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            })];
            let fragments = call.arguments.iter();
            of_call.extend(fragments.map(|piece| json!({"index": index, "function": {"arguments": piece}})));
            deltas.push(of_call);
        }
        if self.completion.interleaved {
            let longest = deltas.iter().map(Vec::len).max().unwrap_or(0);
            for step in 0..longest {
                let of_step: Vec<_> = deltas.iter().filter_map(|of_call| of_call.get(step)).collect();
                of_step
                    .into_iter()
                    .for_each(|call| self.push(json!({"tool_calls": [call]})));
            }
        } else {
            deltas
                .into_iter()
                .flatten()
                .for_each(|call| self.push(json!({"tool_calls": [call]})));
        }
    }

    fn push(&mut self, delta: Value) {
        self.choice(delta, Value::Null, Value::Null);
    }

    /// A chunk of each choice that was asked for.
    fn choice(&mut self, delta: Value, logprobs: Value, finish: Value) {
        let mut choice = json!({"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish});
        if is_azure(self.ask) {
            choice["content_filter_results"] = filter();
        }
        for index in 0..self.ask.body["n"].as_u64().unwrap_or(1) {
            choice["index"] = index.into();
            self.frames.push(data(&self.chunk(json!([choice]))));
        }
    }

    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.ask.number),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model(self.ask),
            "system_fingerprint": "fp_fake",
            "choices": choices,
        });
        if self.ask.strict && wants_usage(self.ask) {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

pub(super) fn completions(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let wants_logprobs = ask.body["logprobs"].is_u64();
    let chunk = |text: &str, probable: &[(String, f64)], finish: Value| {
        let probable = if wants_logprobs {
            lists(probable)
        } else {
            Value::Null
        };
        json!({
            "id": format!("cmpl-{}", ask.number),
            "object": "text_completion",
            "created": CREATED,
            "model": model(ask),
            "choices": [{"index": 0, "text": text, "logprobs": probable, "finish_reason": finish}],
        })
    };
    if !ask.streams() {
        let mut body = chunk(
            &completion.whole_text(),
            &completion.logprobs,
            finish(completion).into(),
        );
        body["usage"] = usage(completion.usage);
        return with_request_id(ask, Contracted::json(200, &body).with_cut(completion));
    }
    let pieces = completion.text_pieces();
    let frame = |(index, piece): (usize, &&str)| {
        let probable = completion.logprobs_of(index, pieces.len());
        data(&chunk(piece, probable, Value::Null))
    };
    let mut frames: Vec<_> = pieces.iter().enumerate().map(frame).collect();
    let mut last = chunk("", &[], finish(completion).into());
    if wants_usage(ask) {
        last["usage"] = usage(completion.usage);
    }
    frames.push(data(&last));
    frames.push(DONE);
    with_request_id(ask, Contracted::events(frames, completion.cut_after))
}

fn tool_calls(completion: &Completion) -> Vec<Value> {
    completion
        .calls()
        .enumerate()
        .map(|(index, call)| {
            json!({
                "id": call.id_or("call_", index),
                "type": "function",
                "function": {"name": call.name, "arguments": call.text()},
            })
        })
        .collect()
}

/// Where the cited words stand in a text, counted in characters.
pub(super) fn span(text: &str, citation: &Citation) -> (usize, usize) {
    let start = text.find(&citation.text).unwrap_or(0);
    let start = text[..start].chars().count();
    (start, start + citation.text.chars().count())
}

fn annotations(completion: &Completion) -> Vec<Value> {
    let text = completion.whole_text();
    completion
        .citations()
        .map(|citation| {
            let (start, end) = span(&text, citation);
            json!({"type": "url_citation", "url_citation": {
                "url": citation.url, "title": citation.title, "start_index": start, "end_index": end,
            }})
        })
        .collect()
}

fn finish(completion: &Completion) -> &'static str {
    match completion.why() {
        Stop::End | Stop::Sequence(_) => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
        Stop::Filtered => "content_filter",
    }
}

fn wants_logprobs(ask: &Ask<'_>) -> bool {
    ask.body["logprobs"] == json!(true)
}

fn wants_usage(ask: &Ask<'_>) -> bool {
    ask.body["stream_options"]["include_usage"] == json!(true)
}

fn logprobs(logprobs: &[(String, f64)]) -> Value {
    if logprobs.is_empty() {
        return Value::Null;
    }
    json!({"content": logprob_items(logprobs), "refusal": null})
}

/// As legacy completions write them.
fn lists(logprobs: &[(String, f64)]) -> Value {
    if logprobs.is_empty() {
        return Value::Null;
    }
    let (tokens, values): (Vec<_>, Vec<_>) = logprobs.iter().cloned().unzip();
    json!({"tokens": tokens, "token_logprobs": values, "top_logprobs": null, "text_offset": vec![0; tokens.len()]})
}

pub(super) fn logprob_items(logprobs: &[(String, f64)]) -> Vec<Value> {
    logprobs
        .iter()
        .map(|(token, logprob)| {
            json!({"token": token, "logprob": logprob, "bytes": token.as_bytes(), "top_logprobs": []})
        })
        .collect()
}

fn usage(usage: Usage) -> Value {
    let mut prompt = json!({"cached_tokens": usage.cached});
    if usage.cache_write > 0 {
        prompt["cache_write_tokens"] = usage.cache_write.into();
    }
    json!({
        "prompt_tokens": usage.prompt(),
        "completion_tokens": usage.completion(),
        "total_tokens": usage.total(),
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

fn is_azure(ask: &Ask<'_>) -> bool {
    ask.request.path.contains("/openai/deployments/")
}

/// The model asked for; Azure names the base model, whatever the deployment is called.
fn model(ask: &Ask<'_>) -> Value {
    if is_azure(ask) {
        "gpt-4o-2024-11-20".into()
    } else {
        ask.body["model"].clone()
    }
}

fn filter() -> Value {
    let safe = json!({"filtered": false, "severity": "safe"});
    json!({"hate": safe, "self_harm": safe, "sexual": safe, "violence": safe})
}

fn prompt_filter() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": filter()}])
}

fn with_request_id(ask: &Ask<'_>, answer: Contracted) -> Contracted {
    answer.with_header("x-request-id", format!("req_fake_{}", ask.number))
}
