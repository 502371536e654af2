//! Values that providers write in more than one way.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A count: an integer, or a float that is cut off (Cohere). Anything else counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

/// A string; anything else reads as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Whether a service tier is billed at the rates of batches: OpenAI's `flex`, Anthropic's `batch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchTier(pub(crate) bool);

/// Whether there is an array with elements or an object with members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NonEmpty(pub(crate) bool);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient).map(|seen| match seen {
            Seen::Count(count) => Self(count),
            Seen::Text(_) | Seen::Items(_) | Seen::Nothing => Self(0),
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient).map(|seen| match seen {
            Seen::Text(text) => Self(Some(text)),
            Seen::Count(_) | Seen::Items(_) | Seen::Nothing => Self(None),
        })
    }
}

impl<'de> Deserialize<'de> for BatchTier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tier = Text::deserialize(deserializer)?;
        Ok(Self(matches!(tier.as_str(), Some("flex" | "batch"))))
    }
}

impl<'de> Deserialize<'de> for NonEmpty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Lenient)
            .map(|seen| Self(matches!(seen, Seen::Items(true))))
    }
}

/// What stood there.
enum Seen<'a> {
    Nothing,
    Count(u64),
    Text(Cow<'a, str>),
    /// An array or object, and whether anything is in it.
    Items(bool),
}

/// Takes a value of any type.
struct Lenient;

impl<'de> Visitor<'de> for Lenient {
    type Value = Seen<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Seen::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Seen::Nothing)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Seen::Count(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Seen::Count(value.try_into().unwrap_or(0)))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and negatives mean none"
    )]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Seen::Count(value as u64))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Seen::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Seen::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut any = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(Seen::Items(any))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut any = false;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(Seen::Items(any))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (text, expected) in [
            ("7", 7),
            ("7.9", 7),
            ("-3", 0),
            ("null", 0),
            ("\"7\"", 0),
            ("[7]", 0),
            ("{\"a\":7}", 0),
            ("1e300", u64::MAX),
        ] {
            assert_eq!(serde_json::from_str::<Count>(text).unwrap().0, expected, "{text}");
        }
    }

    #[test]
    fn texts_are_borrowed_where_possible() {
        let plain = serde_json::from_str::<Text<'_>>("\"abc\"").unwrap();
        assert!(matches!(plain.0, Some(Cow::Borrowed("abc"))));
        assert_eq!(
            serde_json::from_str::<Text<'_>>(r#""a\nb""#).unwrap().as_str(),
            Some("a\nb")
        );
        for text in ["null", "1", "true", "[\"a\"]"] {
            assert_eq!(
                serde_json::from_str::<Text<'_>>(text).unwrap().as_str(),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn emptiness() {
        for (text, expected) in [
            ("[]", false),
            ("{}", false),
            ("null", false),
            ("\"a\"", false),
            ("[0]", true),
            ("{\"a\":1}", true),
        ] {
            assert_eq!(
                serde_json::from_str::<NonEmpty>(text).unwrap().0,
                expected,
                "{text}"
            );
        }
    }
}
