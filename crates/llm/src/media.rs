//! Usage of images and audio, in answers and in events (llm-protocols §5).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::usage::{Metered, ResponsesUsage, Tally};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// What counts in tokens has one of these; transcriptions may be counted in seconds.
#[derive(Deserialize)]
struct Tokens {
    input_tokens: Option<serde_json::Number>,
    output_tokens: Option<serde_json::Number>,
}

/// Tokens that an answer or an event reports, if it does.
pub(crate) fn tally(body: &[u8]) -> Option<Tally> {
    let usage = serde_json::from_slice::<Answer<'_>>(body).ok()?.usage?.get();
    let tokens: Tokens = serde_json::from_str(usage).ok()?;
    if tokens.input_tokens.is_none() && tokens.output_tokens.is_none() {
        return None;
    }
    let usage: ResponsesUsage = serde_json::from_str(usage).ok()?;
    Some(usage.tally())
}

/// The same in both forms.
pub(crate) fn metered(body: &[u8]) -> Option<Metered> {
    tally(body).map(|tally| tally.metered())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_count() {
        let used = |body: &str| metered(body.as_bytes()).map(|usage| (usage.usage.input, usage.usage.output));
        let image = r#"{"data":[],"usage":{"input_tokens":10,"output_tokens":20,"input_tokens_details":{"text_tokens":4,"image_tokens":6}}}"#;
        assert_eq!(used(image), Some((10, 20)));
        assert_eq!(
            used(r#"{"text":"x","usage":{"type":"duration","seconds":2}}"#),
            None
        );
        assert_eq!(used(r#"{"text":"x"}"#), None);
        assert_eq!(used("WEBVTT"), None);
    }
}
