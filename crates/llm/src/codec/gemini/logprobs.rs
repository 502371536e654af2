//! `logprobsResult` and OpenAI's `logprobs`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::chat::Json;

#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct LogprobsResult<'a> {
    top_candidates: Vec<Top<'a>>,
    chosen_candidates: Vec<Token<'a>>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Top<'a> {
    candidates: Vec<Token<'a>>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Token<'a> {
    token: Cow<'a, str>,
    log_probability: Option<Number>,
}

#[derive(Deserialize, Serialize)]
struct OpenAi<'a> {
    #[serde(borrow)]
    content: Option<Vec<OpenAiToken<'a>>>,
}

#[derive(Deserialize, Serialize)]
struct OpenAiToken<'a> {
    token: Cow<'a, str>,
    logprob: Option<Number>,
    bytes: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    top_logprobs: Option<Vec<OpenAiToken<'a>>>,
}

/// OpenAI's form of what Gemini says; `None` if it says nothing of any token.
pub(super) fn to_openai(result: &Json) -> Option<Json> {
    let result: LogprobsResult<'_> = result.read()?;
    if result.chosen_candidates.is_empty() {
        return None;
    }
    let mut tops = result.top_candidates.into_iter();
    let content = result.chosen_candidates.into_iter().map(|token| {
        let top = tops.next().unwrap_or_default().candidates;
        let top = top.into_iter().map(|token| openai_token(token, None)).collect();
        openai_token(token, Some(top))
    });
    Some(Json::of(&OpenAi {
        content: Some(content.collect()),
    }))
}

fn openai_token<'a>(token: Token<'a>, top_logprobs: Option<Vec<OpenAiToken<'a>>>) -> OpenAiToken<'a> {
    OpenAiToken {
        bytes: Some(token.token.as_bytes().to_vec()),
        token: token.token,
        logprob: token.log_probability,
        top_logprobs,
    }
}

/// Gemini's form of what OpenAI says.
pub(super) fn from_openai(logprobs: &Json) -> Option<Json> {
    let logprobs: OpenAi<'_> = logprobs.read()?;
    let mut result = LogprobsResult::default();
    for token in logprobs.content? {
        let top = token.top_logprobs.unwrap_or_default();
        result.top_candidates.push(Top {
            candidates: top
                .into_iter()
                .map(|token| gemini_token(token.token, token.logprob))
                .collect(),
        });
        result
            .chosen_candidates
            .push(gemini_token(token.token, token.logprob));
    }
    Some(Json::of(&result))
}

fn gemini_token(token: Cow<'_, str>, log_probability: Option<Number>) -> Token<'_> {
    Token {
        token,
        log_probability,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let gemini = Json::parse(concat!(
            r#"{"topCandidates":[{"candidates":[{"token":"é","logProbability":-0.5},{"token":"e","logProbability":-2}]}],"#,
            r#""chosenCandidates":[{"token":"é","logProbability":-0.5}]}"#
        ))
        .unwrap();
        let openai = to_openai(&gemini).unwrap();
        assert_eq!(
            openai.text(),
            concat!(
                r#"{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":["#,
                r#"{"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":"e","logprob":-2,"bytes":[101]}]}]}"#
            )
        );
        assert_eq!(from_openai(&openai).unwrap(), gemini);
        assert_eq!(to_openai(&Json::parse("{}").unwrap()), None);
    }
}
