//! What the form says, put into a consumer. What it does not show stays as it is.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::ApiError;
use super::super::providers::{present, put_at};
use crate::api::Api;

/// What a form may say of a client; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Write {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    description: Option<String>,
    owner: Option<String>,
    tags: Option<Vec<String>>,
    active: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    expires_at: Option<Option<u64>>,
    #[serde(default, deserialize_with = "present")]
    group: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    provider: Option<Option<Provider>>,
    #[serde(default, deserialize_with = "present")]
    default_model: Option<Option<String>>,
    fallback_models: Option<Vec<String>>,
    allowed_models: Option<Vec<String>>,
    aliases: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    system_prompt: Option<Option<Prompt>>,
    tool_mode: Option<String>,
    pub(super) limits: Option<Value>,
    allowed_endpoints: Option<Vec<String>>,
    allowed_addresses: Option<Vec<String>>,
    log_payloads: Option<bool>,
    pub(super) version: Option<u64>,
}

/// A provider of the client's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    r#type: String,
    #[serde(default, deserialize_with = "present")]
    base_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    api_key: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    options: Option<Option<Map<String, Value>>>,
    // What the form got of the key, and sends back.
    #[serde(rename = "api_key_set")]
    _set: Option<bool>,
    #[serde(rename = "api_key_hint")]
    _hint: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompt {
    text: String,
    #[serde(default)]
    position: String,
    #[serde(default)]
    locked: bool,
}

/// A name that consumers may have.
pub(in super::super) fn checked_id(id: &str) -> Result<&str, ApiError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if id.is_empty() || id.len() > 100 || !id.chars().all(plain) {
        return Err(ApiError::field(
            "id",
            "an id has 1 to 100 letters, digits, `-` and `_`",
        ));
    }
    Ok(id)
}

/// Puts a tag on, or takes it off.
pub(super) fn tag(client: &mut Value, tag: &str, on: bool) {
    let mut tags: Vec<Value> = client["tags"].as_array().cloned().unwrap_or_default();
    tags.retain(|own| own != tag);
    if on {
        tags.push(tag.into());
    }
    put_at(
        client,
        &["tags"],
        (!tags.is_empty()).then_some(Value::Array(tags)),
    );
}

/// The limits of a client; without any it has none.
pub(in super::super) fn limits(value: &mut Value, limits: &Value) -> Result<(), ApiError> {
    let Some(members) = limits.as_object() else {
        return Err(ApiError::field("limits", "an object is wanted"));
    };
    let kept: Map<String, Value> = members
        .iter()
        .filter(|(_, limit)| {
            !limit.is_null() && **limit != 0 && limit.as_object().is_none_or(|own| !own.is_empty())
        })
        .map(|(name, limit)| (name.clone(), limit.clone()))
        .collect();
    let only_zone = kept.keys().all(|name| name == "time_zone");
    put_at(
        value,
        &["plugins", "ai-limits"],
        (!only_zone).then_some(Value::Object(kept)),
    );
    Ok(())
}

impl Write {
    /// Puts what the form says into the consumer.
    pub(super) fn apply(self, api: &Api, value: &mut Value) -> Result<(), ApiError> {
        if !value["plugins"].is_object() {
            value["plugins"] = json!({});
        }
        if let Some(mode) = self.tool_mode.as_deref().filter(|mode| *mode != "pass-through") {
            return Err(ApiError::field(
                "tool_mode",
                format!("`{mode}` is not known: pass-through is"),
            ));
        }
        let text = |text: String| (!text.is_empty()).then(|| Value::from(text));
        let list = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
        let mut about =
            |member: &str, new: Option<Value>| put_at(value, &["plugins", "ai-client", member], new);
        if let Some(name) = self.name {
            if name.trim().is_empty() {
                return Err(ApiError::field("name", "a name is wanted"));
            }
            about("name", Some(name.trim().into()));
        }
        self.description
            .into_iter()
            .for_each(|own| about("description", text(own)));
        self.owner.into_iter().for_each(|own| about("owner", text(own)));
        self.tags.into_iter().for_each(|own| about("tags", list(own)));
        self.active
            .into_iter()
            .for_each(|own| about("active", Some(own.into())));
        self.expires_at
            .into_iter()
            .for_each(|own| about("expires_at", own.map(Value::from)));
        self.allowed_endpoints
            .into_iter()
            .for_each(|own| about("allowed_endpoints", list(own)));
        self.allowed_addresses
            .into_iter()
            .for_each(|own| about("allowed_addresses", list(own)));
        self.log_payloads
            .into_iter()
            .for_each(|own| about("log_payloads", Some(own.into())));
        let filled = |text: String| (!text.is_empty()).then_some(text);
        if let Some(group) = self.group {
            put_at(value, &["group_id"], group.and_then(filled).map(Value::from));
        }
        if let Some(model) = self.default_model {
            put_at(
                value,
                &["plugins", "ai-models", "default"],
                model.and_then(filled).map(Value::from),
            );
        }
        if let Some(allowed) = self.allowed_models {
            put_at(value, &["plugins", "ai-models", "allow"], list(allowed));
        }
        if let Some(aliases) = self.aliases {
            put_at(
                value,
                &["plugins", "ai-models", "aliases"],
                (!aliases.is_empty()).then_some(Value::Object(aliases)),
            );
        }
        without_effect(value, "ai-models", &["default", "allow", "aliases"]);
        if let Some(prompt) = self.system_prompt {
            system_prompt(value, prompt)?;
        }
        if let Some(wanted) = &self.limits {
            limits(value, wanted)?;
        }
        if let Some(provider) = self.provider {
            set_provider(api, value, provider)?;
        }
        if let Some(models) = self.fallback_models {
            fallbacks(value, &models)?;
        }
        Ok(())
    }
}

/// Takes a plugin away that has nothing left to say.
fn without_effect(value: &mut Value, plugin: &str, members: &[&str]) {
    let conf = &value["plugins"][plugin];
    if conf.is_object() && members.iter().all(|member| conf.get(*member).is_none()) {
        put_at(value, &["plugins", plugin], None);
    }
}

/// The system prompt as a message before or behind the client's own, and what becomes of those.
fn system_prompt(value: &mut Value, prompt: Option<Prompt>) -> Result<(), ApiError> {
    let mut had = false;
    for place in ["prepend", "append"] {
        let ours = value["plugins"]["ai-prompt-decorator"][place][0]["role"] == "system";
        if ours {
            put_at(value, &["plugins", "ai-prompt-decorator", place], None);
        }
        had |= ours;
    }
    let own_messages = ["plugins", "ai-client", "system_messages"];
    let Some(prompt) = prompt.filter(|prompt| !prompt.text.is_empty()) else {
        // Without a prompt of the form's the member is somebody else's.
        if had {
            put_at(value, &own_messages, None);
        }
        return Ok(());
    };
    let (place, replaces) = match &*prompt.position {
        "first" | "" => ("prepend", false),
        "last" => ("append", false),
        "replace" => ("prepend", true),
        _ => {
            return Err(ApiError::field(
                "system_prompt.position",
                "first, last or replace is wanted",
            ));
        }
    };
    let rule = match (prompt.locked, replaces) {
        (true, _) => Some("refuse".into()),
        (false, true) => Some("remove".into()),
        (false, false) => None,
    };
    put_at(value, &own_messages, rule);
    let message = json!([{ "role": "system", "content": prompt.text }]);
    put_at(value, &["plugins", "ai-prompt-decorator", place], Some(message));
    Ok(())
}

/// The client's own provider: `ai-proxy`. Its key stays unless another one comes.
fn set_provider(api: &Api, value: &mut Value, provider: Option<Provider>) -> Result<(), ApiError> {
    let multi = value["plugins"]["ai-proxy-multi"]["instances"][0].clone();
    let before = match &value["plugins"]["ai-proxy"] {
        Value::Null => multi,
        own => own.clone(),
    };
    put_at(value, &["plugins", "ai-proxy-multi"], None);
    let Some(provider) = provider else {
        put_at(value, &["plugins", "ai-proxy"], None);
        return Ok(());
    };
    let header = api.state.providers.key_header(&provider.r#type).ok_or_else(|| {
        ApiError::field(
            "provider.type",
            format!("`{}` is no provider that is known", provider.r#type),
        )
    })?;
    // A key is bound to the provider that it was given for.
    let same = before["provider"] == provider.r#type.as_str();
    let mut proxy = if same { before } else { json!({}) };
    for member in ["name", "weight", "priority"] {
        put_at(&mut proxy, &[member], None);
    }
    proxy["provider"] = provider.r#type.into();
    proxy["profile"] = "native".into();
    match provider.api_key {
        Some(Some(key)) if !key.is_empty() => {
            let secret = if header == "authorization" {
                format!("Bearer {key}")
            } else {
                key
            };
            put_at(&mut proxy, &["auth", "header"], Some(json!({ header: secret })));
        }
        Some(_) => put_at(&mut proxy, &["auth", "header"], None),
        None => {}
    }
    if let Some(url) = provider.base_url {
        let url = url.unwrap_or_default();
        let url = url.trim().trim_end_matches('/');
        let (origin, base) = split(url)
            .ok_or_else(|| ApiError::field("provider.base_url", "http://host:port/path is wanted"))?;
        put_at(&mut proxy, &["override", "endpoint"], origin.map(Value::from));
        put_at(&mut proxy, &["override", "base"], base.map(Value::from));
    }
    if let Some(options) = provider.options {
        put_at(
            &mut proxy,
            &["options"],
            options.filter(|own| !own.is_empty()).map(Value::Object),
        );
    }
    if !proxy["auth"].is_object() {
        proxy["auth"] = json!({});
    }
    put_at(value, &["plugins", "ai-proxy"], Some(proxy));
    Ok(())
}

/// An address and the path below which the API stands; `None` where it is no address.
fn split(url: &str) -> Option<(Option<String>, Option<String>)> {
    if url.is_empty() {
        return Some((None, None));
    }
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    Some((
        Some(format!("{scheme}://{host}")),
        (!path.is_empty()).then(|| format!("/{path}")),
    ))
}

/// Models that are tried on the same provider when the first one fails: `ai-proxy-multi` with an instance for each.
fn fallbacks(value: &mut Value, models: &[String]) -> Result<(), ApiError> {
    let multi = value["plugins"]["ai-proxy-multi"].clone();
    let first = match &value["plugins"]["ai-proxy"] {
        Value::Null => multi["instances"][0].clone(),
        own => own.clone(),
    };
    if first.is_null() {
        let message = "a client with a provider of its own has fallback models; those of the registry have their own rules";
        return if models.is_empty() {
            Ok(())
        } else {
            Err(ApiError::field("fallback_models", message))
        };
    }
    let mut single = first;
    for member in ["name", "weight", "priority"] {
        put_at(&mut single, &[member], None);
    }
    if models.is_empty() {
        single["profile"] = "native".into();
        put_at(value, &["plugins", "ai-proxy-multi"], None);
        put_at(value, &["plugins", "ai-proxy"], Some(single));
        return Ok(());
    }
    put_at(&mut single, &["profile"], None);
    let instance = |number: usize, model: Option<&String>| {
        let mut instance = single.clone();
        instance["name"] = if number == 0 {
            "main".into()
        } else {
            format!("fallback-{number}").into()
        };
        instance["weight"] = 1.into();
        instance["priority"] = (models.len() - number).into();
        if let Some(model) = model {
            put_at(&mut instance, &["options", "model"], Some(model.as_str().into()));
        }
        instance
    };
    let instances: Vec<Value> = std::iter::once(instance(0, None))
        .chain(
            models
                .iter()
                .enumerate()
                .map(|(number, model)| instance(number + 1, Some(model))),
        )
        .collect();
    put_at(value, &["plugins", "ai-proxy"], None);
    let conf =
        json!({ "instances": instances, "fallback_strategy": ["http_429", "http_5xx"], "profile": "native" });
    put_at(value, &["plugins", "ai-proxy-multi"], Some(conf));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn addresses_are_taken_apart() {
        let own = |text: &str| Some(text.to_owned());
        assert_eq!(split("http://a:1/v1"), Some((own("http://a:1"), own("/v1"))));
        assert_eq!(split("https://a"), Some((own("https://a"), None)));
        assert_eq!(split(""), Some((None, None)));
        assert_eq!(split("a:1/v1"), None);
        assert_eq!(split("ftp://a"), None);
    }
}
