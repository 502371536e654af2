//! What providers sign, found in bodies of any protocol: who made a signature can go on with it.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize as _;
use sluice_wire::sha256_hex;

use crate::chat::{Signature, SignatureOrigin};
use crate::codec::signature_in;
use crate::protocol::Protocol;

/// A signature of a thought or of a call in a request, without the signature itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMark {
    /// Stands for the signature, as [`answer_marks`] has it.
    pub digest: String,
    origin: SignatureOrigin,
}

impl SignedMark {
    fn of(signature: &Signature) -> Self {
        Self {
            digest: digest(&signature.data),
            origin: signature.origin,
        }
    }

    /// The protocols whose providers make such signatures, and read those of their kind.
    #[must_use]
    pub fn protocols(&self) -> &'static [Protocol] {
        match self.origin {
            SignatureOrigin::Anthropic => &[Protocol::AnthropicMessages, Protocol::BedrockConverse],
            SignatureOrigin::Gemini => &[Protocol::GeminiGenerate],
            SignatureOrigin::OpenAi => &[Protocol::OpenAiResponses],
        }
    }

    /// Whether only the account that made it can read it, and refuses what others made: OpenAI's encrypted reasoning.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.origin == SignatureOrigin::OpenAi
    }
}

/// Most signatures of one body that are looked at. Those of a request count from its end.
const MOST: usize = 16;

/// The signatures in a request of a client, the last first. What the gateway packed into the client's protocol counts as
/// what it was.
///
/// ```
/// use sluice_llm::{answer_marks, request_marks};
///
/// let answer = br#"{"content":[{"type":"thinking","thinking":"","signature":"EqQB"}]}"#;
/// let request = br#"{"messages":[{"role":"assistant","content":[{"signature":"EqQB"}]}]}"#;
/// assert_eq!(answer_marks(answer), [request_marks(request)[0].digest.clone()]);
/// ```
#[must_use]
pub fn request_marks(body: &[u8]) -> Vec<SignedMark> {
    let mut found: Vec<(usize, SignedMark)> = Vec::new();
    for finder in &*BACKWARDS {
        for at in finder.rfind_iter(body).take(MOST) {
            if let Some((member, text)) = value_at(body, at, finder.needle())
                && let Some(signature) = signature_in(member, &text)
            {
                found.push((at, SignedMark::of(&signature)));
            }
        }
    }
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    found.into_iter().take(MOST).map(|(_, mark)| mark).collect()
}

/// Whether a request brings back what another provider signed, packed into the client's own protocol, or thoughts that
/// OpenAI's chat has no word for: its own provider would refuse them, where the bytes went there as they are.
#[must_use]
pub fn brings_foreign_thoughts(protocol: Protocol, body: &[u8]) -> bool {
    let needles: &[Finder<'static>] = match protocol {
        Protocol::AnthropicMessages | Protocol::BedrockConverse | Protocol::OpenAiResponses => &PACKED[..1],
        Protocol::GeminiGenerate => &PACKED[1..],
        Protocol::OpenAiChat => &*THOUGHTS,
        _ => return false,
    };
    if !needles.iter().any(|needle| needle.find(body).is_some()) {
        return false;
    }
    protocol == Protocol::OpenAiChat
        || FORWARDS.iter().any(|finder| {
            finder.find_iter(body).any(|at| {
                value_at(body, at, finder.needle())
                    .and_then(|(member, text)| signature_in(member, &text))
                    .is_some_and(|signature| !SignedMark::of(&signature).protocols().contains(&protocol))
            })
        })
}

/// Digests of the signatures in a provider's answer, or in an event of one.
#[must_use]
pub fn answer_marks(body: &[u8]) -> Vec<String> {
    let mut digests = Vec::new();
    for finder in &*FORWARDS {
        for at in finder.find_iter(body).take(MOST) {
            if let Some((_, text)) = value_at(body, at, finder.needle()) {
                digests.push(digest(&text));
            }
        }
    }
    digests
}

/// Stands for a signature of a provider's.
pub(crate) fn digest(data: &str) -> String {
    let mut digest = sha256_hex(data.as_bytes());
    digest.truncate(32);
    digest
}

/// Ends of the names of members that hold signatures: `signature`, `thoughtSignature`, `thought_signature`,
/// `encrypted_content`. Inside texts the quote would be escaped.
const ENDS: [&[u8]; 2] = [b"ignature\"", b"encrypted_content\""];

/// What packed signatures begin with: as it is, and as base64 that Gemini's must be.
static PACKED: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| [&b"sluice"[..], b"c2x1aWNl", b"aGlkZGVu"].map(Finder::new));

/// Members of messages by which chat clients send thoughts back.
static THOUGHTS: LazyLock<[Finder<'static>; 3]> = LazyLock::new(|| {
    [
        &b"\"reasoning_content\""[..],
        b"\"reasoning_details\"",
        b"\"extra_content\"",
    ]
    .map(Finder::new)
});

static FORWARDS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ENDS.map(Finder::new));
static BACKWARDS: LazyLock<[FinderRev<'static>; 2]> = LazyLock::new(|| ENDS.map(FinderRev::new));

/// Name and value of the member whose name ends with what was found at `at`, if the value is a text that says something.
fn value_at<'b>(body: &'b [u8], at: usize, end: &[u8]) -> Option<(&'b str, Cow<'b, str>)> {
    const LONGEST_NAME: usize = 32;
    let behind = at + end.len();
    let from = at.saturating_sub(LONGEST_NAME);
    let opening = memchr::memrchr(b'"', body.get(from..at)?)? + from + 1;
    let name = std::str::from_utf8(body.get(opening..behind - 1)?).ok()?;
    let value = body.get(behind..)?.trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value);
    let text = Cow::<'b, str>::deserialize(&mut values).ok()?;
    (!text.is_empty()).then_some((name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(body: &str) -> Vec<String> {
        let marks = request_marks(body.as_bytes());
        marks.into_iter().map(|mark| mark.digest).collect()
    }

    #[test]
    fn every_protocol_has_its_member() {
        for body in [
            r#"{"type":"thinking","signature":"Eq/B"}"#,
            r#"{"reasoningText":{"text":"","signature" : "Eq\/B"}}"#,
            r#"{"thoughtSignature":"Eq/B"}"#,
            r#"{"thought_signature":"Eq/B"}"#,
            r#"{"type":"reasoning","encrypted_content":"Eq/B"}"#,
        ] {
            assert_eq!(digests(body), [digest("Eq/B")], "{body}");
            assert_eq!(answer_marks(body.as_bytes()), [digest("Eq/B")], "{body}");
        }
        for body in [
            r#"{"signature":null}"#,
            r#"{"signature":""}"#,
            r#"{"signature":{"a":"b"}}"#,
            r#"{"text":"{\"signature\":\"EqQB\"}"}"#,
            r#""signature""#,
            r#"ignature""#,
            r#""signature":"cut"#,
        ] {
            assert_eq!(digests(body), Vec::<String>::new(), "{body}");
        }
    }

    #[test]
    fn the_last_come_first_and_are_not_many() {
        let one =
            |number: usize| format!(r#"{{"signature":"s{number}"}},{{"encrypted_content":"e{number}"}}"#);
        let body = (0..40).map(one).collect::<Vec<_>>().join(",");
        let found = digests(&body);
        assert_eq!(found[..2], [digest("e39"), digest("s39")]);
        assert_eq!(found.len(), MOST);
    }

    #[test]
    fn foreign_thoughts_are_told_from_own_ones() {
        let gemini = Signature::new(SignatureOrigin::Gemini, "AA==");
        let anthropic = Signature::new(SignatureOrigin::Anthropic, "EqQB");
        let packed = gemini.pack(SignatureOrigin::Anthropic);
        for (protocol, body, is_foreign) in [
            (
                Protocol::AnthropicMessages,
                format!(r#"{{"signature":"{packed}"}}"#),
                true,
            ),
            (
                Protocol::AnthropicMessages,
                r#"{"text":"sluice.google","signature":"EqQB"}"#.to_owned(),
                false,
            ),
            (
                Protocol::OpenAiResponses,
                format!(
                    r#"{{"encrypted_content":"{}"}}"#,
                    anthropic.pack(SignatureOrigin::OpenAi)
                ),
                true,
            ),
            (
                Protocol::GeminiGenerate,
                r#"{"thoughtSignature":"c2x1aWNlLmFudGhyb3BpYy1jbGF1ZGUtdjEuRXFRQg=="}"#.to_owned(),
                true,
            ),
            (
                Protocol::GeminiGenerate,
                r#"{"thoughtSignature":"AA=="}"#.to_owned(),
                false,
            ),
            (
                Protocol::OpenAiChat,
                r#"{"reasoning_content":"hm"}"#.to_owned(),
                true,
            ),
            (Protocol::OpenAiChat, r#"{"content":"hm"}"#.to_owned(), false),
        ] {
            assert_eq!(
                brings_foreign_thoughts(protocol, body.as_bytes()),
                is_foreign,
                "{body}"
            );
        }
    }

    #[test]
    fn what_was_packed_is_what_it_was() {
        let packed = Signature::new(SignatureOrigin::Gemini, "AA==").pack(SignatureOrigin::Anthropic);
        let body = format!(r#"{{"signature":"{packed}"}}"#);
        let marks = request_marks(body.as_bytes());
        assert_eq!(marks[0].digest, digest("AA=="));
        assert_eq!(marks[0].protocols(), [Protocol::GeminiGenerate]);
        assert!(!marks[0].is_bound());
    }
}
