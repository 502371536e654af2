use super::*;
use crate::usage::{ReportedCounts, Usage};

fn facts(protocol: Protocol, body: &str) -> AnswerFacts {
    AnswerFacts::read(protocol, body.as_bytes(), true).unwrap()
}

#[test]
fn the_tier_of_batches_is_seen() {
    for (protocol, body, expected) in [
        (
            Protocol::OpenAiChat,
            r#"{"choices":[],"service_tier":"flex","usage":{"prompt_tokens":1}}"#,
            true,
        ),
        (
            Protocol::OpenAiChat,
            r#"{"choices":[],"service_tier":"default","usage":{"prompt_tokens":1}}"#,
            false,
        ),
        (
            Protocol::OpenAiResponses,
            r#"{"output":[],"service_tier":"flex","usage":{"input_tokens":1}}"#,
            true,
        ),
        (
            Protocol::AnthropicMessages,
            r#"{"content":[],"usage":{"input_tokens":1,"service_tier":"batch"}}"#,
            true,
        ),
        (
            Protocol::AnthropicMessages,
            r#"{"content":[],"usage":{"input_tokens":1,"service_tier":"standard"}}"#,
            false,
        ),
    ] {
        let facts = AnswerFacts::read(protocol, body.as_bytes(), false).unwrap();
        assert_eq!(facts.usage.unwrap().usage.at_batch_rates, expected, "{body}");
    }
}

fn metered(facts: &AnswerFacts) -> Metered {
    facts.usage.unwrap()
}

#[test]
fn openai_chat_with_details() {
    let facts = facts(
        Protocol::OpenAiChat,
        r#"{"id":"chatcmpl-B9MBs8Cj","object":"chat.completion","created":1741569952,"model":"gpt-5-2026-01-01",
        "choices":[
          {"index":0,"message":{"role":"assistant","content":"Hello\nthere","refusal":null,"annotations":[]},
           "logprobs":null,"finish_reason":"stop"},
          {"index":1,"message":{"role":"assistant","content":"Hi","refusal":null},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
          "prompt_tokens_details":{"cached_tokens":1920,"cache_write_tokens":50,"audio_tokens":6},
          "completion_tokens_details":{"reasoning_tokens":192,"audio_tokens":8,"accepted_prediction_tokens":0,
            "rejected_prediction_tokens":0}},
        "service_tier":"default","system_fingerprint":"fp_0"}"#,
    );
    assert_eq!(facts.model.as_deref(), Some("gpt-5-2026-01-01"));
    assert_eq!(facts.text.as_deref(), Some("Hello\nthere Hi"));
    assert!(!facts.has_tool_calls);
    let Metered { counts, usage } = metered(&facts);
    assert_eq!(
        counts,
        ReportedCounts {
            prompt: 2006,
            completion: 300,
            total: 2306,
            cache_read: 1920,
            cache_creation: 0,
            reasoning: 192
        }
    );
    let expected = Usage {
        input: 30,
        cache_read: 1920,
        cache_write: 50,
        audio_input: 6,
        output: 100,
        reasoning: 192,
        audio_output: 8,
        ..Usage::default()
    };
    assert_eq!(usage, expected);
    assert_eq!(usage.total(), counts.total);
}

#[test]
fn openai_chat_tool_calls() {
    let facts = facts(
        Protocol::OpenAiChat,
        r#"{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],
        "usage":null}"#,
    );
    assert!(facts.has_tool_calls);
    assert_eq!((facts.usage, facts.text.as_deref()), (None, Some("")));
}

#[test]
fn deepseek_cache_hits_and_a_missing_total() {
    let body = r#"{"usage":{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":64,
        "prompt_cache_miss_tokens":36},"choices":[]}"#;
    let Metered { counts, usage } = metered(&facts(Protocol::OpenAiChat, body));
    assert_eq!((counts.total, counts.cache_read), (105, 64));
    assert_eq!((usage.input, usage.cache_read, usage.output), (36, 64, 5));
}

#[test]
fn reasoning_beside_the_completion_is_added() {
    let body = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,
        "completion_tokens_details":{"reasoning_tokens":20}}}"#;
    let Metered { counts, usage } = metered(&facts(Protocol::OpenAiChat, body));
    assert_eq!((usage.output, usage.reasoning), (5, 20));
    assert_eq!(usage.total(), counts.total);
}

#[test]
fn embeddings() {
    let facts = facts(
        Protocol::OpenAiEmbeddings,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],
        "model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    );
    let Metered { counts, usage } = metered(&facts);
    assert_eq!((counts.prompt, counts.completion, counts.total), (8, 0, 8));
    assert_eq!(
        usage,
        Usage {
            input: 8,
            ..Usage::default()
        }
    );
}

#[test]
fn openai_responses() {
    let facts = facts(
        Protocol::OpenAiResponses,
        r#"{"id":"resp_1","object":"response","status":"completed","model":"gpt-5","output":[
        {"type":"reasoning","id":"rs_1","summary":[]},
        {"type":"message","id":"msg_1","role":"assistant","content":[
          {"type":"output_text","text":"One","annotations":[]},{"type":"refusal","refusal":"No"},
          {"type":"output_text","text":"Two","annotations":[]}]},
        {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"}],
        "usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":6},"output_tokens":87,
          "output_tokens_details":{"reasoning_tokens":64},"total_tokens":123}}"#,
    );
    assert_eq!(facts.text.as_deref(), Some("One Two"));
    assert!(facts.has_tool_calls);
    let Metered { counts, usage } = metered(&facts);
    assert_eq!(
        (counts.prompt, counts.completion, counts.total, counts.cache_read),
        (36, 87, 123, 6)
    );
    assert_eq!(
        (usage.input, usage.cache_read, usage.output, usage.reasoning),
        (30, 6, 23, 64)
    );
}

#[test]
fn anthropic_messages() {
    let facts = facts(
        Protocol::AnthropicMessages,
        r#"{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[
        {"type":"thinking","thinking":"Hm","signature":"s"},{"type":"text","text":"Sunny"},
        {"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"Oslo"}}],
        "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":1500,
          "cache_read_input_tokens":4000,"cache_creation":{"ephemeral_5m_input_tokens":500,
          "ephemeral_1h_input_tokens":1000},"output_tokens":90,"output_tokens_details":{"thinking_tokens":40},
          "service_tier":"standard"}}"#,
    );
    assert_eq!(facts.text.as_deref(), Some("Sunny"));
    assert!(facts.has_tool_calls);
    let Metered { counts, usage } = metered(&facts);
    let expected = ReportedCounts {
        prompt: 12,
        completion: 90,
        total: 102,
        cache_read: 4000,
        cache_creation: 1500,
        reasoning: 0,
    };
    assert_eq!(counts, expected);
    let expected = Usage {
        input: 12,
        cache_read: 4000,
        cache_write: 500,
        cache_write_1h: 1000,
        output: 50,
        reasoning: 40,
        ..Usage::default()
    };
    assert_eq!(usage, expected);
}

#[test]
fn bedrock_converse() {
    let facts = facts(
        Protocol::BedrockConverse,
        r#"{"metrics":{"latencyMs":1175},"output":{"message":{"role":"assistant","content":[{"text":"Hi"},
        {"toolUse":{"toolUseId":"t1","name":"f","input":{}}}]}},"stopReason":"tool_use",
        "usage":{"inputTokens":30,"outputTokens":20,"totalTokens":150,"cacheReadInputTokens":60,
          "cacheWriteInputTokens":40,"cacheDetails":[{"ttl":"1h","inputTokens":15},{"ttl":"5m","inputTokens":25}]}}"#,
    );
    assert!(facts.has_tool_calls);
    assert_eq!(facts.text.as_deref(), Some("Hi"));
    let Metered { counts, usage } = metered(&facts);
    let expected = ReportedCounts {
        prompt: 30,
        completion: 20,
        total: 150,
        ..ReportedCounts::default()
    };
    assert_eq!(counts, expected);
    assert_eq!(
        (
            usage.input,
            usage.cache_read,
            usage.cache_write,
            usage.cache_write_1h
        ),
        (30, 60, 25, 15)
    );
    assert_eq!(usage.total(), counts.total);
}

#[test]
fn usage_is_found_in_answers_that_are_otherwise_odd() {
    let body =
        r#"{"model":"m","choices":[{"message":"odd"}],"usage":{"prompt_tokens":1,"completion_tokens":2.0}}"#;
    let facts = facts(Protocol::OpenAiChat, body);
    assert_eq!(metered(&facts).counts.total, 3);
    assert_eq!(facts.model.as_deref(), Some("m"));
}

#[test]
fn what_is_no_json_object_tells_nothing() {
    for body in ["<html>502</html>", "", "[1, 2]", "{\"usage\":"] {
        for protocol in Protocol::ALL {
            assert_eq!(
                AnswerFacts::read(protocol, body.as_bytes(), true),
                None,
                "{protocol} {body}"
            );
        }
    }
    let passthrough = AnswerFacts::read(Protocol::Passthrough, br#"{"usage":{"prompt_tokens":1}}"#, true);
    assert_eq!(passthrough, Some(AnswerFacts::default()));
}
