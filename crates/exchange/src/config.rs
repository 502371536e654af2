//! Targets and call settings as written in `ai-proxy` and `ai-proxy-multi` (compat §4.1.2, §4.2).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_cloud::AwsCredentials;
use sluice_llm::{PriceConfig, Protocol, ProviderConf};
use sluice_wire::sha256_hex;

/// One provider with its credentials and overrides.
#[derive(Clone, Debug, Deserialize)]
pub struct TargetConfig {
    /// Provider name.
    pub provider: String,
    /// Credentials.
    #[serde(default)]
    pub auth: AuthConfig,
    /// Members that overwrite the body's; among them `model`.
    pub options: Option<Map<String, Value>>,
    /// Overrides.
    #[serde(default, rename = "override")]
    pub overrides: OverrideConfig,
    /// Project and region.
    #[serde(default)]
    pub provider_conf: ProviderConf,
    /// What it costs, instead of what the table in the binary says.
    pub prices: Option<PriceConfig>,
}

impl TargetConfig {
    /// The same, said without `override.keep_model`: a model to fill in is a member of every protocol's
    /// `override.request_body`.
    pub(crate) fn spelled_out(&self) -> Cow<'_, Self> {
        let model = self.options.as_ref().and_then(|options| options.get("model"));
        let Some(model) = model.filter(|_| self.overrides.keep_model) else {
            return Cow::Borrowed(self);
        };
        let mut spelled = self.clone();
        if let Some(options) = &mut spelled.options {
            options.shift_remove("model");
        }
        for protocol in Protocol::ALL {
            let body = spelled.overrides.request_body.entry(protocol.name().to_owned());
            body.or_default().entry("model").or_insert_with(|| model.clone());
        }
        Cow::Owned(spelled)
    }

    /// Digest of what decides, beside the client's body, what the target answers (compat §4.13). Credentials are no
    /// part of it.
    pub(crate) fn digest(&self) -> String {
        let overrides = &self.overrides;
        let mut settings = json!({
            "provider": self.provider,
            "endpoint": overrides.endpoint,
            "base": overrides.base,
            "options": self.options,
            "llm_options": { "max_tokens": overrides.llm_options.max_tokens },
            "request_body": overrides.request_body,
            "request_body_force_override": overrides.request_body_force_override,
        });
        settings.sort_all_objects();
        sha256_hex(settings.to_string().as_bytes())
    }
}

/// Credentials of a target (compat §5.3).
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// Headers; they replace same-named ones of the client.
    pub header: BTreeMap<String, String>,
    /// Query arguments; the client cannot override them.
    pub query: BTreeMap<String, String>,
    /// A Google service account, whose access token becomes the `authorization` header.
    pub gcp: Option<GcpAuthConfig>,
    /// AWS keys, by which requests to Bedrock are signed.
    pub aws: Option<AwsCredentials>,
}

/// The block `auth.gcp`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct GcpAuthConfig {
    /// The account's key file; without it the environment variable `GCP_SERVICE_ACCOUNT` holds one.
    pub service_account_json: Option<SecretString>,
    /// Longest time, in seconds, that a token is kept.
    pub max_ttl: Option<u64>,
    /// How many seconds before its end a token is given up.
    pub expire_early_secs: u64,
}

impl Default for GcpAuthConfig {
    fn default() -> Self {
        Self {
            service_account_json: None,
            max_ttl: None,
            expire_early_secs: 60,
        }
    }
}

impl std::fmt::Debug for AuthConfig {
    /// Names only: the values are secrets, and say so themselves in `gcp` and `aws`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig")
            .field("header", &self.header.keys())
            .field("query", &self.query.keys())
            .field("gcp", &self.gcp)
            .field("aws", &self.aws)
            .finish()
    }
}

/// The block `override`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OverrideConfig {
    /// `scheme://host[:port][/path][?query]`; with a path, that path is used as it stands.
    pub endpoint: Option<String>,
    /// Path under which the API stands: unlike a path in `endpoint`, the provider's own paths follow it.
    pub base: Option<String>,
    /// Options by meaning, mapped to the provider's names.
    pub llm_options: LlmOptions,
    /// Per protocol, what is merged into the body.
    pub request_body: BTreeMap<String, Map<String, Value>>,
    /// Whether that overwrites what the client sent.
    pub request_body_force_override: bool,
    /// The client's model stays: `options.model` fills in where it names none.
    pub keep_model: bool,
}

/// The block `override.llm_options`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LlmOptions {
    /// Limit of generated tokens.
    pub max_tokens: Option<u64>,
}

/// Limits and connection settings of calls. The defaults are APISIX's.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct CallConfig {
    /// Milliseconds to connect, and for each send and read.
    pub timeout: u64,
    /// Largest request body, in bytes.
    pub max_req_body_size: u64,
    /// Longest stream, in milliseconds.
    pub max_stream_duration_ms: Option<u64>,
    /// Most bytes that the upstream may answer.
    pub max_response_bytes: Option<u64>,
    /// Whether connections are kept.
    pub keepalive: bool,
    /// How long, in milliseconds.
    pub keepalive_timeout: u64,
    /// How many.
    pub keepalive_pool: usize,
    /// Whether the upstream's certificate is verified.
    pub ssl_verify: bool,
    /// Seconds that a native stream waits for the upstream's first event before the head goes out.
    pub first_byte_hold: u64,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            timeout: 30_000,
            max_req_body_size: 64 << 20,
            max_stream_duration_ms: None,
            max_response_bytes: None,
            keepalive: true,
            keepalive_timeout: 60_000,
            keepalive_pool: 30,
            ssl_verify: true,
            first_byte_hold: 15,
        }
    }
}

impl CallConfig {
    pub(crate) fn timeouts(&self) -> sluice_net::Timeouts {
        let limit = Duration::from_millis(self.timeout);
        sluice_net::Timeouts {
            connect: limit,
            send: limit,
            read: limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(config: Value) -> String {
        TargetConfig::deserialize(config).unwrap().digest()
    }

    #[test]
    fn the_digest_is_of_what_decides_the_answer() {
        let plain = digest(json!({
            "provider": "openai", "options": { "temperature": 0, "model": "m" }, "auth": { "header": { "a": "1" } },
        }));
        let same = json!({
            "provider": "openai", "options": { "model": "m", "temperature": 0 }, "auth": { "header": { "a": "2" } },
        });
        assert_eq!(digest(same), plain, "credentials and order do not count");
        let options = json!({ "model": "m", "temperature": 0 });
        for overrides in [
            json!({ "endpoint": "http://a" }),
            json!({ "llm_options": { "max_tokens": 1 } }),
            json!({ "request_body": { "openai-chat": { "n": 1 } } }),
            json!({ "request_body_force_override": true }),
        ] {
            let other = json!({ "provider": "openai", "options": options, "override": overrides });
            assert_ne!(digest(other), plain, "{overrides}");
        }
        assert_ne!(
            digest(json!({ "provider": "deepseek", "options": options })),
            plain
        );
        assert_ne!(digest(json!({ "provider": "openai" })), plain);
    }
}
