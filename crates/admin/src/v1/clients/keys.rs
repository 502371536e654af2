//! Keys of clients: several per client, shown once, kept as digests.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::{Key, Kind, Method};
use sluice_store::Item;

use super::super::call::{created, no_content, ok};
use super::super::providers::{hint, put_at};
use super::super::{ApiError, Call, Route, audit, route, session};
use crate::api::Api;
use crate::body::Payload;
use crate::path::Address;
use crate::query::Query;
use crate::resources::{self, Expected};

/// Longest grace of a replaced key, in seconds: 30 days.
const MAX_GRACE: u64 = 30 * 24 * 3600;

/// Characters of the secret part of a key: 256 bits.
const SECRET: usize = 43;

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
                if !is_prefix(&prefix) {
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

/// A key that is made and not stored yet.
pub(super) struct Draft {
    pub(super) id: String,
    /// Its credential.
    pub(super) value: Value,
    key: String,
}

impl Draft {
    /// A key as it is wanted.
    pub(super) fn of(new: &New) -> Result<Self, ApiError> {
        let key = format!("{}{}", new.prefix()?, session::secret());
        if new.expires_at.is_some_and(|at| at <= session::now()) {
            return Err(ApiError::field("expires_at", "this time has passed"));
        }
        // What other gateways on the store can read is not hidden from them; that a key ends, only we know.
        let plugins = match (new.show_again, new.expires_at) {
            (true, None) => json!({ "key-auth": { "key": key } }),
            (show_again, expires_at) => {
                let mut conf = own(&key, session::now());
                put_at(&mut conf, &["expires_at"], expires_at.map(Value::from));
                put_at(&mut conf, &["key"], show_again.then(|| key.clone().into()));
                json!({ "ai-key": conf })
            }
        };
        let mut value = json!({ "plugins": plugins });
        if let Some(name) = new.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            value["name"] = name.into();
        }
        let letters = session::secret();
        let letters = letters.chars().filter(char::is_ascii_alphanumeric);
        let id = letters.take(12).collect::<String>().to_lowercase();
        Ok(Self { id, value, key })
    }
}

/// What `ai-key` says of a key.
fn own(key: &str, created_at: u64) -> Value {
    let digest: String = session::digest(key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let prefix = prefix_of(key);
    let end = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    let hint = format!("{prefix}…{}", key.get(end..).unwrap_or_default());
    json!({ "digest": digest, "hint": hint, "created_at": created_at })
}

/// What stands before the secret of a key of ours; nothing in other keys.
fn prefix_of(key: &str) -> &str {
    let prefix = key.len().checked_sub(SECRET).and_then(|end| key.get(..end));
    prefix.filter(|prefix| is_prefix(prefix)).unwrap_or_default()
}

fn is_prefix(prefix: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    (1..=20).contains(&prefix.len()) && prefix.chars().all(plain)
}

/// A key that is kept for other gateways, too, becomes one of ours: only such a key can end.
fn into_own(value: &mut Value) {
    let Some(key) = value["plugins"]["key-auth"]["key"].as_str().map(str::to_owned) else {
        return;
    };
    let created = value["create_time"].as_u64().map(|seconds| seconds * 1000);
    let mut conf = own(&key, created.unwrap_or_else(session::now));
    conf["key"] = key.into();
    put_at(value, &["plugins", "key-auth"], None);
    put_at(value, &["plugins", "ai-key"], Some(conf));
}

/// Makes a key, and shows it.
async fn make(api: &Arc<Api>, call: &Call, client: &str, new: &New) -> Result<Value, ApiError> {
    let draft = Draft::of(new)?;
    write(api, call, client, &draft.id, draft.value.clone()).await?;
    with_secret(api, client, draft).await
}

/// A key that is stored, this once with itself.
pub(super) async fn with_secret(api: &Api, client: &str, draft: Draft) -> Result<Value, ApiError> {
    let mut shown = one(api, client, &draft.id).await?;
    shown["key"] = draft.key.into();
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
        "show_again": plain.is_some() || conf["key"].is_string(),
        "rotated_to": conf.get("rotated_to"),
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
    if wanted.expires_at.is_some() || wanted.active.is_some() {
        into_own(&mut value);
        must_be_own(&value)?;
    }
    if let Some(name) = wanted.name {
        put_at(&mut value, &["name"], (!name.is_empty()).then(|| name.into()));
    }
    if let Some(at) = wanted.expires_at {
        put_at(
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

fn must_be_own(value: &Value) -> Result<(), ApiError> {
    match value["plugins"]["ai-key"].is_null() {
        true => Err(ApiError::invalid(
            "this credential is no API key: there is nothing to end or replace",
        )),
        false => Ok(()),
    }
}

fn cleaned(mut value: Value) -> Value {
    for member in ["id", "create_time", "update_time"] {
        put_at(&mut value, &[member], None);
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
    let plugins = &item.value["plugins"];
    let key = plugins["key-auth"]["key"]
        .as_str()
        .or_else(|| plugins["ai-key"]["key"].as_str())
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
    let is_shared = value["plugins"]["key-auth"]["key"].is_string();
    into_own(&mut value);
    must_be_own(&value)?;
    let conf = &value["plugins"]["ai-key"];
    let hint = conf["hint"].as_str().unwrap_or_default();
    let prefix = hint.split('…').next().unwrap_or_default().to_owned();
    let custom = is_prefix(&prefix);
    let new = New {
        name: value["name"].as_str().map(str::to_owned),
        style: custom.then(|| "custom".to_owned()),
        prefix: custom.then_some(prefix),
        expires_at: conf["expires_at"].as_u64().filter(|at| *at > session::now()),
        show_again: is_shared || conf["key"].is_string(),
    };
    let made = make(api, call, client, &new).await?;
    if grace == 0 {
        admin(api, call, Method::Delete, client, id, None).await?;
    } else {
        value["plugins"]["ai-key"]["expires_at"] = (session::now() + grace * 1000).into();
        value["plugins"]["ai-key"]["rotated_to"] = made["id"].clone();
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
