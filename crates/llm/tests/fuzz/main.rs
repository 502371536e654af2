//! The fuzz targets as tests: bounded, seeded with what protocols say, mutated at random.
//! `make fuzz` runs the same functions under libFuzzer.

mod json;
mod leaks;
mod seeds;
mod targets;

use proptest::prelude::*;
use sluice_llm::Protocol;

/// What breaks parsers, put into bodies at random.
const TOKENS: [&str; 16] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "-1",
    "1e999",
    "\\ud800",
    "\\",
    "\n\n",
    "data:",
    "true",
    "18446744073709551616",
];

fn mutate(seed: &str, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for (at, kind, value) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind % 5 {
            0 => bytes[at] = *value,
            1 => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + usize::from(*value)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let token = TOKENS[usize::from(*value) % TOKENS.len()];
                bytes.splice(at..at, token.bytes());
            }
        }
    }
    bytes
}

/// Whose seeds they are.
#[derive(Clone, Copy)]
enum Speaker {
    Client,
    Provider,
}

/// Bodies of these seeds, half of them read as the protocol that they are in.
fn input(seeds: &'static [(Protocol, &'static str)], speaker: Speaker) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 0..6);
    (any::<([u8; 3], bool)>(), prop::sample::select(seeds), edits).prop_map(
        move |((mut head, is_own), (protocol, seed), edits)| {
            if is_own {
                match speaker {
                    Speaker::Client => head[0] = targets::client_byte(protocol),
                    Speaker::Provider => head[1] = targets::provider_byte(head[0], head[1], protocol),
                }
            }
            [&head[..], &mutate(seed, &edits)].concat()
        },
    )
}

/// `PROPTEST_CASES` makes a run longer.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases * 8,
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn requests_are_read_or_refused(data in input(&seeds::REQUESTS, Speaker::Client)) {
        targets::request(&data);
    }

    #[test]
    fn answers_are_read_or_refused(data in input(&seeds::ANSWERS, Speaker::Provider)) {
        targets::answer(&data);
    }

    #[test]
    fn streams_are_the_same_however_they_are_cut(data in input(&seeds::STREAMS, Speaker::Provider)) {
        targets::stream(&data);
    }

    #[test]
    fn framing_is_the_same_however_it_is_cut(data in input(&seeds::STREAMS, Speaker::Provider)) {
        targets::wire(&data);
    }

    #[test]
    fn views_and_splices_keep_json(data in input(&seeds::REQUESTS, Speaker::Client)) {
        targets::view(&data);
    }

    #[test]
    fn texts_lie_where_they_say(data in input(&seeds::REQUESTS, Speaker::Client)) {
        targets::texts(&data);
    }
}

/// A byte order mark that comes after a blank is none, wherever the two are cut.
#[test]
fn a_late_mark_is_no_mark() {
    targets::stream(&[67, 1, 0, 9, 239, 187, 191, 123]);
}
