//! Which class of tasks a request belongs to, by its likeness to examples. Local and lexical: words and pieces of words
//! are compared, not meanings.
//!
//! Every text becomes a vector of hashed features, its words and the trigrams of their letters, weighed by how few of
//! the examples have them (TF-IDF). The likeness of two texts is the cosine of the angle between their vectors. A text
//! belongs to the class of the example that it is most like.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

/// A trigram says less than a word.
const TRIGRAM: f32 = 0.35;

/// Classes of tasks, each with its examples.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// How much a feature says; those that no example has say nothing.
    weights: HashMap<u64, f32>,
    examples: Vec<(usize, Vector)>,
}

/// The class that a text is most like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Classified {
    pub(super) class: usize,
    /// 0 to 1.
    pub(super) likeness: f32,
}

/// Features in ascending order, with their weights; of length 1.
type Vector = Vec<(u64, f32)>;

impl Classes {
    /// The classes of these examples, numbered in their order.
    pub(super) fn new(classes: &[&[String]]) -> Self {
        let texts: Vec<(usize, HashMap<u64, f32>)> = classes
            .iter()
            .enumerate()
            .flat_map(|(class, examples)| examples.iter().map(move |example| (class, features(example))))
            .collect();
        let mut found_in: HashMap<u64, f32> = HashMap::new();
        for feature in texts.iter().flat_map(|(_, counts)| counts.keys()) {
            *found_in.entry(*feature).or_default() += 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred examples")]
        let total = texts.len() as f32;
        let rarity = |count: f32| ((1.0 + total) / (1.0 + count)).ln() + 1.0;
        let weights: HashMap<u64, f32> = found_in
            .into_iter()
            .map(|(feature, count)| (feature, rarity(count)))
            .collect();
        let unknown = rarity(0.0);
        let examples = texts
            .into_iter()
            .map(|(class, counts)| (class, vector(counts, &weights, unknown)))
            .collect();
        Self { weights, examples }
    }

    /// The class of the example that is most like a text; `None` where no example has anything in common with it.
    pub(super) fn classify(&self, text: &str) -> Option<Classified> {
        if self.examples.is_empty() {
            return None;
        }
        // What no example has still makes the text less like any of them.
        #[expect(clippy::cast_precision_loss, reason = "a few hundred examples")]
        let unknown = (1.0 + self.examples.len() as f32).ln() + 1.0;
        let asked = vector(features(text), &self.weights, unknown);
        self.examples
            .iter()
            .map(|(class, example)| Classified {
                class: *class,
                likeness: cosine(&asked, example),
            })
            .filter(|found| found.likeness > 0.0)
            .max_by(|a, b| a.likeness.total_cmp(&b.likeness))
    }
}

/// How often a text has each feature.
fn features(text: &str) -> HashMap<u64, f32> {
    let mut counts: HashMap<u64, f32> = HashMap::new();
    let text = text.to_lowercase();
    let words = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty());
    for word in words {
        *counts.entry(hash(&("word", word))).or_default() += 1.0;
        let letters: Vec<char> = std::iter::once(' ')
            .chain(word.chars())
            .chain(std::iter::once(' '))
            .collect();
        for trigram in letters.windows(3) {
            *counts.entry(hash(&("trigram", trigram))).or_default() += TRIGRAM;
        }
    }
    counts
}

/// The same in every process: the hasher has fixed keys.
fn hash(feature: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(feature)
}

fn vector(counts: HashMap<u64, f32>, weights: &HashMap<u64, f32>, unknown: f32) -> Vector {
    let mut vector: Vector = counts
        .into_iter()
        .map(|(feature, count)| {
            let weight = weights.get(&feature).copied().unwrap_or(unknown);
            // The tenth time says little more than the first.
            (feature, (1.0 + count).ln() * weight)
        })
        .collect();
    vector.sort_unstable_by_key(|(feature, _)| *feature);
    let length = vector.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|(_, value)| *value /= length);
    }
    vector
}

/// The sum of the products of what both have.
fn cosine(a: &Vector, b: &Vector) -> f32 {
    let (mut left, mut right, mut sum) = (a.iter().peekable(), b.iter().peekable(), 0.0);
    while let (Some((x, by)), Some((y, with))) = (left.peek(), right.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => left.next(),
            std::cmp::Ordering::Greater => right.next(),
            std::cmp::Ordering::Equal => {
                sum += by * with;
                left.next();
                right.next()
            }
        };
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Classes {
        let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let code = own(&[
            "write a function that sorts a list in python",
            "fix this bug in my javascript code",
            "refactor this class and add unit tests",
        ]);
        let talk = own(&[
            "hello, how are you today?",
            "tell me a joke",
            "what is the weather like",
        ]);
        let translate = own(&[
            "translate this text into French",
            "how do you say thank you in Spanish",
        ]);
        Classes::new(&[&code, &talk, &translate])
    }

    #[test]
    fn texts_belong_to_the_class_they_are_most_like() {
        let classes = classes();
        for (text, class) in [
            ("Please write a python function to reverse a list", 0),
            ("there is a bug in this code, fix it", 0),
            ("hello! how are you?", 1),
            ("tell me another joke", 1),
            ("translate the following text into German", 2),
        ] {
            let found = classes.classify(text).unwrap();
            assert_eq!(found.class, class, "{text}: {found:?}");
            assert!(found.likeness > 0.25, "{text}: {found:?}");
        }
    }

    #[test]
    fn what_is_like_nothing_is_not_close() {
        let classes = classes();
        let likeness = |text: &str| classes.classify(text).map_or(0.0, |found| found.likeness);
        assert!(likeness("quarterly revenue grew because margins improved") < 0.25);
        assert_eq!(likeness(""), 0.0);
        assert_eq!(likeness("12345678 ..."), 0.0);
        assert!((likeness("tell me a joke") - 1.0).abs() < 1e-3);
    }

    #[test]
    fn without_examples_there_is_no_class() {
        assert_eq!(Classes::new(&[]).classify("hello"), None);
    }
}
