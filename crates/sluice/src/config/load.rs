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

/// The configuration from `file`, if there is one, and from `SLUICE_…` variables of `environment`. Whether its settings
/// fit each other is for [`Config::check`] to say, when all of them are known.
///
/// # Errors
/// When a setting is unknown or of the wrong type. Nothing is guessed and nothing is dropped.
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
    deserialized(value).map_err(|message| ConfigError::Invalid { origin, message })
}

/// Checks a configuration file without the environment.
///
/// # Errors
/// As [`load`] and [`Config::check`].
pub fn validate_file(path: &Path) -> Result<Config, ConfigError> {
    let config = load(Some(path), std::iter::empty())?;
    check(&config, path)?;
    Ok(config)
}

/// [`Config::check`], with the file that is to blame.
pub(crate) fn check(config: &Config, path: &Path) -> Result<(), ConfigError> {
    config.check().map_err(|message| ConfigError::Invalid {
        origin: path.display().to_string(),
        message,
    })
}

/// Deserialises setting by setting first, so that an error names the one.
pub(super) fn deserialized(value: Value) -> Result<Config, String> {
    let sections = value.as_object().into_iter().flat_map(Map::keys).cloned();
    for path in keys::all().into_iter().chain(sections) {
        if let Some(given) = value.pointer(&format!("/{}", path.replace('.', "/"))) {
            fits(&path, given).map_err(|why| format!("`{path}`: {why}"))?;
        }
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Whether a setting can have this value.
fn fits(path: &str, given: &Value) -> Result<(), String> {
    let mut alone = Value::Object(Map::new());
    set(&mut alone, path, given.clone());
    match serde_json::from_value::<Config>(alone) {
        Ok(_) => Ok(()),
        Err(error) if keys::is_secret(path) => Err(without_value(&error.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

/// Serde repeats what it was given, which must not happen to a secret.
fn without_value(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if message.starts_with("missing field") => message.to_owned(),
        None => "not of the right type".to_owned(),
    }
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

/// Lays the `SLUICE_…` variables over `value`.
pub(super) fn overlay_environment(
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
        let given = if keys::is_file_only(path) {
            Err(format!("`{path}` can be set in the configuration file only"))
        } else {
            scalar(path, &text)
        };
        let given = given.map_err(|why| ConfigError::Invalid {
            origin: "environment".to_owned(),
            message: format!("`{name}`: {why}"),
        })?;
        set(value, path, given);
    }
    Ok(())
}

/// Text where the setting takes text. Else YAML, so that numbers, booleans and lists can be given.
fn scalar(path: &str, text: &str) -> Result<Value, String> {
    let as_text = Value::String(text.to_owned());
    let Err(why) = fits(path, &as_text) else {
        return Ok(as_text);
    };
    match serde_yaml_ng::from_str::<Value>(text) {
        Ok(value) => fits(path, &value).map(|()| value),
        Err(_) => Err(why),
    }
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

#[cfg(test)]
mod tests {
    use super::super::Secret;
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
        assert_eq!(config.admin.key.as_ref().map(Secret::expose), Some("123"));
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
    fn variables_are_text_where_text_is_wanted_and_yaml_elsewhere() {
        let config = load(
            None,
            env(&[
                ("SLUICE_ACCESS_LOG_FORMAT", r#"{"status": 1}"#),
                ("SLUICE_ADMIN_PASSWORD", "null"),
                ("SLUICE_ADMIN_ALLOW_DEFAULT_KEY", "true"),
                ("SLUICE_PLUGINS", "[key-auth]"),
                ("SLUICE_PROXY_TLS_LISTEN", "null"),
            ]),
        )
        .unwrap();
        assert_eq!(config.access_log.format.as_deref(), Some(r#"{"status": 1}"#));
        assert_eq!(config.admin.password.as_ref().map(Secret::expose), Some("null"));
        assert!(config.admin.allow_default_key);
        assert_eq!(config.plugins, Some(vec!["key-auth".to_owned()]));
        assert_eq!(config.proxy.tls_listen, None);
    }

    #[test]
    fn no_message_and_no_debug_text_shows_a_secret() {
        let secrets = [
            ("SLUICE_ADMIN_KEY", "canary"),
            ("SLUICE_METRICS_PASSWORD", "canary"),
        ];
        let config = load(None, env(&secrets)).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
        for name in ["SLUICE_ADMIN_KEYS", "SLUICE_APISIX_KEYRING"] {
            let error = load(None, env(&[(name, "canary")])).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn commands_are_allowed_by_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, "commands: {allowed: [/bin/a, [b, -c]]}\n").unwrap();
        let config = load(Some(&file), std::iter::empty()).unwrap();
        assert!(config.commands.allowed.permits("b", &["-c".to_owned()]));
        for name in ["SLUICE_COMMANDS_ALLOWED", "SLUICE_COMMANDS_ENVIRONMENT"] {
            let error = load(Some(&file), env(&[(name, "[x]")])).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("file only"), "{error}");
        }
        std::fs::write(&file, "commands: {allowed: [[]]}\n").unwrap();
        let config = load(Some(&file), std::iter::empty()).unwrap();
        assert!(config.check().unwrap_err().contains("`commands.allowed`"));
    }

    #[test]
    fn wrong_values_are_named() {
        let error = load(None, env(&[("SLUICE_PROXY_WORKERS", "many")]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`SLUICE_PROXY_WORKERS`") && error.contains("many"),
            "{error}"
        );
        let config = load(None, env(&[("SLUICE_PROXY_TLS_CERT", "a.pem")])).unwrap();
        let error = config.check().unwrap_err();
        assert!(error.contains("go together"), "{error}");
    }
}
