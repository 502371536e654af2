//! What conversations can be made of, each as a short one.

use serde_json::json;
use sluice_testkit::{Completion, Stop, Usage};

use super::clients::Client;
use super::neutral::{Ask, PDF, PICTURE, PNG, Piece, Say, Seen, Stopped, Tokens, WAV};
use super::providers::Provider;

pub(super) const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBwcm92aWRlcg==";

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    Text,
    System,
    Image,
    LinkedImage,
    Document,
    Audio,
    Tools,
    ParallelTools,
    ResultImage,
    Structured,
    Thinking,
    CacheMarks,
    Stop,
    Logprobs,
    Usage,
}

/// One exchange: what is asked, what the model answers, what the provider's request must hold.
pub(super) struct Exchange {
    pub(super) ask: Ask,
    pub(super) answer: Completion,
    pub(super) needles: Vec<&'static str>,
}

const TEXT: &str = "Paris is warm.";
const QUESTION: Piece = Piece::Text("Weather?");

impl Feature {
    pub(super) const ALL: [Self; 15] = [
        Self::Text,
        Self::System,
        Self::Image,
        Self::LinkedImage,
        Self::Document,
        Self::Audio,
        Self::Tools,
        Self::ParallelTools,
        Self::ResultImage,
        Self::Structured,
        Self::Thinking,
        Self::CacheMarks,
        Self::Stop,
        Self::Logprobs,
        Self::Usage,
    ];

    /// Its heading on the page, and what is looked at.
    pub(super) fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("Text", "A question, an answer in words, and why it ended."),
            Self::System => ("System prompt", "Instructions beside the conversation."),
            Self::Image => ("Images", "A picture in the request, as base64."),
            Self::LinkedImage => (
                "Images by URL",
                "A picture that the provider fetches; the gateway does not.",
            ),
            Self::Document => ("Documents", "A PDF in the request, as base64."),
            Self::Audio => ("Audio", "A sound in the request, as base64."),
            Self::Tools => (
                "Tools",
                "A call with its arguments, and a second turn with the result.",
            ),
            Self::ParallelTools => (
                "Parallel tools",
                "Two calls in one answer, and both results in the next turn.",
            ),
            Self::ResultImage => ("Images in tool results", "A tool that gives a picture."),
            Self::Structured => ("Structured output", "An answer that a JSON Schema describes."),
            Self::Thinking => (
                "Thinking",
                "Thoughts before a call of a tool, and their signature back with the provider, byte for byte, where it signs them.",
            ),
            Self::CacheMarks => (
                "Prompt-cache marks",
                "A mark up to which the prompt is to be cached.",
            ),
            Self::Stop => ("Stop sequences", "A text that ends the answer."),
            Self::Logprobs => ("Log probabilities", "Probabilities of the answer's tokens."),
            Self::Usage => (
                "Usage",
                "Tokens read, read from a cache, and written, thoughts included.",
            ),
        }
    }

    /// The exchange that follows what was seen so far.
    pub(super) fn exchange(self, provider: &Provider, before: Option<&Seen>) -> Option<Exchange> {
        if let Some(seen) = before {
            return self.second(provider, seen);
        }
        let plain = Completion::new().text(TEXT);
        let ask = Ask::of(&[QUESTION]);
        let with = |piece| Ask::of(&[Piece::Text("What is this?"), piece]);
        let (ask, answer, needles) = match self {
            Self::Text => (ask, plain, vec!["Weather?"]),
            Self::System => (
                Ask {
                    system: Some("Be brief."),
                    ..ask
                },
                plain,
                vec!["Be brief.", "Weather?"],
            ),
            Self::Image => (with(Piece::Image), plain, vec![PNG]),
            Self::LinkedImage => (with(Piece::LinkedImage), plain, vec![PICTURE]),
            Self::Document => (with(Piece::Document), plain, vec![PDF]),
            Self::Audio => (with(Piece::Audio), plain, vec![WAV]),
            Self::Tools | Self::ResultImage => {
                (asks_tools(&["get_weather"]), call("Paris"), vec!["get_weather"])
            }
            Self::ParallelTools => {
                let answer = call("Paris").tool_call("call_b", "get_weather", json!({ "city": "Rome" }));
                (asks_tools(&["get_weather"]), answer, vec!["get_weather"])
            }
            Self::Structured => {
                let answer = Completion::new().text("{\"town\":\"Paris\"}");
                (
                    Ask {
                        structured: true,
                        ..ask
                    },
                    answer,
                    vec!["town"],
                )
            }
            Self::Thinking => {
                let ask = Ask {
                    thinks: true,
                    ..asks_tools(&["get_weather"])
                };
                let thought = Completion::new().thinking("Let me see.", SIGNATURE);
                let answer = thought.tool_call("call_a", "get_weather", json!({ "city": "Paris" }));
                (ask, answer, vec![])
            }
            Self::CacheMarks => {
                let mark = if provider.name == "bedrock" {
                    "cachePoint"
                } else {
                    "cache_control"
                };
                (
                    Ask {
                        system: Some("Be brief."),
                        cached: true,
                        ..ask
                    },
                    plain,
                    vec![mark],
                )
            }
            Self::Stop => {
                let answer = plain.stop(Stop::Sequence("HALT".to_owned()));
                (
                    Ask {
                        stop: Some("HALT"),
                        ..ask
                    },
                    answer,
                    vec!["HALT"],
                )
            }
            Self::Logprobs => {
                let answer = plain.logprobs([("Paris", -0.1), (" is", -0.2), (" warm.", -0.3)]);
                (
                    Ask {
                        logprobs: true,
                        ..ask
                    },
                    answer,
                    vec![],
                )
            }
            Self::Usage => (ask, plain.usage(USAGE), vec![]),
        };
        Some(Exchange { ask, answer, needles })
    }

    fn second(self, provider: &Provider, seen: &Seen) -> Option<Exchange> {
        let pieces: &[Piece] = match self {
            Self::Tools | Self::ParallelTools | Self::Thinking => &[Piece::Text("21 degrees")],
            Self::ResultImage => &[Piece::Text("21 degrees"), Piece::Image],
            _ => return None,
        };
        let results = seen
            .calls
            .iter()
            .map(|call| (call.id.clone(), call.name.clone(), pieces.to_vec()))
            .collect();
        let mut ask = Ask {
            thinks: self == Self::Thinking,
            ..asks_tools(&["get_weather"])
        };
        ask.turns.push(Say::Model(seen.history.clone()));
        ask.turns.push(Say::Results(results));
        let mut needles = vec!["21 degrees"];
        match self {
            Self::ResultImage => needles.push(PNG),
            Self::ParallelTools => needles.push("Rome"),
            Self::Thinking if provider.signs => needles.push(SIGNATURE),
            _ => {}
        }
        Some(Exchange {
            ask,
            answer: Completion::new().text(TEXT),
            needles,
        })
    }

    /// What is wrong with an answer, if anything is.
    pub(super) fn fault(
        self,
        seen: &Seen,
        is_first: bool,
        client: &dyn Client,
        provider: &Provider,
    ) -> Option<String> {
        let calls = match self {
            _ if !is_first => vec![],
            Self::Tools | Self::ResultImage | Self::Thinking => vec!["Paris"],
            Self::ParallelTools => vec!["Paris", "Rome"],
            _ => vec![],
        };
        let stops: &[Stopped] = match self {
            Self::Stop => &[Stopped::Sequence, Stopped::End],
            _ if calls.is_empty() => &[Stopped::End],
            _ => &[Stopped::Tools],
        };
        let text = match self {
            _ if !calls.is_empty() => "",
            Self::Structured => "{\"town\":\"Paris\"}",
            _ => TEXT,
        };
        let cities: Vec<_> = seen.calls.iter().map(|call| arguments(&call.arguments)).collect();
        let is_called = seen.calls.iter().all(|call| call.name == "get_weather");
        let thinks = self == Self::Thinking && is_first && client.shows_thoughts();
        let faults = [
            (seen.text != text, format!("text {:?}", seen.text)),
            (cities != calls || !is_called, format!("calls {:?}", seen.calls)),
            (!stops.contains(&seen.stop), format!("stopped {:?}", seen.stop)),
            (
                thinks && seen.thoughts != "Let me see.",
                format!("thoughts {:?}", seen.thoughts),
            ),
            (
                self == Self::Usage && !counts(seen.usage, provider),
                format!("usage {:?}", seen.usage),
            ),
        ];
        faults
            .into_iter()
            .find(|(is_wrong, _)| *is_wrong)
            .map(|(_, fault)| fault)
    }
}

pub(super) const USAGE: Usage = Usage {
    input: 10,
    cached: 100,
    cache_write: 0,
    output: 7,
    reasoning: 5,
};

fn counts(tokens: Option<Tokens>, provider: &Provider) -> bool {
    let cached = tokens.and_then(|tokens| tokens.cached);
    let cached = cached.is_none_or(|cached| cached == 100 || (cached == 0 && !provider.counts_cached));
    tokens.is_some_and(|tokens| tokens.prompt == 110 && tokens.completion == 12) && cached
}

fn asks_tools(names: &[&str]) -> Ask {
    Ask {
        tools: names.iter().map(|&name| name.to_owned()).collect(),
        ..Ask::of(&[QUESTION])
    }
}

fn call(city: &str) -> Completion {
    Completion::new().tool_call("call_a", "get_weather", json!({ "city": city }))
}

/// The city that a call names.
fn arguments(arguments: &str) -> String {
    let read: serde_json::Value = serde_json::from_str(arguments).unwrap_or_default();
    read["city"].as_str().unwrap_or_default().to_owned()
}
