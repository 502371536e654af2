//! Where a call goes: path and query, of configuration, provider and client.

use http::Method;
use sluice_core::{Context, Profile};
use sluice_llm::{Carriage, Protocol, openai_resource};

use super::{Place, Target};
use crate::relayed::MODEL_ARGUMENT;

/// A call whose address is wanted.
pub(crate) struct Addressed<'a> {
    pub(crate) carriage: &'a Carriage,
    /// What the client speaks.
    pub(crate) protocol: Protocol,
    pub(crate) profile: Profile,
    pub(crate) model: Option<&'a str>,
    pub(crate) stream: bool,
    pub(crate) client: ClientTarget<'a>,
}

/// The client's own path and query.
#[derive(Clone, Copy)]
pub(crate) struct ClientTarget<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// What follows `/models` when the client asks which models there are, and that means the provider's own list.
    pub(crate) models: Option<&'a str>,
    /// What the path names of OpenAI's endpoints that providers have beside their chat.
    pub(crate) resource: Option<&'a str>,
}

impl<'a> ClientTarget<'a> {
    /// The target of a request.
    pub(crate) fn of(cx: &'a Context) -> Self {
        let path = &*cx.request.path;
        let asks = cx.profile == Profile::Native && cx.request.method == Method::GET;
        let after = asks
            .then(|| {
                let listed = path.rsplit_once("/v1/models").map(|(_, after)| after);
                // Clients whose base URL lacks `/v1`.
                listed.or_else(|| path.strip_prefix("/models"))
            })
            .flatten()
            .filter(|after| after.is_empty() || after.starts_with('/'));
        Self {
            path,
            query: cx.request.query.as_deref(),
            models: after,
            resource: (cx.profile == Profile::Native)
                .then(|| openai_resource(path))
                .flatten(),
        }
    }
}

impl Target {
    /// The path of the provider's list of models, or of one model in it.
    fn models_path(&self, configured: Option<&str>, client: ClientTarget<'_>) -> Option<String> {
        let after = client.models?;
        if let Some(path) = configured {
            return Some(models_beside(path) + after);
        }
        let chat = self.provider.endpoint(Protocol::OpenAiChat);
        let chat = chat.or_else(|| self.provider.openai_endpoint());
        let Some(chat) = chat.and_then(|chat| chat.path(&self.conf, None, false)) else {
            return Some(self.based(client.path));
        };
        Some(models_beside(&self.based(&chat)) + after)
    }

    /// The path of one of OpenAI's other endpoints: beside the provider's chat, as OpenAI has it.
    fn resource_path(
        &self,
        configured: Option<&str>,
        client: ClientTarget<'_>,
        model: Option<&str>,
    ) -> Option<String> {
        let resource = client.resource?;
        let base = match configured {
            Some(path) if path.ends_with(resource) => return Some(path.to_owned()),
            Some(path) => beside(path).to_owned(),
            None => {
                let chat = self.provider.openai_endpoint()?;
                let chat = chat.path(&self.conf, model.or(Some("any")), false)?;
                beside(&self.based(&chat)).to_owned()
            }
        };
        // What belongs to no model does not stand below one either.
        let is_models_own = resource.starts_with("/images/") || resource.starts_with("/audio/");
        let base = match is_models_own {
            true => &base,
            false => without_deployment(&base),
        };
        Some(format!("{base}{resource}"))
    }

    /// A path of the provider where its API stands.
    fn based(&self, path: &str) -> String {
        match &self.place {
            Place::Remote { base: Some(base), .. } => join(base, path),
            _ => path.to_owned(),
        }
    }

    /// Path and query to call; `None` when neither configuration nor request names the path (compat §4.1.4).
    pub(super) fn path_and_query(&self, call: &Addressed<'_>) -> Option<String> {
        let Addressed {
            carriage,
            model,
            stream,
            client,
            ..
        } = *call;
        let Place::Remote { path, query, .. } = &self.place else {
            return None;
        };
        let mut out = match (path, carriage.endpoint()) {
            _ if client.models.is_some() => self.models_path(path.as_deref(), client)?,
            _ if client.resource.is_some() => self.resource_path(path.as_deref(), client, model)?,
            (Some(path), _) => path.clone(),
            (None, Some(endpoint)) => self.based(&endpoint.path(&self.conf, model, stream)?),
            (None, None) => self.based(client.path),
        };
        let passthrough = if *carriage == Carriage::Passthrough {
            client.query
        } else {
            None
        };
        let mut pairs = self.auth_query.clone();
        if call.profile == Profile::Native && path.is_none() {
            let defaults = self.provider.default_query().iter();
            pairs.extend(defaults.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        }
        for (name, value) in query {
            put(&mut pairs, name, value.clone());
        }
        for pair in passthrough
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // This one chose the provider.
            if client.resource.is_some() && name == MODEL_ARGUMENT {
                continue;
            }
            if !self.auth_query.iter().any(|(known, _)| known == name) {
                put(&mut pairs, name, value.to_owned());
            }
        }
        if stream && carriage.target() == Protocol::GeminiGenerate && asks_for_events(carriage, client) {
            put(&mut pairs, "alt", "sse".to_owned());
        }
        for (index, (name, value)) in pairs.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(name);
            out.push('=');
            out.push_str(value);
        }
        Some(out)
    }
}

/// Whether Gemini is to send server-sent events: a client of its own protocol says which of the two forms it reads.
fn asks_for_events(carriage: &Carriage, client: ClientTarget<'_>) -> bool {
    let asked = |query: &str| query.split('&').any(|pair| pair == "alt=sse");
    !matches!(carriage, Carriage::Same(_)) || client.query.is_some_and(asked)
}

/// Where an API has its list of models, going by one of its endpoints. A path that is none is the API's base.
fn models_beside(endpoint: &str) -> String {
    format!("{}/models", without_deployment(beside(endpoint)))
}

/// Azure's deployments serve one model each; what belongs to none stands beside them.
fn without_deployment(base: &str) -> &str {
    match base.rsplit_once("/deployments/") {
        Some((before, deployment)) if !deployment.contains('/') => before,
        _ => base,
    }
}

/// The base of an API, going by one of its endpoints. A path that is none is the base.
fn beside(endpoint: &str) -> &str {
    const ENDPOINTS: [&str; 6] = [
        "/chat/completions",
        "/completions",
        "/responses",
        "/embeddings",
        "/messages",
        "/models",
    ];
    let path = endpoint.strip_suffix('/').unwrap_or(endpoint);
    ENDPOINTS
        .iter()
        .find_map(|end| path.strip_suffix(end))
        .unwrap_or(path)
}

/// A path below a base. A version that the base ends with is not said twice.
fn join(base: &str, path: &str) -> String {
    let last = base.rsplit('/').next().unwrap_or_default();
    let rest = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(last))
        .filter(|rest| rest.starts_with('/'));
    format!("{base}{}", rest.unwrap_or(path))
}

fn put(pairs: &mut Vec<(String, String)>, name: &str, value: String) {
    match pairs.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => pairs.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_a_base() {
        for (base, path, joined) in [
            ("/v1", "/v1/chat/completions", "/v1/chat/completions"),
            ("/openai/v1", "/v1/responses", "/openai/v1/responses"),
            ("/api", "/v1/embeddings", "/api/v1/embeddings"),
            ("/v1", "/chat/completions", "/v1/chat/completions"),
            ("/v1", "/v1beta/x", "/v1/v1beta/x"),
        ] {
            assert_eq!(join(base, path), joined, "{base} {path}");
        }
    }

    #[test]
    fn the_list_of_models_stands_beside_the_endpoints() {
        for (endpoint, models) in [
            ("/v1/chat/completions", "/v1/models"),
            ("/api/v1/chat/completions", "/api/v1/models"),
            ("/chat/completions", "/models"),
            ("/v1/messages", "/v1/models"),
            ("/v1/", "/v1/models"),
            ("/", "/models"),
            ("/custom/base", "/custom/base/models"),
            ("/custom/v1/models", "/custom/v1/models"),
            ("/openai/deployments/gpt-4o/chat/completions", "/openai/models"),
        ] {
            assert_eq!(models_beside(endpoint), models, "{endpoint}");
        }
    }
}
