//! Both sides of the codec.

use serde_json::{Value, json};

use super::OpenAiCompletions;
use crate::chat::{ChatRequest, Drops, PartKind, Role, Unsayable};
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts, replayed};
use crate::codec::{Ask, ChatCodec, TargetRules, codec};
use crate::protocol::Protocol;
use crate::provider::Quirks;

static NONE: Quirks = Quirks::NONE;

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn chat() -> &'static dyn ChatCodec {
    codec(Protocol::OpenAiChat).unwrap()
}

fn decode(body: &str) -> Result<ChatRequest, Unsayable> {
    OpenAiCompletions.decode_request(body.as_bytes(), &Ask::default())
}

fn encode(codec: &dyn ChatCodec, request: &ChatRequest) -> Result<(Value, Vec<String>), Unsayable> {
    let mut drops = Drops::default();
    let rules = TargetRules {
        model: "m",
        quirks: &NONE,
    };
    let json = codec.encode_request(request, &rules, &mut drops)?;
    let names = drops.names().iter().map(|name| name.clone().into_owned());
    Ok((value(json.text()), names.collect()))
}

const RICH: &str = r#"{"model":"m","prompt":"Once","suffix":"end","max_tokens":5,"temperature":0.10,"top_p":1,"top_k":3,"n":2,"stream":true,"stream_options":{"include_usage":true,"x":1},"logprobs":3,"echo":true,"stop":["a"],"presence_penalty":1,"frequency_penalty":-1,"best_of":2,"logit_bias":{"1":2},"user":"u","seed":1,"unknown":{"a":1.0}}"#;

#[test]
fn requests_go_out_as_they_came_in() {
    let (sent, drops) = encode(&OpenAiCompletions, &decode(RICH).unwrap()).unwrap();
    assert_eq!(sent, value(RICH));
    assert!(drops.is_empty());
}

#[test]
fn a_prompt_is_what_the_user_says() {
    let request =
        decode(r#"{"prompt":["Once"],"max_tokens":5,"logprobs":0,"suffix":"x","logit_bias":{"1":2}}"#)
            .unwrap();
    assert_eq!(request.turns[0].role, Role::User);
    let (sent, drops) = encode(chat(), &request).unwrap();
    assert_eq!(
        sent,
        json!({
            "model": "m", "messages": [{"role": "user", "content": "Once"}], "max_completion_tokens": 5,
            "logprobs": true, "top_logprobs": 0, "logit_bias": {"1": 2}
        })
    );
    assert_eq!(drops, ["suffix"]);
}

#[test]
fn other_prompts_are_refused() {
    for (prompt, message) in [
        (
            r#"["a","b"]"#,
            "several prompts are not translated for this model: send one request for each",
        ),
        (
            "[1,2]",
            "must be a string: prompts of tokens are not translated for this model",
        ),
        (
            "[[1,2]]",
            "must be a string: prompts of tokens are not translated for this model",
        ),
        (
            "7",
            "must be a string: prompts of tokens are not translated for this model",
        ),
        ("[]", "there is no prompt in it"),
        ("null", "`prompt` is required"),
    ] {
        let error = decode(&format!(r#"{{"prompt":{prompt}}}"#)).unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.message.as_str()),
            (Some("prompt"), message)
        );
    }
}

#[test]
fn conversations_are_prompts_if_one_side_speaks() {
    let of = |messages: &str| {
        let body = format!(
            r#"{{"messages":{messages},"tools":[{{"type":"function","function":{{"name":"f"}}}}],"verbosity":"low"}}"#
        );
        chat().decode_request(body.as_bytes(), &Ask::default()).unwrap()
    };
    let said =
        of(r#"[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]}]"#);
    let (sent, drops) = encode(&OpenAiCompletions, &said).unwrap();
    assert_eq!(sent, json!({"model": "m", "prompt": "a\n\nb"}));
    assert_eq!(drops, ["tools", "verbosity"]);
    for messages in [
        r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#,
        r#"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a"}}]}]"#,
    ] {
        let error = encode(&OpenAiCompletions, &of(messages)).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[1]"));
    }
}

const ANSWER: &str = r#"{"id":"c","object":"text_completion","created":5,"model":"m","choices":[{"text":"hi you","index":0,"logprobs":{"tokens":["hi"," you"],"token_logprobs":[-0.5,-1],"top_logprobs":[{"hi":-0.5,"ho":-2},null],"text_offset":[4,6]},"finish_reason":"length","odd":1},{"text":"b","index":1,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"system_fingerprint":"fp"}"#;

#[test]
fn answers_go_out_as_they_came_in() {
    let answer = OpenAiCompletions.decode_answer(ANSWER.as_bytes()).unwrap();
    let echo = facts(r#"{"prompt":"Once","echo":true}"#);
    assert_eq!(
        value(OpenAiCompletions.encode_answer(&answer, &echo).text()),
        value(ANSWER)
    );
    assert_eq!(answer.usage.unwrap().total(), 3);
}

#[test]
fn answers_of_chat_are_text_behind_the_echo() {
    let body = r#"{"choices":[{"message":{"content":"hi","reasoning_content":"hm"},"logprobs":{"content":[{"token":"hi","logprob":-0.5,"top_logprobs":[{"token":"ho","logprob":-2}]}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let answer = chat().decode_answer(body.as_bytes()).unwrap();
    let facts = facts(r#"{"prompt":"Once ","echo":true}"#);
    let shown = value(OpenAiCompletions.encode_answer(&answer, &facts).text());
    assert_eq!(shown["id"], json!("cmpl-0123456789abcdef0123456789abcdef"));
    assert_eq!(
        shown["choices"],
        json!([{
            "text": "Once hi", "index": 0, "finish_reason": "stop",
            "logprobs": {"tokens": ["hi"], "token_logprobs": [-0.5], "top_logprobs": [{"ho": -2}], "text_offset": [5]}
        }])
    );
    assert_eq!(shown["usage"]["total_tokens"], json!(3));

    let stream = replayed(&OpenAiCompletions, facts, answer);
    let texts: Vec<Value> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: {"))
        .map(|data| {
            value(&format!("{{{data}"))["choices"]
                .get_mut(0)
                .map(Value::take)
                .unwrap_or_default()
        })
        .collect();
    assert_eq!(texts[0]["text"], json!("Once "));
    assert_eq!(
        (&texts[1]["text"], &texts[1]["finish_reason"]),
        (&json!("hi"), &json!(null))
    );
    assert_eq!(
        (&texts[2]["text"], &texts[2]["finish_reason"]),
        (&json!(""), &json!("stop"))
    );
    assert!(stream.ends_with("data: [DONE]\n\n"));
}

#[test]
fn logprobs_are_those_of_chat() {
    let answer = OpenAiCompletions.decode_answer(ANSWER.as_bytes()).unwrap();
    let logprobs = answer.choices[0].logprobs.as_ref().unwrap();
    assert_eq!(
        value(logprobs.text()),
        json!({"content": [
            {"token": "hi", "logprob": -0.5, "bytes": null, "top_logprobs": [
                {"token": "hi", "logprob": -0.5, "bytes": null}, {"token": "ho", "logprob": -2, "bytes": null}
            ]},
            {"token": " you", "logprob": -1, "bytes": null, "top_logprobs": []}
        ]})
    );
}

#[test]
fn a_stream_comes_back_as_it_was() {
    let chunk = |choices: &str, more: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"m\",\"system_fingerprint\":\"fp\",\"choices\":{choices}{more}}}\n\n"
        )
    };
    let usage = r#","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}"#;
    let stream = [
        chunk(r#"[{"text":"hi","index":0,"logprobs":{"tokens":["hi"],"token_logprobs":[-0.5],"top_logprobs":[{"hi":-0.5}],"text_offset":[0]},"finish_reason":null}]"#, ""),
        chunk(r#"[{"text":" you","index":0,"logprobs":{"tokens":[" you"],"token_logprobs":[-1],"top_logprobs":[{}],"text_offset":[2]},"finish_reason":null}]"#, ""),
        chunk(r#"[{"text":"b","index":1,"logprobs":null,"finish_reason":null}]"#, ""),
        chunk(r#"[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}]"#, ""),
        chunk(r#"[{"text":"","index":1,"logprobs":null,"finish_reason":"stop"}]"#, ""),
        chunk("[]", usage),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let events = decode_stream(&OpenAiCompletions, stream.as_bytes());
    assert_eq!(encode_stream(&OpenAiCompletions, facts("{}"), events), stream);
}

#[test]
fn a_whole_answer_in_place_of_a_stream() {
    let answer = assemble(&OpenAiCompletions, ANSWER.as_bytes());
    assert!(matches!(&answer.choices[0].parts[0].kind, PartKind::Text(text) if text == "hi you"));
    assert_eq!(answer.usage.unwrap().total(), 3);
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in [
        "<html>",
        "{}",
        r#"{"error":{"message":"x"}}"#,
        r#"{"choices":[7]}"#,
    ] {
        assert!(
            OpenAiCompletions.decode_answer(body.as_bytes()).is_err(),
            "{body}"
        );
    }
}
