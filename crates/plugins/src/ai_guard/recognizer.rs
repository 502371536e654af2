//! What can be recognised without a pattern of one's own, as data: patterns that find candidates, and checks that tell
//! which of them are real.

use super::checks;

/// Tells how much of a candidate, from its start, is the real thing. The whole is tried first.
pub(super) type Check = fn(&str) -> Option<usize>;

/// Something that is recognised by its form.
pub(super) struct Recognizer {
    /// Its name in configurations.
    pub(super) name: &'static str,
    /// What placeholders call it.
    pub(super) label: &'static str,
    /// Linear-time patterns. With a check they have a longest match, so that what they look at is bounded.
    pub(super) patterns: &'static [&'static str],
    pub(super) check: Option<Check>,
}

/// Names that stand for several recognisers.
pub(super) const GROUPS: [(&str, &[&str]); 3] = [
    (
        "pii",
        &[
            "email",
            "iban",
            "payment_card",
            "us_ssn",
            "de_tax_id",
            "uk_nino",
            "es_dni",
            "fr_nir",
            "it_codice_fiscale",
            "phone",
            "ip_address",
        ],
    ),
    (
        "national_id",
        &[
            "us_ssn",
            "de_tax_id",
            "uk_nino",
            "es_dni",
            "fr_nir",
            "it_codice_fiscale",
        ],
    ),
    ("secret", &["private_key", "jwt", "api_key"]),
];

/// All recognisers.
pub(super) const RECOGNIZERS: [Recognizer; 14] = [
    Recognizer {
        name: "email",
        label: "EMAIL",
        // Letters beyond ASCII: Latin, Greek and Cyrillic.
        patterns: &[concat!(
            r"[A-Za-z0-9._%+'\-\u{C0}-\u{52F}]{1,64}@",
            r"(?:[A-Za-z0-9\-\u{C0}-\u{52F}]{1,63}\.){1,8}[A-Za-z\u{C0}-\u{52F}]{2,24}",
        )],
        check: None,
    },
    Recognizer {
        name: "iban",
        label: "IBAN",
        patterns: &[r"(?-u:\b)[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}(?-u:\b)"],
        check: Some(checks::iban),
    },
    Recognizer {
        name: "payment_card",
        label: "CARD",
        patterns: &[r"(?-u:\b)[2-6](?:[ -]?[0-9]){12,18}(?-u:\b)"],
        check: Some(checks::payment_card),
    },
    Recognizer {
        name: "us_ssn",
        label: "SSN",
        patterns: &[r"(?-u:\b)[0-8][0-9]{2}[- ][0-9]{2}[- ][0-9]{4}(?-u:\b)"],
        check: Some(checks::us_ssn),
    },
    Recognizer {
        name: "de_tax_id",
        label: "TAX_ID",
        patterns: &[r"(?-u:\b)[1-9](?:[ /]?[0-9]){10}(?-u:\b)"],
        check: Some(checks::de_tax_id),
    },
    Recognizer {
        name: "uk_nino",
        label: "NINO",
        patterns: &[r"(?i-u:\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b)"],
        check: Some(checks::uk_nino),
    },
    Recognizer {
        name: "es_dni",
        label: "DNI",
        patterns: &[r"(?i-u:\b(?:[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-HJ-NP-TV-Z]\b)"],
        check: Some(checks::es_dni),
    },
    Recognizer {
        name: "fr_nir",
        label: "NIR",
        patterns: &[concat!(
            r"(?-u:\b)[1-478] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[ABab]) ?",
            r"[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?-u:\b)",
        )],
        check: Some(checks::fr_nir),
    },
    Recognizer {
        name: "it_codice_fiscale",
        label: "CODICE_FISCALE",
        patterns: &[concat!(
            r"(?i-u:\b[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}",
            r"[A-Z][0-9LMNP-V]{3}[A-Z]\b)",
        )],
        check: Some(checks::it_codice_fiscale),
    },
    Recognizer {
        name: "ip_address",
        label: "IP",
        patterns: &[
            r"(?-u:\b)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?-u:\b)",
            r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,41}",
        ],
        check: Some(checks::ip_address),
    },
    Recognizer {
        name: "phone",
        label: "PHONE",
        patterns: &[
            // International: a plus or two zeros, then up to 15 digits (E.164).
            r"(?:\+|(?-u:\b)00)[1-9](?:[ ./-]?\(?[0-9]\)?){6,14}(?-u:\b)",
            // North American.
            r"(?:\([2-9][0-9]{2}\) ?|(?-u:\b)[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}(?-u:\b)",
            // National with a trunk zero, in groups.
            r"(?-u:\b)0[1-9][0-9]{0,4}(?:[ /-][0-9]{2,8}){1,5}(?-u:\b)",
        ],
        check: Some(checks::phone),
    },
    Recognizer {
        name: "private_key",
        label: "PRIVATE_KEY",
        patterns: &[concat!(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
            r"(?:[A-Za-z0-9+/=:,\s]|\\[nr]|-[A-Za-z0-9])*",
            r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        )],
        check: None,
    },
    Recognizer {
        name: "jwt",
        label: "JWT",
        patterns: &[r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"],
        check: None,
    },
    Recognizer {
        name: "api_key",
        label: "API_KEY",
        patterns: &[
            // OpenAI, Anthropic, OpenRouter, DeepSeek and others that took over the form.
            r"(?-u:\b)sk-[A-Za-z0-9_-]{20,}",
            // AWS.
            r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)",
            // GitHub, GitLab.
            r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{36,}",
            r"(?-u:\b)github_pat_[A-Za-z0-9_]{22,}",
            r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}",
            // Slack, Stripe, Google, Hugging Face.
            r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}",
            r"(?-u:\b)[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
            r"(?-u:\b)AIza[A-Za-z0-9_-]{35}",
            r"(?-u:\b)hf_[A-Za-z0-9]{30,}",
        ],
        check: None,
    },
];

/// The recognisers that a name stands for.
pub(super) fn named(name: &str) -> Vec<&'static Recognizer> {
    let group = GROUPS.iter().find(|(group, _)| *group == name);
    let is_meant = |recognizer: &&Recognizer| match group {
        Some((_, members)) => members.contains(&recognizer.name),
        None => recognizer.name == name,
    };
    RECOGNIZERS.iter().filter(is_meant).collect()
}

/// Every name that [`named`] knows.
pub(super) fn names() -> Vec<&'static str> {
    let groups = GROUPS.iter().map(|(name, _)| *name);
    let all = RECOGNIZERS.iter().map(|recognizer| recognizer.name);
    groups.chain(all).collect()
}
