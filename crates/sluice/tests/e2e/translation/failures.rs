//! Providers that fail, seen by each client: in its own dialect, and never as an answer that is whole.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sluice_testkit::{Completion, FakeProvider, Gateway, Reply};

use super::clients::{CLIENTS, Client, call};
use super::neutral::{Ask, Piece};
use super::providers::{PROVIDERS, Provider};
use crate::support::{gateway, stream_to_end};

const TEXT: &str = "Paris is warm and so are Rome and Athens and all the towns by the sea.";

fn body(client: &dyn Client, streams: bool) -> Value {
    let ask = Ask {
        streams,
        ..Ask::of(&[Piece::Text("Weather?")])
    };
    client.body(&ask).unwrap()
}

/// Every client on every provider, providers at once.
async fn everywhere(check: impl AsyncFn(&Gateway, &Provider, &FakeProvider, &dyn Client) -> Vec<String>) {
    let gateway = gateway().await;
    let of_provider = async |provider: &Provider| {
        let fake = provider.serve(&gateway).await;
        let mut faults = Vec::new();
        for client in CLIENTS {
            let found = check(&gateway, provider, &fake, client).await;
            let place = |fault| format!("{} on {}: {fault}", client.name(), provider.name);
            faults.extend(found.into_iter().map(place));
        }
        faults
    };
    let faults = join_all(PROVIDERS.iter().map(of_provider)).await.concat();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[tokio::test]
async fn errors_of_the_provider_reach_the_client_in_its_dialect() {
    everywhere(async |gateway, provider, fake, client| {
        let mut faults = Vec::new();
        for streams in [false, true] {
            for (status, expected) in [
                (400, 400),
                (401, 502),
                (404, 404),
                (429, 429),
                (500, 500),
                (529, 529),
            ] {
                let said = format!("said the provider with {status}");
                fake.always(Reply::error(status, &said).header("retry-after", "7"));
                let call = call(gateway, client, &provider.key(), streams, &body(client, streams));
                let answer = call.send().await;
                let (got, headers) = (answer.status.as_u16(), answer.headers.clone());
                let bytes = answer.bytes().await;
                let read = serde_json::from_slice(&bytes)
                    .ok()
                    .and_then(|body| client.error(&body));
                let is_told = read
                    .as_deref()
                    .is_some_and(|message| message.contains(&said) == (status != 401));
                let has_retry = headers.get("retry-after").is_some() || status == 401;
                // Overload has a status of its own with few.
                let is_status = got == expected || (status == 529 && got == 503);
                if !(is_status && is_told && has_retry) {
                    let shown = String::from_utf8_lossy(&bytes);
                    faults.push(format!("{status}, streams {streams}: {got} {headers:?} {shown}"));
                }
            }
        }
        faults
    })
    .await;
}

#[tokio::test]
async fn streams_that_break_end_with_an_error() {
    let pieces = || TEXT.split_inclusive(' ').map(str::to_owned);
    let answer = || Completion::new().text(TEXT).in_pieces(pieces());
    let replies = [
        (
            "an error within",
            Reply::completion(answer()).error_after(7, 529, "overloaded, it says"),
        ),
        ("cut", Reply::completion(answer()).cut_after(7)),
        ("cut within an event", Reply::completion(answer()).cut_within(7)),
        (
            "ended within an event",
            Reply::completion(answer()).truncate_after(7),
        ),
    ];
    everywhere(async |gateway, provider, fake, client| {
        let mut faults = Vec::new();
        for (what, reply) in &replies {
            fake.always(reply.clone());
            let call = call(gateway, client, &provider.key(), true, &body(client, true));
            let answer = call.send().await;
            if answer.status != 200 {
                faults.push(format!("{what}: {}", answer.status));
                continue;
            }
            let Ok(bytes) = answer.try_bytes().await else {
                continue;
            };
            let seen = client.stream(&bytes);
            let shown = String::from_utf8_lossy(&bytes);
            let is_read = seen.error.as_deref() != Some("unreadable") && !seen.text.is_empty();
            if seen.error.is_none() || !TEXT.starts_with(&seen.text) || !is_read {
                faults.push(format!("{what}: {seen:?} of {shown}"));
            }
        }
        faults
    })
    .await;
}

#[tokio::test]
async fn errors_in_whole_answers_reach_the_client_in_its_dialect() {
    everywhere(async |gateway, provider, fake, client| {
        let mut faults = Vec::new();
        let said = "slow down, said the provider";
        let error =
            json!({ "type": "error", "error": { "type": "rate_limit_error", "code": 429, "message": said } });
        fake.always(Reply::json(200, &error));
        let call = call(gateway, client, &provider.key(), false, &body(client, false));
        let answer = call.send().await;
        let status = answer.status;
        let bytes = answer.bytes().await;
        let read = serde_json::from_slice(&bytes)
            .ok()
            .and_then(|body| client.error(&body));
        // Responses itself has a member for errors, which its clients read.
        let passes = status == 200 && client.name() == "OpenAI Responses";
        if !passes && (status != 429 || read.as_deref() != Some(said)) {
            faults.push(format!("{status} {}", String::from_utf8_lossy(&bytes)));
        }
        faults
    })
    .await;
}

/// The number of an event of OpenAI Responses, if it has one.
fn number(event: &Value) -> Option<u64> {
    event["sequence_number"].as_u64()
}

#[tokio::test]
async fn a_broken_stream_of_responses_goes_on_counting() {
    let gateway = gateway().await;
    let provider = PROVIDERS
        .iter()
        .find(|provider| provider.name == "openai")
        .unwrap();
    let fake = provider.serve(&gateway).await;
    fake.always(Reply::completion(Completion::new().text(TEXT)).cut_after(5));
    let call = gateway.client().post("/v1/responses");
    let call = call.header("authorization", &format!("Bearer {}", provider.key()));
    let events =
        stream_to_end(call.json(&json!({ "model": "m", "input": "Weather?", "stream": true }))).await;
    let events = events.json();
    assert_eq!(events.last().unwrap()["type"], "error");
    let numbers: Vec<_> = events.iter().filter_map(number).collect();
    assert_eq!(numbers.len(), 6);
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
}
