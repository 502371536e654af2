//! Whatever comes, decoders neither panic nor break the order of events, and what they read can be written anywhere.

use bytes::Bytes;
use proptest::prelude::*;

use crate::chat::{ChatEvent, Drops, replay};
use crate::codec::testing::{check_order, encode_stream, facts};
use crate::codec::{Ask, ChatCodec, TargetRules, cohere, gemini, ollama};
use crate::provider::Quirks;

fn codecs() -> [&'static dyn ChatCodec; 4] {
    [
        &gemini::Gemini,
        &ollama::Ollama::CHAT,
        &ollama::Ollama::GENERATE,
        &cohere::Cohere,
    ]
}

const REQUESTS: [&str; 3] = [
    r#"{"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA"}}]},
        {"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"AA"},{"functionCall":{"name":"f","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"x"}}}]}],
        "tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","nullable":true}}]}],
        "generationConfig":{"thinkingConfig":{"thinkingBudget":-1},"topK":1}}"#,
    r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a","images":["AA"]},
        {"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},
        {"role":"tool","content":"x","tool_name":"f"}],"think":true,"format":{"type":"object"},"options":{"stop":["x"]},
        "prompt":"p","system":"s"}"#,
    r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,x"}}]},
        {"role":"assistant","tool_plan":"p","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c","content":[{"type":"document","document":{"data":{}}}]}],"tool_choice":"NONE"}"#,
];

const STREAMS: [&str; 4] = [
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\"}}]},\"index\":0}]}\n\n\
     data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\",\"thought\":true,\"thoughtSignature\":\"x\"}]},\"finishReason\":\"STOP\"}]}\n\n",
    "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},{\"candidates\":[{\"index\":1,\"finishReason\":\"STOP\"}]}]",
    "{\"message\":{\"content\":\"a\",\"thinking\":\"t\"},\"response\":\"r\"}\n{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]},\"done\":true}\n",
    "data: {\"type\":\"message-start\",\"id\":\"r\"}\n\ndata: {\"type\":\"content-start\",\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\n\
     data: {\"type\":\"tool-call-start\",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"name\":\"f\"}}}}}\n\n\
     data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n",
];

/// A text with some bytes changed for others that matter in JSON.
fn damaged(text: &str, damage: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, with) in damage {
        let at = at % bytes.len();
        bytes[at] = *with;
    }
    bytes
}

fn damage() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let byte = prop::sample::select(b"{}[]\",:\\\n\r 0-ae\xc3".to_vec());
    prop::collection::vec((0_usize..2000, byte), 0..4)
}

proptest! {
    #[test]
    fn requests(which in 0..REQUESTS.len(), damage in damage(), model in prop::sample::select(vec!["gemini-3-pro", "command-a-reasoning", "gpt-oss"])) {
        let body = damaged(REQUESTS[which], &damage);
        let target = TargetRules { model, quirks: &Quirks::NONE };
        for from in codecs() {
            let Ok(mut request) = from.decode_request(&body, &Ask::default()) else { continue };
            request.name_results();
            request.mend_tool_results("none");
            for to in codecs() {
                if let Ok(json) = to.encode_request(&request, &target, &mut Drops::default()) {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(json.text()).is_ok(), "{}", json.text());
                    prop_assert!(to.decode_request(json.text().as_bytes(), &Ask::default()).is_ok(), "{}", json.text());
                }
            }
        }
    }

    #[test]
    fn streams(which in 0..STREAMS.len(), damage in damage(), size in 1_usize..40) {
        let stream = damaged(STREAMS[which], &damage);
        for from in codecs() {
            let mut decoder = from.stream_decoder();
            let mut events = Vec::new();
            for piece in stream.chunks(size) {
                decoder.push(&Bytes::copy_from_slice(piece), &mut events);
            }
            decoder.finish(&mut events);
            check_order(&events);
            let is_whole = events.last() == Some(&ChatEvent::End);
            for to in codecs() {
                let written = encode_stream(to, facts(""), events.clone());
                let mut again = Vec::new();
                let mut decoder = to.stream_decoder();
                decoder.push(&Bytes::from(written.clone().into_bytes()), &mut again);
                decoder.finish(&mut again);
                check_order(&again);
                prop_assert_eq!(again.last() == Some(&ChatEvent::End), is_whole, "{}", written);
            }
        }
    }

    #[test]
    fn answers(which in 0..STREAMS.len(), damage in damage()) {
        let body = damaged(STREAMS[which], &damage);
        for from in codecs() {
            let Ok(answer) = from.decode_answer(&body) else { continue };
            check_order(&replay(answer.clone()));
            for to in codecs() {
                prop_assert!(to.decode_answer(to.encode_answer(&answer, &facts("")).text().as_bytes()).is_ok());
            }
        }
    }
}
