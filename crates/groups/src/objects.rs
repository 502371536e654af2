//! The resources that a setup consists of, as the Admin API takes them.

use serde_json::{Map, Value, json};
use time::Date;

use crate::document::Group;
use crate::settings::{Flavour, Settings, quota};
use crate::{Document, Member, normalize};

/// Id of the route for chats.
pub const ROUTE: &str = "ai-gateway-route";
/// Id of the route for embeddings.
pub const EMBEDDING_ROUTE: &str = "ai-gateway-embedding-route";
/// Id of the route for the other protocols and for paths without `/v1`. Not made at APISIX, which has none of them.
pub const MORE_ROUTE: &str = "ai-gateway-more-route";
/// Name of the instance: what quotas and their headers are called by.
pub const INSTANCE: &str = "lemonade-instance";

/// The label of everything that a setup made.
pub const MANAGED_BY: &str = "managed-by";
/// Its value.
pub const MANAGER: &str = "sluice-gateway";
/// The label of a consumer's group.
pub const GROUP_LABEL: &str = "gateway-group";
/// The label of a consumer's user.
pub const USER_LABEL: &str = "gateway-user";
/// The label of how many users share a consumer.
pub const COUNT_LABEL: &str = "gateway-users";

/// The label of a consumer that tells the last day on which its keys work.
pub const ENDS_LABEL: &str = "gateway-ends";

/// The label of the chat route that tells the quota of the setup.
pub const RATE_LIMIT_LABEL: &str = "gateway-rate-limit";
/// The label of the chat route that tells the window of the setup.
pub const TIME_WINDOW_LABEL: &str = "gateway-time-window";
/// The label of the chat route that tells the mode of the setup.
pub const MODE_LABEL: &str = "gateway-mode";

/// Paths of the clients of other protocols, and those without a version.
const MORE_URIS: [&str; 8] = [
    "/chat/completions",
    "/v1/completions",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/responses",
    "/v1/models",
    "/v1/models/*",
    "/models",
];

/// A resource: kind as in the path of the Admin API, id, and value.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// `routes`, `consumer_groups` or `consumers`.
    pub kind: &'static str,
    /// Its id; for consumers the name.
    pub id: String,
    /// What is written.
    pub value: Value,
}

impl Object {
    /// Takes out what the Admin API puts in by itself and does not take back.
    pub(crate) fn without_times(value: &mut Value) {
        if let Some(members) = value.as_object_mut() {
            members.shift_remove("create_time");
            members.shift_remove("update_time");
        }
    }
}

/// The routes of a setup.
#[must_use]
pub(crate) fn routes(settings: &Settings) -> Vec<Object> {
    let mut routes = vec![chat_route(settings)];
    if let Some(model) = &settings.embedding_model {
        routes.push(embedding_route(settings, model));
    }
    if settings.flavour == Flavour::Sluice {
        routes.push(more_route(settings));
    }
    routes
}

/// The route for chats alone.
#[must_use]
pub fn chat_route(settings: &Settings) -> Object {
    let mut chat = route(
        ROUTE,
        json!({
            "uri": "/v1/chat/completions",
            "methods": ["POST"],
            "plugins": ai_plugins(settings, Some(&settings.model)),
        }),
    );
    let labels = &mut chat.value["labels"];
    labels[RATE_LIMIT_LABEL] = json!(settings.rate_limit.to_string());
    labels[TIME_WINDOW_LABEL] = json!(settings.time_window.to_string());
    labels[MODE_LABEL] = json!(settings.mode.name());
    chat
}

/// An AI route, so that embeddings draw on the same quota as chats.
fn embedding_route(settings: &Settings, model: &str) -> Object {
    let uris = match settings.flavour {
        Flavour::Sluice => json!(["/v1/embeddings", "/embeddings"]),
        Flavour::Apisix => json!(["/v1/embeddings"]),
    };
    route(
        EMBEDDING_ROUTE,
        json!({ "uris": uris, "methods": ["POST"], "plugins": ai_plugins(settings, Some(model)) }),
    )
}

fn more_route(settings: &Settings) -> Object {
    let mut plugins = ai_plugins(settings, Some(&settings.model));
    plugins["ai-proxy-multi"]["profile"] = json!("native");
    route(
        MORE_ROUTE,
        json!({ "uris": MORE_URIS, "methods": ["GET", "POST"], "plugins": plugins }),
    )
}

fn route(id: &str, mut value: Value) -> Object {
    value["name"] = json!(id);
    value["labels"] = json!({ MANAGED_BY: MANAGER });
    Object {
        kind: "routes",
        id: id.to_owned(),
        value,
    }
}

fn ai_plugins(settings: &Settings, model: Option<&str>) -> Value {
    let mut instance = json!({
        "name": INSTANCE,
        "provider": "openai-compatible",
        "weight": 100,
        "auth": { "header": {} },
        "override": { "endpoint": settings.lemonade_url },
    });
    if let Some(key) = &settings.lemonade_api_key {
        instance["auth"]["header"]["Authorization"] = json!(format!("Bearer {key}"));
    }
    if let Some(model) = model {
        instance["options"] = json!({ "model": model });
        if settings.flavour == Flavour::Sluice {
            instance["override"]["keep_model"] = json!(!settings.force_model);
        }
    }
    if let Some(price) = settings.price.filter(|_| settings.flavour == Flavour::Sluice) {
        instance["prices"] = json!({ "rates": { "input": price.input, "output": price.output } });
    }
    json!({ "key-auth": {}, "ai-proxy-multi": { "instances": [instance] } })
}

/// What ids of consumer groups begin with that a setup made.
pub(crate) const BUDGET_PREFIX: &str = "gateway-budget-";

/// Id of the consumer group of a group's users.
fn budget_id(group: &Group) -> String {
    let name = normalize(&group.name);
    // Ids have at most 64 characters; names that begin alike are told apart by their FNV-1a hash.
    match name.get(..LONGEST).filter(|_| name.len() > LONGEST) {
        None => format!("{BUDGET_PREFIX}{name}"),
        Some(start) => {
            let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
            format!("{BUDGET_PREFIX}{start}-{hash:08x}")
        }
    }
}

/// Longest name that is part of an id as it stands.
const LONGEST: usize = 40;

/// What a group's users spend from together: a consumer group each for those that have a budget and users.
#[must_use]
pub(crate) fn budgets(document: Option<&Document>, settings: &Settings) -> Vec<Object> {
    let groups = document.into_iter().flat_map(|document| &document.groups);
    let groups = groups.filter(|group| settings.flavour == Flavour::Sluice && !group.users.is_empty());
    let budget = |group: &Group| {
        let total = group.budget_micro_usd?;
        Some(Object {
            kind: "consumer_groups",
            id: budget_id(group),
            value: json!({
                "desc": format!("users of group {}", group.name).chars().take(256).collect::<String>(),
                "labels": { MANAGED_BY: MANAGER, GROUP_LABEL: normalize(&group.name) },
                "plugins": { "ai-limits": { "budget_micro_usd_total": total } },
            }),
        })
    };
    groups.filter_map(budget).collect()
}

/// The consumer of a member, with its key.
#[must_use]
pub(crate) fn consumer(
    member: &Member,
    document: Option<&Document>,
    settings: &Settings,
    key: &str,
) -> Object {
    let group = member.place.and_then(|place| document?.groups.get(place));
    let rate_limit = group
        .and_then(|group| group.rate_limit)
        .unwrap_or(settings.rate_limit);
    let time_window = group
        .and_then(|group| group.time_window)
        .unwrap_or(settings.time_window);
    let mut object = plain_consumer(
        &member.consumer,
        key,
        quota(rate_limit, member.user_count),
        time_window,
        settings,
    );
    let labels = &mut object.value["labels"];
    if let Some(group) = &member.group {
        labels[GROUP_LABEL] = json!(normalize(group));
    }
    if let Some(user) = &member.user {
        labels[USER_LABEL] = json!(normalize(user));
    }
    labels[COUNT_LABEL] = json!(member.user_count.to_string());
    if let Some(desc) = description(member) {
        object.value["desc"] = json!(desc);
    }
    if settings.flavour == Flavour::Sluice
        && let Some(group) = group.filter(|group| !group.models.is_empty())
    {
        object.value["plugins"]["ai-models"] = json!({ "allow": group.models });
    }
    if let Some(group) = group.filter(|_| settings.flavour == Flavour::Sluice) {
        if group.budget_micro_usd.is_some() {
            object.value["group_id"] = json!(budget_id(group));
        }
        if let Some(end) = group.ends.and_then(end_of) {
            object.value["plugins"]["ai-client"] = json!({ "expires_at": end });
            object.value["labels"][ENDS_LABEL] = json!(group.ends.map(|day| day.to_string()));
        }
    }
    object
}

/// Milliseconds since 1970 at which a day is over, in UTC.
fn end_of(day: Date) -> Option<u64> {
    let next = day.next_day()?.midnight().assume_utc();
    u64::try_from(next.unix_timestamp()).ok()?.checked_mul(1000)
}

/// A consumer with a key and `limit` tokens per window of `time_window` seconds.
#[must_use]
pub fn plain_consumer(name: &str, key: &str, limit: u64, time_window: u64, settings: &Settings) -> Object {
    let mut limits = json!({
        "policy": "local",
        "limit_strategy": "total_tokens",
        "instances": [{ "name": INSTANCE, "limit": limit, "time_window": time_window }],
        "rejected_code": 429,
    });
    if settings.redis.is_none() && settings.flavour == Flavour::Sluice {
        limits["persist"] = json!(true);
    }
    if let Some(redis) = &settings.redis {
        limits["policy"] = json!("redis");
        limits["redis_host"] = json!(redis.host);
        limits["redis_port"] = json!(redis.port);
        if redis.fails_open {
            limits["allow_degradation"] = json!(true);
        }
        if let Some(password) = &redis.password {
            limits["redis_password"] = json!(password);
        }
    }
    let mut plugins = Map::new();
    plugins.insert("key-auth".to_owned(), json!({ "key": key }));
    plugins.insert("ai-rate-limiting".to_owned(), limits);
    if let Some(concurrency) = settings.concurrency {
        plugins.insert("limit-conn".to_owned(), limit_conn(concurrency));
    }
    Object {
        kind: "consumers",
        id: name.to_owned(),
        value: json!({ "username": name, "labels": { MANAGED_BY: MANAGER }, "plugins": plugins }),
    }
}

fn limit_conn(concurrency: u64) -> Value {
    json!({
        "conn": concurrency,
        "burst": 0,
        "default_conn_delay": 1,
        "key": "consumer_name",
        "key_type": "var",
        "rejected_code": 429,
    })
}

fn description(member: &Member) -> Option<String> {
    let group = member.group.as_ref()?;
    let mut text = match &member.user {
        Some(user) => format!("user {user} of group {group}"),
        None => format!("group {group}, {} users", member.user_count),
    };
    if let Some(email) = &member.email {
        text.push_str(&format!(" <{email}>"));
    }
    Some(text.chars().take(256).collect())
}

/// Whether a setup made it.
#[must_use]
pub fn is_managed(value: &Value) -> bool {
    value["labels"][MANAGED_BY] == MANAGER
}
