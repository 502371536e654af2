use super::*;

fn said(protocol: Protocol, body: &str) -> Vec<(String, String, bool)> {
    prompt_messages(protocol, body.as_bytes())
        .iter()
        .map(|message| (message.role.to_string(), message.said(), message.has_others))
        .collect()
}

fn row(role: &str, said: &str, has_others: bool) -> (String, String, bool) {
    (role.to_owned(), said.to_owned(), has_others)
}

fn kinds<'a>(spans: &'a [TextSpan<'_>]) -> Vec<(TextKind, (u32, u32), &'a str, bool)> {
    spans
        .iter()
        .map(|span| (span.kind, span.channel, &*span.text, span.repeats))
        .collect()
}

#[test]
fn chat_messages() {
    let body = r#"{"messages":[
        {"role":"system","content":"s"},
        {"role":"user","content":[{"type":"text","text":"a\n"},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"b"}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"x\":1}"}}]},
        {"role":"tool","content":"12"}]}"#;
    assert_eq!(
        said(Protocol::OpenAiChat, body),
        [
            row("system", "s", false),
            row("user", "a\n b", true),
            row("assistant", "", true),
            row("tool", "12", false),
        ]
    );
    let messages = prompt_messages(Protocol::OpenAiChat, body.as_bytes());
    assert_eq!(messages[2].spans[0].kind, TextKind::ToolArguments);
    assert_eq!(messages[2].spans[0].text, r#"{"x":1}"#);
}

#[test]
fn anthropic_messages() {
    let body = r#"{"system":[{"type":"text","text":"s"}],"messages":[
        {"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{"city":"Bonn","n":[1,"x"]}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"rain"}]},{"type":"text","text":"so?"}]}]}"#;
    let messages = prompt_messages(Protocol::AnthropicMessages, body.as_bytes());
    assert_eq!(messages[0].said(), "s");
    assert_eq!(
        kinds(&messages[1].spans),
        [
            (TextKind::ToolArguments, (0, 0), "Bonn", false),
            (TextKind::ToolArguments, (0, 0), "x", false)
        ]
    );
    assert_eq!(
        kinds(&messages[2].spans),
        [
            (TextKind::ToolResult, (0, 0), "rain", false),
            (TextKind::Said, (0, 0), "so?", false)
        ]
    );
}

#[test]
fn strings_within_arguments_are_found_at_any_depth() {
    let deep = format!(
        "{}{}{}",
        r#"{"k":["#.repeat(50),
        r#""a\"b","","c""#,
        "]}".repeat(50)
    );
    let body = format!(
        r#"{{"content":[{{"type":"tool_use","input":{{"x":{{}},"y":[],"n":"é","d":{deep},"e":1}}}}]}}"#
    );
    let spans = answer_texts(Protocol::AnthropicMessages, body.as_bytes());
    let texts: Vec<_> = spans.iter().map(|span| &*span.text).collect();
    assert_eq!(texts, ["é", "a\"b", "c"]);
    for span in &spans {
        let raw: String = serde_json::from_str(&body[span.range.clone()]).unwrap();
        assert_eq!(raw, span.text);
    }
}

#[test]
fn responses_input() {
    assert_eq!(
        said(Protocol::OpenAiResponses, r#"{"instructions":"i","input":"q"}"#),
        [row("system", "i", false), row("user", "q", false)]
    );
    let body = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"q"}]},
        {"type":"function_call","arguments":"{}"},{"type":"function_call_output","output":"o"}]}"#;
    assert_eq!(
        said(Protocol::OpenAiResponses, body),
        [
            row("user", "q", false),
            row("assistant", "", true),
            row("tool", "o", true)
        ]
    );
}

#[test]
fn bedrock_and_embeddings_and_the_unknown() {
    assert_eq!(
        said(
            Protocol::BedrockConverse,
            r#"{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"q"},{"toolResult":{"content":[{"json":{"a":"b"}}]}}]}]}"#
        ),
        [row("system", "s", false), row("user", "q", true)]
    );
    assert_eq!(
        said(Protocol::OpenAiEmbeddings, r#"{"input":["a","b"]}"#),
        [row("user", "a", false), row("user", "b", false)]
    );
    assert_eq!(
        said(Protocol::OpenAiEmbeddings, r#"{"input":"a"}"#),
        [row("user", "a", false)]
    );
    assert_eq!(
        said(Protocol::Passthrough, r#"{"messages":[{"content":"a"}]}"#),
        []
    );
    assert_eq!(said(Protocol::OpenAiChat, "[]"), []);
    assert_eq!(said(Protocol::OpenAiChat, r#"{"messages":{}}"#), []);
}

#[test]
fn what_is_embedded_or_ranked_is_one_message() {
    let ab = [row("user", "a b", false)];
    for (protocol, body) in [
        (Protocol::CohereEmbed, r#"{"texts":["a","b"],"input_type":"x"}"#),
        (Protocol::OllamaEmbed, r#"{"input":["a","b"]}"#),
        (Protocol::OllamaEmbeddings, r#"{"prompt":"a b"}"#),
        (
            Protocol::GeminiEmbed,
            r#"{"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"x"}"#,
        ),
        (
            Protocol::GeminiBatchEmbed,
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#,
        ),
        (
            Protocol::JinaRerank,
            r#"{"query":"a","documents":[{"text":"b"}]}"#,
        ),
        (Protocol::CohereRerank, r#"{"query":"a","documents":["b"]}"#),
        (
            Protocol::OpenAiMedia,
            r#"{"input":"a","instructions":"b","voice":"x"}"#,
        ),
    ] {
        assert_eq!(said(protocol, body), ab, "{protocol}");
    }
    let nested = r#"{"generateContentRequest":{"contents":[{"role":"user","parts":[{"text":"a b"}]}]}}"#;
    assert_eq!(said(Protocol::GeminiCountTokens, nested), ab);
}

#[test]
fn whole_answers() {
    let chat = br#"{"choices":[{"message":{"content":"a","reasoning_content":"r","tool_calls":[{"function":{"arguments":"{}"}}]}},{"message":{"content":"b"}}]}"#;
    assert_eq!(
        kinds(&answer_texts(Protocol::OpenAiChat, chat)),
        [
            (TextKind::Said, (0, 0), "a", false),
            (TextKind::Reasoning, (0, 0), "r", false),
            (TextKind::ToolArguments, (0, 0), "{}", false),
            (TextKind::Said, (1, 0), "b", false),
        ]
    );
    let anthropic = br#"{"content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"a"},{"type":"tool_use","input":{"q":"x"}}]}"#;
    assert_eq!(
        kinds(&answer_texts(Protocol::AnthropicMessages, anthropic)),
        [
            (TextKind::Reasoning, (0, 0), "t", false),
            (TextKind::Said, (1, 0), "a", false),
            (TextKind::ToolArguments, (2, 0), "x", false),
        ]
    );
    let responses = br#"{"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","arguments":"{}"}]}"#;
    assert_eq!(
        kinds(&answer_texts(Protocol::OpenAiResponses, responses)),
        [
            (TextKind::Said, (0, 0), "a", false),
            (TextKind::ToolArguments, (1, 0), "{}", false)
        ]
    );
}

#[test]
fn events() {
    let chat = br#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#;
    assert_eq!(
        kinds(&event_texts(Protocol::OpenAiChat, chat)),
        [(TextKind::Said, (1, 0), "a", false)]
    );
    let tool =
        br#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":2,"function":{"arguments":"{\"a"}}]}}]}"#;
    assert_eq!(
        kinds(&event_texts(Protocol::OpenAiChat, tool)),
        [(TextKind::ToolArguments, (0, 2), "{\"a", false)]
    );
    let delta = br#"{"type":"response.output_text.delta","output_index":1,"content_index":2,"delta":"a"}"#;
    assert_eq!(
        kinds(&event_texts(Protocol::OpenAiResponses, delta)),
        [(TextKind::Said, (1, 2), "a", false)]
    );
    let done = br#"{"type":"response.output_text.done","output_index":1,"content_index":2,"text":"a"}"#;
    assert_eq!(
        kinds(&event_texts(Protocol::OpenAiResponses, done)),
        [(TextKind::Said, (1, 2), "a", true)]
    );
    let block = br#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"a"}}"#;
    assert_eq!(
        kinds(&event_texts(Protocol::AnthropicMessages, block)),
        [(TextKind::Said, (3, 0), "a", false)]
    );
    assert_eq!(event_texts(Protocol::OpenAiChat, b"[DONE]"), []);
}

#[test]
fn texts_are_replaced_where_they_stand() {
    let body =
        r#"{"n": 1.50, "messages":[{"role":"user","content":"a \"b\""},{"role":"user","content":"c"}]}"#;
    let messages = prompt_messages(Protocol::OpenAiChat, body.as_bytes());
    let edits = messages
        .iter()
        .flat_map(|message| &message.spans)
        .map(|span| (span.range.clone(), "x\n"));
    assert_eq!(
        replace_texts(body.as_bytes(), edits),
        r#"{"n": 1.50, "messages":[{"role":"user","content":"x\n"},{"role":"user","content":"x\n"}]}"#
    );
}

#[test]
fn gemini_instructions_are_seen_in_every_spelling() {
    let body =
        br#"{"systemInstruction":{"parts":[{"text":"a"}]},"system_instruction":"b","contents":[{"parts":[
        {"functionCall":{"args":{"x":"c"}},"function_call":{"args":{"x":"d"}}}]}]}"#;
    let messages = prompt_messages(Protocol::GeminiGenerate, body);
    let texts: Vec<_> = messages
        .iter()
        .flat_map(|message| message.spans.iter().map(|span| (&*message.role, &*span.text)))
        .collect();
    assert_eq!(
        texts,
        [("system", "a"), ("system", "b"), ("user", "c"), ("user", "d")]
    );
}
