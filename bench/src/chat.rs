//! What is asked and answered: chat bodies of a given size, and answers whose every chunk carries its time of sending.

mod anthropic;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;

pub use self::anthropic::MESSAGES_PATH;

/// The model that answers whole, not as a stream.
pub const PLAIN_MODEL: &str = "mock";

/// The path that the load asks for.
pub const PATH: &str = "/v1/chat/completions";

/// Stands before a chunk's stamp.
const STAMP: &[u8] = b"@t";
/// Decimal digits of a stamp.
const STAMP_DIGITS: usize = 20;

/// How an answer is streamed. It travels in the model's name, so that it passes any proxy: `mock-140x20` is 140
/// chunks at 20 a second, `mock-5000x0` is 5,000 chunks without pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPlan {
    /// Chunks with content.
    pub chunks: u32,
    /// Chunks per second; 0 for no pause.
    pub rate: u32,
}

impl StreamPlan {
    /// The model that answers by this plan.
    #[must_use]
    pub fn model(self) -> String {
        format!("{PLAIN_MODEL}-{}x{}", self.chunks, self.rate)
    }

    /// The plan that a model's name asks for.
    #[must_use]
    pub fn from_model(model: &str) -> Option<Self> {
        let (chunks, rate) = model
            .strip_prefix(PLAIN_MODEL)?
            .strip_prefix('-')?
            .split_once('x')?;
        Some(Self {
            chunks: chunks.parse().ok()?,
            rate: rate.parse().ok()?,
        })
    }
}

/// What the mock speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

impl Dialect {
    /// What comes before the first content chunk of a stream.
    #[must_use]
    pub fn stream_start(self, model: &str) -> Vec<u8> {
        match self {
            Self::OpenAi => Vec::new(),
            Self::Anthropic => anthropic::stream_start(model),
        }
    }

    /// The content chunk of a stream of `model`.
    #[must_use]
    pub fn chunk(self, model: &str) -> Chunk {
        match self {
            Self::OpenAi => Chunk::new(model),
            Self::Anthropic => Chunk::of(anthropic::delta),
        }
    }

    /// What follows the last content chunk, with the end of the body. Anthropic always reports usage.
    #[must_use]
    pub fn stream_end(self, ask: &Ask<'_>, plan: StreamPlan) -> Vec<u8> {
        match self {
            Self::OpenAi => stream_end(&ask.model, plan, ask.usage_wanted()),
            Self::Anthropic => anthropic::stream_end(plan),
        }
    }
}

/// The members of a chat request that decide the answer.
#[derive(Debug, Deserialize)]
pub struct Ask<'a> {
    /// The model, which names the [`StreamPlan`].
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// Whether the answer is to be streamed.
    #[serde(default)]
    pub stream: bool,
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl Ask<'_> {
    /// Whether the stream is to end with a usage chunk.
    #[must_use]
    pub fn usage_wanted(&self) -> bool {
        self.stream_options
            .as_ref()
            .is_some_and(|options| options.include_usage)
    }
}

const SENTENCE: &str = "The lock gate at Würzburg was \"closed\" at 06:40;\nits log says: level 3.21 m, 14.7 m³/s. \
                        Explain step by step what the keeper has to do before the next barge can pass. ";
/// Most sentences in one message.
const SENTENCES: usize = 20;

/// A chat request of exactly `size` bytes (at least 512): messages of text that needs escapes, and the members that
/// an SDK sends beside them.
#[must_use]
pub fn request_body(model: &str, size: usize, stream: bool) -> Vec<u8> {
    let render = |messages: &[(&str, String)]| {
        let messages: Vec<_> = messages
            .iter()
            .map(|(role, content)| json!({"role": role, "content": content}))
            .collect();
        json!({"model": model, "messages": messages, "temperature": 0.7, "max_tokens": 512, "stream": stream})
            .to_string()
    };
    let mut messages = vec![(
        "system",
        "You are a patient lock keeper. Answer in one paragraph.".to_owned(),
    )];
    let sentence = json!(SENTENCE).to_string().len();
    let empty = json!({"role": "assistant", "content": ""}).to_string().len() + 1;
    for role in ["user", "assistant"].into_iter().cycle() {
        let spare = size.saturating_sub(render(&messages).len() + empty);
        let sentences = (spare / sentence).min(SENTENCES);
        if sentences == 0 {
            break;
        }
        messages.push((role, SENTENCE.repeat(sentences)));
    }
    let short = size.saturating_sub(render(&messages).len());
    if let Some((_, content)) = messages.last_mut() {
        content.push_str(&".".repeat(short));
    }
    render(&messages).into_bytes()
}

/// A whole answer of about 1 KB with usage, head included.
#[must_use]
pub fn plain_answer() -> Vec<u8> {
    let body = json!({
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": PLAIN_MODEL,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": SENTENCE.repeat(4), "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(210),
        "service_tier": "default",
    })
    .to_string();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nServer: mock-llm\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body.as_bytes());
    answer
}

/// The head of a streamed answer.
pub const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
                                 Transfer-Encoding: chunked\r\nServer: mock-llm\r\n\r\n";

/// The answer to log entries.
pub const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The answer to what is not understood.
pub const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n\
      {\"error\":{\"message\":\"bad request\"}}";

/// One content chunk of a stream, ready to be sent again and again with another stamp.
#[derive(Debug)]
pub struct Chunk {
    bytes: Vec<u8>,
    stamp: usize,
}

impl Chunk {
    /// The chunk of a stream of `model`: an event of some 250 bytes in a chunk of the transfer encoding.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self::of(|content| {
            event(
                model,
                &json!([{
                    "index": 0,
                    "delta": {"content": content},
                    "logprobs": null,
                    "finish_reason": null,
                }]),
            )
        })
    }

    /// The chunk whose event is made of its text.
    fn of(event: impl FnOnce(&str) -> String) -> Self {
        let bytes = framed(&event(&format!("@t{} and then", "0".repeat(STAMP_DIGITS))));
        let stamp = memchr::memmem::find(&bytes, STAMP).map_or(bytes.len(), |at| at + STAMP.len());
        Self { bytes, stamp }
    }

    /// The bytes to send at `now`.
    pub fn stamped(&mut self, mut now: u64) -> &[u8] {
        for digit in self.bytes[self.stamp..].iter_mut().take(STAMP_DIGITS).rev() {
            *digit = b'0' + (now % 10) as u8;
            now /= 10;
        }
        &self.bytes
    }
}

/// The time of sending in an event, if it is a [`Chunk`]'s.
#[must_use]
pub fn stamp_of(event: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(event, STAMP)? + STAMP.len();
    let digits = event.get(at..at + STAMP_DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What follows the last content chunk: the finish reason, usage if wanted, `[DONE]`, and the end of the body.
#[must_use]
pub fn stream_end(model: &str, plan: StreamPlan, usage_wanted: bool) -> Vec<u8> {
    let finish = json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]);
    let mut end = framed(&event(model, &finish));
    if usage_wanted {
        let mut last: serde_json::Value = chunk_object(model, &json!([]));
        last["usage"] = usage(plan.chunks);
        end.extend_from_slice(&framed(&format!("data: {last}\n\n")));
    }
    end.extend_from_slice(&framed("data: [DONE]\n\n"));
    end.extend_from_slice(b"0\r\n\r\n");
    end
}

fn usage(completion: u32) -> serde_json::Value {
    json!({"prompt_tokens": 240, "completion_tokens": completion, "total_tokens": 240 + completion})
}

fn chunk_object(model: &str, choices: &serde_json::Value) -> serde_json::Value {
    json!({
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": model,
        "system_fingerprint": "fp_bench",
        "choices": choices,
    })
}

fn event(model: &str, choices: &serde_json::Value) -> String {
    format!("data: {}\n\n", chunk_object(model, choices))
}

/// `event` as one chunk of the transfer encoding.
fn framed(event: &str) -> Vec<u8> {
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_travel_in_the_model() {
        let plan = StreamPlan {
            chunks: 140,
            rate: 20,
        };
        assert_eq!(plan.model(), "mock-140x20");
        assert_eq!(StreamPlan::from_model("mock-140x20"), Some(plan));
        for other in ["mock", "gpt-4o", "mock-x", "mock-3xfast"] {
            assert_eq!(StreamPlan::from_model(other), None, "{other}");
        }
    }

    #[test]
    fn request_bodies_have_their_size_and_are_understood() {
        for size in [512, 1_024, 100 * 1_024] {
            let body = request_body("mock-1x0", size, true);
            assert_eq!(body.len(), size);
            let ask: Ask<'_> = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (&*ask.model, ask.stream, ask.usage_wanted()),
                ("mock-1x0", true, false)
            );
        }
        let ask: Ask<'_> =
            serde_json::from_str(r#"{"model":"mock","stream_options":{"include_usage":true}}"#).unwrap();
        assert!(ask.usage_wanted() && !ask.stream);
    }

    #[test]
    fn a_stamp_is_found_again() {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let mut chunk = dialect.chunk("mock-1x0");
            assert_eq!(stamp_of(chunk.stamped(123_456_789)), Some(123_456_789));
            assert_eq!(stamp_of(chunk.stamped(u64::MAX)), Some(u64::MAX));
        }
        assert_eq!(stamp_of(b"data: [DONE]"), None);
        assert_eq!(stamp_of(b"data: @t12"), None);
    }

    #[test]
    fn the_plain_answer_is_one_kilobyte_of_json() {
        let answer = plain_answer();
        let at = memchr::memmem::find(&answer, b"\r\n\r\n").unwrap() + 4;
        let body: serde_json::Value = serde_json::from_slice(&answer[at..]).unwrap();
        assert_eq!(body["usage"]["total_tokens"], 450);
        assert!((900..1_200).contains(&(answer.len() - at)));
    }

    #[test]
    fn usage_ends_a_stream_only_when_wanted() {
        let plan = StreamPlan { chunks: 3, rate: 0 };
        let end = String::from_utf8(stream_end("mock", plan, true)).unwrap();
        assert!(end.contains("\"completion_tokens\":3") && end.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
        assert!(
            !String::from_utf8(stream_end("mock", plan, false))
                .unwrap()
                .contains("usage")
        );
    }
}
