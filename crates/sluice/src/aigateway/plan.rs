//! What becomes of an aigateway's clients and providers here.

use serde_json::{Map, Value, json};
use sluice_llm::{KeyHeader, Provider as Known};
use sluice_resource::{Key, Kind};

use super::Resource;
use super::source::{Client, Provider};

/// What is to be stored, and what has to be said about it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) resources: Vec<Resource>,
    pub(super) notes: Vec<String>,
}

/// Plans without touching anything.
pub(super) fn plan(clients: &[Client], providers: &[Provider]) -> Plan {
    let mut plan = Plan::default();
    for provider in providers {
        plan.provider(provider);
    }
    for client in clients {
        plan.client(client, providers);
    }
    plan
}

/// Our name of a provider, and whether it is known under its own.
fn kind_of(kind: &str) -> &str {
    match Known::find(kind) {
        Ok(_) => kind,
        // aigateway treats what it does not know as OpenAI.
        Err(_) => "openai-compatible",
    }
}

/// Characters that ids may have.
fn is_id(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    !text.is_empty() && text.len() <= 64 && text.chars().all(plain)
}

/// An address and the path below which the API stands.
fn split(url: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = url.trim_end_matches('/').split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let base = (!path.is_empty()).then(|| format!("/{path}"));
    (!host.is_empty()).then(|| (format!("{scheme}://{host}"), base))
}

impl Plan {
    fn provider(&mut self, provider: &Provider) {
        let Provider {
            name,
            kind,
            api_key,
            base_url,
            ..
        } = provider;
        if !is_id(name) {
            self.notes
                .push(format!("provider `{name}` is left out: its name can be no id"));
            return;
        }
        if api_key.is_empty() && base_url.is_empty() {
            self.notes.push(format!(
                "provider `{name}` is left out: it has neither key nor address"
            ));
            return;
        }
        let mut value = json!({ "id": name, "type": kind_of(kind) });
        if !api_key.is_empty() {
            value["auth"] = json!({ "api_key": api_key });
        }
        if !base_url.is_empty() {
            value["base_url"] = base_url.as_str().into();
        }
        self.resources
            .push((Key::new(Kind::Provider, name.as_str()), value));
    }

    fn client(&mut self, client: &Client, providers: &[Provider]) {
        let Client { id, name, .. } = client;
        if !is_id(id) {
            self.notes.push(format!(
                "client `{name}` is left out: its id `{id}` can be none here"
            ));
            return;
        }
        if client.digest.len() != 32 {
            self.notes.push(format!(
                "client `{name}` is left out: its key is not kept as SHA-256"
            ));
            return;
        }
        let mut plugins = Map::new();
        plugins.insert("ai-client".to_owned(), about(client));
        let shared = providers.iter().find(|provider| provider.name == client.backend);
        self.target(client, shared, &mut plugins);
        let default = [&client.default_model]
            .into_iter()
            .chain(shared.map(|provider| &provider.default_model))
            .find(|model| !model.is_empty());
        if let Some(default) = default {
            plugins.insert("ai-models".to_owned(), json!({ "default": default }));
        }
        if !client.system_prompt.is_empty() {
            let message = json!([{ "role": "system", "content": client.system_prompt }]);
            plugins.insert("ai-prompt-decorator".to_owned(), json!({ "prepend": message }));
        }
        let limits = Self::limits(client);
        if !limits.is_empty() {
            plugins.insert("ai-limits".to_owned(), Value::Object(limits));
        }
        if client.gateway_tools {
            self.notes.push(format!(
                "client `{name}`: tools that the gateway ran are not taken over"
            ));
        }
        let consumer = json!({ "username": id, "plugins": plugins });
        self.resources
            .push((Key::new(Kind::Consumer, id.as_str()), consumer));
        let digest: String = client.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let prefix = if client.prefix.is_empty() {
            "gm_"
        } else {
            &client.prefix
        };
        let hint = format!("{}…", prefix.chars().take(20).collect::<String>());
        let key = json!({ "id": "aigateway", "name": "from aigateway", "plugins": { "ai-key": { "digest": digest, "hint": hint } } });
        self.resources.push((Key::credential(id, "aigateway"), key));
    }

    /// Where its calls go: its own key and address, what is missing from the provider of that name.
    fn target(&mut self, client: &Client, shared: Option<&Provider>, plugins: &mut Map<String, Value>) {
        let or_shared = |own: &str, of: fn(&Provider) -> &String| match own {
            "" => shared.map(|provider| of(provider).clone()).unwrap_or_default(),
            own => own.to_owned(),
        };
        let api_key = or_shared(&client.api_key, |provider| &provider.api_key);
        let base_url = or_shared(&client.base_url, |provider| &provider.base_url);
        let kind = kind_of(shared.map_or(&client.backend, |provider| &provider.kind));
        let needs_nothing = Known::find(kind).is_ok_and(|known| known.local_port().is_some());
        if api_key.is_empty() && base_url.is_empty() && !needs_nothing {
            self.notes.push(format!(
                "client `{}`: no key is known of its provider `{}`; its calls go to the models of the registry",
                client.name, client.backend
            ));
            return;
        }
        let mut proxy = json!({ "provider": kind, "auth": {} });
        if !api_key.is_empty() {
            let (header, value) = match Known::find(kind).map(Known::key_header) {
                Ok(KeyHeader::Named(header)) => (header, api_key),
                _ => ("authorization", format!("Bearer {api_key}")),
            };
            proxy["auth"] = json!({ "header": { header: value } });
        }
        if !base_url.is_empty() {
            let Some((origin, base)) = split(&base_url) else {
                self.notes.push(format!(
                    "client `{}`: its address `{base_url}` is none",
                    client.name
                ));
                return;
            };
            proxy["override"] = json!({ "endpoint": origin });
            // Ollama's own API stands at the top, whatever the examples of aigateway say.
            if let Some(base) = base.filter(|base| !(kind == "ollama" && base == "/v1")) {
                proxy["override"]["base"] = base.into();
            }
        }
        if client.fallback_models.is_empty() {
            proxy["profile"] = "native".into();
            plugins.insert("ai-proxy".to_owned(), proxy);
            return;
        }
        plugins.insert(
            "ai-proxy-multi".to_owned(),
            with_fallbacks(&proxy, &client.fallback_models),
        );
    }

    /// Zero is no limit there either, though aigateway's form says so in vain.
    fn limits(client: &Client) -> Map<String, Value> {
        let of = |name: &str| {
            let found = client.limits.iter().find(|(own, _)| *own == name);
            found.map(|(_, limit)| *limit).filter(|limit| *limit > 0)
        };
        let least = |left: Option<u64>, right: Option<u64>| left.into_iter().chain(right).min();
        let day = least(of("rate_limit_day"), of("quota_requests_day"));
        let hour = least(of("rate_limit_hour"), day);
        let wanted = [
            ("requests_per_minute", least(of("rate_limit_minute"), hour)),
            (
                "requests_per_hour",
                hour.filter(|_| of("rate_limit_hour").is_some()),
            ),
            ("requests_per_day", day),
            ("input_tokens_per_day", of("quota_input_tokens_day")),
            ("output_tokens_per_day", of("quota_output_tokens_day")),
            ("max_input_tokens", of("max_input_tokens")),
            ("max_output_tokens", of("max_output_tokens")),
        ];
        let kept = wanted
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit?)));
        kept.map(|(name, limit)| (name.to_owned(), limit.into()))
            .collect()
    }
}

fn about(client: &Client) -> Value {
    let mut about = json!({ "active": client.active, "tags": ["aigateway"] });
    for (member, text, most) in [
        ("name", &client.name, 200),
        ("description", &client.description, 2000),
    ] {
        if !text.is_empty() {
            about[member] = text.chars().take(most).collect::<String>().into();
        }
    }
    about
}

/// The same provider with other models, tried in order.
fn with_fallbacks(proxy: &Value, models: &[String]) -> Value {
    let instance = |number: usize, model: Option<&String>| {
        let mut instance = proxy.clone();
        instance["name"] = if number == 0 {
            "main".into()
        } else {
            format!("fallback-{number}").into()
        };
        instance["weight"] = 1.into();
        instance["priority"] = (models.len() - number).into();
        if let Some(model) = model {
            instance["options"] = json!({ "model": model });
        }
        instance
    };
    let others = models
        .iter()
        .enumerate()
        .map(|(number, model)| instance(number + 1, Some(model)));
    let instances: Vec<Value> = std::iter::once(instance(0, None)).chain(others).collect();
    json!({ "instances": instances, "fallback_strategy": ["http_429", "http_5xx"], "profile": "native" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            id: "0f1e".to_owned(),
            name: "Ann".to_owned(),
            digest: vec![0xab; 32],
            active: true,
            backend: "openai".to_owned(),
            api_key: "sk-up".to_owned(),
            base_url: "http://a:1/v1/".to_owned(),
            limits: vec![
                ("rate_limit_minute", 60),
                ("rate_limit_day", 10_000),
                ("quota_requests_day", 50),
            ],
            ..Client::default()
        }
    }

    fn consumer(client: &Client, providers: &[Provider]) -> Value {
        plan(client.as_slice(), providers)
            .resources
            .into_iter()
            .find(|(key, _)| key.kind() == Kind::Consumer)
            .unwrap()
            .1
    }

    impl Client {
        fn as_slice(&self) -> &[Self] {
            std::slice::from_ref(self)
        }
    }

    #[test]
    fn a_client_keeps_its_id_key_and_provider() {
        let plan = plan(&[client()], &[]);
        let [(key, consumer), (credential, own)] = plan.resources.as_slice() else {
            panic!()
        };
        assert_eq!(key.to_string(), "/consumers/0f1e");
        assert_eq!(credential.to_string(), "/consumers/0f1e/credentials/aigateway");
        assert_eq!(own["plugins"]["ai-key"]["digest"], "ab".repeat(32));
        assert_eq!(
            consumer["plugins"]["ai-proxy"],
            json!({
                "provider": "openai", "profile": "native",
                "auth": { "header": { "authorization": "Bearer sk-up" } },
                "override": { "endpoint": "http://a:1", "base": "/v1" },
            })
        );
    }

    #[test]
    fn limits_that_could_never_be_reached_shrink() {
        let limits = consumer(&client(), &[])["plugins"]["ai-limits"].clone();
        assert_eq!(
            limits,
            json!({ "requests_per_minute": 50, "requests_per_day": 50 })
        );
    }

    #[test]
    fn what_is_missing_comes_from_the_provider_of_that_name() {
        let mut client = client();
        client.api_key.clear();
        client.base_url.clear();
        let shared = Provider {
            name: "openai".to_owned(),
            kind: "openai".to_owned(),
            api_key: "sk-shared".to_owned(),
            default_model: "gpt-4o".to_owned(),
            ..Provider::default()
        };
        let plugins = consumer(&client, &[shared])["plugins"].clone();
        assert_eq!(
            plugins["ai-proxy"]["auth"]["header"]["authorization"],
            "Bearer sk-shared"
        );
        assert_eq!(plugins["ai-models"]["default"], "gpt-4o");
        let alone = plan(&[client], &[]);
        assert!(
            alone.notes.iter().any(|note| note.contains("registry")),
            "{:?}",
            alone.notes
        );
    }

    #[test]
    fn what_has_no_key_is_left_out_and_told() {
        let mut client = client();
        client.digest = vec![1, 2];
        let plan = plan(&[client], &[]);
        assert!(plan.resources.is_empty());
        assert_eq!(plan.notes.len(), 1);
    }
}
