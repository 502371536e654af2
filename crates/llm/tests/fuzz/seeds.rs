//! What protocols say, to begin with.

use sluice_llm::Protocol;

pub(crate) const REQUESTS: [(Protocol, &str); 9] = [
    (
        Protocol::AnthropicMessages,
        r#"{"model":"m","max_tokens":99,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"AA"},{"type":"tool_use","id":"c1","name":"f","input":{"q":"x"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"r"}]}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto"},"stop_sequences":["x"],"stream":true}"#,
    ),
    (
        Protocol::BedrockConverse,
        r#"{"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"t","signature":"AA"}}},{"toolUse":{"toolUseId":"c1","name":"f","input":{"q":"x"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"json":{"a":"b"}}]}}]}],"inferenceConfig":{"maxTokens":9,"stopSequences":["x"]},"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]},"additionalModelRequestFields":{"top_k":4}}"#,
    ),
    (
        Protocol::OpenAiChat,
        r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"q\":1}"}}]},{"role":"tool","tool_call_id":"c1","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"reasoning_effort":"low","stop":["x"],"logprobs":true,"stream":true,"stream_options":{"include_usage":true}}"#,
    ),
    (
        Protocol::OpenAiCompletions,
        r#"{"model":"m","prompt":"a","suffix":"b","max_tokens":9,"logprobs":2,"stop":"x","stream":true}"#,
    ),
    (
        Protocol::OpenAiResponses,
        r#"{"model":"m","instructions":"s","input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"t"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"r"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"text":{"format":{"type":"json_object"}},"store":false}"#,
    ),
    (
        Protocol::GeminiGenerate,
        r#"{"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]},{"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"AA=="},{"functionCall":{"name":"f","args":{"q":"x"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"r"}}}]}],"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"generationConfig":{"maxOutputTokens":9,"thinkingConfig":{"thinkingBudget":-1}}}"#,
    ),
    (
        Protocol::OllamaChat,
        r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a","images":["AA=="]},{"role":"assistant","content":"","thinking":"t","tool_calls":[{"function":{"name":"f","arguments":{"q":"x"}}}]},{"role":"tool","content":"r","tool_name":"f"}],"think":true,"format":{"type":"object"},"options":{"num_predict":9,"stop":["x"]},"keep_alive":"5m"}"#,
    ),
    (
        Protocol::OllamaGenerate,
        r#"{"model":"m","prompt":"a","system":"s","options":{"num_ctx":9},"raw":false,"stream":false}"#,
    ),
    (
        Protocol::CohereChat,
        r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","tool_plan":"p","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"data":{"a":"r"}}}]}],"safety_mode":"OFF","k":3,"p":0.5}"#,
    ),
];

pub(crate) const ANSWERS: [(Protocol, &str); 7] = [
    (
        Protocol::AnthropicMessages,
        r#"{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"t","signature":"AA"},{"type":"text","text":"a"},{"type":"tool_use","id":"c1","name":"f","input":{"q":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3}}"#,
    ),
    (
        Protocol::BedrockConverse,
        r#"{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"toolUse":{"toolUseId":"c1","name":"f","input":{}}}]}},"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#,
    ),
    (
        Protocol::OpenAiChat,
        r#"{"id":"i","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"t","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls","logprobs":{"content":[{"token":"a","logprob":-0.1,"bytes":[97],"top_logprobs":[]}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    ),
    (
        Protocol::OpenAiResponses,
        r#"{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"AA"},{"type":"message","id":"msg","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]},{"type":"function_call","id":"fc","call_id":"c1","name":"f","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}"#,
    ),
    (
        Protocol::GeminiGenerate,
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"t","thought":true},{"text":"a"},{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3},"modelVersion":"m"}"#,
    ),
    (
        Protocol::OllamaChat,
        r#"{"model":"m","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","content":"a","thinking":"t","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"response":"a","done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}"#,
    ),
    (
        Protocol::CohereChat,
        r#"{"id":"i","message":{"role":"assistant","tool_plan":"p","content":[{"type":"text","text":"a"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":1,"output_tokens":2}}}"#,
    ),
];

pub(crate) const STREAMS: [(Protocol, &str); 6] = [
    (
        Protocol::AnthropicMessages,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":2}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
    (
        Protocol::OpenAiChat,
        "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"t\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
    ),
    (
        Protocol::OpenAiResponses,
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"model\":\"m\",\"output\":[]}}\n\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"g\",\"content\":[]}}\n\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"item_id\":\"g\",\"delta\":\"a\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
    ),
    (
        Protocol::GeminiGenerate,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\"}}]},\"index\":0}]}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\",\"thought\":true,\"thoughtSignature\":\"x\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n",
    ),
    (
        Protocol::OllamaChat,
        "{\"message\":{\"content\":\"a\",\"thinking\":\"t\"},\"response\":\"r\"}\n{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]},\"done\":true}\n",
    ),
    (
        Protocol::CohereChat,
        "data: {\"type\":\"message-start\",\"id\":\"i\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\ndata: {\"type\":\"content-end\",\"index\":0}\n\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"tokens\":{\"input_tokens\":1,\"output_tokens\":1}}}}\n\n",
    ),
];

/// Texts in rarer places.
pub(crate) const DOCUMENTS: [&str; 7] = [
    r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","title":"t","context":"c","source":{"type":"text","media_type":"text/plain","data":"d"}},{"type":"search_result","source":"https://x","title":"t","content":[{"type":"text","text":"a"}]},{"type":"text","text":"a"}]}]}"#,
    r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]}}]},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"}}]}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"text":"a"},{"document":{"name":"n","format":"txt","source":{"text":"d"}}},{"guardContent":{"text":{"text":"g"}}}]},{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"a"}]}}]}]}"#,
    r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"refusal","refusal":"r"}]},{"role":"assistant","content":"a","refusal":"r","reasoning_content":"t"},{"role":"user","content":[{"type":"document","document":{"data":"x","title":"t"}}]}]}"#,
    r#"{"model":"m","input":[{"role":"user","content":"a"},{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"t"}],"content":[{"type":"reasoning_text","text":"t"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"r"}]}]}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"c"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"o"}}]}]}"#,
    r#"{"model":"m","documents":[{"id":"1","data":{"text":"a","title":"t"}}],"messages":[{"role":"user","content":"a"}]}"#,
];
