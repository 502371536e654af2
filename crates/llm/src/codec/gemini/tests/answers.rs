use serde_json::json;

use super::*;
use crate::chat::{PartKind, Signature, SignatureOrigin, StopReason};
use crate::codec::testing::facts;

const RICH: &str = r#"{"candidates":[
    {"content":{"parts":[
        {"text":"hm","thought":true},
        {"text":"see","thoughtSignature":"dGV4dA=="},
        {"inlineData":{"mimeType":"image/png","data":"AA=="},"thoughtSignature":"aW1n"},
        {"executableCode":{"language":"PYTHON","code":"1"}},
        {"functionCall":{"id":"f1","name":"a","args":{"n":1.0}},"thoughtSignature":"Y2FsbA=="}],"role":"model"},
     "finishReason":"STOP","index":0,"safetyRatings":[{"category":"X","probability":"LOW"}],
     "groundingMetadata":{"webSearchQueries":["q"]},"citationMetadata":{"citationSources":[]},"avgLogprobs":-0.25,
     "logprobsResult":{"topCandidates":[{"candidates":[{"token":"s","tokenId":5,"logProbability":-0.5}]}],
        "chosenCandidates":[{"token":"s","tokenId":5,"logProbability":-0.5}]}},
    {"content":{"parts":[{"text":"b"}],"role":"model"},"finishReason":"RECITATION","finishMessage":"m","index":1}],
    "usageMetadata":{"promptTokenCount":20,"cachedContentTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3,
        "toolUsePromptTokenCount":4,"totalTokenCount":34,"promptTokensDetails":[{"modality":"TEXT","tokenCount":20}]},
    "modelVersion":"gemini-2.5-flash","responseId":"r1","createTime":"2026-01-01T00:00:00Z"}"#;

fn decode(body: &str) -> crate::chat::ChatAnswer {
    Gemini.decode_answer(body.as_bytes()).unwrap()
}

#[test]
fn nothing_is_lost_within_the_protocol() {
    let body = Gemini.encode_answer(&decode(RICH), &facts(""));
    assert_eq!(value(&body), parse(RICH));
}

#[test]
fn what_others_read_of_it() {
    let answer = decode(RICH);
    assert_eq!(
        (answer.id.as_deref(), answer.model.as_deref()),
        (Some("r1"), Some("gemini-2.5-flash"))
    );
    assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);
    assert_eq!(answer.choices[1].stop, StopReason::ContentFilter);
    let usage = answer.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.output, usage.reasoning),
        (19, 5, 7, 3)
    );
    let logprobs = answer.choices[0].logprobs.as_ref().unwrap();
    assert!(
        logprobs
            .text()
            .starts_with(r#"{"content":[{"token":"s","logprob":-0.5"#),
        "{logprobs:?}"
    );
    let PartKind::ToolCall(call) = &answer.choices[0].parts.last().unwrap().kind else {
        panic!("no call")
    };
    assert_eq!(call.arguments, r#"{"n":1.0}"#);
    assert_eq!(
        call.signature,
        Some(Signature::new(SignatureOrigin::Gemini, "Y2FsbA=="))
    );
}

#[test]
fn calls_without_ids_get_some_that_differ() {
    let body = |id: &str| {
        let call = json!({"functionCall":{"name":"a","args":{}}});
        json!({"responseId":id,"candidates":[{"content":{"parts":[call,call]},"finishReason":"STOP"}]})
            .to_string()
    };
    let ids: Vec<_> = [decode(&body("x")), decode(&body("y"))]
        .iter()
        .flat_map(|answer| answer.choices[0].parts.clone())
        .map(|part| match part.kind {
            PartKind::ToolCall(call) => call.id,
            other => panic!("{other:?}"),
        })
        .collect();
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 4, "{ids:?}");
}

#[test]
fn a_blocked_prompt_is_filtered() {
    let blocked = r#"{"promptFeedback":{"blockReason":"SAFETY","safetyRatings":[]},"usageMetadata":{"promptTokenCount":3,
        "candidatesTokenCount":0,"totalTokenCount":3},"modelVersion":"m","responseId":"r"}"#;
    let answer = decode(blocked);
    assert_eq!(answer.choices[0].stop, StopReason::ContentFilter);
    assert_eq!(value(&Gemini.encode_answer(&answer, &facts(""))), parse(blocked));
}

#[test]
fn other_providers_answers_have_every_member() {
    let mut answer =
        decode(r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"MAX_TOKENS"}]}"#);
    answer.usage = Some(crate::usage::Usage {
        input: 3,
        cache_read: 1,
        output: 2,
        reasoning: 4,
        ..Default::default()
    });
    assert_eq!(
        value(&Gemini.encode_answer(&answer, &facts(""))),
        json!({"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],
            "usageMetadata":{"promptTokenCount":4,"cachedContentTokenCount":1,"candidatesTokenCount":2,
                "thoughtsTokenCount":4,"totalTokenCount":10},
            "modelVersion":"asked","responseId":"0123456789abcdef0123456789abcdef"})
    );
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in [
        "[]",
        "<html>",
        "{}",
        r#"{"candidates":{}}"#,
        r#"{"candidates":[1]}"#,
        r#"{"candidates":[{"content":{"parts":[3]}}]}"#,
    ] {
        assert!(Gemini.decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}
