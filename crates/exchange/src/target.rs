//! A compiled target: where a call goes and what is put on it.

mod address;
mod endpoint;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sluice_core::{Picked, Profile, Services};
use sluice_llm::{
    BodyEdits, BodyPlan, Carriage, KeyHeader, Price, Protocol, Provider, ProviderConf, StreamUsage,
};
use sluice_net::{Origin, OriginConfig, PoolSettings, Protocol as HttpVersions, Replay, Scheme};
use sluice_record::Text;

pub(crate) use self::address::{Addressed, ClientTarget};
pub(crate) use self::endpoint::Endpoint;
pub use self::endpoint::is_endpoint;
use crate::config::{CallConfig, TargetConfig};
use crate::credential::Credential;

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
    /// `prices`.
    price: Option<Arc<Price>>,
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
            price: config.prices.as_ref().map(|prices| Arc::new(Price::from(prices))),
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
            price: self.price.clone(),
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
}

fn escape(value: &str) -> String {
    utf8_percent_encode(value, QUERY).to_string()
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
