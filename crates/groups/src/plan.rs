//! What has to be written so that the gateway is as wanted.

mod budgets;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use self::budgets::{budget_problems, foreign_group, unused_budgets, used_groups, warnings};
use crate::objects::{self, Object};
use crate::{Document, Member, Problem, Settings};

/// What the Admin API has: values of resources, as GET shows them.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// All consumers.
    pub consumers: Vec<Value>,
    /// All consumer groups.
    pub consumer_groups: Vec<Value>,
    /// All routes.
    pub routes: Vec<Value>,
}

/// What else a setup shall do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Give everybody another key.
    pub rotate_keys: bool,
    /// Delete managed consumers of a group that the document does not have any more.
    pub prune: bool,
    /// Take over consumers of that name which no setup made.
    pub adopt: bool,
}

/// What happens to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is not there yet.
    Create,
    /// It is there, and otherwise.
    Update,
    /// It is as wanted.
    Keep,
    /// It is not wanted any more.
    Delete,
}

impl Action {
    /// `create`, `update`, `keep` or `delete`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Keep => "keep",
            Self::Delete => "delete",
        }
    }
}

/// One step: what happens to which resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// The resource as it will be; for `Delete` as it was.
    pub object: Object,
}

/// All steps, in the order in which they are made, and who gets which consumer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Routes, consumer groups, consumers, then what goes.
    pub steps: Vec<Step>,
    /// Who shall have a consumer.
    pub members: Vec<Member>,
    /// What the document wants and the other side cannot hold.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action != Action::Keep)
    }
}

/// What has to be written for a setup. Keys that are there stay, and so does what somebody added to a consumer.
///
/// # Errors
/// Two consumers would have one name, or a consumer of that name is there which no setup made.
pub fn setup(
    document: Option<&Document>,
    settings: &Settings,
    present: &Present,
    options: Options,
    mut new_key: impl FnMut() -> String,
) -> Result<Plan, Vec<Problem>> {
    let members = crate::consumer::members(document, settings.mode)?;
    let known: HashMap<&str, &Value> = present
        .consumers
        .iter()
        .filter_map(|value| Some((name(value)?, value)))
        .collect();
    let mut problems = budget_problems(document, settings);
    let mut steps: Vec<Step> = objects::routes(settings)
        .into_iter()
        .map(|route| wanted_whole(route, &present.routes))
        .collect();
    let budgets = objects::budgets(document, settings).into_iter();
    steps.extend(budgets.map(|budget| wanted_whole(budget, &present.consumer_groups)));
    for member in &members {
        let there = known.get(member.consumer.as_str()).copied();
        if let Some(there) = there.filter(|there| !objects::is_managed(there) && !options.adopt) {
            problems.push(foreign(name(there).unwrap_or_default()));
            continue;
        }
        if let Some(problem) = there.and_then(|there| foreign_group(member, document, present, there)) {
            problems.push(problem);
            continue;
        }
        let kept = there.and_then(key).filter(|_| !options.rotate_keys);
        let key = kept.map_or_else(&mut new_key, str::to_owned);
        steps.push(wanted_member(
            objects::consumer(member, document, settings, &key),
            there,
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    steps.extend(superfluous(present, &members, settings, options.prune));
    steps.extend(unused_budgets(present, &used_groups(present, &steps)));
    Ok(Plan {
        steps,
        members,
        warnings: warnings(document, settings),
    })
}

/// What a cleanup deletes: consumers first, since routes without consumers let nobody in. Everything that a setup made;
/// with `all` every consumer, and the routes of a setup whoever made them.
#[must_use]
pub fn cleanup(present: &Present, all: bool) -> Plan {
    let consumers = present
        .consumers
        .iter()
        .filter(|value| all || objects::is_managed(value));
    let mut steps: Vec<Step> = consumers
        .filter_map(|value| Some(deleted("consumers", name(value)?, value)))
        .collect();
    let routes = present
        .routes
        .iter()
        .filter_map(|value| Some((value["id"].as_str()?, value)));
    steps.extend(
        routes
            .filter(|(id, value)| objects::is_managed(value) || (all && ROUTES.contains(id)))
            .map(|(id, value)| deleted("routes", id, value)),
    );
    steps.extend(unused_budgets(present, &HashSet::new()));
    Plan {
        steps,
        ..Plan::default()
    }
}

/// Plugins of a consumer that are a setup's: it puts them there and takes them away. Others stay.
const OURS: [&str; 4] = ["key-auth", "ai-rate-limiting", "limit-conn", "ai-models"];

/// Ids of a setup's routes.
const ROUTES: [&str; 3] = [objects::ROUTE, objects::EMBEDDING_ROUTE, objects::MORE_ROUTE];

/// The step to a consumer of that key and quota; what else it has stays.
#[must_use]
pub fn wanted_consumer(mut object: Object, there: Option<&Value>) -> Step {
    for part in ["plugins", "labels"] {
        for (member, value) in there
            .and_then(|there| there[part].as_object())
            .into_iter()
            .flatten()
        {
            if object.value[part].get(member).is_none() {
                object.value[part][member] = value.clone();
            }
        }
    }
    if let Some(group) = there.and_then(|there| there.get("group_id")) {
        object.value["group_id"] = group.clone();
    }
    wanted_member(object, there)
}

/// The step to a member's consumer, which may be there with more than a setup gives it.
fn wanted_member(mut object: Object, there: Option<&Value>) -> Step {
    let Some(there) = there else {
        return Step {
            action: Action::Create,
            object,
        };
    };
    let gone = OURS.iter().any(|plugin| {
        there["plugins"].get(*plugin).is_some() && object.value["plugins"].get(*plugin).is_none()
    }) || had_its_end(there, &object.value)
        || had_its_budget(there, &object.value);
    if !gone && covers(there, &object.value) {
        object.value = there.clone();
        return Step {
            action: Action::Keep,
            object,
        };
    }
    let mut merged = there.clone();
    if had_its_end(there, &object.value) {
        take_out(&mut merged, &["plugins", "ai-client", "expires_at"]);
        take_out(&mut merged, &["labels", objects::ENDS_LABEL]);
    }
    if had_its_budget(there, &object.value) {
        take_out(&mut merged, &["group_id"]);
    }
    for (member, value) in object
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(member, _)| *member != "plugins" && *member != "labels")
    {
        merged[member] = value.clone();
    }
    for part in ["plugins", "labels"] {
        if !merged[part].is_object() {
            merged[part] = Value::Object(serde_json::Map::new());
        }
    }
    if let Some(plugins) = merged["plugins"].as_object_mut() {
        plugins.retain(|plugin, _| !OURS.contains(&plugin.as_str()));
    }
    for part in ["plugins", "labels"] {
        for (member, value) in object.value[part].as_object().into_iter().flatten() {
            // What somebody else says of a client stays beside its end.
            match (
                member.as_str(),
                merged[part].get_mut(member).and_then(Value::as_object_mut),
            ) {
                ("ai-client", Some(client)) => client.extend(value.as_object().cloned().unwrap_or_default()),
                _ => merged[part][member] = value.clone(),
            }
        }
    }
    Object::without_times(&mut merged);
    object.value = merged;
    Step {
        action: Action::Update,
        object,
    }
}

/// Whether an earlier setup gave the consumer an end that it shall not have any more.
fn had_its_end(there: &Value, wanted: &Value) -> bool {
    let label = |value: &Value| value["labels"].get(objects::ENDS_LABEL).is_some();
    label(there) && !label(wanted)
}

/// The same of a budget.
fn had_its_budget(there: &Value, wanted: &Value) -> bool {
    let is_ours = |id: &str| id.starts_with(objects::BUDGET_PREFIX);
    there["group_id"].as_str().is_some_and(is_ours) && wanted.get("group_id").is_none()
}

fn take_out(value: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let parent = parents.iter().try_fold(value, |value, name| value.get_mut(*name));
    if let Some(parent) = parent.and_then(Value::as_object_mut) {
        parent.shift_remove(*last);
    }
}

/// The step to a route or consumer group, which is wholly a setup's.
fn wanted_whole(object: Object, present: &[Value]) -> Step {
    let there = present.iter().find(|there| there["id"] == object.id.as_str());
    let action = match there {
        None => Action::Create,
        Some(there) if is_as_wanted(there, &object.value) => Action::Keep,
        Some(_) => Action::Update,
    };
    Step { action, object }
}

/// Routes of a setup that are not wanted, and with `prune` consumers of users that are gone.
fn superfluous(present: &Present, members: &[Member], settings: &Settings, prune: bool) -> Vec<Step> {
    let wanted: HashSet<String> = objects::routes(settings)
        .into_iter()
        .map(|route| route.id)
        .collect();
    let routes = present.routes.iter().filter(|value| objects::is_managed(value));
    let mut steps: Vec<Step> = routes
        .filter_map(|value| Some((value["id"].as_str()?, value)))
        .filter(|(id, _)| ROUTES.contains(id) && !wanted.contains(*id))
        .map(|(id, value)| deleted("routes", id, value))
        .collect();
    if prune {
        let names: HashSet<&str> = members.iter().map(|member| member.consumer.as_str()).collect();
        // One that was made by itself has no group, and is nobody's in the file.
        let grouped = present.consumers.iter().filter(|value| {
            objects::is_managed(value) && value["labels"].get(objects::GROUP_LABEL).is_some()
        });
        steps.extend(
            grouped
                .filter_map(|value| Some((name(value)?, value)))
                .filter(|(name, _)| !names.contains(name))
                .map(|(name, value)| deleted("consumers", name, value)),
        );
    }
    steps
}

fn deleted(kind: &'static str, id: &str, value: &Value) -> Step {
    let object = Object {
        kind,
        id: id.to_owned(),
        value: value.clone(),
    };
    Step {
        action: Action::Delete,
        object,
    }
}

/// The name of a consumer.
#[must_use]
pub fn name(consumer: &Value) -> Option<&str> {
    consumer["username"].as_str()
}

/// The key of a consumer.
#[must_use]
pub fn key(consumer: &Value) -> Option<&str> {
    consumer["plugins"]["key-auth"]["key"].as_str()
}

/// Members in which nothing else may stand.
const WHOLE: [&str; 3] = ["plugins", "header", "options"];

/// Whether everything that is wanted is there. There may be more: the Admin API fills defaults in.
fn covers(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted
            .iter()
            .all(|(member, value)| there.get(member).is_some_and(|there| covers(there, value))),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len()
                && there
                    .iter()
                    .zip(wanted)
                    .all(|(there, wanted)| covers(there, wanted))
        }
        _ => there == wanted,
    }
}

/// Whether a route is as wanted: it covers that, and has no plugin, header or option of its own.
fn is_as_wanted(there: &Value, wanted: &Value) -> bool {
    let grown = |member: &str, there: &Value, wanted: &Value| {
        let size = |value: &Value| value.as_object().map(serde_json::Map::len);
        WHOLE.contains(&member) && size(there) != size(wanted)
    };
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().all(|(member, value)| {
            there
                .get(member)
                .is_some_and(|there| !grown(member, there, value) && is_as_wanted(there, value))
        }),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len()
                && there
                    .iter()
                    .zip(wanted)
                    .all(|(there, wanted)| is_as_wanted(there, wanted))
        }
        _ => there == wanted,
    }
}

fn foreign(name: &str) -> Problem {
    let message = format!(
        "a consumer `{name}` is there already, and no setup made it: rename the user or group, delete it, or take it over with --adopt"
    );
    Problem::at(None, message)
}
