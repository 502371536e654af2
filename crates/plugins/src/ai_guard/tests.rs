use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_core::Placeholders;
use sluice_resource::CheckScope;

use super::chain::Matchers;
use super::json_text::JsonText;
use super::*;

mod answers;
mod requests;

/// A guard with this configuration, as if it had been written.
pub(super) fn guard(conf: &Value) -> Guard {
    let info = definition().unwrap().info;
    Guard::new(&info.checked(conf, CheckScope::Main).unwrap()).unwrap()
}

fn refused(conf: &Value) -> String {
    let info = definition().unwrap().info;
    info.checked(conf, CheckScope::Main).unwrap_err()
}

/// The text as a rule of the request leaves it.
fn masked(guard: &Guard, text: &str) -> String {
    let placeholders = Arc::default();
    guard
        .chain(&guard.said, &placeholders, false)
        .feed(text, true)
        .text()
}

/// Cuts a text at these places, as far as they are between characters.
pub(super) fn pieces(text: &str, cuts: &[usize]) -> Vec<String> {
    let mut cuts: Vec<_> = cuts
        .iter()
        .map(|cut| text.floor_char_boundary(cut % (text.len() + 1)))
        .chain([0, text.len()])
        .collect();
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|ends| text[ends[0]..ends[1]].to_owned())
        .collect()
}

fn in_pieces(guard: &Guard, matchers: &Matchers, text: &str, cuts: &[usize]) -> Outcome {
    let mut chain = guard.chain(matchers, &Arc::default(), false);
    let mut outcome = Outcome::default();
    for piece in pieces(text, cuts) {
        outcome.extend(chain.feed(&piece, false));
    }
    outcome.extend(chain.feed("", true));
    outcome
}

/// Words that recognisers find, almost find, or stop at.
fn prose() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "a@b.example",
        "jürgen.k@müller.example",
        "a@b",
        "@",
        "4111 1111 1111 1111",
        "4111111111111112",
        "DE89 3704 0044 0532 0130 00",
        "DE893704004405320130",
        "123-45-6789",
        "10.0.0.1",
        "2001:db8::8a2e:370:7334",
        "+49 30 901820",
        "(212) 555-0123",
        "030 901820 44",
        "sk-abcdefghijklmnopqrstuvwx",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJI.eyJzdWIiOiIx.abcdefghij",
        "-----BEGIN PRIVATE KEY-----\nMIIB+/=\n-----END PRIVATE KEY-----",
        "86095742719",
        "AB123456C",
        "12345678Z",
        "RSSMRA85T10A562S",
        "foo-17",
        "fooo",
        "und",
        "ß€",
        "7",
        "[EMAIL_1]",
        "\"\\",
        "\n",
    ]);
    let gap = prop::sample::select(vec!["", " ", ", ", ": ", "."]);
    prop::collection::vec((words, gap), 0..8).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, gap)| format!("{word}{gap}"))
            .collect()
    })
}

fn everything() -> Guard {
    guard(&json!({
        "rules": [
            { "name": "ticket", "pattern": r"\bfo+(?:-\d+)?\b", "action": "mask" },
            { "name": "line", "pattern": r"(?m)^und$", "action": "log" },
        ],
        "mask": ["pii", "secret"],
    }))
}

/// Where a text may be cut.
pub(super) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..12)
}

#[test]
fn pieces_find_what_the_whole_finds() {
    let guard = everything();
    proptest!(|(text in prose(), cuts in cuts())| {
        let whole = in_pieces(&guard, &guard.said, &text, &[]);
        let cut = in_pieces(&guard, &guard.said, &text, &cuts);
        prop_assert_eq!(whole.text(), cut.text());
        let sorted = |mut hits: Vec<usize>| { hits.sort_unstable(); hits };
        prop_assert_eq!(sorted(whole.hits), sorted(cut.hits));
    });
}

#[test]
fn blocks_are_found_wherever_they_are_cut() {
    let guard = guard(&json!({ "block": ["email"] }));
    proptest!(|(before in prose(), cuts in cuts())| {
        let text = format!("{before} me@example.org {before}");
        let outcome = in_pieces(&guard, &guard.said, &text, &cuts);
        prop_assert!(outcome.blocked);
        prop_assert!(!outcome.text().contains("me@"), "nothing of it goes out");
    });
}

#[test]
fn what_was_masked_comes_back() {
    let guard = guard(&json!({ "unmask": ["pii", "secret"] }));
    proptest!(|(text in prose(), cuts in cuts())| {
        let placeholders = Arc::new(Placeholders::new(HashSet::from(["[EMAIL_1]".into()])));
        let masked = guard.chain(&guard.said, &placeholders, false).feed(&text, true).text();
        let mut chain = guard.chain(&guard.answer, &placeholders, true);
        let mut back: String = pieces(&masked, &cuts).iter().map(|piece| chain.feed(piece, false).text()).collect();
        back.push_str(&chain.feed("", true).text());
        prop_assert_eq!(back, text);
    });
}

#[test]
fn arguments_stay_json() {
    let guard = everything();
    proptest!(|(text in prose(), key in prose(), cuts in cuts())| {
        let value = json!({ "k": text, "list": [1.50, text, null], key: 4_111_111_111_111_111_u64 });
        let json = value.to_string().replace('ß', "\\u00df");
        let run = |cuts: &[usize]| {
            let (mut chain, mut reader) = (guard.chain(&guard.said, &Arc::default(), false), JsonText::default());
            let mut out: String =
                pieces(&json, cuts).iter().map(|piece| reader.feed(&mut chain, piece, false).text()).collect();
            out.push_str(&reader.feed(&mut chain, "", true).text());
            out
        };
        prop_assert_eq!(run(&[]), run(&cuts));
        let read: Value = serde_json::from_str(&run(&cuts)).unwrap();
        prop_assert_eq!(read["k"].as_str(), Some(&*masked(&guard, &text)));
    });
}

#[test]
fn broken_escapes_pass() {
    let guard = everything();
    let mut chain = guard.chain(&guard.said, &Arc::default(), false);
    let json = r#"["\ud83d\ude00","\ud83d","\ud83d\n","\/"]"#;
    let read = JsonText::default().feed(&mut chain, json, true).text();
    assert_eq!(read, "[\"😀\",\"\u{FFFD}\",\"\u{FFFD}\\n\",\"/\"]");
}

#[test]
fn only_what_could_become_a_find_is_kept_back() {
    let guard = guard(&json!({ "mask": ["email"] }));
    let mut chain = guard.chain(&guard.said, &Arc::default(), false);
    let mut feed = |piece: &str| chain.feed(piece, false).text();
    assert_eq!(feed("Write to "), "Write to ");
    assert_eq!(feed("me"), "");
    assert_eq!(feed(" or "), "me or ");
    assert_eq!(feed("me@ex"), "");
    assert_eq!(feed("ample.org. Th"), "[EMAIL_1]. ");
    assert_eq!(feed("anks! "), "Thanks! ");
}

#[test]
fn what_has_no_end_is_kept_back_up_to_the_window() {
    let guard = guard(&json!({
        "rules": [{ "name": "x", "pattern": "<[^>]*>", "action": "mask" }], "stream_window": 64,
    }));
    let mut chain = guard.chain(&guard.said, &Arc::default(), false);
    assert_eq!(chain.feed("<", false).text(), "");
    assert_eq!(chain.feed(&"a".repeat(60), false).text(), "");
    assert_eq!(chain.feed(&"b".repeat(60), false).text().len(), 121);
    assert_eq!(chain.feed("> <c>de", false).text(), "> [X_1]de");
}

#[test]
fn recognisers_find_and_leave() {
    let guard = guard(&json!({ "mask": ["pii", "secret"] }));
    for (text, expected) in [
        ("a.b+c@d-e.example.", "[EMAIL_1]."),
        (
            "a@b.example, A@B.example, a@b.example",
            "[EMAIL_1], [EMAIL_2], [EMAIL_1]",
        ),
        ("IBAN GB82WEST12345698765432!", "IBAN [IBAN_1]!"),
        ("12 4111 1111 1111 1111 22 apples", "12 [CARD_1] 22 apples"),
        ("order 4111111111111112", "order 4111111111111112"),
        ("SSN 123-45-6789", "SSN [SSN_1]"),
        ("Steuer-ID 86 095 742 719", "Steuer-ID [TAX_ID_1]"),
        ("NINO AB 12 34 56 C", "NINO [NINO_1]"),
        ("DNI 12345678-Z, NIE X1234567L", "DNI [DNI_1], NIE [DNI_2]"),
        ("CF RSSMRA85T10A562S", "CF [CODICE_FISCALE_1]"),
        ("at 10.0.0.1:80 and fe80::1.", "at [IP_1]:80 and [IP_2]."),
        ("std::vec at 12:30:45", "std::vec at 12:30:45"),
        (
            "call +49 (30) 901820 or 212-555-0123",
            "call [PHONE_1] or [PHONE_2]",
        ),
        (
            "on 2024-01-15, 3.14159, 1000000",
            "on 2024-01-15, 3.14159, 1000000",
        ),
        ("key sk-proj-abcdefghijklmnopqrstuvwx", "key [API_KEY_1]"),
        (
            "a task-list-of-many-words-in-a-row",
            "a task-list-of-many-words-in-a-row",
        ),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[API_KEY_1]"),
        ("Bearer eyJhbGciOiJI.eyJzdWIiOiIx.abcdefghij", "Bearer [JWT_1]"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\nMII+/==\n-----END RSA PRIVATE KEY-----\nx",
            "[PRIVATE_KEY_1]\nx",
        ),
    ] {
        assert_eq!(masked(&guard, text), expected);
    }
}

#[test]
fn rules_do_not_hide_finds_from_each_other() {
    let guard = guard(&json!({
        "rules": [{ "name": "all", "pattern": "(?s).+", "action": "log" }],
        "mask": ["email"],
        "block": ["payment_card"],
    }));
    assert_eq!(masked(&guard, "a@b.example"), "[EMAIL_1]");
    let outcome = in_pieces(&guard, &guard.said, "a@b.example 4111111111111111", &[]);
    assert!(outcome.blocked);
}

#[test]
fn bad_configurations_are_refused_with_their_path() {
    for (conf, text) in [
        (
            json!({}),
            "one of \"rules\", \"block\", \"unmask\", \"mask\", \"log\" is required",
        ),
        (
            json!({ "rules": [{ "name": "a", "pattern": "ok", "action": "log" }, { "name": "b", "pattern": "(", "action": "log" }] }),
            "property \"rules[1].pattern\" validation failed: unclosed group",
        ),
        (
            json!({ "rules": [{ "name": "a", "patterns": ["a", "a*"], "action": "mask" }] }),
            "property \"rules[0].patterns[1]\" validation failed: it matches the empty text",
        ),
        (
            json!({ "rules": [{ "name": "a", "pattern": "(?=x)", "action": "log" }] }),
            "property \"rules[0].pattern\" validation failed: look-around",
        ),
        (
            json!({ "rules": [{ "name": "a", "action": "log" }] }),
            "property \"rules[0]\" validation failed: one of \"recognizer\", \"pattern\", \"patterns\" is required",
        ),
        (
            json!({ "rules": [{ "pattern": "a", "action": "log" }] }),
            "property \"rules[0].name\" is required with patterns",
        ),
        (
            json!({ "rules": [{ "name": "a", "pattern": r"(?:\pL{500}){500}", "action": "log" }] }),
            "property \"rules\" validation failed: the patterns are too large",
        ),
        (json!({ "mask": ["iris"] }), "property \"mask\" validation failed"),
        (
            json!({ "rules": [{ "recognizer": "email", "action": "hide" }] }),
            "property \"rules\" validation failed",
        ),
        (
            json!({ "mask": ["email"], "stream_window": 1 }),
            "property \"stream_window\" validation failed",
        ),
    ] {
        let error = refused(&conf);
        assert!(error.contains(text), "{error}\nexpected {text}");
    }
}
