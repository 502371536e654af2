//! What the schemas cannot say of providers and models: names that lead nowhere, and policies that cannot come into
//! play.

use std::collections::BTreeSet;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use sluice_exchange::ProviderConfig;
use sluice_resource::Kind;

use super::config::{HashOn, ModelConfig, RuleConfig, Strategy};

/// Checks a resource whose schema holds.
pub(super) fn check(kind: Kind, resource: &Value) -> Result<(), String> {
    match kind {
        Kind::Provider => ProviderConfig::read(resource)
            .map_err(|error| error.to_string())?
            .check(),
        Kind::Model => {
            let model = ModelConfig::deserialize(resource).map_err(|error| error.to_string())?;
            let metadata = resource.get("metadata");
            let has_members = metadata.is_some_and(|metadata| metadata.get("members").is_some());
            check_name(&model, has_members)?;
            check_targets(&model)?;
            check_hash(&model)?;
            check_rules(&model)?;
            check_times(&model, resource)
        }
        _ => Ok(()),
    }
}

fn check_name(model: &ModelConfig, has_members: bool) -> Result<(), String> {
    let name = model.name.as_deref().unwrap_or_default();
    let stars = name.matches('*').count();
    if has_members && stars == 0 {
        return Err("metadata.members are for models whose name is a pattern".to_owned());
    }
    let substituted = model
        .targets
        .iter()
        .filter_map(|target| target.model.as_deref())
        .find(|upstream| upstream.contains('*'));
    match substituted {
        Some(upstream) if stars != 1 => Err(format!(
            "target model \"{upstream}\" needs a name with one * to take its text from"
        )),
        Some(upstream) if upstream.matches('*').count() > 1 => {
            Err(format!("target model \"{upstream}\" has more than one *"))
        }
        _ => Ok(()),
    }
}

fn check_targets(model: &ModelConfig) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for target in &model.targets {
        let name = target.name();
        if !names.insert(name.clone()) {
            return Err(format!(
                "two targets are called \"{name}\": give one of them a name"
            ));
        }
    }
    if model.targets.iter().all(|target| target.weight == 0) {
        return Err("all targets have weight 0: none would ever be picked".to_owned());
    }
    Ok(())
}

fn check_hash(model: &ModelConfig) -> Result<(), String> {
    let Some(hash) = &model.hash else {
        return Ok(());
    };
    if model.strategy != Strategy::ConsistentHash {
        return Err(format!(
            "hash is for the strategy consistent_hash, not {}",
            model.strategy.name()
        ));
    }
    match (hash.on, &hash.header) {
        (HashOn::Header, None) => Err("hash.on is header: hash.header must name one".to_owned()),
        (HashOn::Header, Some(_)) | (_, None) => Ok(()),
        (_, Some(_)) => Err("hash.header is for hash.on header".to_owned()),
    }
}

fn check_rules(model: &ModelConfig) -> Result<(), String> {
    let targets: BTreeSet<String> = model.targets.iter().map(|target| target.name()).collect();
    let mut names = BTreeSet::new();
    for rule in &model.rules {
        if !names.insert(&rule.name) {
            return Err(format!("two rules are called \"{}\"", rule.name));
        }
        let fault = |what: String| format!("rule \"{}\": {what}", rule.name);
        if let Some(unknown) = rule.targets.iter().find(|name| !targets.contains(*name)) {
            let known: Vec<_> = targets.iter().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(fault(format!("there is no target \"{unknown}\", only {known}")));
        }
        check_when(rule).map_err(fault)?;
    }
    Ok(())
}

fn check_when(rule: &RuleConfig) -> Result<(), String> {
    let when = &rule.when;
    if let (Some(least), Some(most)) = (when.min_tokens, when.max_tokens)
        && least > most
    {
        return Err(format!(
            "min_tokens {least} is above max_tokens {most}: it never applies"
        ));
    }
    for pattern in &when.prompt {
        Regex::new(pattern).map_err(|_| format!("\"{pattern}\" is no regular expression"))?;
    }
    if let Some(task) = &when.task
        && let Some(empty) = task
            .examples
            .iter()
            .find(|example| !example.chars().any(char::is_alphanumeric))
    {
        return Err(format!("the example \"{empty}\" has no word"));
    }
    Ok(())
}

fn check_times(model: &ModelConfig, resource: &Value) -> Result<(), String> {
    let fallback = &model.fallback;
    let single = model.targets.len() == 1;
    if single && fallback.on.as_ref().is_some_and(|on| !on.is_empty()) {
        return Err("fallback.on needs a second target to fall back to".to_owned());
    }
    if let Some(attempts) = fallback.max_attempts
        && attempts > model.targets.len()
    {
        return Err(format!(
            "fallback.max_attempts is {attempts}, but there are {} targets and each is tried once",
            model.targets.len()
        ));
    }
    if let (Some(attempt), Some(all)) = (fallback.attempt_timeout_ms, fallback.deadline_ms)
        && attempt > all
    {
        return Err(
            "fallback.attempt_timeout_ms is above fallback.deadline_ms: it never comes into play".to_owned(),
        );
    }
    let cool_down = &model.cool_down;
    if cool_down.seconds > cool_down.max_seconds {
        return Err("cool_down.seconds is above cool_down.max_seconds".to_owned());
    }
    let said = resource.get("cool_down").and_then(Value::as_object);
    if !cool_down.enabled && said.is_some_and(|members| members.len() > 1) {
        return Err("cool_down is not enabled: its other members have no effect".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(members: Value) -> Option<String> {
        let mut model = json!({
            "name": "m", "targets": [{"provider": "a", "model": "x"}, {"provider": "b", "model": "y"}],
        });
        for (name, value) in members.as_object().unwrap() {
            model[name] = value.clone();
        }
        check(Kind::Model, &model).err()
    }

    #[test]
    fn a_plain_model_holds() {
        assert_eq!(fault(json!({})), None);
        assert_eq!(
            fault(
                json!({"name": "openai/*", "targets": [{"provider": 1, "model": "*"}], "metadata": {"members": ["a"]}})
            ),
            None
        );
    }

    #[test]
    fn what_cannot_come_into_play_is_refused() {
        let rule =
            |when: Value, targets: Value| json!({"rules": [{"name": "r", "when": when, "targets": targets}]});
        for (members, expected) in [
            (
                json!({"targets": [{"provider": "a", "weight": 0}]}),
                "all targets have weight 0: none would ever be picked",
            ),
            (
                json!({"targets": [{"provider": "a", "model": "x"}, {"provider": "a", "model": "x"}]}),
                "two targets are called \"a/x\": give one of them a name",
            ),
            (
                json!({"targets": [{"provider": "a", "model": "*"}]}),
                "target model \"*\" needs a name with one * to take its text from",
            ),
            (
                json!({"metadata": {"members": ["a"]}}),
                "metadata.members are for models whose name is a pattern",
            ),
            (
                json!({"hash": {"on": "user"}}),
                "hash is for the strategy consistent_hash, not weighted",
            ),
            (
                json!({"strategy": "consistent_hash", "hash": {"on": "header"}}),
                "hash.on is header: hash.header must name one",
            ),
            (
                json!({"strategy": "consistent_hash", "hash": {"header": "x"}}),
                "hash.header is for hash.on header",
            ),
            (
                rule(json!({"has_tools": true}), json!(["c"])),
                "rule \"r\": there is no target \"c\", only a/x, b/y",
            ),
            (
                rule(json!({"min_tokens": 9, "max_tokens": 8}), json!(["a/x"])),
                "rule \"r\": min_tokens 9 is above max_tokens 8: it never applies",
            ),
            (
                rule(json!({"prompt": ["("]}), json!(["a/x"])),
                "rule \"r\": \"(\" is no regular expression",
            ),
            (
                rule(json!({"task": {"examples": ["?!"]}}), json!(["a/x"])),
                "rule \"r\": the example \"?!\" has no word",
            ),
            (
                json!({"targets": [{"provider": "a"}], "fallback": {"on": ["timeout"]}}),
                "fallback.on needs a second target to fall back to",
            ),
            (
                json!({"fallback": {"max_attempts": 3}}),
                "fallback.max_attempts is 3, but there are 2 targets and each is tried once",
            ),
            (
                json!({"fallback": {"attempt_timeout_ms": 2, "deadline_ms": 1}}),
                "fallback.attempt_timeout_ms is above fallback.deadline_ms: it never comes into play",
            ),
            (
                json!({"cool_down": {"seconds": 700}}),
                "cool_down.seconds is above cool_down.max_seconds",
            ),
            (
                json!({"cool_down": {"enabled": false, "seconds": 3}}),
                "cool_down is not enabled: its other members have no effect",
            ),
        ] {
            assert_eq!(fault(members.clone()).as_deref(), Some(expected), "{members}");
        }
    }
}
