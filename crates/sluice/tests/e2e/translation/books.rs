//! What the ledger says of every client protocol on every provider protocol: the usage that the provider reported.

use sluice_testkit::{Completion, Reply, Usage};

use super::clients::{CLIENTS, call};
use super::neutral::{Ask, Piece};
use super::providers::PROVIDERS;
use crate::ledger::entries;
use crate::support::gateway;

#[tokio::test]
async fn the_ledger_has_what_providers_reported() {
    let mut gateway = gateway().await;
    let mut expected = Vec::new();
    for provider in &PROVIDERS {
        let fake = provider.serve(&gateway).await;
        let usage = Usage {
            input: 10,
            cached: if provider.counts_cached { 100 } else { 0 },
            output: 7,
            ..Usage::default()
        };
        fake.always(Reply::completion(
            Completion::new().text("Paris is warm.").usage(usage),
        ));
        for client in CLIENTS {
            for streams in [false, true] {
                let ask = Ask {
                    streams,
                    ..Ask::of(&[Piece::Text("Weather?")])
                };
                let body = client.body(&ask).unwrap();
                let answer = call(&gateway, client, &provider.key(), streams, &body)
                    .send()
                    .await;
                let bytes = answer.expect_status(200).await.bytes().await;
                let seen = match streams {
                    true => client.stream(&bytes),
                    false => client.whole(&serde_json::from_slice(&bytes).unwrap()),
                };
                let what = format!("{} on {}, streams: {streams}", client.name(), provider.name);
                // A chat client that did not ask for usage in its stream gets none.
                if let Some(tokens) = seen.usage {
                    assert_eq!(
                        (tokens.prompt, tokens.completion),
                        (usage.input + usage.cached, 7),
                        "{what}"
                    );
                }
                expected.push((what, usage.cached));
            }
        }
    }
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let entries = entries(&gateway).await;
    assert_eq!(entries.len(), expected.len());
    for (entry, (what, cached)) in entries.iter().zip(&expected) {
        let usage = &entry.usage;
        assert_eq!(
            (usage.input, usage.cache_read, usage.output),
            (10, *cached, 7),
            "{what}"
        );
        // Which it keeps of estimates only.
        assert_eq!(entry.detail.provenance.as_deref(), None, "{what}");
    }
}
