//! How clients are called, and by which tags they are found.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_resource::Kind;
use tokio::sync::Mutex;

use crate::api::Api;

/// How long names may be behind: with many clients reading them takes a while, and each edit would have them read again.
const STALE: Duration = Duration::from_secs(2);

/// Where a client's name and tags are.
const PLUGIN: &str = "ai-client";

/// Names and tags of one revision.
#[derive(Debug, Default)]
pub(crate) struct ClientNames {
    names: HashMap<String, String>,
    tags: HashMap<String, Vec<String>>,
}

/// The names read last.
#[derive(Debug, Default)]
pub(crate) struct NamesCache(Mutex<Option<Cached>>);

#[derive(Debug)]
struct Cached {
    names: Arc<ClientNames>,
    revision: u64,
    read_at: Instant,
}

impl ClientNames {
    /// How a client is called: by its id, if it has no other name or is gone.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    /// The clients with a tag.
    pub(crate) fn tagged(&self, tag: &str) -> &[String] {
        self.tags.get(tag).map(Vec::as_slice).unwrap_or_default()
    }

    /// All tags with their clients.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.tags.iter().map(|(tag, ids)| (tag.as_str(), ids.as_slice()))
    }
}

/// The names of clients; the last ones known while the configuration cannot be read.
pub(crate) async fn of(api: &Api) -> Arc<ClientNames> {
    let revision = api.state.data_plane.report().revision;
    let mut cached = api.names.0.lock().await;
    if let Some(cached) = &*cached
        && (cached.revision == revision || cached.read_at.elapsed() < STALE)
    {
        return Arc::clone(&cached.names);
    }
    let Ok(consumers) = api.all(Kind::Consumer).await else {
        return cached
            .as_ref()
            .map(|cached| Arc::clone(&cached.names))
            .unwrap_or_default();
    };
    let mut read = ClientNames::default();
    for (key, item) in &consumers {
        let client = &item.value["plugins"][PLUGIN];
        let id = key.id().to_owned();
        for tag in client["tags"].as_array().into_iter().flatten() {
            if let Some(tag) = tag.as_str() {
                read.tags.entry(tag.to_owned()).or_default().push(id.clone());
            }
        }
        if let Some(name) = client["name"].as_str().filter(|name| !name.is_empty()) {
            read.names.insert(id, name.to_owned());
        }
    }
    let names = Arc::new(read);
    *cached = Some(Cached {
        names: Arc::clone(&names),
        revision,
        read_at: Instant::now(),
    });
    names
}
