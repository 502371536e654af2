//! Usage of images and audio, in answers and in events (llm-protocols §5).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Number;
use serde_json::value::RawValue;

use crate::lenient::Text;
use crate::usage::{Metered, ResponsesUsage, Tally};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    /// Images, where the answer is whole.
    data: Option<IgnoredAny>,
    /// Name of an event.
    #[serde(default, rename = "type")]
    event: Text<'a>,
}

impl Answer<'_> {
    fn is_image(&self) -> bool {
        self.data.is_some()
            || self
                .event
                .as_str()
                .is_some_and(|event| event.starts_with("image_"))
    }
}

/// What counts in tokens has the first two; transcriptions may be counted in seconds.
#[derive(Deserialize)]
struct Units {
    input_tokens: Option<Number>,
    output_tokens: Option<Number>,
    output_tokens_details: Option<IgnoredAny>,
    seconds: Option<Number>,
}

/// What an answer or an event reports, if it does.
pub(crate) fn tally(body: &[u8]) -> Option<Tally> {
    let answer = serde_json::from_slice::<Answer<'_>>(body).ok()?;
    let usage = answer.usage?.get();
    let units: Units = serde_json::from_str(usage).ok()?;
    if units.input_tokens.is_none() && units.output_tokens.is_none() {
        return Some(Tally {
            audio_ms: milliseconds(&units.seconds?)?,
            ..Tally::default()
        });
    }
    let usage: ResponsesUsage = serde_json::from_str(usage).ok()?;
    let mut tally = usage.tally();
    if answer.is_image() && units.output_tokens_details.is_none() {
        tally.image_output = tally.counts.completion;
    }
    Some(tally)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats stay within the bounds of the integer"
)]
fn milliseconds(seconds: &Number) -> Option<u64> {
    seconds.as_f64().map(|seconds| (seconds * 1000.0).round() as u64)
}

/// The same in both forms.
pub(crate) fn metered(body: &[u8]) -> Option<Metered> {
    tally(body).map(|tally| tally.metered())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    fn used(body: &str) -> Option<Usage> {
        metered(body.as_bytes()).map(|metered| metered.usage)
    }

    #[test]
    fn images_are_told_from_text() {
        let image = r#"{"data":[],"usage":{"input_tokens":10,"output_tokens":20,"input_tokens_details":{"text_tokens":4,"image_tokens":6}}}"#;
        let expected = Usage {
            input: 4,
            image_input: 6,
            image_output: 20,
            ..Usage::default()
        };
        assert_eq!(used(image), Some(expected));
        let event = image.replace(r#""data":[]"#, r#""type":"image_generation.completed""#);
        assert_eq!(used(&event), Some(expected));
        let told = image.replace(
            "}}}",
            r#"},"output_tokens_details":{"text_tokens":5,"image_tokens":15}}}"#,
        );
        let expected = Usage {
            output: 5,
            image_output: 15,
            ..expected
        };
        assert_eq!(used(&told), Some(expected));
    }

    #[test]
    fn transcriptions_count_tokens_or_time() {
        let tokens = r#"{"text":"x","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":3}}"#;
        let expected = Usage {
            audio_input: 14,
            output: 3,
            ..Usage::default()
        };
        assert_eq!(used(tokens), Some(expected));
        let time = r#"{"text":"x","usage":{"type":"duration","seconds":2.5}}"#;
        let expected = Usage {
            audio_ms: 2500,
            ..Usage::default()
        };
        assert_eq!(used(time), Some(expected));
        assert_eq!(
            used(r#"{"text":"x","usage":{"seconds":-1}}"#),
            Some(Usage::default())
        );
        assert_eq!(used(r#"{"text":"x"}"#), None);
        assert_eq!(used("WEBVTT"), None);
    }
}
