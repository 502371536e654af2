//! A compiled target: where a call goes and what is put on it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sluice_core::{Context, Picked, Profile, Services};
use sluice_llm::{
    BodyEdits, BodyPlan, Carriage, KeyHeader, Protocol, Provider, ProviderConf, StreamUsage, openai_resource,
};
use sluice_net::{Origin, OriginConfig, PoolSettings, Protocol as HttpVersions, Replay, Scheme};
use sluice_record::Text;

use crate::config::{CallConfig, TargetConfig};
use crate::credential::Credential;
use crate::relayed::MODEL_ARGUMENT;

/// What may not stand unescaped in a query value (RFC 3986 §3.4).
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'&')
    .add(b'+')
    .add(b'%');

/// Why a target cannot be called as configured.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The provider is unknown or lacks something.
    #[error(transparent)]
    Provider(#[from] sluice_llm::ProviderError),
    /// `override.endpoint` is not a URL.
    #[error("invalid endpoint")]
    Endpoint,
    /// The provider has no address of its own.
    #[error("provider {0} requires override.endpoint")]
    NoEndpoint(&'static str),
    /// Its connection settings are bad.
    #[error(transparent)]
    Origin(#[from] sluice_net::OriginError),
    /// A credential cannot be sent.
    #[error("auth.header.{0} is not a valid header")]
    Header(String),
}

/// A compiled target.
pub struct Target {
    /// `ai-proxy-<provider>`, or the instance's `name`.
    pub name: Text,
    /// Its provider.
    pub provider: &'static Provider,
    /// `options.model`.
    pub model: Option<Text>,
    settings: Text,
    pub(crate) place: Place,
    pub(crate) conf: ProviderConf,
    pub(crate) auth_headers: Vec<(HeaderName, HeaderValue)>,
    /// The same for the native profile, whose endpoints may read the key elsewhere.
    pub(crate) native_auth_headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) credential: Credential,
    auth_query: Vec<(String, String)>,
    ways: Vec<Way>,
}

/// What is the same for all calls in one protocol.
struct Way {
    protocol: Protocol,
    forced: BodyPlan,
    when_missing: BodyPlan,
    /// The request target, where neither model nor client has a part in it.
    uri: Option<Uri>,
    /// The same for the native profile, which may call another endpoint.
    native_uri: Option<Uri>,
}

/// Where a target is.
pub(crate) enum Place {
    /// Inside the gateway.
    BuiltIn,
    /// Behind a connection.
    Remote {
        origin: Arc<Origin>,
        /// `host:port`, for logs.
        address: Text,
        /// The configured path, if the endpoint has one.
        path: Option<String>,
        /// What the provider's own paths follow.
        base: Option<String>,
        /// The configured query.
        query: Vec<(String, String)>,
    },
}

/// A parsed `override.endpoint`.
pub(crate) struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    path: Option<String>,
    query: Vec<(String, String)>,
}

impl Target {
    /// Compiles a target. `name` is the instance's, if it has one.
    ///
    /// # Errors
    /// When the provider is unknown, lacks an address or a setting, or a credential cannot be sent.
    pub fn compile(
        name: Option<&str>,
        config: &TargetConfig,
        call: &CallConfig,
        services: &Services,
    ) -> Result<Self, TargetError> {
        let config = &*config.spelled_out();
        let provider = Provider::find(&config.provider)?;
        let endpoint = config
            .overrides
            .endpoint
            .as_deref()
            .map(Endpoint::parse)
            .transpose()?;
        let has_aws_keys = config.auth.aws.is_some();
        provider.check(&config.provider_conf, endpoint.is_some(), has_aws_keys)?;
        let place = place(provider, endpoint, config, call, services)?;
        let mut auth_headers = Vec::with_capacity(config.auth.header.len());
        for (name, value) in &config.auth.header {
            let bad = || TargetError::Header(name.clone());
            let header: HeaderName = name.parse().map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            auth_headers.push((header, value));
        }
        let ways = Protocol::ALL.into_iter().map(|protocol| Way {
            protocol,
            forced: plan(provider, protocol, config, StreamUsage::Forced),
            when_missing: plan(provider, protocol, config, StreamUsage::WhenMissing),
            uri: None,
            native_uri: None,
        });
        let mut target = Self {
            name: name.map_or_else(|| Text::from(format!("ai-proxy-{}", provider.name())), Text::from),
            provider,
            model: config
                .options
                .as_ref()
                .and_then(|o| o.get("model")?.as_str())
                .map(Text::from),
            settings: Text::from(config.digest()),
            place,
            conf: config.provider_conf.clone(),
            native_auth_headers: native_auth(provider, &auth_headers),
            auth_headers,
            credential: Credential::compile(provider, &config.auth, &config.provider_conf, call, services),
            auth_query: config
                .auth
                .query
                .iter()
                .map(|(name, value)| (name.clone(), escape(value)))
                .collect(),
            ways: ways.collect(),
        };
        target.fix_uris();
        Ok(target)
    }

    /// The target as an instance that `owner` has picked, at `index` of its configuration.
    #[must_use]
    pub fn picked(&self, index: usize, owner: &'static str) -> Picked {
        Picked {
            index,
            name: self.name.clone(),
            provider: self.provider.name(),
            owner,
            model: self.model.clone(),
            price: None,
            settings: self.settings.clone(),
        }
    }

    /// Host and port that are called; `None` for a provider inside the gateway.
    #[must_use]
    pub fn endpoint(&self) -> Option<(&str, u16)> {
        match &self.place {
            Place::BuiltIn => None,
            Place::Remote { origin, .. } => Some((&origin.config().host, origin.config().port)),
        }
    }

    /// The edits for bodies in that protocol.
    pub(crate) fn plan(&self, protocol: Protocol, profile: Profile) -> Option<&BodyPlan> {
        let way = self.ways.iter().find(|way| way.protocol == protocol)?;
        Some(if profile == Profile::Native {
            &way.when_missing
        } else {
            &way.forced
        })
    }

    /// Finds the request targets that no request has a part in.
    fn fix_uris(&mut self) {
        let nobody = ClientTarget {
            path: "/",
            query: None,
            models: None,
            resource: None,
        };
        for index in 0..self.ways.len() {
            let protocol = self.ways[index].protocol;
            let fixed = |carriage: Result<Carriage, _>, profile| {
                let carriage = carriage
                    .ok()
                    .filter(|carriage| *carriage != Carriage::Passthrough)?;
                let of = |model, stream| {
                    self.path_and_query(&Addressed {
                        carriage: &carriage,
                        protocol,
                        profile,
                        model,
                        stream,
                        client: nobody,
                    })
                };
                let plain = of(None, false)?;
                (Some(&plain) == of(Some("m"), true).as_ref()).then(|| plain.parse().ok())?
            };
            let uri = fixed(self.provider.carriage(protocol), Profile::Apisix);
            let native_uri = fixed(self.provider.native_carriage(protocol), Profile::Native);
            self.ways[index].uri = uri;
            self.ways[index].native_uri = native_uri;
        }
    }

    /// Whether the provider speaks a client's protocol itself, on native routes.
    #[must_use]
    pub fn speaks(&self, protocol: Protocol) -> bool {
        matches!(self.carriage(protocol, Profile::Native), Ok(Carriage::Same(_)))
    }

    /// How a client that speaks `protocol` is carried to the target.
    pub(crate) fn carriage(
        &self,
        protocol: Protocol,
        profile: Profile,
    ) -> Result<Carriage, sluice_llm::ProviderError> {
        match profile {
            Profile::Apisix => self.provider.carriage(protocol),
            Profile::Native => self.provider.native_carriage(protocol),
        }
    }

    /// The request target of a call; `None` when neither configuration nor request names the path (compat §4.1.4).
    pub(crate) fn uri(&self, call: &Addressed<'_>) -> Option<Uri> {
        let way = self.ways.iter().find(|way| way.protocol == call.protocol);
        let fixed = way.and_then(|way| match call.profile {
            Profile::Apisix => way.uri.clone(),
            Profile::Native => way.native_uri.clone(),
        });
        fixed.or_else(|| self.path_and_query(call)?.parse().ok())
    }

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
    fn path_and_query(&self, call: &Addressed<'_>) -> Option<String> {
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
            .then(|| path.rsplit_once("/v1/models"))
            .flatten()
            .map(|(_, after)| after)
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

fn escape(value: &str) -> String {
    utf8_percent_encode(value, QUERY).to_string()
}

fn put(pairs: &mut Vec<(String, String)>, name: &str, value: String) {
    match pairs.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => pairs.push((name.to_owned(), value)),
    }
}

/// A key that is configured as a bearer token, as OpenAI-compatible endpoints read it, goes where the provider's own
/// endpoints read it. Google's access tokens stay bearer tokens.
fn native_auth(
    provider: &Provider,
    configured: &[(HeaderName, HeaderValue)],
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = configured.to_vec();
    let KeyHeader::Named(own) = provider.key_header() else {
        return headers;
    };
    let own = HeaderName::from_static(own);
    if configured.iter().any(|(name, _)| *name == own) {
        return headers;
    }
    for (name, value) in headers
        .iter_mut()
        .filter(|(name, _)| *name == header::AUTHORIZATION)
    {
        let key = value
            .as_bytes()
            .strip_prefix(b"Bearer ")
            .filter(|key| !key.starts_with(b"ya29."));
        if let Some(Ok(mut key)) = key.map(HeaderValue::from_bytes) {
            key.set_sensitive(true);
            *value = key;
            *name = own.clone();
        }
    }
    headers
}

fn plan(
    provider: &'static Provider,
    protocol: Protocol,
    config: &TargetConfig,
    stream_usage: StreamUsage,
) -> BodyPlan {
    let edits = BodyEdits {
        stream_usage,
        options: config.options.as_ref(),
        max_tokens: config.overrides.llm_options.max_tokens,
        request_body: config.overrides.request_body.get(protocol.name()),
        force: config.overrides.request_body_force_override,
    };
    BodyPlan::compile(provider, protocol, &edits)
}

fn place(
    provider: &'static Provider,
    endpoint: Option<Endpoint>,
    config: &TargetConfig,
    call: &CallConfig,
    services: &Services,
) -> Result<Place, TargetError> {
    if provider.is_built_in() {
        return Ok(Place::BuiltIn);
    }
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => Endpoint {
            scheme: provider.local_port().map_or(Scheme::Https, |_| Scheme::Http),
            host: provider
                .host(&config.provider_conf)
                .ok_or(TargetError::NoEndpoint(provider.name()))?
                .into_owned(),
            port: provider.local_port().unwrap_or(443),
            path: None,
            query: Vec::new(),
        },
    };
    let mut origin = OriginConfig::new(endpoint.scheme, endpoint.host.as_str(), endpoint.port);
    origin.tls.verify = call.ssl_verify;
    origin.protocol = HttpVersions::Negotiated;
    origin.replay = Replay::Any;
    origin.pool = PoolSettings {
        max_idle: if call.keepalive { call.keepalive_pool } else { 0 },
        idle_timeout: Duration::from_millis(call.keepalive_timeout),
        ..PoolSettings::default()
    };
    Ok(Place::Remote {
        origin: services.origins.get(origin)?,
        address: Text::from(format!("{}:{}", endpoint.host, endpoint.port)),
        path: endpoint.path,
        base: config.overrides.base.clone(),
        query: endpoint.query,
    })
}

/// Whether a text can be an `override.endpoint`.
#[must_use]
pub fn is_endpoint(text: &str) -> bool {
    Endpoint::parse(text).is_ok()
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once("://").ok_or(TargetError::Endpoint)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(TargetError::Endpoint),
        };
        let (rest, query) = rest
            .split_once('?')
            .map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
            None => (rest, None),
        };
        let authority: http::uri::Authority = authority.parse().map_err(|_| TargetError::Endpoint)?;
        if authority.host().is_empty() {
            return Err(TargetError::Endpoint);
        }
        let pairs = query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(|pair| !pair.is_empty());
        Ok(Self {
            scheme,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(scheme.default_port()),
            path,
            query: pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_with_a_host() {
        for text in ["http://h", "HTTPS://h:1/p?q=1", "http://[::1]:8080/"] {
            assert!(is_endpoint(text), "{text}");
        }
        for text in ["h", "ftp://h", "http://", "http:///p", "http://:80", "http://a b"] {
            assert!(!is_endpoint(text), "{text}");
        }
    }

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
