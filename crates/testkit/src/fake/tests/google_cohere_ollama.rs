//! Scripted answers of Gemini, Cohere and Ollama.

use super::*;

const GEMINI: &str = "/v1beta/models/gemini-2.5-flash";

fn contents(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

#[tokio::test]
async fn gemini_says_everything_of_an_answer() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let mut body = contents("hi");
    body["generationConfig"] = json!({"responseLogprobs": true});
    let path = format!("{GEMINI}:generateContent");
    let answer = post(&provider, &path, body).await.json().await;
    let candidate = &answer["candidates"][0];
    assert_eq!(
        candidate["content"]["parts"],
        json!([
            {"text": "Hmm, well.", "thought": true},
            {"text": "Paris is warm."},
            {
                "functionCall": {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_a"},
                "thoughtSignature": "c2lnbmVk",
            },
            {"functionCall": {"name": "get_time", "args": {}, "id": "call_b"}},
        ])
    );
    assert_eq!(candidate["finishReason"], "STOP");
    assert_eq!(
        candidate["groundingMetadata"]["groundingChunks"][0]["web"]["uri"],
        "https://a.example"
    );
    assert_eq!(
        candidate["logprobsResult"]["chosenCandidates"][0]["token"],
        "Paris"
    );
    let usage = &answer["usageMetadata"];
    let counts = [
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
    ];
    assert_eq!(counts.map(|name| usage[name].as_u64().unwrap()), [111, 7, 5, 123]);
    assert_eq!(usage["cachedContentTokenCount"], 100);
}

#[tokio::test]
async fn gemini_streams_events_or_an_array() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let path = format!("{GEMINI}:streamGenerateContent");
    let events = post(&provider, &format!("{path}?alt=sse"), contents("hi")).await;
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let events = events.events().finish().await.json();
    assert_eq!(events.len(), 6, "one for each piece, calls whole");
    let finishes = events
        .iter()
        .filter(|event| !event["candidates"][0]["finishReason"].is_null());
    assert_eq!(finishes.count(), 1);
    let call = &events[4]["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call["args"], json!({"city": "Paris"}));
    let part = &events[4]["candidates"][0]["content"]["parts"][0];
    assert_eq!(part["thoughtSignature"], "c2lnbmVk");

    let array = post(&provider, &path, contents("hi")).await;
    assert_eq!(array.header("content-type"), Some("application/json"));
    let array = array.json().await;
    let without_id = |mut value: Value| {
        value["responseId"].take();
        value
    };
    let elements: Vec<_> = array
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(without_id)
        .collect();
    let events: Vec<_> = events.into_iter().map(without_id).collect();
    assert_eq!(elements, events);
}

#[tokio::test]
async fn gemini_signs_its_text_where_nothing_is_called() {
    let provider = FakeProvider::strict();
    let answer = Completion::new().thinking("Hmm.", "c2lnbmVk").text("Well, now.");
    provider.always(Reply::completion(answer));
    let path = format!("{GEMINI}:streamGenerateContent?alt=sse");
    let events = post(&provider, &path, contents("hi")).await.events();
    let events = events.finish().await.json();
    let signatures: Vec<_> = events
        .iter()
        .map(|event| !event["candidates"][0]["content"]["parts"][0]["thoughtSignature"].is_null())
        .collect();
    assert_eq!(signatures, [false, false, true]);
}

#[tokio::test]
async fn gemini_may_refuse_a_prompt() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(Completion::new().stop(Stop::Filtered)));
    let path = format!("{GEMINI}:generateContent");
    let answer = post(&provider, &path, contents("hi")).await.json().await;
    assert_eq!(answer["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    assert_eq!(answer["candidates"], Value::Null);
}

#[tokio::test]
async fn gemini_takes_snake_case_too() {
    let provider = FakeProvider::strict();
    let body = json!({
        "contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": ""}}, {"text": "conf:hello"}]}],
        "tools": [{"function_declarations": [
            {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}, "required": ["a_b"]}},
        ]}],
    });
    post(&provider, &format!("{GEMINI}:generateContent"), body)
        .await
        .expect_status(200)
        .await;
}

#[tokio::test]
async fn gemini_counts_embeds_and_lists() {
    let provider = FakeProvider::strict();
    let count = post(&provider, &format!("{GEMINI}:countTokens"), contents("hi")).await;
    assert!(count.json().await["totalTokens"].as_u64().unwrap() > 0);
    let one = json!({"model": "models/e", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2});
    let embedding = post(&provider, "/v1beta/models/e:embedContent", one.clone()).await;
    assert_eq!(
        embedding.json().await,
        json!({"embedding": {"values": [0.25, 0.25]}})
    );
    let batch = json!({"requests": [one, one]});
    let batch = post(&provider, "/v1beta/models/e:batchEmbedContents", batch).await;
    assert_eq!(batch.json().await["embeddings"].as_array().unwrap().len(), 2);
    let client = Client::new(provider.addr());
    let models = client.get("/v1beta/models").send().await.json().await;
    assert_eq!(models["models"][0]["name"], "models/gemini-2.5-flash");
    let model = client.get(GEMINI).send().await.json().await;
    assert_eq!(model["displayName"], "gemini-2.5-flash");
    let none = client
        .get("/v1beta/models/none")
        .send()
        .await
        .expect_status(404)
        .await;
    assert_eq!(none.json().await["error"]["status"], "NOT_FOUND");
}

#[tokio::test]
async fn cohere_plans_before_it_calls() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let answer = post(&provider, "/v2/chat", chat("")).await.json().await;
    let message = &answer["message"];
    assert_eq!(message["tool_plan"], "Paris is warm.");
    assert_eq!(
        message["content"],
        json!([{"type": "thinking", "thinking": "Hmm, well."}])
    );
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        r#"{"city": "Paris"}"#
    );
    assert_eq!(message["citations"][0]["sources"][0]["id"], "https://a.example");
    assert_eq!(answer["finish_reason"], "TOOL_CALL");
    assert_eq!(answer["usage"]["tokens"]["input_tokens"], 111.0);

    let stream = post(&provider, "/v2/chat", chat_stream("")).await;
    let stream = stream.events().finish().await;
    let expected = [
        "message-start",
        "content-start",
        "content-delta",
        "content-delta",
        "content-end",
        "tool-plan-delta",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-delta",
        "tool-call-end",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "citation-start",
        "citation-end",
        "message-end",
    ];
    assert_eq!(stream.names(), expected);
    let end = stream.json().pop().unwrap();
    assert_eq!(end["delta"]["usage"]["tokens"]["output_tokens"], 12.0);
}

#[tokio::test]
async fn cohere_speaks_embeds_and_ranks() {
    let provider = FakeProvider::strict();
    let hello = post(&provider, "/v2/chat", chat("hello")).await.json().await;
    assert_eq!(
        hello["message"]["content"],
        json!([{"type": "text", "text": "Hello from the upstream."}])
    );
    let embed = json!({"model": "e", "input_type": "search_query", "texts": ["a", "b"], "embedding_types": ["float"]});
    let embeddings = post(&provider, "/v2/embed", embed).await.json().await;
    assert_eq!(embeddings["embeddings"]["float"].as_array().unwrap().len(), 2);
    let documents = json!(["nothing", "a warm day", "warm"]);
    let rerank = json!({"model": "r", "query": "warm day", "documents": documents, "top_n": 2});
    let ranked = post(&provider, "/v2/rerank", rerank.clone()).await.json().await;
    assert_eq!(ranked["results"][0], json!({"index": 1, "relevance_score": 1.0}));
    assert_eq!(ranked["results"].as_array().unwrap().len(), 2);
    let jina = post(&provider, "/v1/rerank", rerank).await.json().await;
    assert_eq!(jina["results"][1]["document"]["text"], "warm");
    assert!(jina["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn ollama_streams_lines_unless_told_otherwise() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let answer = post(&provider, "/api/chat", chat("")).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = answer.text().await;
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["message"]["thinking"], "Hmm,");
    assert_eq!(lines[2]["message"]["content"], "Paris is ");
    let call = json!([{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]);
    assert_eq!(lines[4]["message"]["tool_calls"], call);
    let last = lines.last().unwrap();
    assert_eq!(
        (
            &last["done"],
            &last["done_reason"],
            &last["prompt_eval_count"],
            &last["eval_count"]
        ),
        (&json!(true), &json!("stop"), &json!(111), &json!(12))
    );
    assert!(lines[..lines.len() - 1].iter().all(|line| line["done"] == false));

    let mut whole = chat("");
    whole["stream"] = false.into();
    let whole = post(&provider, "/api/chat", whole).await.json().await;
    assert_eq!(whole["message"]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(whole["done"], true);
}

#[tokio::test]
async fn ollama_generates_embeds_and_lists() {
    let provider = FakeProvider::strict();
    let generate = json!({"model": "m", "prompt": "conf:hello", "stream": false});
    let answer = post(&provider, "/api/generate", generate).await.json().await;
    assert_eq!(answer["response"], "Hello from the upstream.");
    let embed = json!({"model": "m", "input": ["a", "b"]});
    let embeddings = post(&provider, "/api/embed", embed).await.json().await;
    assert_eq!(embeddings["embeddings"].as_array().unwrap().len(), 2);
    let tags = Client::new(provider.addr()).get("/api/tags").send().await;
    assert_eq!(tags.json().await["models"][0]["name"], "llama3.2:latest");
}
