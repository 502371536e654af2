//! Providers: where each is found, which protocols it takes, and what sets it apart. All of it is data: an
//! OpenAI-compatible provider is one row of [`table`].

mod quirks;
mod table;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use thiserror::Error;

pub use self::quirks::{CallIds, EffortMember, Quirks, ReasoningBack, StreamUsageAsk};
use crate::protocol::{Operation, Protocol};

/// Bytes of a path segment that stay as they are (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A provider of LLM APIs (compat §5.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    name: &'static str,
    location: Location,
    /// As APISIX calls it.
    endpoints: &'static [Endpoint],
    /// As the native profile calls it, the endpoint that conversations are translated for first.
    native: &'static [Endpoint],
    quirks: Quirks,
    drops_model: bool,
    /// Members that every body in the native profile carries.
    body: &'static [(&'static str, &'static str)],
    /// Query arguments that every call in the native profile carries, unless configured otherwise.
    query: &'static [(&'static str, &'static str)],
    needs: Needs,
    headers: Headers,
}

/// Where a provider listens unless an endpoint is configured: by HTTPS on port 443, but for [`Local`](Self::Local).
#[derive(Debug, PartialEq, Eq)]
enum Location {
    /// A host name, in which `{region}` stands for the configured region.
    Host(&'static str),
    /// Google's names for regions of Vertex AI.
    Vertex,
    /// On the gateway's own machine, by HTTP on that port.
    Local(u16),
    /// Nowhere in particular: the endpoint must be configured.
    Configured,
    /// Inside the gateway.
    BuiltIn,
}

/// What a provider's configuration must contain.
#[derive(Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    ProjectAndRegionOrEndpoint,
    RegionAndAwsKeys,
}

/// Headers in the native profile. A name that ends in `*` stands for all that begin so.
#[derive(Debug, PartialEq, Eq)]
struct Headers {
    key: KeyHeader,
    fixed: &'static [(&'static str, &'static str)],
    from_client: &'static [&'static str],
    to_client: &'static [&'static str],
}

/// The header that carries a provider's API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `authorization: Bearer <key>`
    Bearer,
    /// The key alone, in the header of that name.
    Named(&'static str),
}

/// What a provider offers for one protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    protocol: Protocol,
    path: &'static str,
    stream_path: Option<&'static str>,
    max_tokens: MaxTokens,
}

/// What `llm_options.max_tokens` becomes in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaxTokens {
    /// Nothing: the protocol has no such limit.
    Unmapped,
    /// A member of the body.
    Member(&'static str),
    /// A member of the body that displaces one of the client's.
    Displacing {
        /// The member that is set.
        member: &'static str,
        /// The client's member that is removed.
        removed: &'static str,
    },
    /// `inferenceConfig.maxTokens`
    InferenceConfig,
    /// `generationConfig.maxOutputTokens`
    GenerationConfig,
    /// `options.num_predict`
    Options,
}

/// The block `provider_conf` of `ai-proxy` (compat §4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ProviderConf {
    /// Google Cloud project.
    pub project_id: Option<String>,
    /// Region of Google Cloud or AWS.
    pub region: Option<String>,
}

/// How a client's protocol is carried to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// The provider speaks it.
    Same(&'static Endpoint),
    /// Anthropic Messages is converted to OpenAI chat (compat §5.4).
    AnthropicToChat(&'static Endpoint),
    /// OpenAI embeddings are converted to Vertex predict (compat §5.5).
    EmbeddingsToPredict(&'static Endpoint),
    /// The conversation is translated through the canonical model.
    Translated(&'static Endpoint),
    /// The gateway counts the tokens of the client's conversation itself.
    Counted,
    /// Relayed: to the client's own path, or to where the provider has the same of OpenAI's endpoints.
    Passthrough,
}

/// Why a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProviderError {
    /// No provider has that name.
    #[error("ai provider: {0} is not supported.")]
    Unknown(String),
    /// `vertex-ai` lacks its place.
    #[error("vertex-ai requires either provider_conf (project_id + region) or override.endpoint")]
    VertexPlace,
    /// `bedrock` lacks its region.
    #[error("bedrock requires provider_conf.region")]
    BedrockRegion,
    /// `bedrock` lacks its keys.
    #[error("bedrock requires auth.aws")]
    BedrockKeys,
    /// The client's protocol is not offered, and nothing converts it to one that is.
    #[error("provider {provider} does not support {protocol} protocol (supported: {supported})")]
    Protocol {
        /// Name of the provider.
        provider: &'static str,
        /// What the client speaks.
        protocol: Protocol,
        /// Names of the protocols that are offered, in alphabetical order.
        supported: String,
    },
}

impl Provider {
    /// The provider of that name.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Unknown`].
    pub fn find(name: &str) -> Result<&'static Self, ProviderError> {
        Self::all()
            .iter()
            .find(|row| row.name == name)
            .ok_or_else(|| ProviderError::Unknown(name.to_owned()))
    }

    /// All providers.
    #[must_use]
    pub fn all() -> &'static [Self] {
        table::PROVIDERS
    }

    /// How it differs from the protocol that it is compatible with.
    #[must_use]
    pub fn quirks(&'static self) -> &'static Quirks {
        &self.quirks
    }

    /// Name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it answers inside the gateway, without any upstream.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.location == Location::BuiltIn
    }

    /// Whether `model` is removed from bodies of a protocol, because the path names it.
    #[must_use]
    pub fn drops_model(&self, target: Protocol) -> bool {
        // The path of counting names no model.
        let is_in_path = self.drops_model && target.operation() != Operation::CountTokens;
        is_in_path
            || matches!(
                target,
                Protocol::VertexPredict
                    | Protocol::GeminiBatchEmbed
                    | Protocol::GeminiCountTokens
                    | Protocol::GeminiEmbed
                    | Protocol::GeminiGenerate
            )
    }

    /// Default host, to be called over HTTPS on port 443 unless there is a [local port](Self::local_port). `None` if an endpoint must be configured, or if the host
    /// depends on a region that is not.
    #[must_use]
    pub fn host(&self, conf: &ProviderConf) -> Option<Cow<'static, str>> {
        match self.location {
            Location::Host(template) => expand(template, conf, None),
            Location::Vertex => conf.region.as_deref().map(vertex_host).map(Cow::Owned),
            Location::Local(_) => Some(Cow::Borrowed("127.0.0.1")),
            Location::Configured | Location::BuiltIn => None,
        }
    }

    /// The port where it is called by HTTP on the gateway's own machine, unless an endpoint is configured.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        match self.location {
            Location::Local(port) => Some(port),
            _ => None,
        }
    }

    /// Query arguments that every call in the native profile carries, unless configured otherwise.
    #[must_use]
    pub fn default_query(&self) -> &'static [(&'static str, &'static str)] {
        self.query
    }

    /// Members that every body in the native profile carries.
    pub(crate) fn body_members(&self) -> &'static [(&'static str, &'static str)] {
        self.body
    }

    /// Checks what the provider needs of its configuration (compat §4.1.2).
    ///
    /// # Errors
    ///
    /// The [`ProviderError`] that says what is missing.
    pub fn check(
        &self,
        conf: &ProviderConf,
        has_endpoint: bool,
        has_aws_keys: bool,
    ) -> Result<(), ProviderError> {
        match self.needs {
            Needs::ProjectAndRegionOrEndpoint
                if !has_endpoint && (conf.project_id.is_none() || conf.region.is_none()) =>
            {
                Err(ProviderError::VertexPlace)
            }
            Needs::RegionAndAwsKeys if conf.region.is_none() => Err(ProviderError::BedrockRegion),
            Needs::RegionAndAwsKeys if !has_aws_keys => Err(ProviderError::BedrockKeys),
            Needs::Nothing | Needs::ProjectAndRegionOrEndpoint | Needs::RegionAndAwsKeys => Ok(()),
        }
    }

    /// Whether its requests are signed with a pair of AWS keys.
    #[must_use]
    pub fn takes_aws_keys(&self) -> bool {
        self.needs == Needs::RegionAndAwsKeys
    }

    /// What it offers for a protocol, in whichever profile.
    #[must_use]
    pub fn endpoint(&self, protocol: Protocol) -> Option<&'static Endpoint> {
        self.endpoints
            .iter()
            .chain(self.native)
            .find(|endpoint| endpoint.protocol == protocol)
    }

    /// How a client that speaks `protocol` is carried to this provider in the native profile: as it is where the
    /// provider speaks the same, translated where it does the same in another protocol.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Protocol`] if it cannot be.
    pub fn native_carriage(&self, protocol: Protocol) -> Result<Carriage, ProviderError> {
        let offered = self.offered();
        let speaks = |protocol| offered.iter().find(|endpoint| endpoint.protocol == protocol);
        if let Some(endpoint) = speaks(protocol) {
            return Ok(Carriage::Same(endpoint));
        }
        let operation = protocol.operation();
        let carriage = match operation {
            Operation::Unknown => Some(Carriage::Passthrough),
            Operation::Relay => self.openai_endpoint().map(|_| Carriage::Passthrough),
            Operation::CountTokens => Some(Carriage::Counted),
            Operation::Chat | Operation::Embed | Operation::Rerank => offered
                .iter()
                .find(|endpoint| endpoint.protocol.operation() == operation)
                .map(Carriage::Translated),
        };
        carriage.ok_or_else(|| unsupported(self.name, offered, protocol))
    }

    /// The endpoint beside which OpenAI's others stand, in the native profile.
    #[must_use]
    pub fn openai_endpoint(&self) -> Option<&'static Endpoint> {
        self.native_endpoint(Protocol::OpenAiChat)
            .or_else(|| self.native_endpoint(Protocol::OpenAiResponses))
    }

    /// What it offers in the native profile for a protocol.
    #[must_use]
    pub fn native_endpoint(&self, protocol: Protocol) -> Option<&'static Endpoint> {
        let mut offered = self.offered().iter();
        offered.find(|endpoint| endpoint.protocol == protocol)
    }

    fn offered(&self) -> &'static [Endpoint] {
        if self.native.is_empty() {
            self.endpoints
        } else {
            self.native
        }
    }

    /// How a client that speaks `protocol` is carried to this provider in the profile of APISIX.
    ///
    /// # Errors
    ///
    /// [`ProviderError::Protocol`] if it cannot be.
    pub fn carriage(&self, protocol: Protocol) -> Result<Carriage, ProviderError> {
        if protocol == Protocol::Passthrough {
            return Ok(Carriage::Passthrough);
        }
        let offered = |protocol| {
            self.endpoints
                .iter()
                .find(|endpoint| endpoint.protocol == protocol)
        };
        if let Some(endpoint) = offered(protocol) {
            return Ok(Carriage::Same(endpoint));
        }
        let converted = match protocol {
            Protocol::AnthropicMessages => offered(Protocol::OpenAiChat).map(Carriage::AnthropicToChat),
            Protocol::OpenAiEmbeddings => offered(Protocol::VertexPredict).map(Carriage::EmbeddingsToPredict),
            _ => None,
        };
        converted.ok_or_else(|| unsupported(self.name, self.endpoints, protocol))
    }

    /// The header that carries the API key.
    #[must_use]
    pub fn key_header(&self) -> KeyHeader {
        self.headers.key
    }

    /// Headers that every request in the native profile carries, unless the client sent its own.
    #[must_use]
    pub fn fixed_headers(&self) -> &'static [(&'static str, &'static str)] {
        self.headers.fixed
    }

    /// Whether the native profile passes on that header of the client, given in lower case.
    #[must_use]
    pub fn takes_header(&self, name: &str) -> bool {
        matches_any(self.headers.from_client, name)
    }

    /// Whether the native profile hands that header of an answer, given in lower case, to the client.
    #[must_use]
    pub fn returns_header(&self, name: &str) -> bool {
        matches_any(table::RETURNED_BY_ALL, name) || matches_any(self.headers.to_client, name)
    }
}

impl Endpoint {
    /// The protocol that is spoken there.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The path to call. `None` if it names something that neither request nor configuration gives: the model, the
    /// project or the region.
    #[must_use]
    pub fn path(&self, conf: &ProviderConf, model: Option<&str>, stream: bool) -> Option<Cow<'static, str>> {
        let template = if stream {
            self.stream_path.unwrap_or(self.path)
        } else {
            self.path
        };
        expand(template, conf, model)
    }

    pub(crate) fn max_tokens(&self) -> MaxTokens {
        self.max_tokens
    }
}

impl Carriage {
    /// The protocol in which the provider is called.
    #[must_use]
    pub fn target(&self) -> Protocol {
        match self {
            Self::Same(endpoint)
            | Self::Translated(endpoint)
            | Self::AnthropicToChat(endpoint)
            | Self::EmbeddingsToPredict(endpoint) => endpoint.protocol,
            Self::Counted | Self::Passthrough => Protocol::Passthrough,
        }
    }

    /// The endpoint that is called; a passthrough has none.
    #[must_use]
    pub fn endpoint(&self) -> Option<&'static Endpoint> {
        match self {
            Self::Same(endpoint)
            | Self::Translated(endpoint)
            | Self::AnthropicToChat(endpoint)
            | Self::EmbeddingsToPredict(endpoint) => Some(endpoint),
            Self::Counted | Self::Passthrough => None,
        }
    }
}

fn unsupported(provider: &'static str, offered: &[Endpoint], protocol: Protocol) -> ProviderError {
    let mut names: Vec<_> = offered.iter().map(|endpoint| endpoint.protocol.name()).collect();
    names.sort_unstable();
    ProviderError::Protocol {
        provider,
        protocol,
        supported: names.join(", "),
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Fills in `{project}`, `{region}` and `{model}`; `None` if one is asked for and not there.
fn expand(template: &'static str, conf: &ProviderConf, model: Option<&str>) -> Option<Cow<'static, str>> {
    if !template.contains('{') {
        return Some(Cow::Borrowed(template));
    }
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((literal, variable)) = rest.split_once('{') {
        let (name, after) = variable.split_once('}')?;
        let value = match name {
            "project" => conf.project_id.as_deref()?,
            "region" => conf.region.as_deref()?,
            // Segments of dots would lead elsewhere.
            "model" => model.filter(|model| !matches!(*model, "" | "." | ".."))?,
            _ => return None,
        };
        out.push_str(literal);
        out.extend(utf8_percent_encode(value, SEGMENT));
        rest = after;
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The host of a region; `global` and the multi-regions have names of their own (llm-protocols §9).
fn vertex_host(region: &str) -> String {
    match region {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{region}.rep.googleapis.com"),
        _ => format!("{region}-aiplatform.googleapis.com"),
    }
}

fn matches_any(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *pattern == name,
    })
}

#[cfg(test)]
mod tests;
