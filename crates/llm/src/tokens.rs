//! Counting tokens locally.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tiktoken_rs::CoreBPE;

/// Longest text that goes through a tokenizer at once. Its patterns backtrack, and its author lets a match that
/// backtracks too far panic; a bounded piece cannot.
const PIECE: usize = 8 * 1024;

/// A byte-pair vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// GPT-4, GPT-3.5 and the OpenAI embedding models.
    Cl100kBase,
    /// Later OpenAI models. The nearest guess for other vendors, who publish no vocabulary.
    O200kBase,
}

impl Encoding {
    /// The vocabulary of a model. A vendor's path before the name and `ft:` are looked through.
    #[must_use]
    pub fn for_model(model: &str) -> Self {
        const CL100K: [&str; 6] = [
            "gpt-4",
            "gpt-3.5",
            "gpt-35",
            "text-embedding-",
            "davinci-002",
            "babbage-002",
        ];
        const O200K: [&str; 3] = ["gpt-4o", "gpt-4.1", "gpt-4.5"];
        let name = model.strip_prefix("ft:").unwrap_or(model);
        let name = name.rsplit('/').next().unwrap_or(name);
        let is_one_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if is_one_of(&CL100K) && !is_one_of(&O200K) {
            Self::Cl100kBase
        } else {
            Self::O200kBase
        }
    }
}

/// Counts tokens; a cheap handle on tokenizers that are loaded when first needed.
///
/// ```
/// use sluice_llm::TokenCounter;
///
/// let counter = TokenCounter::default();
/// assert_eq!(counter.count_if_loaded("gpt-4o", "hello world"), None);
/// assert_eq!(counter.count("gpt-4o", "hello world"), 2);
/// assert_eq!(counter.count_if_loaded("gpt-4o", "hello world"), Some(2));
/// assert_eq!(TokenCounter::estimate("hello world"), 3);
/// ```
#[derive(Clone, Default)]
pub struct TokenCounter {
    tokenizers: Arc<Tokenizers>,
}

/// `None` inside: a vocabulary that does not load, so that nobody tries again.
#[derive(Default)]
struct Tokenizers {
    cl100k: OnceLock<Option<CoreBPE>>,
    o200k: OnceLock<Option<CoreBPE>>,
}

impl TokenCounter {
    /// Tokens of `text` in the vocabulary of `model`; special tokens count as the text that they are.
    ///
    /// Loads the vocabulary if it is not there: 100 ms and 50 MB, so not on a thread that serves requests. Texts
    /// above 8 KB are counted in pieces, each border of which may add a token.
    #[must_use]
    pub fn count(&self, model: &str, text: &str) -> u64 {
        let encoding = Encoding::for_model(model);
        match self.cell(encoding).get_or_init(|| load(encoding)) {
            Some(tokenizer) => count_pieces(tokenizer, text),
            None => Self::estimate(text),
        }
    }

    /// As [`count`](Self::count), but `None` where the vocabulary is not loaded.
    #[must_use]
    pub fn count_if_loaded(&self, model: &str, text: &str) -> Option<u64> {
        let tokenizer = self.cell(Encoding::for_model(model)).get()?.as_ref()?;
        Some(count_pieces(tokenizer, text))
    }

    /// A guess from the length alone: four ASCII bytes, two letters of other alphabets or one CJK character or emoji
    /// to a token. One pass over the bytes, no tables.
    #[must_use]
    pub fn estimate(text: &str) -> u64 {
        // In quarter tokens, by the first byte of each character.
        let quarters: u64 = text
            .bytes()
            .map(|byte| match byte {
                0x00..=0x7f => 1,
                0x80..=0xbf => 0,
                0xc0..=0xdf => 2,
                0xe0..=0xff => 4,
            })
            .sum();
        quarters.div_ceil(4)
    }

    fn cell(&self, encoding: Encoding) -> &OnceLock<Option<CoreBPE>> {
        match encoding {
            Encoding::Cl100kBase => &self.tokenizers.cl100k,
            Encoding::O200kBase => &self.tokenizers.o200k,
        }
    }
}

impl fmt::Debug for TokenCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCounter")
            .field("cl100k_loaded", &self.tokenizers.cl100k.get().is_some())
            .field("o200k_loaded", &self.tokenizers.o200k.get().is_some())
            .finish()
    }
}

fn load(encoding: Encoding) -> Option<CoreBPE> {
    let loaded = match encoding {
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base(),
        Encoding::O200kBase => tiktoken_rs::o200k_base(),
    };
    loaded.ok()
}

fn count_pieces(tokenizer: &CoreBPE, text: &str) -> u64 {
    pieces(text)
        .map(|piece| tokenizer.count_ordinary(piece) as u64)
        .sum()
}

/// Cuts a text into bounded pieces, before a space where there is one: tokens begin with their space.
fn pieces(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut cut = rest.floor_char_boundary(PIECE);
        if cut < rest.len() {
            cut = rest[..cut].rfind(' ').filter(|space| *space > 0).unwrap_or(cut);
        }
        let (piece, after) = rest.split_at(cut);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodings_by_model_name() {
        for model in [
            "gpt-4",
            "gpt-4-0613",
            "gpt-35-turbo",
            "text-embedding-3-small",
            "openai/gpt-4-turbo",
            "ft:gpt-3.5-turbo:x",
        ] {
            assert_eq!(Encoding::for_model(model), Encoding::Cl100kBase, "{model}");
        }
        for model in [
            "gpt-4o-mini",
            "gpt-4.1",
            "gpt-5",
            "o3",
            "claude-sonnet-4-5",
            "openai/gpt-4o",
            "ft:gpt-4o:x",
            "",
            "llama",
        ] {
            assert_eq!(Encoding::for_model(model), Encoding::O200kBase, "{model}");
        }
    }

    /// One test for everything that needs a vocabulary: each load costs seconds in a debug build.
    #[test]
    fn counts_are_those_of_tiktoken() {
        let counter = TokenCounter::default();
        let clone = counter.clone();
        assert_eq!(counter.count_if_loaded("gpt-4o", "x"), None);
        // Counted with the reference implementation, tiktoken 0.14 for Python.
        let texts = [
            ("", 0, 0),
            ("hello world", 2, 2),
            ("The quick brown fox jumps over the lazy dog.", 10, 10),
            (
                "Die Donaudampfschifffahrtsgesellschaft fährt täglich über die Brücke.",
                17,
                24,
            ),
            ("東京は日本の首都であり、世界最大の都市の一つです。", 18, 25),
            ("Привет, как у тебя дела сегодня?", 9, 16),
            ("fn main() { println!(\"{}\", 40 + 2); }", 13, 13),
            ("{\"city\":\"Paris\",\"unit\":\"C\",\"days\":[1,2,3]}", 17, 17),
            ("🎉👩\u{200d}💻 done", 8, 11),
            ("<|endoftext|>", 7, 7),
        ];
        for (text, o200k, cl100k) in texts {
            assert_eq!(counter.count("gpt-4o", text), o200k, "{text:?}");
            assert_eq!(counter.count("gpt-4", text), cl100k, "{text:?}");
            let estimate = TokenCounter::estimate(text);
            assert!(
                text.is_empty() || (o200k / 2..=o200k * 2 + 1).contains(&estimate),
                "{text:?}: {estimate} for {o200k}"
            );
        }
        assert_eq!(clone.count_if_loaded("gpt-4o", ""), Some(0));

        // Prose may be cut without changing the count.
        let prose = "The quick brown fox jumps over the lazy dog. ".repeat(1_000);
        let whole = tiktoken_rs::o200k_base().unwrap().count_ordinary(&prose) as u64;
        assert_eq!(counter.count("gpt-4o", &prose), whole);

        // What makes patterns backtrack.
        for run in [
            " ", "\n", " \n", "\u{a0}", "a", "A", "'s", "!", "\u{301}", "日", "0", "\t\r\n ",
        ] {
            let text = run.repeat(20_000 / run.len());
            assert!(counter.count("gpt-4o", &text) > 0);
            assert!(counter.count("gpt-4", &text) > 0);
        }
    }

    proptest! {
        #[test]
        fn pieces_are_bounded_and_lose_nothing(text in "[a é日 ]{0,20000}") {
            let pieces: Vec<_> = pieces(&text).collect();
            prop_assert!(pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
