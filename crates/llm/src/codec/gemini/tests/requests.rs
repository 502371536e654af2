use serde_json::json;

use super::*;
use crate::chat::{Effort, OutputFormat, PartKind, Role, SignatureOrigin, Source, ToolChoice, ToolKind};

/// Everything a client can say, in the form that the encoder prefers.
const RICH: &str = r#"{
    "contents": [
        {"role":"user","parts":[
            {"text":"look"},
            {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo=","displayName":"a.png"},
                "mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},
            {"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x"}},
            {"fileData":{"mimeType":"video/mp4","fileUri":"https://youtu.be/x"},"videoMetadata":{"fps":2}}]},
        {"role":"model","parts":[
            {"text":"hm","thought":true,"thoughtSignature":"dGhvdWdodA=="},
            {"text":"I see","thoughtSignature":"dGV4dA=="},
            {"executableCode":{"language":"PYTHON","code":"1"}},
            {"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},
            {"functionCall":{"id":"f1","name":"a","args":{"big":12345678901234567890,"z":1,"a":2}},"thoughtSignature":"Y2FsbA=="},
            {"functionCall":{"name":"b","args":{}}},
            {"functionCall":{"name":"c"}}]},
        {"role":"user","parts":[
            {"functionResponse":{"id":"f1","name":"a","response":{"output":"text"},"scheduling":"SILENT"}},
            {"functionResponse":{"name":"b","response":{"rows":[1,2]},"parts":[{"inlineData":{"mimeType":"image/jpeg","data":"/9j/"}}]}},
            {"functionResponse":{"name":"c","response":{"error":"broken"}}},
            {"text":"go on"}]}],
    "systemInstruction":{"parts":[{"text":"be kind"},{"text":"be brief"}]},
    "tools":[{"functionDeclarations":[
        {"name":"a","description":"A","parametersJsonSchema":{"type":"object","properties":{"z":{"type":"string"},"a":{"const":1}}}},
        {"name":"b","behavior":"NON_BLOCKING","response":{"type":"STRING"}}]},
        {"googleSearch":{}},{"codeExecution":{}}],
    "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a","b"]},"retrievalConfig":{"languageCode":"de"}},
    "generationConfig":{"temperature":0.5,"topP":0.9,"topK":40,"candidateCount":2,"maxOutputTokens":100,
        "stopSequences":["x"],"presencePenalty":0.1,"frequencyPenalty":0.2,"seed":7,"responseLogprobs":true,"logprobs":3,
        "responseMimeType":"application/json","responseJsonSchema":{"type":"object","$defs":{}},
        "thinkingConfig":{"includeThoughts":true,"thinkingBudget":1000},
        "responseModalities":["TEXT"],"mediaResolution":"MEDIA_RESOLUTION_HIGH"},
    "safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}],
    "cachedContent":"cachedContents/1","labels":{"team_name":"x"},"serviceTier":"flex","store":false,"unheardOf":[1.50]}"#;

#[test]
fn nothing_is_lost_within_the_protocol() {
    let (body, drops) = encode(&decode(RICH), "gemini-2.5-flash");
    assert_eq!(body, parse(RICH));
    assert_eq!(drops, Vec::<String>::new());
}

#[test]
fn numbers_and_the_order_of_keys_stay() {
    let body = Gemini
        .encode_request(&decode(RICH), &target("gemini-2.5-flash"), &mut Drops::default())
        .unwrap();
    for text in [
        r#"{"big":12345678901234567890,"z":1,"a":2}"#,
        "1.50",
        r#"{"z":{"type":"string"},"a""#,
    ] {
        assert!(body.text().contains(text), "{text}");
    }
}

#[test]
fn snake_case_reads_like_camel_case() {
    let snake = r#"{"contents":[{"role":"user","parts":[
            {"inline_data":{"mime_type":"image/png","data":"AA=="}},{"file_data":{"mime_type":"text/plain","file_uri":"gs://b/o"}}]},
        {"role":"model","parts":[{"function_call":{"name":"my_tool","args":{"snake_case":1}},"thought_signature":"AA=="}]}],
        "system_instruction":{"parts":[{"text":"s"}]},
        "tools":[{"function_declarations":[{"name":"my_tool","parameters_json_schema":{"max_items":1}}]}],
        "tool_config":{"function_calling_config":{"mode":"any","allowed_function_names":["my_tool"]}},
        "generation_config":{"max_output_tokens":5,"thinking_config":{"thinking_budget":-1},"speech_config":{"a_b":1}},
        "safety_settings":[],"cached_content":"c"}"#;
    let camel = json!({
        "contents":[{"role":"user","parts":[
            {"inlineData":{"mimeType":"image/png","data":"AA=="}},{"fileData":{"mimeType":"text/plain","fileUri":"gs://b/o"}}]},
        {"role":"model","parts":[{"functionCall":{"name":"my_tool","args":{"snake_case":1}},"thoughtSignature":"AA=="}]}],
        "systemInstruction":{"parts":[{"text":"s"}]},
        "tools":[{"functionDeclarations":[{"name":"my_tool","parametersJsonSchema":{"max_items":1}}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["my_tool"]}},
        "generationConfig":{"maxOutputTokens":5,"thinkingConfig":{"thinkingBudget":-1},"speechConfig":{"a_b":1}},
        "safetySettings":[],"cachedContent":"c"});
    assert_eq!(encode(&decode(snake), "gemini-2.5-flash").0, camel);
}

#[test]
fn what_others_read_of_it() {
    let request = decode(RICH);
    assert_eq!(request.model.as_deref(), Some("gemini-2.5-flash"));
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(
        roles,
        [Role::System, Role::User, Role::Assistant, Role::Tool, Role::User]
    );
    let PartKind::Media(file) = &request.turns[1].parts[2].kind else {
        panic!("no file")
    };
    assert!(matches!(file.source, Source::File(_)));
    let ids = request.turns[2].parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(call.id.as_str()),
        _ => None,
    });
    assert_eq!(ids.collect::<Vec<_>>(), ["f1", "call_2", "call_3"]);
    let results = request.turns[3].parts.iter().map(|part| match &part.kind {
        PartKind::ToolResult(result) => (result.call_id.as_str(), result.text(), result.is_error),
        other => panic!("{other:?}"),
    });
    let results: Vec<_> = results.collect();
    assert_eq!(results[0], ("f1", "text".to_owned(), None));
    assert_eq!(results[1], ("call_2", "{\"rows\":[1,2]}".to_owned(), None));
    assert_eq!(results[2], ("call_3", "broken".to_owned(), Some(true)));
    assert_eq!(
        request.tool_choice,
        Some(ToolChoice::Allowed {
            required: true,
            names: vec!["a".into(), "b".into()]
        })
    );
    assert!(matches!(&request.tools[2].kind, ToolKind::BuiltIn { kind } if kind == "googleSearch"));
}

#[test]
fn schemas_of_openapi_become_json_schema() {
    let request = decode(
        r#"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":
            {"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}}]}],
            "generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"ARRAY","items":{"type":"NUMBER"}}}}"#,
    );
    let ToolKind::Function {
        parameters: Some(parameters),
        ..
    } = &request.tools[0].kind
    else {
        panic!("no function")
    };
    assert_eq!(
        parameters.text(),
        r#"{"type":"object","properties":{"a":{"type":["string","null"]}}}"#
    );
    let Some(OutputFormat::JsonSchema { schema, .. }) = &request.format else {
        panic!("no schema")
    };
    assert_eq!(schema.text(), r#"{"type":"array","items":{"type":"number"}}"#);
    // Gemini gets them back as they were spelled.
    let (body, _) = encode(&request, "gemini-2.5-flash");
    let declaration = &body["tools"][0]["functionDeclarations"][0];
    assert_eq!(declaration["parameters"]["type"], "OBJECT");
    assert_eq!(declaration.get("parametersJsonSchema"), None);
    assert_eq!(
        body["generationConfig"]["responseSchema"],
        json!({"type":"ARRAY","items":{"type":"NUMBER"}})
    );
}

#[test]
fn dials_that_only_gemini_has_stay() {
    for config in [
        json!({"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}}),
        json!({"generationConfig":{"responseMimeType":"text/plain"}}),
        json!({"generationConfig":{"thinkingConfig":{"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"}}}),
        json!({"tools":[{"functionDeclarations":[{"name":"f"}]}],
            "toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}}),
    ] {
        let mut body = config;
        body["contents"] = json!([{"role":"user","parts":[{"text":"x"}]}]);
        assert_eq!(encode(&decode(&body.to_string()), "gemini-2.5-flash").0, body);
    }
    let body = json!({"contents":[{"role":"user","parts":[{"text":"x"}]}],
        "generationConfig":{"thinkingConfig":{"thinkingLevel":"XHIGH"}}});
    let request = decode(&body.to_string());
    assert_eq!(request.reasoning.as_ref().unwrap().effort, Some(Effort::XHigh));
    assert_eq!(encode(&request, "gemini-3.1-pro").0, body);
}

#[test]
fn thoughts_of_other_providers_come_back_whole_from_pieces() {
    let signature = crate::chat::Signature::new(SignatureOrigin::Anthropic, "EqQB");
    let wire = super::super::signature::write(&signature, false);
    let body = json!({"contents":[{"role":"model","parts":[
        {"text":"first, ","thought":true},{"text":"second","thought":true},
        {"text":"","thought":true,"thoughtSignature":wire},{"text":"so"}]}]});
    let request = decode(&body.to_string());
    let PartKind::Reasoning(reasoning) = &request.turns[0].parts[0].kind else {
        panic!("no thought")
    };
    assert_eq!(reasoning.text, "first, second");
    assert_eq!(reasoning.signature, Some(signature));
    assert_eq!(request.turns[0].parts.len(), 2);
}

#[test]
fn errors_name_the_place() {
    let ask = Ask::default();
    for (body, param) in [
        ("{}", "contents"),
        (
            r#"{"contents":[{"role":"model","parts":[{"text":"a"},{"functionCall":{}}]}]}"#,
            "contents[0].parts[1].functionCall.name",
        ),
        (
            r#"{"contents":[{"parts":[{"text":"a","functionCall":{"name":"f"}}]}]}"#,
            "contents[0].parts[0]",
        ),
        (
            r#"{"contents":[{"role":"admin","parts":[]}]}"#,
            "contents[0].role",
        ),
        (
            r#"{"contents":[],"generationConfig":{"topK":"x"}}"#,
            "generationConfig.topK",
        ),
        (
            r#"{"contents":[],"tools":[{"functionDeclarations":[{}]}]}"#,
            "tools[0].functionDeclarations[0].name",
        ),
    ] {
        let error = Gemini.decode_request(body.as_bytes(), &ask).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

#[test]
fn images_in_the_alphabet_of_urls_are_standard_base64_for_others() {
    let image = |data: &str| {
        let body = json!({ "contents": [{ "role": "user", "parts": [
            { "inline_data": { "mime_type": "image/png", "data": data } },
        ] }] });
        let request = Gemini
            .decode_request(body.to_string().as_bytes(), &Ask::default())
            .unwrap();
        match &request.turns[0].parts[0].kind {
            PartKind::Media(media) => media.source.clone(),
            other => panic!("{other:?}"),
        }
    };
    let held = |data: &str| Source::Base64(data.to_owned());
    assert_eq!(image("-_8"), held("+/8="));
    assert_eq!(image("_-_-"), held("/+/+"));
    assert_eq!(image("+/8="), held("+/8="));
}
