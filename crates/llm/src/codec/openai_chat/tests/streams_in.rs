//! What providers send.

use proptest::prelude::*;

use crate::chat::{
    ChatAnswer, ChatEvent, Json, Part, PartDelta, PartKind, Reasoning, SignatureOrigin, StopReason, ToolCall,
};
use crate::codec::openai_chat::OpenAiChat;
use crate::codec::testing::{assemble, decode_stream};
use crate::error::ErrorKind;
use crate::protocol::Protocol;

/// A stream of those chunks and `[DONE]`.
fn stream(chunks: &[&str]) -> String {
    let frames: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    frames + "data: [DONE]\n\n"
}

/// A stream of those deltas of one choice, which ends for that reason.
fn deltas(deltas: &[&str], finish: &str) -> String {
    let mut chunks: Vec<String> = deltas
        .iter()
        .map(|delta| {
            format!(
                r#"{{"id":"c1","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
            )
        })
        .collect();
    chunks.push(format!(
        r#"{{"id":"c1","model":"m","choices":[{{"index":0,"delta":{{}},"finish_reason":"{finish}"}}]}}"#
    ));
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    stream(&chunks)
}

fn answer(stream: &str) -> ChatAnswer {
    assemble(&OpenAiChat, stream.as_bytes())
}

fn error(stream: &str) -> (ErrorKind, String, Option<String>) {
    let events = decode_stream(&OpenAiChat, stream.as_bytes());
    match events.last() {
        Some(ChatEvent::Error(error)) => (
            error.kind(),
            error.message().to_owned(),
            error.code().map(str::to_owned),
        ),
        other => panic!("no error: {other:?}"),
    }
}

/// The parts in short.
fn said(parts: &[Part]) -> Vec<String> {
    parts
        .iter()
        .map(|part| match &part.kind {
            PartKind::Text(text) => format!("text {text}"),
            PartKind::Refusal(text) => format!("refusal {text}"),
            PartKind::Reasoning(Reasoning {
                text,
                signature,
                is_redacted,
                is_summary,
                ..
            }) => {
                let mut out = format!("thought {text}");
                if *is_redacted {
                    out.push_str(" redacted");
                }
                if *is_summary {
                    out.push_str(" summary");
                }
                if let Some(signature) = signature {
                    out.push_str(&format!(" {:?} {}", signature.origin, signature.data));
                }
                out
            }
            PartKind::ToolCall(ToolCall {
                id,
                name,
                arguments,
                is_custom,
                ..
            }) => {
                format!(
                    "{} {id} {name} {arguments}",
                    if *is_custom { "custom" } else { "call" }
                )
            }
            PartKind::Foreign => {
                let members = part.extension.members(Protocol::OpenAiChat).iter();
                members
                    .map(|(name, value)| format!("{name}={}", value.text()))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            other => format!("{other:?}"),
        })
        .collect()
}

fn first(stream: &str) -> Vec<String> {
    said(&answer(stream).choices[0].parts)
}

#[test]
fn a_plain_stream_with_usage_behind() {
    let answer = answer(
        "\u{feff}: OPENROUTER PROCESSING\r\n\r\ndata:{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\r\n\r\ndata: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hé\"}}]}\r\n\r\n: keep-alive\r\n\r\ndata: {\"id\":\"c1\",\ndata: \"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"}}]}\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4,\"total_tokens\":14,\"prompt_tokens_details\":{\"cached_tokens\":6},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}\n\ndata: [DONE]\n\ndata: [DONE]\n\n",
    );
    assert_eq!(
        (answer.id.as_deref(), answer.model.as_deref()),
        (Some("c1"), Some("m"))
    );
    assert_eq!(
        answer
            .extension
            .get(Protocol::OpenAiChat, "system_fingerprint")
            .map(Json::text),
        Some("\"fp\"")
    );
    assert_eq!(said(&answer.choices[0].parts), ["text Héllo"]);
    assert_eq!(answer.choices[0].stop, StopReason::Stop);
    let usage = answer.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.output, usage.reasoning),
        (4, 6, 3, 1)
    );
}

#[test]
fn thoughts_under_every_name() {
    for name in ["reasoning_content", "reasoning"] {
        let thought = format!(r#"{{"{name}":"hm"}}"#);
        assert_eq!(
            first(&deltas(&[&thought, r#"{"content":"hi"}"#], "stop")),
            ["thought hm", "text hi"]
        );
    }
    let both = r#"{"reasoning_content":"hm","reasoning":"hm"}"#;
    assert_eq!(first(&deltas(&[both], "stop")), ["thought hm"]);
    let mistral = r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},{"type":"text","text":"b"}]}"#;
    assert_eq!(
        first(&deltas(&[mistral, r#"{"content":"c"}"#], "stop")),
        ["thought a", "text bc"]
    );
}

#[test]
fn signed_thoughts_come_from_details() {
    let stream = deltas(
        &[
            r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","format":"anthropic-claude-v1","index":0}]}"#,
            r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","format":"anthropic-claude-v1","index":0}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"sig","format":"anthropic-claude-v1","index":0}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"xx","format":"anthropic-claude-v1","index":1}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"yy","format":"xai-responses-v1","index":2}]}"#,
            r#"{"content":"hi"}"#,
        ],
        "stop",
    );
    assert_eq!(
        first(&stream),
        [
            "thought ab Anthropic sig",
            "thought  redacted Anthropic xx",
            r#"type="reasoning.encrypted" data="yy" format="xai-responses-v1" index=2"#,
            "text hi"
        ]
    );
    let openai = deltas(
        &[
            r#"{"reasoning":"s","reasoning_details":[{"type":"reasoning.summary","summary":"s","id":"rs","format":"openai-responses-v1","index":0}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"e","id":"rs","format":"openai-responses-v1","index":0}]}"#,
        ],
        "stop",
    );
    assert_eq!(first(&openai), ["thought s summary OpenAi e"]);
}

#[test]
fn parallel_calls_by_index() {
    let stream = deltas(
        &[
            r#"{"content":"let me see"}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#,
        ],
        "tool_calls",
    );
    assert_eq!(
        first(&stream),
        ["text let me see", r#"call a f {"x":1}"#, "call b g {}"]
    );
    assert_eq!(answer(&stream).choices[0].stop, StopReason::ToolCalls);
}

#[test]
fn odd_calls() {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        (
            "always index 0",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
            ],
            &["call a f {}", "call b g {}"],
        ),
        (
            "no index",
            &[
                r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"1}"}}]}"#,
                r#"{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"{}"}}]}"#,
            ],
            &[r#"call a f {"x":1}"#, "call b f {}"],
        ),
        (
            "id and name repeated",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
            ],
            &["call a f {}"],
        ),
        (
            "name in pieces",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"get_"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"name":"time","arguments":null}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
            ],
            &["call a get_time {}"],
        ),
        (
            "arguments as object",
            &[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1.0}}}]}"#],
            &[r#"call a f {"x": 1.0}"#],
        ),
        (
            "neither id nor index",
            &[
                r#"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"g","arguments":"{}"}}]}"#,
            ],
            &["call call_1c_0_0 f {}", "call call_1c_0_1 g {}"],
        ),
        (
            "no arguments at all",
            &[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}"#],
            &["call a f "],
        ),
        (
            "legacy",
            &[
                r#"{"function_call":{"name":"f","arguments":"{"}}"#,
                r#"{"function_call":{"arguments":"}"}}"#,
            ],
            &["call call_1c_0_0 f {}"],
        ),
        (
            "custom, and text behind it",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"SELECT"}}]}"#,
                r#"{"content":"done"}"#,
            ],
            &["custom a f SELECT", "text done"],
        ),
    ];
    for (what, pieces, expected) in cases {
        // The reason is wrong on purpose: several servers say so.
        let stream = deltas(pieces, "stop");
        assert_eq!(first(&stream), expected, "{what}");
        assert_eq!(answer(&stream).choices[0].stop, StopReason::ToolCalls, "{what}");
    }
}

#[test]
fn signatures_of_calls() {
    let stream = deltas(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"sig"}}}]}"#,
        ],
        "tool_calls",
    );
    let answer = answer(&stream);
    let PartKind::ToolCall(call) = &answer.choices[0].parts[0].kind else {
        panic!("no call")
    };
    let signature = call.signature.as_ref().unwrap();
    assert_eq!(
        (signature.origin, signature.data.as_str()),
        (SignatureOrigin::Gemini, "sig")
    );
}

#[test]
fn several_choices_logprobs_refusals_audio_and_annotations() {
    let answer = answer(&stream(&[
        r#"{"id":"c","model":"m","choices":[{"index":1,"delta":{"role":"assistant","content":"b"},"logprobs":{"content":[{"token":"b","logprob":-0.10}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"refusal":"no"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"c","annotations":[{"type":"url_citation"}]},"logprobs":{"content":[{"token":"c","logprob":-1}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"audio":{"id":"au","data":"AA"}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"},{"index":1,"delta":{},"finish_reason":"content_filter"}]}"#,
    ]));
    assert_eq!(
        said(&answer.choices[0].parts),
        ["refusal no", r#"audio={"id":"au","data":"AA"}"#]
    );
    assert_eq!(said(&answer.choices[1].parts), ["text bc"]);
    assert_eq!(
        [answer.choices[0].stop, answer.choices[1].stop],
        [StopReason::Length, StopReason::ContentFilter]
    );
    let logprobs = answer.choices[1].logprobs.as_ref().unwrap();
    assert!(logprobs.text().contains(r#""b""#) && logprobs.text().contains(r#""c""#));
}

#[test]
fn surrogates_cut_between_deltas_are_joined() {
    let stream = deltas(&[r#"{"content":"a\ud83c"}"#, r#"{"content":"\udf89"}"#], "stop");
    assert_eq!(first(&stream), ["text a🎉"]);
}

#[test]
fn ends_that_are_ends() {
    let text = r#"{"id":"c","choices":[{"delta":{"content":"hi"},"finish_reason":""}]}"#;
    // Azure's first chunk, and LiteLLM's usage with a choice.
    let azure = stream(&[
        r#"{"choices":[],"id":"","model":"","prompt_filter_results":[{"prompt_index":0}]}"#,
        text,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
    ]);
    let azure = answer(&azure);
    assert_eq!(azure.id.as_deref(), Some("c"));
    assert!(
        azure
            .extension
            .get(Protocol::OpenAiChat, "prompt_filter_results")
            .is_some()
    );
    assert_eq!(
        (said(&azure.choices[0].parts), azure.usage.unwrap().total()),
        (vec!["text hi".to_owned()], 2)
    );
    // No finish reason, but the end is said.
    assert_eq!(first(&stream(&[text])), ["text hi"]);
    // A finish reason, and the end is not said; not even the last line is whole.
    let finished =
        format!("data: {text}\n\ndata: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}");
    assert_eq!(first(&finished), ["text hi"]);
}

#[test]
fn ends_that_are_none() {
    let text = r#"{"id":"c","choices":[{"delta":{"content":"hi"}}]}"#;
    let cut = "upstream_cut".to_owned();
    for broken in [
        format!("data: {text}\n\n"),
        format!("data: {text}\n\ndata: {{\"choices\":[{{\"delta\":{{\"con"),
        ": comment\n\n".to_owned(),
        String::new(),
    ] {
        let (kind, _, code) = error(&broken);
        assert_eq!((kind, code), (ErrorKind::Upstream, Some(cut.clone())), "{broken}");
    }
    assert_eq!(
        error("data: [DONE]\n\n").2.as_deref(),
        Some("upstream_unreadable")
    );
    assert_eq!(
        error("data: {\"choices\":[{]}\n\n").2.as_deref(),
        Some("upstream_unreadable")
    );
}

#[test]
fn errors_in_the_providers_words() {
    let text = r#"{"id":"c","choices":[{"delta":{"content":"hi"}}]}"#;
    let cases = [
        (
            stream(&[
                text,
                r#"{"id":"c","error":{"code":502,"message":"Provider returned error"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            ]),
            (ErrorKind::Upstream, "Provider returned error"),
        ),
        (
            stream(&[text, r#"{"x_groq":{"error":"over capacity"}}"#]),
            (ErrorKind::Upstream, "over capacity"),
        ),
        (
            stream(&[
                r#"{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}"#,
            ]),
            (ErrorKind::RateLimit, "slow down"),
        ),
        (
            stream(&[r#"{"object":"error","message":"too long","code":400}"#]),
            (ErrorKind::InvalidRequest, "too long"),
        ),
        (
            "event: error\ndata: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n".to_owned(),
            (ErrorKind::Overloaded, "busy"),
        ),
        (
            r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#.to_owned(),
            (ErrorKind::RateLimit, "quota"),
        ),
        (
            r#"{"error":{"message":"Incorrect API key: sk-canary","type":"authentication_error"}}"#
                .to_owned(),
            (
                ErrorKind::Upstream,
                "the provider refused the gateway's credentials",
            ),
        ),
    ];
    for (stream, (kind, message)) in cases {
        let (seen, said, _) = error(&stream);
        assert_eq!((seen, said.as_str()), (kind, message), "{stream}");
    }
}

#[test]
fn a_whole_answer_in_place_of_a_stream() {
    let body = r#" {"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let answer = answer(body);
    assert_eq!(said(&answer.choices[0].parts), ["text hi"]);
    assert_eq!(answer.usage.unwrap().total(), 3);
    assert_eq!(
        error("{\"choices\":[{\"message\":").2.as_deref(),
        Some("upstream_unreadable")
    );
}

#[test]
fn usage_wherever_it_is() {
    let text = r#"{"id":"c","choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#;
    // Perplexity: on every chunk, the last counts.
    let growing = stream(&[
        text,
        r#"{"choices":[{"delta":{"content":"!"},"message":{"content":"hi!"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
    ]);
    assert_eq!(answer(&growing).usage.unwrap().total(), 7);
    assert_eq!(first(&growing), ["text hi!"]);
    let groq = stream(&[
        r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4}}}"#,
    ]);
    assert_eq!(answer(&groq).usage.unwrap().total(), 7);
    let deepseek = stream(&[
        r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}}"#,
    ]);
    assert_eq!(answer(&deepseek).usage.unwrap().cache_read, 8);
    let xai = stream(&[
        r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":5}}}"#,
    ]);
    let xai = answer(&xai).usage.unwrap();
    assert_eq!((xai.output, xai.reasoning), (1, 5));
}

#[test]
fn every_delta_is_handed_on_at_once() {
    let mut decoder = super::super::stream_in::Decoder::new(super::super::answer_in::decode);
    let mut events = Vec::new();
    let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
    crate::codec::StreamDecoder::push(&mut decoder, &chunk.into(), &mut events);
    let hi = PartDelta::Text("hi".to_owned());
    assert!(matches!(events.last(), Some(ChatEvent::Delta { delta, .. }) if *delta == hi));
}

proptest! {
    /// However odd the chunks, the events keep their order, and the stream ends once.
    #[test]
    fn any_chunks_keep_the_order_of_events(picked in prop::collection::vec(0..ODD.len(), 0..12), is_done in any::<bool>()) {
        let mut stream: String = picked.iter().map(|index| format!("data: {}\n\n", ODD[*index])).collect();
        if is_done {
            stream.push_str("data: [DONE]\n\n");
        }
        decode_stream(&OpenAiChat, stream.as_bytes());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_stream(&OpenAiChat, &bytes);
    }
}

/// Chunks with an id, so that made ids do not depend on chance.
const ODD: [&str; 16] = [
    r#"{"id":"c","choices":[{"delta":{"content":"a"}}]}"#,
    r#"{"id":"c","choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
    r#"{"id":"c","choices":[{"delta":{"reasoning":"r"}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"t","index":1}]}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"d","format":"anthropic-claude-v1"}]}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"d"},7]}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"tool_calls":[{"id":"x","function":{"name":"f"}}]}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"tool_calls":[{"index":0,"id":"y","function":{"name":"g","arguments":{}},"extra_content":{"google":{"thought_signature":"s"}}}]}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"function_call":{"name":"h","arguments":"}"}}}]}"#,
    r#"{"id":"c","choices":[{"delta":{"refusal":"no","audio":{"id":"a"},"annotations":[1]},"finish_reason":"length"}]}"#,
    r#"{"id":"c","choices":[{"delta":null,"finish_reason":"stop","logprobs":{"content":[]}}],"usage":{"total_tokens":3}}"#,
    r#"{"id":"c","choices":[{"message":{"content":"whole"}}]}"#,
    r#"{"id":"c","choices":[],"usage":7}"#,
    r#"{"id":"c","choices":null}"#,
    r#"{"id":"c","choices":[{"index":99999,"delta":{"content":[{"type":"thinking","thinking":"x"},{"text":"y"},null]}}]}"#,
];
