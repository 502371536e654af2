//! Reading the configuration: file first, environment over it, command line over both.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Config, keys};

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error("{path} is not valid YAML: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A setting does not exist.
    #[error("{origin}: unknown key `{key}`{}", did_you_mean(.nearest))]
    Unknown {
        /// File or environment variable.
        origin: String,
        /// What was given.
        key: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A setting has a value that it cannot have.
    #[error("{origin}: {message}")]
    Invalid {
        /// File or environment variable.
        origin: String,
        /// Which setting, and why.
        message: String,
    },
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"))
}

/// The configuration from `file`, if there is one, and from `SLUICE_…` variables of `environment`.
///
/// # Errors
/// When a setting is unknown or has a wrong value. Nothing is guessed and nothing is dropped.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut value = match file {
        Some(path) => read(path)?,
        None => Value::Object(Map::new()),
    };
    let origin = file.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
    if let Some((key, nearest)) = keys::unknown(&value) {
        return Err(ConfigError::Unknown { origin, key, nearest });
    }
    overlay_environment(&mut value, environment)?;
    checked(value, &origin)
}

/// Checks a configuration file without the environment.
///
/// # Errors
/// As [`load`].
pub fn validate_file(path: &Path) -> Result<Config, ConfigError> {
    load(Some(path), std::iter::empty())
}

fn checked(value: Value, origin: &str) -> Result<Config, ConfigError> {
    let invalid = |message: String| ConfigError::Invalid {
        origin: origin.to_owned(),
        message,
    };
    let config: Config = serde_path(value).map_err(invalid)?;
    config.check().map_err(invalid)?;
    Ok(config)
}

/// Deserialises section by section, so that an error names its section.
fn serde_path(value: Value) -> Result<Config, String> {
    if let Value::Object(sections) = &value {
        for (name, section) in sections {
            let alone = Value::Object(Map::from_iter([(name.clone(), section.clone())]));
            serde_json::from_value::<Config>(alone).map_err(|error| format!("`{name}`: {error}"))?;
        }
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

pub(super) fn read(path: &Path) -> Result<Value, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let syntax = |message: String| ConfigError::Syntax {
        path: path.to_owned(),
        message,
    };
    let value: Value = serde_yaml_ng::from_str(&text).map_err(|error| syntax(error.to_string()))?;
    match without_nulls(value) {
        Value::Null => Ok(Value::Object(Map::new())),
        value @ Value::Object(_) => Ok(value),
        _ => Err(syntax("the top level must be a mapping".to_owned())),
    }
}

/// A section whose settings are all commented out reads as null: it says nothing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        other => other,
    }
}

fn overlay_environment(
    value: &mut Value,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let known = keys::all();
    for (name, text) in environment.filter(|(name, _)| name.starts_with("SLUICE_")) {
        let Some(path) = known.iter().find(|path| keys::variable(path) == name) else {
            let names: Vec<_> = known.iter().map(|path| keys::variable(path)).collect();
            let nearest = keys::nearest(&name, names.iter().map(String::as_str));
            return Err(ConfigError::Unknown {
                origin: "environment".to_owned(),
                key: name,
                nearest,
            });
        };
        set(value, path, scalar(path, &text));
    }
    Ok(())
}

/// Values of the environment are YAML, so that numbers, booleans and lists can be given; secrets are text as they
/// stand.
fn scalar(path: &str, text: &str) -> Value {
    if path.ends_with("key") || path.ends_with("password") || path.ends_with("username") {
        return Value::String(text.to_owned());
    }
    serde_yaml_ng::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn set(value: &mut Value, path: &str, new: Value) {
    let mut place = value;
    for part in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part];
    }
    *place = new;
}

impl Config {
    /// What types cannot say.
    fn check(&self) -> Result<(), String> {
        let both = |name: &str, cert: &Option<PathBuf>, key: &Option<PathBuf>| match (cert, key) {
            (Some(_), None) | (None, Some(_)) => Err(format!("`{name}`: tls_cert and tls_key go together")),
            _ => Ok(()),
        };
        both("proxy", &self.proxy.tls_cert, &self.proxy.tls_key)?;
        both("admin", &self.admin.tls_cert, &self.admin.tls_key)?;
        if self.proxy.tls_listen.is_some() && self.proxy.tls_cert.is_none() {
            return Err("`proxy`: tls_listen needs tls_cert and tls_key".to_owned());
        }
        for key in &self.admin.keys {
            if !["admin", "viewer"].contains(&key.role.as_str()) {
                return Err(format!(
                    "`admin.keys`: role `{}` is neither `admin` nor `viewer`",
                    key.role
                ));
            }
        }
        for network in &self.admin.allow {
            if sluice_resource::parse_ip_net(network).is_none() {
                return Err(format!("`admin.allow`: `{network}` is not an address or network"));
            }
        }
        if self.proxy.workers > 1024 {
            return Err("`proxy.workers`: more than 1024 threads".to_owned());
        }
        one_of("log.format", &self.log.format, &["text", "json"])?;
        one_of("access_log.escape", &self.access_log.escape, &["default", "json"])?;
        one_of(
            "apisix.router",
            &self.apisix.router,
            &[
                "radixtree_host_uri",
                "radixtree_uri",
                "radixtree_uri_with_parameter",
            ],
        )
    }
}

fn one_of(name: &str, value: &str, allowed: &[&str]) -> Result<(), String> {
    if allowed.contains(&value) {
        Ok(())
    } else {
        Err(format!("`{name}`: `{value}` is none of {}", allowed.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, "proxy: {listen: '127.0.0.1:1', workers: 3}\n").unwrap();
        let config = load(
            Some(&file),
            env(&[
                ("SLUICE_PROXY_LISTEN", "127.0.0.1:2"),
                ("SLUICE_ADMIN_KEY", "123"),
            ]),
        )
        .unwrap();
        assert_eq!(config.proxy.listen.port(), 2);
        assert_eq!(config.proxy.workers, 3);
        assert_eq!(config.admin.key.as_deref(), Some("123"));
    }

    #[test]
    fn unknown_variables_are_errors_with_a_hint() {
        let error = load(None, env(&[("SLUICE_PROXY_LISTN", "x")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment: unknown key `SLUICE_PROXY_LISTN`, did you mean `SLUICE_PROXY_LISTEN`?"
        );
    }

    #[test]
    fn wrong_values_name_their_section() {
        let error = load(None, env(&[("SLUICE_PROXY_WORKERS", "many")]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("`proxy`") && error.contains("many"), "{error}");
        let error = load(None, env(&[("SLUICE_PROXY_TLS_CERT", "a.pem")]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("go together"), "{error}");
    }
}
