//! The configuration of `ai-guard`: its schema, and what schemas cannot say.

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::CheckScope;

use super::matcher::{Matcher, Pattern, parse};
use super::recognizer::{Recognizer, named, names};
use crate::fail_mode::FailMode;

/// Rules of one configuration.
const MAX_RULES: usize = 64;
/// Patterns of one configuration.
const MAX_PATTERNS: usize = 256;
/// Characters of a pattern.
const MAX_PATTERN: usize = 1024;

/// What is done about a find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Block,
    Unmask,
    Mask,
    Log,
}

impl Action {
    /// In the order in which the short forms apply.
    const ALL: [Self; 4] = [Self::Block, Self::Unmask, Self::Mask, Self::Log];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unmask => "unmask",
            Self::Mask => "mask",
            Self::Log => "log",
        }
    }
}

/// Where a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    Request,
    System,
    ToolResults,
    ToolArguments,
    Response,
}

#[derive(Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    rules: Vec<RuleConfig>,
    #[serde(default)]
    block: Vec<String>,
    #[serde(default)]
    unmask: Vec<String>,
    #[serde(default)]
    mask: Vec<String>,
    #[serde(default)]
    log: Vec<String>,
    pub(super) match_all_history: bool,
    pub(super) stream_window: usize,
    pub(super) deny_code: u16,
    pub(super) deny_message: Option<String>,
    pub(super) fail_mode: FailMode,
}

#[derive(Deserialize)]
struct RuleConfig {
    name: Option<String>,
    recognizer: Option<String>,
    pattern: Option<String>,
    #[serde(default)]
    patterns: Vec<String>,
    action: Action,
    on: Vec<Place>,
    placeholder: Option<String>,
}

/// A rule.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) on: Vec<Place>,
    /// What placeholders call its finds.
    pub(super) label: String,
    /// Its patterns.
    pub(super) patterns: Vec<Pattern>,
}

pub(super) fn schema() -> Value {
    let recognizers = json!({
        "type": "array", "minItems": 1, "uniqueItems": true,
        "items": { "type": "string", "enum": names() },
    });
    let pattern = json!({ "type": "string", "minLength": 1, "maxLength": MAX_PATTERN });
    let mut fail_mode = FailMode::schema();
    fail_mode["default"] = json!("error");
    json!({
        "type": "object",
        "properties": {
            "rules": {
                "type": "array", "minItems": 1, "maxItems": MAX_RULES,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string", "minLength": 1, "maxLength": 64 },
                        "recognizer": { "type": "string", "enum": names() },
                        "pattern": pattern,
                        "patterns": { "type": "array", "minItems": 1, "maxItems": MAX_PATTERNS, "items": pattern },
                        "action": { "type": "string", "enum": Action::ALL.map(Action::name) },
                        "on": {
                            "type": "array", "minItems": 1, "uniqueItems": true,
                            "items": {
                                "type": "string",
                                "enum": ["request", "system", "tool_results", "tool_arguments", "response"],
                            },
                            "default": ["request", "tool_results", "tool_arguments", "response"],
                        },
                        "placeholder": { "type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,31}$" },
                    },
                    "required": ["action"],
                    "additionalProperties": false,
                },
            },
            "block": recognizers,
            "unmask": recognizers,
            "mask": recognizers,
            "log": recognizers,
            "match_all_history": { "type": "boolean", "default": true },
            "stream_window": { "type": "integer", "minimum": 64, "maximum": 65_536, "default": 8192 },
            "deny_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 200 },
            "deny_message": { "type": "string", "minLength": 1 },
            "fail_mode": fail_mode,
        },
    })
}

/// What is wrong with a configuration that its schema lets pass, by the field's path.
pub(super) fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let config = Config::deserialize(conf).map_err(|error| error.to_string())?;
    for (position, rule) in config.rules.iter().enumerate() {
        rule.check(&format!("rules[{position}]"))?;
    }
    let rules = config.rules();
    if rules.is_empty() {
        return Err("one of \"rules\", \"block\", \"unmask\", \"mask\", \"log\" is required".to_owned());
    }
    let patterns: Vec<_> = rules.into_iter().flat_map(|rule| rule.patterns).collect();
    if patterns.len() > MAX_PATTERNS {
        let count = patterns.len();
        return Err(format!(
            "property \"rules\" validation failed: {count} patterns, at most {MAX_PATTERNS} are allowed"
        ));
    }
    Matcher::new(patterns)
        .map(|_| ())
        .map_err(|error| format!("property \"rules\" validation failed: {error}"))
}

impl RuleConfig {
    fn check(&self, path: &str) -> Result<(), String> {
        let sources = [
            self.recognizer.is_some(),
            self.pattern.is_some(),
            !self.patterns.is_empty(),
        ];
        if sources.into_iter().filter(|given| *given).count() != 1 {
            return Err(format!(
                "property \"{path}\" validation failed: one of \"recognizer\", \"pattern\", \"patterns\" is required"
            ));
        }
        if self.recognizer.is_none() && self.name.is_none() {
            return Err(format!("property \"{path}.name\" is required with patterns"));
        }
        let failed = |path: String| move |error| format!("property \"{path}\" validation failed: {error}");
        if let Some(pattern) = &self.pattern {
            parse(pattern).map_err(failed(format!("{path}.pattern")))?;
        }
        for (position, pattern) in self.patterns.iter().enumerate() {
            parse(pattern).map_err(failed(format!("{path}.patterns[{position}]")))?;
        }
        Ok(())
    }

    /// One rule per recogniser, or one of the patterns.
    fn rules(&self, first: usize) -> Vec<Rule> {
        let recognizers = self.recognizer.as_deref().map(named).unwrap_or_default();
        if !recognizers.is_empty() {
            let rules = recognizers.into_iter().zip(first..);
            return rules
                .map(|(recognizer, position)| self.recognizing(recognizer, position))
                .collect();
        }
        let sources = self.pattern.iter().chain(&self.patterns);
        let name = self.name.clone().unwrap_or_default();
        let patterns = sources.map(|source| Pattern {
            rule: first,
            source: source.clone(),
            check: None,
        });
        vec![Rule {
            action: self.action,
            on: self.on.clone(),
            label: self.placeholder.clone().unwrap_or_else(|| label(&name)),
            patterns: patterns.collect(),
            name,
        }]
    }

    fn recognizing(&self, recognizer: &Recognizer, position: usize) -> Rule {
        let patterns = recognizer.patterns.iter().map(|source| Pattern {
            rule: position,
            source: (*source).to_owned(),
            check: recognizer.check,
        });
        Rule {
            name: self.name.clone().unwrap_or_else(|| recognizer.name.to_owned()),
            action: self.action,
            on: self.on.clone(),
            label: self
                .placeholder
                .clone()
                .unwrap_or_else(|| recognizer.label.to_owned()),
            patterns: patterns.collect(),
        }
    }
}

impl Config {
    /// All rules, those of the short forms last.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for rule in &self.rules {
            rules.extend(rule.rules(rules.len()));
        }
        for action in Action::ALL {
            let recognizers = match action {
                Action::Block => &self.block,
                Action::Unmask => &self.unmask,
                Action::Mask => &self.mask,
                Action::Log => &self.log,
            };
            for recognizer in recognizers {
                let rule = RuleConfig {
                    name: None,
                    recognizer: Some(recognizer.clone()),
                    pattern: None,
                    patterns: Vec::new(),
                    action,
                    on: vec![
                        Place::Request,
                        Place::ToolResults,
                        Place::ToolArguments,
                        Place::Response,
                    ],
                    placeholder: None,
                };
                rules.extend(rule.rules(rules.len()));
            }
        }
        rules
    }
}

/// A rule's name as placeholders write it.
fn label(name: &str) -> String {
    let sign = |sign: char| {
        if sign.is_ascii_alphanumeric() {
            sign.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels() {
        assert_eq!(label("ticket no. 7"), "TICKET_NO__7");
    }
}
