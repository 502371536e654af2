//! The Admin API of the gateway that is managed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use http::{Method, StatusCode};
use serde_json::Value;
use sluice_groups::{Flavour, Object, Present};

use super::Failed;
use super::args::AdminArgs;
use super::client::{Answered, Server};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key that APISIX publishes. Sluice refuses it; an APISIX elsewhere may still have it.
const PUBLISHED_KEY: &str = "edd1c9f034335f136f87ad84b625c8f1";

/// An Admin API, with the key to it.
pub(super) struct Admin {
    server: Server,
}

impl Admin {
    /// The Admin API that the arguments mean. Nothing is called yet.
    pub(super) fn new(args: &AdminArgs) -> anyhow::Result<Self> {
        let url = match (&args.admin_url, args.admin_port) {
            (Some(url), _) if !url.is_empty() => url.clone(),
            (_, port) => format!("http://127.0.0.1:{}", port.unwrap_or(9180)),
        };
        let key = key(args)?;
        let server = Server::new(&url, PATIENCE)?.with_header("x-api-key", &key)?;
        Ok(Self { server })
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        self.server.url()
    }

    /// Sluice or APISIX, by the plugins that it has.
    pub(super) async fn flavour(&self) -> Result<Flavour, Failed> {
        let plugins = self.read("/apisix/admin/plugins/list").await?.json();
        let ours = plugins
            .as_array()
            .is_some_and(|names| names.iter().any(|name| name == "ai-models"));
        Ok(if ours { Flavour::Sluice } else { Flavour::Apisix })
    }

    /// Consumers and routes.
    pub(super) async fn present(&self) -> Result<Present, Failed> {
        Ok(Present {
            consumers: self.list("consumers").await?,
            routes: self.list("routes").await?,
            consumer_groups: self.list("consumer_groups").await?,
        })
    }

    async fn list(&self, kind: &str) -> Result<Vec<Value>, Failed> {
        let mut listing = self.read(&format!("/apisix/admin/{kind}")).await?.json();
        let items = listing["list"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default();
        Ok(items.into_iter().map(|mut item| item["value"].take()).collect())
    }

    /// One resource; `None` where there is none.
    pub(super) async fn get(&self, kind: &str, id: &str) -> Result<Option<Value>, Failed> {
        let answer = self
            .call(Method::GET, &format!("/apisix/admin/{kind}/{id}"), None)
            .await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.json()["value"].take())),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(&format!("read {kind}/{id}"), &answer)),
        }
    }

    /// Writes a resource.
    pub(super) async fn put(&self, object: &Object) -> Result<(), Failed> {
        let path = match object.kind {
            // Their name is in the body.
            "consumers" => "/apisix/admin/consumers".to_owned(),
            kind => format!("/apisix/admin/{kind}/{}", object.id),
        };
        let answer = self.call(Method::PUT, &path, Some(&object.value)).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(refused(&format!("write {}/{}", object.kind, object.id), &answer))
    }

    /// Deletes a resource. Returns whether it was there.
    pub(super) async fn delete(&self, kind: &str, id: &str) -> Result<bool, Failed> {
        let answer = self
            .call(Method::DELETE, &format!("/apisix/admin/{kind}/{id}"), None)
            .await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(refused(&format!("delete {kind}/{id}"), &answer)),
        }
    }

    async fn read(&self, path: &str) -> Result<Answered, Failed> {
        let answer = self.call(Method::GET, path, None).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(refused(&format!("read {path}"), &answer))
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answered, Failed> {
        let answer = self.server.call(method, path, body).await;
        let answer = answer.with_context(|| {
            format!(
                "the gateway's Admin API at {} cannot be reached (start one with `sluice serve`)",
                self.url()
            )
        });
        answer.map_err(Failed::Unreachable)
    }
}

fn refused(what: &str, answer: &Answered) -> Failed {
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED => " (--admin-key or GATEWAY_ADMIN_KEY gives the admin key)",
        StatusCode::FORBIDDEN => " (the Admin API does not let this address in)",
        _ => "",
    };
    Failed::Work(anyhow!(
        "the gateway would not {what}: {}{hint}",
        answer.message()
    ))
}

/// From the arguments or environment, else from the data folder, else APISIX's published one for a gateway elsewhere.
fn key(args: &AdminArgs) -> anyhow::Result<String> {
    if let Some(key) = args.admin_key.as_ref().filter(|key| !key.is_empty()) {
        return Ok(key.clone());
    }
    let folder = args.data_dir.clone().unwrap_or_else(|| PathBuf::from("./data"));
    let file = folder.join("admin.key");
    match std::fs::read_to_string(&file) {
        Ok(key) => Ok(key.trim().to_owned()),
        Err(_) if args.admin_url.is_some() && !Path::new(&folder).exists() => Ok(PUBLISHED_KEY.to_owned()),
        Err(error) => Err(anyhow!(
            "there is no admin key: {} cannot be read ({error}); give --admin-key, GATEWAY_ADMIN_KEY or --data-dir",
            file.display()
        )),
    }
}
