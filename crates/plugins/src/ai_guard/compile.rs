//! From configuration to running form.

use std::sync::Arc;

use http::StatusCode;
use regex::bytes::Regex;
use serde::Deserialize;
use serde_json::Value;
use sluice_core::CompileError;
use sluice_record::Text;

use super::Guard;
use super::chain::{Label, Matchers};
use super::config::{Action, Config, Place, Rule};
use super::matcher::{Matcher, Pattern};

/// Matchers by the rules that they look for: places with the same rules share one.
struct Compiling<'a> {
    rules: &'a [Rule],
    known: Vec<(Vec<usize>, Arc<Matcher>)>,
}

impl Compiling<'_> {
    /// What looks for the rules of a place that have one of these actions, if there are any.
    fn matcher(&mut self, place: Place, actions: &[Action]) -> Result<Option<Arc<Matcher>>, CompileError> {
        let is_meant = |rule: &Rule| rule.on.contains(&place) && actions.contains(&rule.action);
        let meant: Vec<usize> = (0..self.rules.len())
            .filter(|&position| is_meant(&self.rules[position]))
            .collect();
        if meant.is_empty() {
            return Ok(None);
        }
        if let Some((_, matcher)) = self.known.iter().find(|(rules, _)| *rules == meant) {
            return Ok(Some(matcher.clone()));
        }
        let patterns = meant.iter().flat_map(|&rule| &self.rules[rule].patterns);
        let patterns: Vec<Pattern> = patterns.cloned().collect();
        let matcher = Arc::new(Matcher::new(patterns).map_err(CompileError)?);
        self.known.push((meant, matcher.clone()));
        Ok(Some(matcher))
    }

    fn matchers(&mut self, place: Place, masks: &[Action]) -> Result<Matchers, CompileError> {
        Ok(Matchers {
            log: self.matcher(place, &[Action::Log])?,
            block: self.matcher(place, &[Action::Block])?,
            mask: self.matcher(place, masks)?,
        })
    }
}

impl Guard {
    pub(super) fn new(conf: &Value) -> Result<Self, CompileError> {
        let config = Config::deserialize(conf)?;
        let rules = config.rules();
        let mut compiling = Compiling {
            rules: &rules,
            known: Vec::new(),
        };
        let hiding = [Action::Mask, Action::Unmask];
        let unmasking: Vec<_> = rules
            .iter()
            .filter(|rule| rule.action == Action::Unmask)
            .collect();
        let restores = |place| unmasking.iter().any(|rule| rule.on.contains(&place));
        let label = |rule: &Rule| Label {
            text: Text::from(&*rule.label),
            reversible: rule.action == Action::Unmask,
        };
        Ok(Self {
            said: compiling.matchers(Place::Request, &hiding)?,
            system: compiling.matchers(Place::System, &hiding)?,
            tool_results: compiling.matchers(Place::ToolResults, &hiding)?,
            tool_arguments: compiling.matchers(Place::ToolArguments, &hiding)?,
            answer: compiling.matchers(Place::Response, &[Action::Mask])?,
            answer_arguments: compiling.matchers(Place::ToolArguments, &[Action::Mask])?,
            restores: restores(Place::Response),
            restores_arguments: restores(Place::ToolArguments),
            labels: rules.iter().map(label).collect(),
            rules: rules
                .iter()
                .map(|rule| (Text::from(&*rule.name), rule.action))
                .collect(),
            placeholder: Regex::new(r"\[[A-Z][A-Z0-9_]*_[0-9]{1,9}\]")
                .map_err(|error| CompileError(error.to_string()))?,
            match_all_history: config.match_all_history,
            window: config.stream_window,
            deny_code: StatusCode::from_u16(config.deny_code)
                .map_err(|error| CompileError(error.to_string()))?,
            deny_message: config.deny_message,
            fail_mode: config.fail_mode,
        })
    }
}
