//! What an aigateway keeps: the table `clients` of its database, the providers of its config.yaml.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use sluice_sql::Cell;

use super::{not_too_many, wrong};

/// A client of an aigateway. Empty texts and zeros say that nothing was configured.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    /// SHA-256 of the key.
    pub(super) digest: Vec<u8>,
    pub(super) prefix: String,
    pub(super) active: bool,
    pub(super) backend: String,
    pub(super) api_key: String,
    pub(super) base_url: String,
    pub(super) default_model: String,
    pub(super) fallback_models: Vec<String>,
    pub(super) system_prompt: String,
    pub(super) gateway_tools: bool,
    /// Limits, by the name that they have there.
    pub(super) limits: Vec<(&'static str, u64)>,
}

/// A provider of its config.yaml.
#[derive(Clone, Debug, Default)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) api_key: String,
    pub(super) base_url: String,
    pub(super) default_model: String,
}

/// Columns with limits.
const LIMITS: [&str; 8] = [
    "rate_limit_minute",
    "rate_limit_hour",
    "rate_limit_day",
    "quota_input_tokens_day",
    "quota_output_tokens_day",
    "quota_requests_day",
    "max_input_tokens",
    "max_output_tokens",
];

struct Columns<'a>(&'a sluice_sql::Columns);

impl Columns<'_> {
    fn cell(&self, name: &str) -> Option<&Cell> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, cell)| cell)
    }

    fn text(&self, name: &str) -> String {
        match self.cell(name) {
            Some(Cell::Text(text)) => text.trim().to_owned(),
            Some(Cell::Bytes(bytes)) => String::from_utf8_lossy(bytes).trim().to_owned(),
            _ => String::new(),
        }
    }

    fn number(&self, name: &str) -> u64 {
        match self.cell(name) {
            Some(Cell::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
            _ => 0,
        }
    }
}

/// The clients of a database.
pub(super) async fn clients(path: &Path) -> anyhow::Result<Vec<Client>> {
    if !path.is_file() {
        return Err(wrong(
            path,
            "there is no such file (--db names aigateway's gateway.db)",
        ));
    }
    let rows = sluice_sql::foreign_table(path, "clients")
        .await
        .with_context(|| format!("{} is no database of an aigateway", path.display()))?
        .ok_or_else(|| wrong(path, "this database has no table `clients`"))?;
    not_too_many(rows.len())?;
    rows.iter().map(|row| client(path, &Columns(row))).collect()
}

fn client(path: &Path, row: &Columns<'_>) -> anyhow::Result<Client> {
    for column in ["id", "name", "api_key_hash"] {
        if row.cell(column).is_none() {
            return Err(wrong(
                path,
                &format!("its table `clients` has no column `{column}`"),
            ));
        }
    }
    let digest = match row.cell("api_key_hash") {
        Some(Cell::Bytes(bytes)) => bytes.clone(),
        Some(Cell::Text(text)) => text.clone().into_bytes(),
        _ => Vec::new(),
    };
    let fallbacks = row.text("fallback_models");
    Ok(Client {
        id: row.text("id"),
        name: row.text("name"),
        description: row.text("description"),
        digest,
        prefix: row.text("key_prefix"),
        active: row.number("is_active") != 0,
        backend: row.text("backend"),
        api_key: row.text("backend_api_key"),
        base_url: row.text("backend_base_url"),
        default_model: row.text("backend_default_model"),
        fallback_models: fallbacks
            .split(',')
            .map(|model| model.trim().to_owned())
            .filter(|model| !model.is_empty())
            .collect(),
        system_prompt: row.text("system_prompt"),
        gateway_tools: row.number("server_tools") != 0,
        limits: LIMITS.iter().map(|name| (*name, row.number(name))).collect(),
    })
}

/// The providers of a config.yaml.
pub(super) fn providers(path: &Path) -> anyhow::Result<Vec<Provider>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let config: Value =
        serde_yaml_ng::from_str(&text).with_context(|| format!("{} is no YAML", path.display()))?;
    let known = ["server", "admin", "providers", "gemini", "defaults", "database"];
    if !known.iter().any(|name| config.get(name).is_some()) {
        return Err(wrong(path, "it has nothing of an aigateway's config.yaml"));
    }
    let mut found: Vec<Provider> = config["providers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, conf)| provider(name, conf))
        .collect();
    // Old files have the only provider at the top.
    if config["gemini"].is_object() && !found.iter().any(|provider| provider.name == "gemini") {
        found.push(provider("gemini", &config["gemini"]));
    }
    Ok(found)
}

fn provider(name: &str, conf: &Value) -> Provider {
    let text = |member: &str| conf[member].as_str().unwrap_or_default().trim().to_owned();
    let kind = text("type");
    Provider {
        name: name.to_owned(),
        kind: if kind.is_empty() { name.to_owned() } else { kind },
        api_key: text("api_key"),
        base_url: text("base_url"),
        default_model: text("default_model"),
    }
}
