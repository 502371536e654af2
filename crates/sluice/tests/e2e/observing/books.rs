//! Every way out of a request is one row.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sluice_testkit::{Gate, Reply, eventually};

use super::{CHAT, Site};
use crate::support::{chat, chat_stream};

fn statuses(rows: &[Value]) -> Vec<u64> {
    let mut statuses: Vec<u64> = rows.iter().map(|row| row["status"].as_u64().unwrap()).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn every_exit_is_one_row() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({})).await;
    let limits = json!({ "limits": { "requests_per_minute": 1 } });
    let (bob, limited) = site.client("Bob", limits).await;

    assert_eq!(site.ask(&key, "conf:hello").await, 200);
    site.upstream.next(Reply::error(503, "overloaded"));
    assert_eq!(site.ask(&key, "conf:hello").await, 503);
    assert_eq!(site.ask("gm_nobody", "conf:hello").await, 401);
    assert_eq!(site.ask(&limited, "conf:hello").await, 200);
    assert_eq!(site.ask(&limited, "conf:hello").await, 429);
    let not_json = site.with_key(&key).post(CHAT).body("{").send().await;
    assert_eq!(not_json.status.as_u16(), 400);
    not_json.bytes().await;

    let rows = site.rows("", 6).await;
    assert_eq!(statuses(&rows), [200, 200, 400, 401, 429, 503]);
    let own = site.rows(&format!("client={ann}"), 3).await;
    assert_eq!(statuses(&own), [200, 400, 503]);
    assert!(own.iter().all(|row| row["client_name"] == "Ann"), "{own:#?}");
    let refused = site.rows(&format!("client={bob}&status=4xx"), 1).await;
    assert_eq!(refused[0]["status"], 429);
    assert!(refused[0]["error"].is_string(), "{refused:#?}");
    assert_eq!(refused[0]["input_tokens"], 0);
}

#[tokio::test]
async fn a_stream_that_its_reader_leaves_is_a_row_with_its_tokens() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({})).await;
    let gate = Gate::closed();
    gate.open(1);
    let reply = Reply::events([
        r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"some words that cost something"}}]}"#,
        r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"more"}}]}"#,
    ])
    .gated(&gate);
    site.upstream.next(reply);
    let mut answer = site
        .with_key(&key)
        .post(CHAT)
        .json(&chat_stream("conf:hello"))
        .send()
        .await;
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    let rows = site.rows(&format!("client={ann}"), 1).await;
    gate.open_for_good();
    let row = &rows[0];
    assert_eq!(
        (&row["ended"], &row["stream"]),
        (&json!("client_gone"), &json!(true)),
        "{row:#}"
    );
    assert_eq!(row["provenance"], "estimated", "{row:#}");
    assert!(row["output_tokens"].as_u64().unwrap() > 0, "{row:#}");
}

#[tokio::test]
async fn a_thousand_calls_at_once_are_booked_to_the_token() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({})).await;
    let client = site.with_key(&key);
    let answers = join_all((0..1000).map(|_| {
        let call = client.post(CHAT).json(&chat("conf:hello"));
        async move {
            let answer = call.send().await.expect_status(200).await.json().await;
            let count = |name: &str| answer["usage"][name].as_u64().unwrap();
            (count("prompt_tokens"), count("completion_tokens"))
        }
    }))
    .await;
    let input: u64 = answers.iter().map(|(input, _)| input).sum();
    let output: u64 = answers.iter().map(|(_, output)| output).sum();

    let rows = site.rows(&format!("client={ann}"), 1000).await;
    let sum = |name: &str| rows.iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("input_tokens"), sum("output_tokens")), (input, output));
    // The sums of an hour follow within seconds.
    let mut totals = Value::Null;
    eventually("the report has everything", async || {
        totals = site.get("/usage?by=client").await["totals"].clone();
        (totals["requests"] == 1000).then_some(())
    })
    .await;
    assert_eq!(totals["input_tokens"], input);
    assert_eq!(totals["output_tokens"], output);
    assert_eq!(totals["errors"], 0);
}
