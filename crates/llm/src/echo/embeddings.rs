//! Echo in OpenAI Embeddings (llm-protocols §5): vectors made from hashes of words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{EchoError, EchoReply};

/// Length of a vector where the client asks for none.
const DEFAULT_DIMENSIONS: usize = 256;
/// Longest vector, and most inputs at once: those of OpenAI.
const MAX_DIMENSIONS: usize = 3_072;
const MAX_INPUTS: usize = 2_048;
/// Most numbers in one answer.
const MAX_NUMBERS: usize = 1 << 20;
/// How many components of the vector one word moves.
const COMPONENTS_PER_WORD: u64 = 8;

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    model: String,
    input: Input,
    #[serde(default)]
    dimensions: Option<usize>,
    #[serde(default)]
    encoding_format: Option<Encoding>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u64>),
    TokenLists(Vec<Vec<u64>>),
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Float,
    Base64,
}

#[derive(Serialize)]
struct Response {
    object: &'static str,
    data: Vec<Item>,
    model: String,
    usage: Usage,
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    /// Little-endian `f32`.
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

pub(super) fn answer(body: &[u8], count: &dyn Fn(&str) -> u64) -> Result<EchoReply, EchoError> {
    let request: Request = serde_json::from_slice(body)?;
    let dimensions = request.dimensions.unwrap_or(DEFAULT_DIMENSIONS);
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(EchoError::Bounds("`dimensions` must be between 1 and 3072"));
    }
    let (texts, tokens) = texts(request.input, count);
    if texts.is_empty() || texts.len() > MAX_INPUTS || texts.len() * dimensions > MAX_NUMBERS {
        return Err(EchoError::Bounds(
            "`input` must have between 1 and 2048 entries, and at most 2^20 numbers to answer with",
        ));
    }
    let encoding = request.encoding_format.unwrap_or_default();
    let item = |(index, text): (usize, &String)| Item {
        object: "embedding",
        index,
        embedding: encode(unit_vector(text, dimensions), encoding),
    };
    let response = Response {
        object: "list",
        data: texts.iter().enumerate().map(item).collect(),
        model: request.model,
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    Ok(EchoReply::Json(Bytes::from(serde_json::to_vec(&response)?)))
}

/// The inputs as texts, and how many tokens they are. A list of tokens reads as the words of their numbers.
fn texts(input: Input, count: &dyn Fn(&str) -> u64) -> (Vec<String>, u64) {
    let words = |tokens: &Vec<u64>| tokens.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let lists = match input {
        Input::Text(text) => {
            let tokens = count(&text);
            return (vec![text], tokens);
        }
        Input::Texts(texts) => {
            let tokens = texts.iter().map(|text| count(text)).sum();
            return (texts, tokens);
        }
        Input::Tokens(list) => vec![list],
        Input::TokenLists(lists) => lists,
    };
    (
        lists.iter().map(words).collect(),
        lists.iter().map(|list| list.len() as u64).sum(),
    )
}

fn encode(vector: Vec<f32>, encoding: Encoding) -> Vector {
    match encoding {
        Encoding::Float => Vector::Numbers(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            Vector::Base64(STANDARD.encode(bytes))
        }
    }
}

/// A vector of length 1 in which each word moves a few components, so that texts with common words are near each
/// other. Upper and lower case and punctuation do not matter.
fn unit_vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        add(&mut vector, hash(&word.to_lowercase()));
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number /= length);
    } else {
        // No words, or words that cancel out: a direction of the text's own.
        vector[(hash(text) % dimensions as u64) as usize] = 1.0;
    }
    vector
}

fn add(vector: &mut [f32], seed: u64) {
    for step in 1..=COMPONENTS_PER_WORD {
        let random = mix(seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let at = (random % vector.len() as u64) as usize;
        vector[at] += if random >> 63 == 0 { 1.0 } else { -1.0 };
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: &str, b: &str) -> f32 {
        unit_vector(a, 256)
            .iter()
            .zip(unit_vector(b, 256))
            .map(|(a, b)| a * b)
            .sum()
    }

    #[test]
    fn common_words_bring_texts_together() {
        let question = "How do I reset my password?";
        assert!((near(question, "how do i RESET my password") - 1.0).abs() < 1e-5);
        assert!(near(question, "How can I reset my password?") > 0.6);
        assert!(near(question, "The weather in Paris today").abs() < 0.4);
    }

    #[test]
    fn vectors_never_change() {
        // A stored vector must match one made by a later version.
        let vector = unit_vector("hello", 8);
        assert_eq!(vector, unit_vector("hello", 8));
        let moved: Vec<_> = vector
            .iter()
            .map(|number| (number * 100.0).round() as i32)
            .collect();
        assert_eq!(moved, [-32, -32, 32, 32, 0, -32, -32, 63]);
    }

    proptest! {
        #[test]
        fn every_vector_has_length_one(text in ".{0,60}", dimensions in 1_usize..300) {
            let length: f32 = unit_vector(&text, dimensions).iter().map(|number| number * number).sum();
            prop_assert!((length - 1.0).abs() < 1e-4);
        }
    }
}
