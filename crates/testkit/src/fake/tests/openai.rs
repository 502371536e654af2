//! Scripted answers in OpenAI's dialects.

use super::*;

#[tokio::test]
async fn chat_says_everything_of_an_answer() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let mut body = chat("");
    body["logprobs"] = true.into();
    let answer = post(&provider, "/v1/chat/completions", body).await.json().await;
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    assert_eq!(message["reasoning_content"], "Hmm, well.");
    assert_eq!(message["content"], "Paris is warm.");
    assert_eq!(message["tool_calls"][0]["id"], "call_a");
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        r#"{"city": "Paris"}"#
    );
    assert_eq!(message["tool_calls"][1]["function"]["name"], "get_time");
    assert_eq!(
        message["annotations"][0]["url_citation"],
        json!({"url": "https://a.example", "title": "A", "start_index": 9, "end_index": 13})
    );
    assert_eq!(choice["logprobs"]["content"][0]["token"], "Paris");
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(
        answer["usage"],
        json!({
            "prompt_tokens": 111, "completion_tokens": 12, "total_tokens": 123,
            "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 5},
        })
    );
}

#[tokio::test]
async fn chat_streams_in_the_pieces_of_the_script() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let mut body = chat_stream("");
    body["stream_options"] = json!({"include_usage": true});
    let stream = post(&provider, "/v1/chat/completions", body)
        .await
        .events()
        .finish()
        .await;
    let chunks = stream.json();
    let deltas: Vec<_> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"].get(0))
        .map(|choice| choice["delta"].clone())
        .collect();
    assert_eq!(deltas[0], json!({"role": "assistant", "content": ""}));
    assert_eq!(deltas[1], json!({"reasoning_content": "Hmm,"}));
    assert_eq!(deltas[3], json!({"content": "Paris is "}));
    assert_eq!(deltas[4], json!({"content": "warm."}));
    let opened = json!({"index": 0, "id": "call_a", "type": "function",
        "function": {"name": "get_weather", "arguments": ""}});
    assert_eq!(deltas[5]["tool_calls"][0], opened);
    let fragment = json!({"index": 0, "function": {"arguments": r#"{"ci"#}});
    assert_eq!(deltas[6]["tool_calls"][0], fragment);
    assert_eq!(deltas[8]["tool_calls"][0]["id"], "call_b");
    assert_eq!(deltas.last(), Some(&json!({})));
    assert_eq!(chunks[0]["usage"], Value::Null);
    assert_eq!(chunks.last().unwrap()["choices"], json!([]));
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 123);
    assert_eq!(stream.data().last(), Some(&"[DONE]"));
}

#[tokio::test]
async fn calls_can_be_interleaved_and_choices_repeated() {
    let provider = FakeProvider::strict();
    provider.next(Reply::completion(everything().interleaved()));
    let stream = post(&provider, "/v1/chat/completions", chat_stream("")).await;
    let indexes: Vec<_> = stream
        .events()
        .finish()
        .await
        .json()
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["index"].as_u64())
        .collect();
    assert_eq!(indexes, [0, 1, 0, 1, 0]);

    let mut twice = chat("hello");
    twice["n"] = 2.into();
    let answer = post(&provider, "/v1/chat/completions", twice).await.json().await;
    assert_eq!(answer["choices"][1]["index"], 1);
}

#[tokio::test]
async fn responses_stream_items_in_order() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let include = json!(["reasoning.encrypted_content", "message.output_text.logprobs"]);
    let body = json!({"model": "gpt-4o", "input": "hi", "stream": true, "include": include});
    let stream = post(&provider, "/v1/responses", body)
        .await
        .events()
        .finish()
        .await;
    let names: Vec<_> = stream
        .names()
        .iter()
        .map(|name| name.trim_start_matches("response."))
        .collect();
    assert_eq!(
        names,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let events = stream.json();
    assert!((0..events.len()).all(|number| events[number]["sequence_number"] == number));
    let output = &events.last().unwrap()["response"]["output"];
    assert_eq!(output[0]["encrypted_content"], "c2lnbmVk");
    assert_eq!(output[1]["content"][0]["logprobs"][1]["token"], " is");
    assert_eq!(output[3]["call_id"], "call_b");
    assert_eq!(events.last().unwrap()["response"]["usage"]["input_tokens"], 111);
}

#[tokio::test]
async fn responses_that_are_cut_short_are_incomplete() {
    let provider = FakeProvider::strict();
    let ask = json!({"model": "gpt-4o", "input": "hi"});
    for (stop, reason) in [
        (Stop::Length, "max_output_tokens"),
        (Stop::Filtered, "content_filter"),
    ] {
        provider.next(Reply::completion(Completion::new().text("x").stop(stop)));
        let answer = post(&provider, "/v1/responses", ask.clone()).await.json().await;
        assert_eq!(
            (&answer["status"], &answer["incomplete_details"]["reason"]),
            (&json!("incomplete"), &json!(reason))
        );
    }
}

#[tokio::test]
async fn azure_names_the_base_model_and_filters() {
    let provider = FakeProvider::strict();
    let path = "/openai/deployments/mine/chat/completions?api-version=2024-10-21";
    let answer = post(&provider, path, chat("hello")).await.json().await;
    assert_eq!(answer["model"], "gpt-4o-2024-11-20");
    assert_eq!(answer["prompt_filter_results"][0]["prompt_index"], 0);
    let stream = post(&provider, path, chat_stream("hello"))
        .await
        .events()
        .finish()
        .await;
    assert_eq!(stream.json()[0]["choices"], json!([]));
    assert_eq!(stream.text(), "Hello from the upstream.");
    let mut nameless = chat("hello");
    nameless.as_object_mut().unwrap().remove("model");
    post(&provider, path, nameless).await.expect_status(200).await;
    post(
        &provider,
        "/openai/deployments/mine/chat/completions",
        chat("hello"),
    )
    .await
    .expect_status(404)
    .await;
}
