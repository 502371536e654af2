//! Providers: where models are.

use std::collections::HashMap;
use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_ledger::Dimension;
use sluice_resource::{Key, Kind};
use sluice_store::Item;

use super::call::{created, no_content, ok};
use super::{ApiError, Call, Route, observe, resources, route};
use crate::api::Api;
use crate::resources::Expected;
use crate::{ProviderModels, ProviderTest};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/provider-types", Viewer, "Kinds of providers", types),
        route!(GET "/providers", Viewer, "Providers", list),
        route!(POST "/providers", Admin, "Add a provider", add),
        route!(POST "/providers/test", Admin, "Make a real call of a provider", test),
        route!(POST "/providers/models", Admin, "The models that a draft of a provider lists", models_of_draft),
        route!(GET "/providers/{id}", Viewer, "A provider", get),
        route!(PATCH "/providers/{id}", Admin, "Change a provider", change),
        route!(DELETE "/providers/{id}", Admin, "Remove a provider", remove),
        route!(GET "/providers/{id}/models", Viewer, "The models that a provider lists", models),
        route!(GET "/models", Viewer, "Models of the registry", list_models),
        route!(GET "/models/{id}", Viewer, "A model", get_model),
        route!(PUT "/models/{id}", Admin, "Write a model", put_model),
        route!(DELETE "/models/{id}", Admin, "Remove a model", remove_model),
        route!(GET "/prices", Viewer, "Prices of models, in micro-dollars per million tokens", prices),
    ]
}

async fn types(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    Ok(ok(&json!({ "items": api.state.providers.types() })))
}

/// Members of the form that are members of the resource under another name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    id: Option<String>,
    name: Option<String>,
    r#type: Option<String>,
    #[serde(default, deserialize_with = "present")]
    base_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    api_key: Option<Option<String>>,
    headers: Option<Map<String, Value>>,
    timeout_ms: Option<u64>,
    ssl_verify: Option<bool>,
    region: Option<String>,
    project_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    aws: Option<Option<Value>>,
    /// Further members of the resource.
    extra: Option<Map<String, Value>>,
    version: Option<u64>,
}

/// Tells null from absent.
pub(super) fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

impl Write {
    /// The resource with what the form says put in.
    fn apply(self, mut value: Value) -> Value {
        let mut set = |pointer: &[&str], new: Option<Value>| put_at(&mut value, pointer, new);
        if let Some(name) = self.name {
            set(&["name"], Some(name.into()));
        }
        if let Some(kind) = self.r#type {
            set(&["type"], Some(kind.into()));
        }
        if let Some(url) = self.base_url {
            set(&["base_url"], url.filter(|url| !url.is_empty()).map(Value::from));
        }
        if let Some(key) = self.api_key {
            set(
                &["auth", "api_key"],
                key.filter(|key| !key.is_empty()).map(Value::from),
            );
        }
        if let Some(headers) = self.headers {
            set(
                &["headers"],
                (!headers.is_empty()).then(|| Value::Object(headers)),
            );
        }
        if let Some(timeout) = self.timeout_ms {
            set(&["timeout"], Some(timeout.into()));
        }
        if let Some(verify) = self.ssl_verify {
            set(&["ssl_verify"], Some(verify.into()));
        }
        if let Some(region) = self.region {
            set(
                &["provider_conf", "region"],
                (!region.is_empty()).then(|| region.into()),
            );
        }
        if let Some(project) = self.project_id {
            set(
                &["provider_conf", "project_id"],
                (!project.is_empty()).then(|| project.into()),
            );
        }
        if let Some(aws) = self.aws {
            set(&["auth", "aws"], aws);
        }
        for (member, extra) in self.extra.into_iter().flatten() {
            set(&[&member], (!extra.is_null()).then_some(extra));
        }
        value
    }
}

/// Sets or removes a member. Objects on the way that stay empty go, too.
pub(super) fn put_at(value: &mut Value, path: &[&str], new: Option<Value>) {
    let [first, rest @ ..] = path else {
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let Some(members) = value.as_object_mut() else {
        return;
    };
    if rest.is_empty() {
        match new {
            Some(new) => members.insert((*first).to_owned(), new),
            None => members.shift_remove(*first),
        };
        return;
    }
    if new.is_none() && !members.contains_key(*first) {
        return;
    }
    let child = members.entry(*first).or_insert_with(|| json!({}));
    put_at(child, rest, new);
    if child.as_object().is_some_and(Map::is_empty) {
        members.shift_remove(*first);
    }
}

/// The field of a form that a member of a provider is told at.
fn form_field(path: &str) -> String {
    match path {
        "timeout" => "timeout_ms".to_owned(),
        "auth" => "api_key".to_owned(),
        "name" | "type" | "base_url" | "ssl_verify" => path.to_owned(),
        path if path.starts_with("headers") => path.to_owned(),
        path => match path.split_once('.') {
            Some(("auth" | "provider_conf", member)) => member.to_owned(),
            _ => format!("extra.{path}"),
        },
    }
}

/// What may be shown of a secret.
pub(super) fn hint(secret: Option<&str>) -> Value {
    match secret {
        Some(reference) if reference.starts_with('$') => reference.into(),
        Some(secret) if secret.chars().count() >= 12 => {
            let end: String = secret.chars().skip(secret.chars().count() - 4).collect();
            format!("…{end}").into()
        }
        Some(_) => "…".into(),
        None => Value::Null,
    }
}

async fn shown(api: &Api, key: &Key, item: &Item, today: &observe::Today) -> Value {
    let value = &item.value;
    let clean = api.redacted(key, value.clone());
    let secret = value["auth"]["api_key"].as_str();
    let known = [
        "id",
        "name",
        "type",
        "base_url",
        "auth",
        "headers",
        "timeout",
        "ssl_verify",
        "provider_conf",
        "create_time",
        "update_time",
    ];
    let extra: Map<String, Value> = clean
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(member, _)| !known.contains(&member.as_str()))
        .map(|(member, value)| (member.clone(), value.clone()))
        .collect();
    let health = api.state.providers.health(key.id());
    let (requests, errors) = today.counts(value["type"].as_str().unwrap_or_default());
    json!({
        "id": key.id(),
        "name": value.get("name"),
        "type": value["type"],
        "base_url": value.get("base_url"),
        "api_key_set": secret.is_some(),
        "api_key_hint": hint(secret),
        "headers": clean.get("headers").cloned().unwrap_or_else(|| json!({})),
        "timeout_ms": value.get("timeout"),
        "ssl_verify": value.get("ssl_verify"),
        "region": value["provider_conf"].get("region"),
        "project_id": value["provider_conf"].get("project_id"),
        "aws": clean["auth"].get("aws"),
        "extra": extra,
        "health": health.state,
        "last_error": health.last_error,
        "last_latency_ms": health.latency_ms,
        "requests_today": requests,
        "errors_today": errors,
        "version": item.mod_revision,
    })
}

async fn list(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let today = observe::Today::by(&api, Dimension::Provider).await;
    let uses = uses(&api).await?;
    let mut items = Vec::new();
    for (key, item) in api.all(Kind::Provider).await? {
        let mut one = shown(&api, &key, &item, &today).await;
        one["models_using"] = uses_of(&uses, key.id());
        items.push(one);
    }
    Ok(ok(&json!({ "items": items, "next": null })))
}

/// Models with the providers that they name.
async fn uses(api: &Api) -> Result<Vec<(String, Value)>, ApiError> {
    let models = api.all(Kind::Model).await?;
    Ok(models
        .into_iter()
        .map(|(key, item)| (key.id().to_owned(), item.value))
        .collect())
}

fn uses_of(models: &[(String, Value)], provider: &str) -> Value {
    let names = |model: &Value| {
        let targets = model["targets"].as_array();
        targets
            .into_iter()
            .flatten()
            .any(|target| target["provider"] == provider)
    };
    models
        .iter()
        .filter(|(_, model)| names(model))
        .map(|(id, _)| id.clone())
        .collect()
}

fn key(call: &Call) -> Key {
    Key::new(Kind::Provider, call.param("id"))
}

async fn one(api: &Arc<Api>, key: &Key) -> Result<Value, ApiError> {
    let item = api.state.store.get(&key.to_string()).await?;
    let item = item.ok_or_else(|| ApiError::not_found(format!("there is no provider `{}`", key.id())))?;
    let today = observe::Today::by(api, Dimension::Provider).await;
    let mut one = shown(api, key, &item, &today).await;
    one["models_using"] = uses_of(&uses(api).await?, key.id());
    Ok(one)
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    Ok(ok(&one(&api, &key(&call)).await?))
}

async fn add(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Write = call.json().await?;
    let kind = wanted
        .r#type
        .clone()
        .ok_or_else(|| ApiError::field("type", "a type is wanted"))?;
    let id = match &wanted.id {
        Some(id) => id.clone(),
        None => {
            free_id(
                &api,
                Kind::Provider,
                &slug(wanted.name.as_deref().unwrap_or(&kind)),
            )
            .await?
        }
    };
    let key = Key::new(Kind::Provider, id.as_str());
    let value = wanted.apply(json!({}));
    resources::write(&api, &call, &key, value, Expected::Absent)
        .await
        .map_err(|error| error.at_fields(form_field))?;
    Ok(created(&one(&api, &key).await?))
}

/// A name as ids are: lower case, with dashes.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.to_lowercase().chars() {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(48).collect();
    if slug.is_empty() {
        "unnamed".to_owned()
    } else {
        slug
    }
}

/// The id, or with a number behind it where it is taken.
pub(super) async fn free_id(api: &Api, kind: Kind, wanted: &str) -> Result<String, ApiError> {
    let mut id = wanted.to_owned();
    for number in 2..1000 {
        if api
            .state
            .store
            .get(&Key::new(kind, id.as_str()).to_string())
            .await?
            .is_none()
        {
            return Ok(id);
        }
        id = format!("{wanted}-{number}");
    }
    Err(ApiError::taken(format!("there are too many called {wanted}")))
}

async fn change(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Write = call.json().await?;
    let key = key(&call);
    let version = wanted
        .version
        .ok_or_else(|| ApiError::field("version", "the version that you read is wanted"))?;
    let item = api.state.store.get(&key.to_string()).await?;
    let item = item.ok_or_else(|| ApiError::not_found(format!("there is no provider `{}`", key.id())))?;
    let value = wanted.apply(item.value);
    resources::write(&api, &call, &key, value, Expected::At(version))
        .await
        .map_err(|error| error.at_fields(form_field))?;
    Ok(ok(&one(&api, &key).await?))
}

async fn remove(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let force = call.query.get("force") == Some("true");
    let expected = call.number("version")?.map_or(Expected::Any, Expected::At);
    resources::remove(&api, &call, &key(&call), force, expected).await?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    id: Option<String>,
    draft: Option<Write>,
    model: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drafted {
    id: Option<String>,
    draft: Write,
}

/// What a form says, as the resource that it would become. What the form does not say comes from the stored one.
async fn drafted(api: &Api, id: Option<&str>, draft: Write) -> Result<Value, ApiError> {
    let id = id.or(draft.id.as_deref()).map(str::to_owned);
    let before = match &id {
        None => None,
        Some(id) => {
            api.state
                .store
                .get(&Key::new(Kind::Provider, id.as_str()).to_string())
                .await?
        }
    };
    let before = before.map_or_else(|| json!({}), |item| item.value);
    let brings_key = draft.api_key.is_some() || draft.aws.is_some();
    let value = draft.apply(before.clone());
    let moved = ["type", "base_url"]
        .iter()
        .any(|member| before[member] != value[member]);
    if moved && before.get("auth").is_some() && !brings_key {
        let message =
            "a key is bound to the address that it was given for: type it again to test another one";
        return Err(ApiError::field("api_key", message));
    }
    if value["auth"]["api_key"]
        .as_str()
        .is_some_and(|key| key.starts_with('$'))
    {
        let message = "a reference is looked up when it is stored: save first, then test";
        return Err(ApiError::field("api_key", message));
    }
    let mut checked = value;
    for member in ["create_time", "update_time"] {
        put_at(&mut checked, &[member], None);
    }
    checked["id"] = id.unwrap_or_else(|| "draft".to_owned()).into();
    let reply = api.validate_schema(Kind::Provider.info().segment, Some(&checked));
    match reply.status().is_success() {
        true => Ok(checked),
        false => Err(ApiError::of_check(reply.message().unwrap_or_default())
            .at_fields(|path| format!("draft.{}", form_field(path)))),
    }
}

async fn test(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Test = call.json().await?;
    let model = wanted.model.as_deref().filter(|model| !model.is_empty());
    if let Some(draft) = wanted.draft {
        let value = drafted(&api, wanted.id.as_deref(), draft).await?;
        let test = api.state.providers.test_draft(&value, model).await;
        return Ok(ok(&shown_test(&test.map_err(ApiError::invalid)?)));
    }
    let id = wanted
        .id
        .ok_or_else(|| ApiError::field("id", "an id or a draft is wanted"))?;
    match api.state.providers.test(&id, model).await {
        Some(test) => Ok(ok(&shown_test(&test))),
        None => Err(ApiError::not_found(format!("no provider `{id}` is in force"))),
    }
}

pub(super) fn shown_test(test: &ProviderTest) -> Value {
    json!({
        "ok": test.ok,
        "status": test.status,
        "latency_ms": test.latency_ms,
        "model": test.model,
        "answered_model": test.answered_model,
        "error_class": test.error_class,
        "message": test.message,
    })
}

async fn models(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let id = call.param("id");
    match api.state.providers.models(id).await {
        None => Err(ApiError::not_found(format!("no provider `{id}` is in force"))),
        Some(models) => shown_models(models),
    }
}

async fn models_of_draft(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Drafted = call.json().await?;
    let value = drafted(&api, wanted.id.as_deref(), wanted.draft).await?;
    let models = api.state.providers.models_of_draft(&value).await;
    shown_models(models.map_err(ApiError::invalid)?)
}

fn shown_models(models: ProviderModels) -> Result<Response, ApiError> {
    let models = models.map_err(|test| ApiError::bad_gateway(test.message))?;
    let items: Vec<Value> = models
        .iter()
        .map(|model| {
            json!({
                "id": model.id,
                "display_name": model.display_name,
                "owned_by": model.owned_by,
                "context_window": model.context_window,
            })
        })
        .collect();
    Ok(ok(
        &json!({ "items": items, "fetched_at": super::session::now() }),
    ))
}

/// Types of providers by id.
async fn provider_types(api: &Api) -> Result<HashMap<String, String>, ApiError> {
    let all = api.all(Kind::Provider).await?;
    let kind = |item: &Item| item.value["type"].as_str().unwrap_or_default().to_owned();
    Ok(all
        .iter()
        .map(|(key, item)| (key.id().to_owned(), kind(item)))
        .collect())
}

/// A model, with what its first target costs.
fn shown_model(api: &Api, types: &HashMap<String, String>, key: &Key, item: &Item) -> Value {
    let mut value = api.redacted(key, item.value.clone());
    let targets = value["targets"].as_array().cloned().unwrap_or_default();
    let asked = value["name"].as_str().unwrap_or(key.id()).to_owned();
    let priced = targets.first().and_then(|target| {
        let kind = types.get(target["provider"].as_str()?)?;
        api.state
            .providers
            .price(kind, target["model"].as_str().unwrap_or(&asked))
    });
    let own = value.get("prices").filter(|prices| prices.is_object()).cloned();
    value["id"] = key.id().into();
    value["version"] = item.mod_revision.into();
    value["price"] = match (own, priced) {
        (Some(rates), _) => json!({ "state": "priced", "source": "configured", "rates": rates }),
        (None, Some(rates)) => json!({ "state": "priced", "source": "table", "rates": rates }),
        (None, None) => json!({ "state": "unpriced", "source": null, "rates": {} }),
    };
    value
}

async fn list_models(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let all = api.all(Kind::Model).await?;
    let types = provider_types(&api).await?;
    let items: Vec<Value> = all
        .iter()
        .map(|(key, item)| shown_model(&api, &types, key, item))
        .collect();
    Ok(ok(&json!({ "items": items, "next": null })))
}

async fn one_model(api: &Api, id: &str) -> Result<Value, ApiError> {
    let key = Key::new(Kind::Model, id);
    let item = api.state.store.get(&key.to_string()).await?;
    let item = item.ok_or_else(|| ApiError::not_found(format!("there is no model `{id}`")))?;
    Ok(shown_model(api, &provider_types(api).await?, &key, &item))
}

async fn get_model(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    Ok(ok(&one_model(&api, call.param("id")).await?))
}

async fn put_model(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let mut value: Value = call.json().await?;
    let key = Key::new(Kind::Model, call.param("id"));
    let members = value
        .as_object_mut()
        .ok_or_else(|| ApiError::invalid("a model is an object"))?;
    let version = members
        .shift_remove("version")
        .and_then(|version| version.as_u64());
    members.shift_remove("price");
    let expected = version.map_or(Expected::Absent, Expected::At);
    resources::write(&api, &call, &key, value, expected).await?;
    Ok(ok(&one_model(&api, key.id()).await?))
}

async fn remove_model(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let key = Key::new(Kind::Model, call.param("id"));
    let expected = call.number("version")?.map_or(Expected::Any, Expected::At);
    resources::remove(&api, &call, &key, false, expected).await?;
    Ok(no_content())
}

async fn prices(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let search = call.text("search").unwrap_or_default().to_lowercase();
    let items: Vec<Value> = api
        .state
        .providers
        .prices()
        .into_iter()
        .filter(|(model, _)| model.to_lowercase().contains(&search))
        .map(|(model, rates)| json!({ "model": model, "source": "table", "rates": rates }))
        .collect();
    Ok(ok(&json!({ "items": items, "next": null })))
}
