use proptest::prelude::*;

use super::*;
use crate::usage::{ReportedCounts, Usage};

const CHAT: &str = concat!(
    ": OPENROUTER PROCESSING\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"The \"usage\" of"},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":" words\n"},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":4}}}"#,
    "\n\n",
    "data: [DONE]\n\n",
);

const ANTHROPIC: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_tokens":1}}}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\nevent: ping\n",
    r#"data: {"type": "ping"}"#,
    "\n\nevent: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
    "\n\nevent: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"}}"#,
    "\n\nevent: content_block_stop\n",
    r#"data: {"type":"content_block_stop","index":0}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
    "\n\nevent: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15}}"#,
    "\n\nevent: message_stop\n",
    r#"data: {"type":"message_stop"}"#,
    "\n\n",
);

const RESPONSES: &str = concat!(
    "event: response.created\n",
    r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-5","output":[],"usage":null}}"#,
    "\n\nevent: response.output_item.added\n",
    r#"data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
    "\n\nevent: response.output_text.delta\n",
    r#"data: {"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hi","logprobs":[]}"#,
    "\n\nevent: response.output_item.added\n",
    r#"data: {"type":"response.output_item.added","sequence_number":3,"output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":""}}"#,
    "\n\nevent: response.function_call_arguments.delta\n",
    r#"data: {"type":"response.function_call_arguments.delta","sequence_number":4,"item_id":"fc_1","output_index":1,"delta":"{}"}"#,
    "\n\nevent: response.completed\n",
    r#"data: {"type":"response.completed","sequence_number":5,"response":{"id":"resp_1","object":"response","status":"completed","model":"gpt-5","output":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16}}}"#,
    "\n\n",
);

/// Counts bytes, so that sums are easy to check, and keeps the text.
fn reading() -> TapOptions {
    TapOptions {
        count_tokens: Some(Arc::new(|text| text.len() as u64)),
        keep_text: true,
        ..TapOptions::default()
    }
}

fn tapped<'a>(
    protocol: Protocol,
    options: TapOptions,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> StreamTap {
    let mut tap = StreamTap::new(protocol, options);
    for chunk in chunks {
        tap.feed(&Bytes::copy_from_slice(chunk));
    }
    tap.finish();
    tap
}

fn kinds(protocol: Protocol, stream: &str) -> Vec<FrameKind> {
    let mut tap = StreamTap::new(protocol, TapOptions::default());
    stream
        .split_inclusive("\n\n")
        .map(|frame| tap.observe(frame.as_bytes()))
        .collect()
}

#[test]
fn chat() {
    for options in [TapOptions::default(), reading()] {
        let reads = options.keep_text;
        let tap = tapped(Protocol::OpenAiChat, options, [CHAT.as_bytes()]);
        let Metered { counts, usage } = tap.usage().unwrap();
        let expected = ReportedCounts {
            prompt: 19,
            completion: 10,
            total: 29,
            cache_read: 8,
            cache_creation: 0,
            reasoning: 4,
        };
        assert_eq!(counts, expected);
        assert_eq!(
            usage,
            Usage {
                input: 11,
                cache_read: 8,
                output: 6,
                reasoning: 4,
                ..Usage::default()
            }
        );
        assert_eq!(tap.end(), Some(StreamEnd::Complete));
        assert_eq!(tap.model(), Some("gpt-4o-2024-08-06"));
        assert!(tap.has_content() && !tap.has_tool_calls());
        assert_eq!(tap.text(), reads.then_some("The \"usage\" of words\n"));
        assert_eq!(tap.counted_tokens(), if reads { 21 } else { 0 });
    }
}

#[test]
fn kinds_of_chat_frames() {
    use FrameKind::*;
    let expected = [
        Plain,
        Plain,
        FirstContent,
        Plain,
        Plain,
        UsageOnly,
        End(StreamEnd::Complete),
    ];
    assert_eq!(kinds(Protocol::OpenAiChat, CHAT), expected);
}

#[test]
fn chat_tool_calls_after_text() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n",
    );
    let tap = tapped(Protocol::OpenAiChat, reading(), [stream.as_bytes()]);
    assert!(tap.has_tool_calls());
    assert_eq!((tap.counted_tokens(), tap.text()), (5, Some("x")));
    assert_eq!((tap.end(), tap.usage()), (None, None));
    assert!(tapped(Protocol::OpenAiChat, TapOptions::default(), [stream.as_bytes()]).has_tool_calls());
}

#[test]
fn usage_on_every_chunk_takes_the_last_and_keeps_the_content() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n",
    );
    let tap = tapped(Protocol::OpenAiChat, TapOptions::default(), [stream.as_bytes()]);
    let counts = tap.usage().unwrap().counts;
    assert_eq!((counts.prompt, counts.completion, counts.total), (5, 2, 7));
    assert_eq!(tap.content_frames(), 2);
}

#[test]
fn errors_inside_streams() {
    use FrameKind::*;
    let failed = End(StreamEnd::Failed);
    let chat = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"say \\\"error\\\"\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"error\\\"\"}}]}\n\n",
        "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n",
        "data: [DONE]\n\n",
    );
    assert_eq!(
        kinds(Protocol::OpenAiChat, chat),
        [FirstContent, Plain, failed, Plain]
    );
    let anthropic = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    assert_eq!(kinds(Protocol::AnthropicMessages, anthropic), [failed]);
    let responses =
        "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n";
    assert_eq!(kinds(Protocol::OpenAiResponses, responses), [failed]);
}

#[test]
fn anthropic() {
    for options in [TapOptions::default(), reading()] {
        let reads = options.keep_text;
        let tap = tapped(Protocol::AnthropicMessages, options, [ANTHROPIC.as_bytes()]);
        let Metered { counts, usage } = tap.usage().unwrap();
        let expected = ReportedCounts {
            prompt: 25,
            completion: 15,
            total: 40,
            cache_read: 7,
            ..Default::default()
        };
        assert_eq!(counts, expected);
        assert_eq!(
            usage,
            Usage {
                input: 25,
                cache_read: 7,
                output: 15,
                ..Usage::default()
            }
        );
        assert_eq!(tap.end(), Some(StreamEnd::Complete));
        assert_eq!(tap.model(), Some("claude-sonnet-4-5"));
        assert!(tap.has_tool_calls());
        assert_eq!(tap.content_frames(), 4);
        assert_eq!(tap.text(), reads.then_some("Hello!"));
        assert_eq!(tap.counted_tokens(), if reads { 13 } else { 0 });
    }
}

#[test]
fn kinds_of_anthropic_frames() {
    use FrameKind::*;
    let kinds = kinds(Protocol::AnthropicMessages, ANTHROPIC);
    assert_eq!(kinds[..5], [Plain, Plain, Plain, FirstContent, Plain]);
    assert_eq!(kinds.last(), Some(&End(StreamEnd::Complete)));
}

#[test]
fn anthropic_without_event_lines() {
    let bare: String = ANTHROPIC
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("event:"))
        .collect();
    let tap = tapped(
        Protocol::AnthropicMessages,
        TapOptions::default(),
        [bare.as_bytes()],
    );
    assert_eq!(tap.usage().unwrap().counts.total, 40);
    assert_eq!(tap.end(), Some(StreamEnd::Complete));
}

#[test]
fn responses() {
    for options in [TapOptions::default(), reading()] {
        let reads = options.keep_text;
        let tap = tapped(Protocol::OpenAiResponses, options, [RESPONSES.as_bytes()]);
        let Metered { counts, usage } = tap.usage().unwrap();
        assert_eq!(
            (counts.prompt, counts.completion, counts.total, counts.reasoning),
            (11, 5, 16, 2)
        );
        assert_eq!(
            usage,
            Usage {
                input: 10,
                cache_read: 1,
                output: 3,
                reasoning: 2,
                ..Usage::default()
            }
        );
        assert_eq!(tap.end(), Some(StreamEnd::Complete));
        assert_eq!(tap.model(), Some("gpt-5"));
        assert!(tap.has_tool_calls());
        assert_eq!(tap.text(), reads.then_some("Hi"));
        assert_eq!(tap.counted_tokens(), if reads { 4 } else { 0 });
    }
}

#[test]
fn usage_of_an_incomplete_response_is_ours_only() {
    let stream = RESPONSES.replace("response.completed", "response.incomplete");
    let tap = tapped(
        Protocol::OpenAiResponses,
        TapOptions::default(),
        [stream.as_bytes()],
    );
    let Metered { counts, usage } = tap.usage().unwrap();
    assert_eq!((counts, usage.total()), (ReportedCounts::default(), 16));
    assert_eq!(tap.end(), Some(StreamEnd::Complete));
}

#[test]
fn a_frame_that_was_broken_off_does_not_count() {
    let cut = CHAT.split("data: [DONE]").next().unwrap().trim_end();
    let tap = tapped(Protocol::OpenAiChat, TapOptions::default(), [cut.as_bytes()]);
    assert_eq!((tap.usage(), tap.end()), (None, None));
}

#[test]
fn passthrough_streams_are_only_counted() {
    let tap = tapped(Protocol::Passthrough, reading(), [CHAT.as_bytes()]);
    assert_eq!((tap.usage(), tap.end(), tap.content_frames()), (None, None, 7));
}

#[test]
fn debug_shows_no_text() {
    let tap = tapped(Protocol::OpenAiChat, reading(), [CHAT.as_bytes()]);
    assert!(!format!("{tap:?}").contains("words"));
}

proptest! {
    #[test]
    fn what_is_seen_does_not_depend_on_chunks(size in 1_usize..64, crlf: bool) {
        for (protocol, stream) in [
            (Protocol::OpenAiChat, CHAT),
            (Protocol::AnthropicMessages, ANTHROPIC),
            (Protocol::OpenAiResponses, RESPONSES),
        ] {
            let stream = if crlf { stream.replace('\n', "\r\n") } else { stream.to_owned() };
            let whole = tapped(protocol, reading(), [stream.as_bytes()]);
            let cut = tapped(protocol, reading(), stream.as_bytes().chunks(size));
            prop_assert_eq!(whole.usage(), cut.usage());
            prop_assert_eq!(whole.end(), cut.end());
            prop_assert_eq!(whole.text(), cut.text());
            prop_assert_eq!(whole.counted_tokens(), cut.counted_tokens());
            prop_assert_eq!(whole.content_frames(), cut.content_frames());
        }
    }
}
