//! What the LLM server says of itself: whether it is there, what it is, and which models it has.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use sluice_groups::{LEMONADE_URL, Settings, nearest};

use super::client::Server;

/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Servers that have a usual port on this machine.
const USUAL: [(&str, &str); 4] = [
    ("Lemonade", LEMONADE_URL),
    ("Ollama", "http://127.0.0.1:11434"),
    ("LM Studio", "http://127.0.0.1:1234"),
    ("vLLM", "http://127.0.0.1:8000"),
];

/// An LLM server, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Probed {
    pub(super) url: String,
    /// What it seems to be.
    pub(super) kind: Option<&'static str>,
    /// Why it cannot be used, if it cannot.
    pub(super) error: Option<String>,
    pub(super) version: Option<String>,
    /// Models that it lists.
    pub(super) models: Vec<String>,
    /// Models that it has loaded, where it tells.
    pub(super) loaded: Vec<String>,
}

impl Probed {
    pub(super) fn reachable(&self) -> bool {
        self.error.is_none()
    }
}

/// The first server that answers on its usual port; else Lemonade's.
pub(super) async fn find(key: Option<&str>) -> Probed {
    for (_, url) in USUAL {
        let probed = probe(url, key).await;
        if probed.reachable() {
            return probed;
        }
    }
    probe(LEMONADE_URL, key).await
}

/// Asks a server for its health and its models.
pub(super) async fn probe(url: &str, key: Option<&str>) -> Probed {
    let mut probed = Probed {
        url: url.to_owned(),
        ..Probed::default()
    };
    if let Err(error) = ask(&mut probed, key).await {
        probed.error = Some(format!("{error:#}"));
    }
    probed
}

async fn ask(probed: &mut Probed, key: Option<&str>) -> anyhow::Result<()> {
    let mut server = Server::new(&probed.url, PATIENCE)?;
    if let Some(key) = key {
        server = server.with_header("authorization", &format!("Bearer {key}"))?;
    }
    let prefix = if has_path(&probed.url) { "" } else { "/v1" };
    let models = server
        .call(Method::GET, &format!("{prefix}/models"), None)
        .await?;
    if matches!(models.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        anyhow::bail!(
            "it refuses the key: {} (--lemonade-api-key gives another)",
            models.message()
        );
    }
    probed.models = names(&models.json()["data"], "id");
    let get = async |path: &str| match server.call(Method::GET, path, None).await {
        Ok(answer) if answer.status.is_success() => Some(answer.json()),
        _ => None,
    };
    if let Some(health) = get(&format!("{prefix}/health"))
        .await
        .filter(|health| health.get("model_loaded").is_some())
    {
        probed.kind = Some("Lemonade");
        probed.version = health["version"].as_str().map(str::to_owned);
        probed.loaded = names(&health["all_models_loaded"], "model_name");
    } else if has_path(&probed.url) {
        // The other servers' own paths are not below a base with a path.
    } else if let Some(version) = get("/api/version").await {
        probed.kind = Some("Ollama");
        probed.version = version["version"].as_str().map(str::to_owned);
        if let Some(running) = get("/api/ps").await {
            probed.loaded = names(&running["models"], "name");
        }
    } else if let Some(models) = get("/api/v0/models")
        .await
        .filter(|models| models["data"][0].get("state").is_some())
    {
        probed.kind = Some("LM Studio");
        let loaded = models["data"].as_array().into_iter().flatten();
        let loaded = loaded.filter(|model| model["state"] == "loaded");
        probed.loaded = loaded
            .filter_map(|model| model["id"].as_str().map(str::to_owned))
            .collect();
    } else if let Some(version) = get("/version").await {
        probed.kind = Some("vLLM");
        probed.version = version["version"].as_str().map(str::to_owned);
        probed.loaded.clone_from(&probed.models);
    }
    if !models.status.is_success() && probed.kind.is_none() {
        anyhow::bail!("it has no list of models: {}", models.message());
    }
    Ok(())
}

fn has_path(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.trim_end_matches('/').contains('/')
}

fn names(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item[member].as_str().map(str::to_owned))
        .take(10_000)
        .collect()
}

/// What somebody should know before the server is relied upon.
pub(super) fn concerns(probed: &Probed, settings: &Settings) -> Vec<String> {
    if let Some(error) = &probed.error {
        return vec![format!(
            "the LLM server at {} cannot be used: {error}. The gateway is set up all the same; start the server, then check with `sluice gateway status`",
            probed.url
        )];
    }
    let mut wanted = vec![("model", settings.model.as_str(), "--lemonade-model")];
    if let Some(model) = &settings.embedding_model {
        wanted.push(("embedding model", model, "--embedding-model"));
    }
    let known = |name: &str| {
        probed
            .models
            .iter()
            .any(|model| model == name || model.strip_suffix(":latest") == Some(name))
    };
    wanted
        .into_iter()
        .filter(|(_, name, _)| !probed.models.is_empty() && !known(name))
        .map(|(what, name, flag)| {
            let near = nearest(name, probed.models.iter().map(String::as_str), 3);
            let near = if near.is_empty() {
                probed.models.iter().take(3).map(String::as_str).collect()
            } else {
                near
            };
            format!(
                "the LLM server has no {what} `{name}`; it has {} ({flag} names another)",
                near.join(", ")
            )
        })
        .collect()
}
