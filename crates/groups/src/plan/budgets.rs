//! Budgets of groups: what speaks against them, and the consumer groups that hold them.

use std::collections::HashSet;

use serde_json::Value;

use super::{Action, Present, Step, deleted, name};
use crate::objects;
use crate::{Document, Flavour, Member, Problem, Settings};

/// Budgets of models without a price, which nobody could draw on.
pub(super) fn budget_problems(document: Option<&Document>, settings: &Settings) -> Vec<Problem> {
    if settings.flavour == Flavour::Apisix || settings.price.is_some() {
        return Vec::new();
    }
    let groups = document.into_iter().flat_map(|document| &document.groups);
    let budgeted = groups.filter(|group| group.budget_micro_usd.is_some());
    budgeted
        .map(|group| {
            let message = format!(
                "group `{}` has a budget, and nobody knows what tokens of the LLM server cost: say it with --price-input and --price-output, in dollars per million tokens",
                group.name
            );
            Problem::at(Some(group.line).filter(|line| *line > 0), message)
        })
        .collect()
}

/// What a real APISIX has no plugin for.
pub(super) fn warnings(document: Option<&Document>, settings: &Settings) -> Vec<String> {
    let groups = document.into_iter().flat_map(|document| &document.groups);
    let lacking = groups
        .filter(|_| settings.flavour == Flavour::Apisix)
        .flat_map(|group| {
            let wants = [
                ("budget_usd", group.budget_micro_usd.is_some()),
                ("ends", group.ends.is_some()),
                ("models", !group.models.is_empty()),
            ];
            let wants = wants.into_iter().filter(|(_, wanted)| *wanted);
            wants.map(|(name, _)| {
                format!(
                    "`{name}` of group `{}` has no effect: APISIX cannot hold it",
                    group.name
                )
            })
        });
    lacking.collect()
}

/// A consumer can be in one consumer group: in that of its budget, unless somebody has put it into another.
pub(super) fn foreign_group(
    member: &Member,
    document: Option<&Document>,
    present: &Present,
    there: &Value,
) -> Option<Problem> {
    let group = document?.groups.get(member.place?)?;
    group.budget_micro_usd?;
    let other = there["group_id"].as_str()?;
    let is_ours = present
        .consumer_groups
        .iter()
        .any(|known| known["id"] == other && objects::is_managed(known));
    (!is_ours).then(|| {
        let message = format!(
            "the consumer `{}` is in the consumer group `{other}`, and the budget of group `{}` needs one of its own: take it out there first",
            member.consumer, group.name
        );
        Problem::at(None, message)
    })
}

/// Consumer groups in which somebody will be when all steps are made.
pub(super) fn used_groups(present: &Present, steps: &[Step]) -> HashSet<String> {
    let touched: HashSet<&str> = steps.iter().filter_map(|step| name(&step.object.value)).collect();
    let others = present
        .consumers
        .iter()
        .filter(|value| name(value).is_some_and(|name| !touched.contains(name)));
    let stay = steps
        .iter()
        .filter(|step| step.action != Action::Delete)
        .map(|step| &step.object.value);
    stay.chain(others)
        .filter_map(|value| Some(value["group_id"].as_str()?.to_owned()))
        .collect()
}

/// Consumer groups of budgets that no group has any more.
pub(super) fn unused_budgets(present: &Present, kept: &HashSet<String>) -> Vec<Step> {
    let used: HashSet<&str> = kept.iter().map(String::as_str).collect();
    let budgets = present
        .consumer_groups
        .iter()
        .filter(|value| objects::is_managed(value));
    budgets
        .filter_map(|value| Some((value["id"].as_str()?, value)))
        .filter(|(id, _)| !used.contains(id))
        .map(|(id, value)| deleted("consumer_groups", id, value))
        .collect()
}
