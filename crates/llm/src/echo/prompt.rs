//! What the conversational protocols have in common: texts with roles come in, one text goes out.

use serde::{Deserialize, Deserializer};

/// Most pieces that an answer is streamed in, so that a huge message does not become millions of frames.
const MAX_PIECES: usize = 256;

/// A message: its role and the text in it.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Text,
}

/// Text as a string or as parts; parts that hold no text, as images do, count for nothing.
#[derive(Debug, Default)]
pub(super) struct Text(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum TextForm {
    Whole(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Option::<TextForm>::deserialize(deserializer)? {
            Some(TextForm::Whole(text)) => vec![text],
            Some(TextForm::Parts(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
            None => Vec::new(),
        }))
    }
}

impl Text {
    fn tokens(&self, count: &dyn Fn(&str) -> u64) -> u64 {
        self.0.iter().map(|text| count(text)).sum()
    }
}

impl Message {
    /// A message of the user.
    pub(super) fn user(text: String) -> Self {
        Self {
            role: "user".to_owned(),
            content: Text(vec![text]),
        }
    }
}

/// The answer to a conversation, and what it cost.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    /// The text was cut to the tokens that the client allowed.
    pub(super) cut: bool,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

impl Answer {
    /// Answers with the last text of the user, in at most `max_tokens`. `system` is text outside the messages.
    pub(super) fn new(
        system: &Text,
        messages: &[Message],
        max_tokens: Option<u64>,
        count: &dyn Fn(&str) -> u64,
    ) -> Self {
        let input_tokens = messages
            .iter()
            .map(|message| message.content.tokens(count))
            .sum::<u64>();
        let said = messages
            .iter()
            .rev()
            .find(|message| message.role == "user" && !message.content.0.is_empty());
        let mut text = said
            .map(|message| message.content.0.join("\n"))
            .unwrap_or_default();
        let max_tokens = max_tokens.unwrap_or(u64::MAX);
        let cut = count(&text) > max_tokens;
        if cut {
            text.truncate(fitting(&text, max_tokens, count));
        }
        Self {
            cut,
            input_tokens: input_tokens + system.tokens(count),
            output_tokens: count(&text),
            text,
        }
    }

    pub(super) fn total_tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }

    /// The text word by word, or by as many words as keep the number of pieces bounded.
    pub(super) fn pieces(&self) -> Vec<String> {
        let words: Vec<_> = words(&self.text).collect();
        words
            .chunks(words.len().div_ceil(MAX_PIECES).max(1))
            .map(<[_]>::concat)
            .collect()
    }
}

/// Length of the words from the start that fit into `max_tokens`.
fn fitting(text: &str, max_tokens: u64, count: &dyn Fn(&str) -> u64) -> usize {
    let mut tokens = 0;
    let fits = |word: &&str| {
        tokens += count(word);
        tokens <= max_tokens
    };
    words(text).take_while(fits).map(str::len).sum()
}

/// Words, each with the white space before it, as tokenizers cut them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.len() - rest.trim_start().len();
        let end = rest[start..]
            .find(char::is_whitespace)
            .map_or(rest.len(), |end| start + end);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count_words(text: &str) -> u64 {
        text.split_whitespace().count() as u64
    }

    fn answer(messages: &str, max_tokens: Option<u64>) -> Answer {
        let messages: Vec<Message> = serde_json::from_str(messages).unwrap();
        Answer::new(&Text::default(), &messages, max_tokens, &count_words)
    }

    #[test]
    fn the_last_user_message_with_text_is_echoed() {
        let conversation = r#"[
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "first"},
            {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image_url", "image_url": {}},
                {"type": "text", "text": "part"}]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]}]"#;
        let answer = answer(conversation, None);
        assert_eq!((answer.text.as_str(), answer.cut), ("second\npart", false));
        assert_eq!(
            (answer.input_tokens, answer.output_tokens, answer.total_tokens()),
            (5, 2, 7)
        );
    }

    #[test]
    fn nobody_spoke() {
        assert_eq!(answer(r#"[{"role": "system", "content": "x"}]"#, None).text, "");
        assert_eq!(answer("[]", Some(0)).pieces(), Vec::<String>::new());
    }

    #[test]
    fn max_tokens_cuts_between_words() {
        let message = r#"[{"role": "user", "content": "one two three"}]"#;
        let cut = answer(message, Some(2));
        assert_eq!(
            (cut.text.as_str(), cut.cut, cut.output_tokens),
            ("one two", true, 2)
        );
        assert!(!answer(message, Some(3)).cut);
        assert_eq!(answer(message, Some(0)).text, "");
    }

    proptest! {
        #[test]
        fn pieces_are_few_and_lose_nothing(text in "[a \n é]{0,3000}") {
            let answer = Answer { text: text.clone(), cut: false, input_tokens: 0, output_tokens: 0 };
            let pieces = answer.pieces();
            prop_assert!(pieces.len() <= MAX_PIECES);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
