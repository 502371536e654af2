//! Gemini's rules.

use super::*;

fn request() -> Value {
    let declaration = json!({"name": "f", "parameters": {
        "type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"],
    }});
    let answer = json!({"functionResponse": {"name": "f", "response": {"result": 21}}});
    json!({
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [
                {"functionCall": {"name": "f", "args": {"a": "b"}}, "thoughtSignature": "c2ln"},
            ]},
            {"role": "user", "parts": [answer]},
        ],
        "generationConfig": {"maxOutputTokens": 5},
        "tools": [{"functionDeclarations": [declaration]}],
    })
}

#[tokio::test]
async fn gemini_content() {
    let case = Case {
        path: "/v1beta/models/gemini-3-pro:generateContent",
        good: request(),
        bad: vec![
            (
                "/maxTokens",
                json!(1),
                "Unknown name \"maxTokens\" at '': Cannot find field.",
            ),
            (
                "/generationConfig/maxTokens",
                json!(1),
                "Unknown name \"maxTokens\" at 'generationConfig'",
            ),
            ("/contents", json!([]), "contents is not specified"),
            ("/contents/0", json!(null), "start with a user turn"),
            (
                "/contents/-",
                json!({"role": "user", "parts": [{"text": "x"}]}),
                "alternate between user and model",
            ),
            ("/contents/0/parts", json!([]), "parts must not be empty"),
            (
                "/contents/0/parts/0",
                json!({"text": "a", "inlineData": {"mimeType": "a", "data": ""}}),
                "exactly one",
            ),
            (
                "/contents/2/parts/0/functionResponse/name",
                json!("g"),
                "names match the function call names",
            ),
            (
                "/contents/2/parts/-",
                json!({"functionResponse": {"name": "f", "response": {}}}),
                "number of function response parts",
            ),
            (
                "/contents/0/parts/0",
                json!({"inlineData": {"mimeType": "image/png", "data": "data:image/png;base64,aGk="}}),
                "Base64 decoding failed",
            ),
            (
                "/contents/1/parts/0/thoughtSignature",
                json!(null),
                "missing a thought_signature",
            ),
            (
                "/contents/1/parts/0/thoughtSignature",
                json!("?"),
                "Base64 decoding failed",
            ),
            (
                "/contents/2/parts/0/functionResponse/response",
                json!("21"),
                "expected an object",
            ),
            (
                "/tools/0/functionDeclarations/0/parameters/type",
                json!("object"),
                "expected one of the known words",
            ),
            (
                "/tools/0/functionDeclarations/0/parameters/properties/a/additionalProperties",
                json!(false),
                "Unknown name \"additionalProperties\" at 'tools[0].function_declarations[0].parameters.properties[a].'",
            ),
            (
                "/tools/0/functionDeclarations/0/name",
                json!("1f"),
                "Invalid function name",
            ),
            (
                "/generationConfig/responseJsonSchema",
                json!({}),
                "response_mime_type to be application/json",
            ),
        ],
    };
    case.check().await;
}

#[tokio::test]
async fn gemini_calls_before_the_last_question_need_no_signature() {
    let provider = FakeProvider::strict();
    let mut body = request();
    set(&mut body, "/contents/1/parts/0/thoughtSignature", Value::Null);
    set(
        &mut body,
        "/contents/-",
        json!({"role": "model", "parts": [{"text": "21"}]}),
    );
    set(
        &mut body,
        "/contents/-",
        json!({"role": "user", "parts": [{"text": "conf:hello"}]}),
    );
    let path = "/v1beta/models/gemini-3-pro:generateContent";
    post(&provider, path, body).await.expect_status(200).await;
}
