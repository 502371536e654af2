//! Providers of the model registry, as written.

use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_core::Services;
use sluice_llm::{KeyHeader, Provider, ProviderConf};

use crate::config::{AuthConfig, CallConfig, OverrideConfig, TargetConfig};
use crate::target::{Endpoint, Target, TargetError};

/// Ends of endpoints, which do not belong into a base URL.
const ENDPOINTS: [&str; 6] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/messages",
    "/models",
];

/// A resource `providers`.
#[derive(Clone, Debug, Deserialize)]
pub struct ProviderConfig {
    r#type: String,
    base_url: Option<String>,
    #[serde(default)]
    auth: ProviderAuth,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    provider_conf: ProviderConf,
    /// Timeouts, limits and connections.
    #[serde(flatten)]
    pub call: CallConfig,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct ProviderAuth {
    /// Goes where the provider takes its keys.
    api_key: Option<String>,
    #[serde(flatten)]
    other: AuthConfig,
}

impl std::fmt::Debug for ProviderAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderAuth")
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .field("other", &self.other)
            .finish()
    }
}

impl ProviderConfig {
    /// Reads a resource whose schema holds.
    ///
    /// # Errors
    /// When a member has another type than the schema says.
    pub fn read(resource: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(resource)
    }

    /// The kind of provider.
    ///
    /// # Errors
    /// When nobody knows it.
    pub fn provider(&self) -> Result<&'static Provider, TargetError> {
        Ok(Provider::find(&self.r#type)?)
    }

    /// Everything that can be said of it without connections: whether it could be called. Values that refer to secrets
    /// pass.
    ///
    /// # Errors
    /// What is wrong, in the words of the resource.
    pub fn check(&self) -> Result<(), String> {
        let provider = self.provider().map_err(|error| error.to_string())?;
        let has_base = self.base_url.is_some();
        let has_keys = self.auth.other.aws.is_some();
        provider
            .check(&self.provider_conf, has_base, has_keys)
            .map_err(|error| error.to_string().replace("override.endpoint", "base_url"))?;
        if let Some(base) = &self.base_url {
            check_base(base)?;
        } else if !provider.is_built_in() && provider.host(&self.provider_conf).is_none() {
            return Err(format!("provider type {} requires base_url", provider.name()));
        }
        let all = self.headers.iter().chain(&self.auth.other.header);
        for (name, value) in all {
            if !value.starts_with('$') && http::HeaderValue::from_str(value).is_err() {
                return Err(format!("the value of header {name} cannot be sent"));
            }
        }
        match &self.auth.api_key {
            Some(key) if http::HeaderValue::from_str(key).is_err() => {
                Err("auth.api_key cannot be sent: it has characters that no header takes".to_owned())
            }
            Some(_) if provider.takes_aws_keys() => Err(format!(
                "provider type {} takes auth.aws, not auth.api_key",
                provider.name()
            )),
            _ => Ok(()),
        }
    }

    /// The target that asks this provider for a model; without one, for the client's.
    ///
    /// # Errors
    /// When it cannot be called as configured.
    pub fn target(
        &self,
        name: &str,
        model: Option<&str>,
        options: Option<&Map<String, Value>>,
        services: &Services,
    ) -> Result<Target, TargetError> {
        let provider = self.provider()?;
        let mut auth = self.auth.other.clone();
        for (header, value) in &self.headers {
            auth.header.entry(header.clone()).or_insert_with(|| value.clone());
        }
        if let Some(key) = &self.auth.api_key {
            let (header, value) = match provider.key_header() {
                KeyHeader::Bearer => ("authorization", format!("Bearer {key}")),
                KeyHeader::Named(header) => (header, key.clone()),
            };
            auth.header.insert(header.to_owned(), value);
        }
        let mut options = options.cloned().unwrap_or_default();
        if let Some(model) = model {
            options.insert("model".to_owned(), model.into());
        }
        let (endpoint, base) = match &self.base_url {
            Some(url) => {
                let (origin, base) = split_base(url).ok_or(TargetError::Endpoint)?;
                (Some(origin), base)
            }
            None => (None, None),
        };
        let config = TargetConfig {
            provider: self.r#type.clone(),
            auth,
            options: (!options.is_empty()).then_some(options),
            overrides: OverrideConfig {
                endpoint,
                base,
                ..OverrideConfig::default()
            },
            provider_conf: self.provider_conf.clone(),
            prices: None,
        };
        Target::compile(Some(name), &config, &self.call, services)
    }
}

fn check_base(base: &str) -> Result<(), String> {
    if Endpoint::parse(base).is_err() {
        return Err("base_url is no URL such as https://host/v1".to_owned());
    }
    if base.contains('?') {
        return Err("base_url takes no query: auth.query holds arguments".to_owned());
    }
    let trimmed = base.trim_end_matches('/');
    match ENDPOINTS.iter().find(|end| trimmed.ends_with(**end)) {
        Some(end) => Err(format!("base_url is where the API begins: leave {end} out")),
        None => Ok(()),
    }
}

/// Scheme and authority of a base URL, and its path unless that says nothing.
fn split_base(url: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = path.trim_end_matches('/');
    let base = (!path.is_empty()).then(|| path.to_owned());
    Some((format!("{scheme}://{authority}"), base))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(resource: Value) -> String {
        ProviderConfig::read(&resource).unwrap().check().unwrap_err()
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for (resource, expected) in [
            (json!({"type": "nobody"}), "ai provider: nobody is not supported."),
            (
                json!({"type": "openai-compatible"}),
                "provider type openai-compatible requires base_url",
            ),
            (
                json!({"type": "openai", "base_url": "ftp://x"}),
                "base_url is no URL such as https://host/v1",
            ),
            (
                json!({"type": "openai", "base_url": "http://x/v1/chat/completions"}),
                "base_url is where the API begins: leave /chat/completions out",
            ),
            (
                json!({"type": "openai", "base_url": "http://x?a=b"}),
                "base_url takes no query: auth.query holds arguments",
            ),
            (
                json!({"type": "openai", "auth": {"api_key": "a\nb"}}),
                "auth.api_key cannot be sent: it has characters that no header takes",
            ),
            (
                json!({"type": "bedrock", "provider_conf": {"region": "r"}}),
                "bedrock requires auth.aws",
            ),
        ] {
            assert_eq!(fault(resource.clone()), expected, "{resource}");
        }
        let fine = json!({"type": "openai", "auth": {"api_key": "$env://KEY"}, "headers": {"x-a": "b"}});
        assert_eq!(ProviderConfig::read(&fine).unwrap().check(), Ok(()));
    }

    #[test]
    fn keys_are_not_printed() {
        let config = ProviderConfig::read(&json!({"type": "openai", "auth": {"api_key": "sk-secret"}}));
        assert!(!format!("{:?}", config.unwrap()).contains("sk-secret"));
    }

    #[test]
    fn base_urls_fall_apart() {
        let owned = |base: Option<&str>| base.map(str::to_owned);
        for (url, origin, base) in [
            ("https://h", "https://h", None),
            ("https://h/", "https://h", None),
            ("http://h:1/v1/", "http://h:1", Some("/v1")),
            ("http://h/a/b", "http://h", Some("/a/b")),
        ] {
            assert_eq!(split_base(url), Some((origin.to_owned(), owned(base))), "{url}");
        }
    }
}
