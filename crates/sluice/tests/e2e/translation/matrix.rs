//! docs/translation.md is what was seen through the real binary: every feature, whole and streamed, of every client
//! protocol on every provider protocol. `make docs` writes it anew.

use futures_util::future::join_all;
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::clients::{CLIENTS, Client, call};
use super::features::{Feature, SIGNATURE};
use super::page;
use super::providers::{PROVIDERS, Provider};
use crate::support::gateway;

/// What came of a feature between a client and a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Supported,
    /// Without members of the request, whose names the client was told.
    Without(String),
    /// Without the signature of a thought, for which the client's protocol has no place.
    Unsigned,
    /// With an error, before anything was sent.
    Refused(String),
    /// The client's protocol has no word for it.
    Unsaid,
}

/// Columns by rows of a feature, or what is wrong.
type Seen = Result<Cell, String>;

#[tokio::test]
async fn the_translation_page_is_what_is_seen() {
    let gateway = gateway().await;
    let columns = join_all(PROVIDERS.iter().map(|provider| column(&gateway, provider))).await;
    let mut faults = Vec::new();
    let mut tables = Vec::new();
    for (at, feature) in Feature::ALL.into_iter().enumerate() {
        let mut rows = Vec::new();
        for (row, client) in CLIENTS.iter().enumerate() {
            let mut cells = Vec::new();
            for (provider, column) in PROVIDERS.iter().zip(&columns) {
                match &column[at][row] {
                    Ok(cell) => cells.push(cell.clone()),
                    Err(fault) => {
                        faults.push(format!(
                            "{feature:?}: {} on {}: {fault}",
                            client.name(),
                            provider.name
                        ));
                        cells.push(Cell::Unsaid);
                    }
                }
            }
            rows.push(cells);
        }
        tables.push(rows);
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    page::check(&tables);
}

/// All features of all clients on one provider.
async fn column(gateway: &Gateway, provider: &Provider) -> Vec<Vec<Seen>> {
    let fake = provider.serve(gateway).await;
    let mut tables = Vec::new();
    for feature in Feature::ALL {
        let mut rows = Vec::new();
        for client in CLIENTS {
            let whole = observe(gateway, provider, &fake, client, feature, false).await;
            let streamed = observe(gateway, provider, &fake, client, feature, true).await;
            rows.push(match (whole, streamed) {
                (Ok(whole), Ok(streamed)) if whole != streamed => {
                    Err(format!("whole {whole:?}, streamed {streamed:?}"))
                }
                (Ok(whole), Ok(_)) => Ok(whole),
                (Err(fault), _) => Err(fault),
                (_, Err(fault)) => Err(format!("streamed: {fault}")),
            });
        }
        tables.push(rows);
    }
    tables
}

async fn observe(
    gateway: &Gateway,
    provider: &Provider,
    fake: &FakeProvider,
    client: &dyn Client,
    feature: Feature,
    streams: bool,
) -> Seen {
    let mut seen = None;
    let mut dropped = Vec::new();
    let mut unsigned = false;
    for _ in 0..2 {
        let Some(mut exchange) = feature.exchange(provider, seen.as_ref()) else {
            break;
        };
        exchange.ask.streams = streams;
        let Some(body) = client.body(&exchange.ask) else {
            return Ok(Cell::Unsaid);
        };
        // Byte by byte costs a write each: once per client and provider is enough.
        let piece = if feature == Feature::Tools { 1 } else { 29 };
        let (refusals, calls) = (fake.refused().len(), fake.requests().len());
        fake.always(Reply::completion(exchange.answer).in_pieces_of(piece));
        let answer = call(gateway, client, &provider.key(), streams, &body)
            .send()
            .await;
        let (status, headers) = (answer.status, answer.headers.clone());
        let bytes = answer.bytes().await;
        if let Some(refusal) = fake.refused().get(refusals) {
            return Err(format!("{refusal} {}", fake.last_request().json()));
        }
        if !status.is_success() {
            let message = serde_json::from_slice(&bytes)
                .ok()
                .and_then(|body| client.error(&body));
            return match message {
                Some(message) if status == 400 && fake.requests().len() == calls => {
                    Ok(Cell::Refused(message))
                }
                _ => Err(format!("{status}: {}", String::from_utf8_lossy(&bytes))),
            };
        }
        let names = headers
            .get("x-sluice-dropped")
            .map(|names| names.to_str().unwrap().to_owned());
        dropped.extend(
            names
                .iter()
                .flat_map(|names| names.split(", "))
                .map(str::to_owned),
        );
        let sent = fake.last_request().json().to_string();
        let lost: Vec<_> = exchange
            .needles
            .iter()
            .filter(|needle| !sent.contains(**needle))
            .collect();
        let asks_thoughts = ["think", "reasoning"].iter().any(|word| sent.contains(word));
        if feature == Feature::Thinking && !asks_thoughts && dropped.is_empty() {
            return Err(format!("no thoughts are asked for in {sent}"));
        }
        // A client without a place for signatures cannot send them back; the gateway remembers those of calls.
        let is_unsigned = lost == [&SIGNATURE];
        if is_unsigned && !client.keeps_signatures() {
            unsigned = true;
        } else if is_unsigned || (!lost.is_empty() && dropped.is_empty()) {
            return Err(format!("{lost:?} is not in {sent}"));
        }
        let got = if streams {
            client.stream(&bytes)
        } else {
            client.whole(&serde_json::from_slice(&bytes).map_err(|error| error.to_string())?)
        };
        if streams && (!got.is_ended || got.error.is_some()) {
            return Err(format!("not ended: {got:?}"));
        }
        if let Some(fault) = feature.fault(&got, seen.is_none(), client, provider) {
            return Err(format!("{fault} of {}", String::from_utf8_lossy(&bytes)));
        }
        if feature == Feature::Logprobs && !got.logprobs && dropped.is_empty() {
            return Err(format!("no probabilities in {}", String::from_utf8_lossy(&bytes)));
        }
        seen = Some(got);
    }
    dropped.dedup();
    if unsigned {
        return Ok(Cell::Unsigned);
    }
    Ok(if dropped.is_empty() {
        Cell::Supported
    } else {
        Cell::Without(dropped.join(", "))
    })
}
