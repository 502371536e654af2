//! What Claude models of each generation take. Anthropic Messages and Bedrock Converse say it in different words, but the
//! model behind them is the same.

mod dials;
mod schema;

pub(super) use self::dials::{Depth, Dials, Platform};
pub(super) use self::schema::{closed_schema, instruction};

/// A Claude model, as far as its rules differ by generation. Models without a number in their id count as the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claude {
    generation: Option<(u32, u32)>,
}

impl Claude {
    /// The model of that id, by whatever platform it is named (`claude-sonnet-4-5-20250929`,
    /// `us.anthropic.claude-opus-4-6-v1:0`, `claude-3-5-haiku@20241022`); `None` for other models.
    pub(super) fn of(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let (_, name) = model.split_once("claude")?;
        let mut numbers = name
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .skip_while(|word| !is_number(word))
            .take_while(|word| is_number(word))
            .map_while(|word| word.parse().ok());
        let generation = numbers
            .next()
            .map(|major| (major, numbers.next().unwrap_or_default()));
        Some(Self { generation })
    }

    /// Whether it is of that generation or a later one.
    pub(super) fn since(self, major: u32, minor: u32) -> bool {
        self.generation
            .is_none_or(|generation| generation >= (major, minor))
    }

    /// Whether it can think before it answers.
    fn thinks(self) -> bool {
        self.since(3, 7)
    }

    /// Whether it decides itself how much it thinks, and reads an effort.
    fn adapts(self) -> bool {
        self.since(4, 6)
    }

    /// Whether it enforces schemas of answers and tools.
    pub(super) fn enforces_schemas(self) -> bool {
        self.since(4, 5)
    }

    /// `max_tokens` for requests that set no limit, since the API demands one: the longest answer that every model of
    /// the generation gives. 4096 up to Claude 3, 8192 for 3.5, 32,000 from 3.7 on.
    fn default_max_tokens(self) -> u64 {
        if self.since(3, 7) {
            32_000
        } else if self.since(3, 5) {
            8192
        } else {
            OTHER_MAX_TOKENS
        }
    }
}

/// `max_tokens` for models behind Anthropic's API that are no Claude: small enough for all of them.
const OTHER_MAX_TOKENS: u64 = 4096;

/// A number of a generation; longer ones are dates.
fn is_number(word: &str) -> bool {
    matches!(word.len(), 1 | 2) && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_of_ids() {
        for (id, generation) in [
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("claude-3-opus-20240229", Some((3, 0))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-opus-4@20250514", Some((4, 0))),
            ("us.anthropic.claude-opus-4-6-v1:0", Some((4, 6))),
            ("anthropic/claude-haiku-4.5", Some((4, 5))),
            ("claude-2.1", Some((2, 1))),
            ("Claude-Next", None),
        ] {
            assert_eq!(Claude::of(id), Some(Claude { generation }), "{id}");
        }
        assert_eq!(Claude::of("amazon.nova-pro-v1:0"), None);
    }

    #[test]
    fn the_default_limit_grows_with_the_generation() {
        let limit = |id| Claude::of(id).unwrap().default_max_tokens();
        assert_eq!(limit("claude-3-haiku-20240307"), 4096);
        assert_eq!(limit("claude-3-5-sonnet-20241022"), 8192);
        assert_eq!(limit("claude-sonnet-4-5"), 32_000);
        assert_eq!(limit("claude-next"), 32_000);
    }
}
