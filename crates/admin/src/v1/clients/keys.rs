//! Keys of clients: several per client, shown once, kept as digests.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::{Key, Kind, Method};
use sluice_store::Item;

use super::super::call::{created, no_content, ok};
use super::super::providers::hint;
use super::super::{ApiError, Call, Route, audit, route, session};
use crate::api::Api;
use crate::body::Payload;
use crate::path::Address;
use crate::query::Query;
use crate::resources::{self, Expected};

/// Longest grace of a replaced key, in seconds: 30 days.
const MAX_GRACE: u64 = 30 * 24 * 3600;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(POST "/clients/{id}/keys", Admin, "Make a key; it is shown once", add),
        route!(PATCH "/clients/{id}/keys/{key}", Admin, "Change a key's name, end or state", change),
        route!(DELETE "/clients/{id}/keys/{key}", Admin, "Delete a key", remove),
        route!(POST "/clients/{id}/keys/{key}/rotate", Admin, "Replace a key; the old one works on for a while", rotate),
        route!(GET "/clients/{id}/keys/{key}/reveal", Admin, "Show a key that is kept to be shown again", reveal),
        route!(GET "/me", Holder, "What the holder of a key may see", me),
        route!(POST "/me/rotate", Holder, "Replace one's own key", rotate_own),
    ]
}

/// What is wanted of a key.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: Option<String>,
    style: Option<String>,
    prefix: Option<String>,
    expires_at: Option<u64>,
    /// Kept encrypted instead of as a digest, so that it can be shown again.
    #[serde(default)]
    show_again: bool,
}

impl New {
    /// What the key begins with.
    fn prefix(&self) -> Result<String, ApiError> {
        Ok(match self.style.as_deref().unwrap_or("gm") {
            "gm" => "gm_".to_owned(),
            "sk" => "sk-".to_owned(),
            "sk-ant" => "sk-ant-".to_owned(),
            "custom" => {
                let prefix = self.prefix.clone().unwrap_or_default();
                let plain = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
                if prefix.is_empty() || prefix.len() > 20 || !prefix.chars().all(plain) {
                    return Err(ApiError::field(
                        "prefix",
                        "a prefix has 1 to 20 letters, digits, `-` and `_`",
                    ));
                }
                prefix
            }
            _ => {
                return Err(ApiError::field(
                    "style",
                    "one of gm, sk, sk-ant, custom is wanted",
                ));
            }
        })
    }
}

/// Makes a key, and shows it.
pub(super) async fn make(api: &Arc<Api>, call: &Call, client: &str, new: &New) -> Result<Value, ApiError> {
    let prefix = new.prefix()?;
    let key = format!("{prefix}{}", session::secret());
    let hint = format!("{prefix}…{}", key.get(key.len() - 4..).unwrap_or_default());
    let digest: String = session::digest(&key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = session::secret()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect::<String>()
        .to_lowercase();
    let mut conf = json!({ "digest": digest, "hint": hint, "created_at": session::now() });
    if let Some(at) = new.expires_at {
        if at <= session::now() {
            return Err(ApiError::field("expires_at", "this time has passed"));
        }
        conf["expires_at"] = at.into();
    }
    let plugins = match (new.show_again, new.expires_at) {
        (false, _) => json!({ "ai-key": conf }),
        (true, None) => json!({ "key-auth": { "key": key } }),
        (true, Some(_)) => {
            let message = "a key that can be shown again does not expire: only keys kept as digests do";
            return Err(ApiError::field("expires_at", message));
        }
    };
    let mut value = json!({ "plugins": plugins });
    if let Some(name) = new.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        value["name"] = name.into();
    }
    write(api, call, client, &id, value).await?;
    let mut shown = one(api, client, &id).await?;
    shown["key"] = key.into();
    Ok(shown)
}

async fn write(api: &Arc<Api>, call: &Call, client: &str, id: &str, value: Value) -> Result<(), ApiError> {
    admin(api, call, Method::Put, client, id, Some(value)).await
}

async fn admin(
    api: &Arc<Api>,
    call: &Call,
    method: Method,
    client: &str,
    id: &str,
    body: Option<Value>,
) -> Result<(), ApiError> {
    let address = Address {
        kind: Kind::Credential,
        parent: Some(client.to_owned()),
        id: Some(id.to_owned()),
        sub_path: String::new(),
    };
    let (query, caller) = (Query::parse(""), call.caller()?);
    let call = resources::Call {
        method,
        address: &address,
        query: &query,
        caller: &caller,
        payload: Payload { body, ttl: None },
        expected: Expected::Any,
    };
    api.call(call).await?;
    Ok(())
}

/// All keys of a client: its credentials, and what stands on the consumer itself.
pub(super) async fn of(api: &Api, client: &str, item: &Item) -> Result<Value, ApiError> {
    let mut keys = Vec::new();
    if let Some(key) = item.value["plugins"]["key-auth"]["key"].as_str() {
        keys.push(json!({
            "id": "",
            "name": "on the client itself",
            "hint": hint(Some(key)),
            "created_at": null,
            "expires_at": null,
            "active": true,
            "show_again": true,
        }));
    }
    let credentials = api
        .below(&format!("/consumers/{client}/credentials/"), Kind::Credential)
        .await?;
    keys.extend(credentials.iter().filter_map(|(key, item)| {
        let mut shown = shown(key, item)?;
        shown["seen_at"] = api.state.live.credential_seen(client, key.id()).into();
        Some(shown)
    }));
    Ok(keys.into())
}

fn shown(key: &Key, item: &Item) -> Option<Value> {
    let plugins = &item.value["plugins"];
    let conf = &plugins["ai-key"];
    let plain = plugins["key-auth"]["key"].as_str();
    if conf.is_null() && plain.is_none() {
        return None;
    }
    let created = conf["created_at"]
        .as_u64()
        .or_else(|| item.value["create_time"].as_u64().map(|seconds| seconds * 1000));
    // The id of a credential is its path below the consumers.
    let id = key.id().rsplit('/').next();
    Some(json!({
        "id": id,
        "name": item.value.get("name"),
        "hint": conf.get("hint").cloned().unwrap_or_else(|| hint(plain)),
        "created_at": created,
        "expires_at": conf.get("expires_at"),
        "active": conf["active"].as_bool().unwrap_or(true),
        "show_again": plain.is_some(),
    }))
}

async fn stored(api: &Api, client: &str, id: &str) -> Result<Item, ApiError> {
    let item = api
        .state
        .store
        .get(&Key::credential(client, id).to_string())
        .await?;
    item.ok_or_else(|| ApiError::not_found(format!("there is no key `{id}`")))
}

async fn one(api: &Api, client: &str, id: &str) -> Result<Value, ApiError> {
    let item = stored(api, client, id).await?;
    Ok(shown(&Key::credential(client, id), &item).unwrap_or_default())
}

async fn add(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let new: New = call.json().await?;
    let client = call.param("id").to_owned();
    super::consumer(&api, &client).await?;
    Ok(created(&make(&api, &call, &client, &new).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    #[serde(default, deserialize_with = "super::super::providers::present")]
    expires_at: Option<Option<u64>>,
    active: Option<bool>,
}

async fn change(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Change = call.json().await?;
    let (client, id) = (call.param("id").to_owned(), call.param("key").to_owned());
    let mut value = stored(&api, &client, &id).await?.value;
    if value["plugins"]["ai-key"].is_null() {
        return Err(ApiError::invalid(
            "only keys that are kept as digests can be changed",
        ));
    }
    if let Some(name) = wanted.name {
        super::super::providers::put_at(&mut value, &["name"], (!name.is_empty()).then(|| name.into()));
    }
    if let Some(at) = wanted.expires_at {
        super::super::providers::put_at(
            &mut value,
            &["plugins", "ai-key", "expires_at"],
            at.map(Value::from),
        );
    }
    if let Some(active) = wanted.active {
        value["plugins"]["ai-key"]["active"] = active.into();
    }
    write(&api, &call, &client, &id, cleaned(value)).await?;
    Ok(ok(&one(&api, &client, &id).await?))
}

fn cleaned(mut value: Value) -> Value {
    for member in ["id", "create_time", "update_time"] {
        super::super::providers::put_at(&mut value, &[member], None);
    }
    value
}

async fn remove(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let (client, id) = (call.param("id").to_owned(), call.param("key").to_owned());
    stored(&api, &client, &id).await?;
    admin(&api, &call, Method::Delete, &client, &id, None).await?;
    Ok(no_content())
}

/// Who looked at a key is noted before it is shown.
async fn reveal(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let (client, id) = (call.param("id").to_owned(), call.param("key").to_owned());
    let item = stored(&api, &client, &id).await?;
    let key = item.value["plugins"]["key-auth"]["key"]
        .as_str()
        .ok_or_else(|| ApiError::invalid("this key is kept as a digest only: nobody can show it again"))?;
    let path = Key::credential(&client, &id).to_string();
    audit::note(&api, &call, "reveal-key", path, json!([])).await?;
    Ok(ok(&json!({ "key": key })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    #[serde(default)]
    grace_seconds: u64,
}

async fn rotate(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Rotate = call.json().await?;
    let (client, id) = (call.param("id").to_owned(), call.param("key").to_owned());
    Ok(created(
        &replace(&api, &call, &client, &id, wanted.grace_seconds).await?,
    ))
}

/// Makes a key like the old one, which works on for the grace.
async fn replace(api: &Arc<Api>, call: &Call, client: &str, id: &str, grace: u64) -> Result<Value, ApiError> {
    if grace > MAX_GRACE {
        return Err(ApiError::field(
            "grace_seconds",
            format!("at most {MAX_GRACE} seconds are possible"),
        ));
    }
    let old = stored(api, client, id).await?;
    let mut value = old.value;
    if value["plugins"]["ai-key"].is_null() {
        return Err(ApiError::invalid(
            "only keys that are kept as digests can be replaced",
        ));
    }
    let hint = value["plugins"]["ai-key"]["hint"].as_str().unwrap_or_default();
    let prefix = hint.split('…').next().unwrap_or_default().to_owned();
    let custom = !prefix.is_empty();
    let new = New {
        name: value["name"].as_str().map(str::to_owned),
        style: custom.then(|| "custom".to_owned()),
        prefix: custom.then_some(prefix),
        expires_at: value["plugins"]["ai-key"]["expires_at"]
            .as_u64()
            .filter(|at| *at > session::now()),
        show_again: false,
    };
    let made = make(api, call, client, &new).await?;
    if grace == 0 {
        admin(api, call, Method::Delete, client, id, None).await?;
    } else {
        value["plugins"]["ai-key"]["expires_at"] = (session::now() + grace * 1000).into();
        write(api, call, client, id, cleaned(value)).await?;
    }
    Ok(made)
}

async fn me(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let client = call.signed()?.name.clone();
    let item = super::consumer(&api, &client).await?;
    let face = super::Face::of(&api, &client, &item).client();
    let used = super::observe::of_client(&api, &client).await?;
    Ok(ok(&json!({
        "client": { "id": client, "name": face["name"], "expires_at": face["expires_at"] },
        "allowed_models": face["allowed_models"],
        "limits": super::limits::standings(&api, &client),
        "usage_today": used.today,
        "usage_month": used.month,
        "requests": used.requests,
    })))
}

async fn rotate_own(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Rotate = call.json().await?;
    let signed = call.signed()?.clone();
    let Some(id) = signed.credential else {
        return Err(ApiError::invalid(
            "this key stands on the client itself: ask whoever gave it to you",
        ));
    };
    Ok(created(
        &replace(&api, &call, &signed.name, &id, wanted.grace_seconds).await?,
    ))
}
