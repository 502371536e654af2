//! API-driven standalone mode: the configuration is written as a whole, by somebody who keeps it elsewhere
//! (compat §1.8). Here it goes to the store like any other, so it survives a restart.

mod state;

use std::collections::{HashMap, HashSet};

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use sluice_resource::{CheckError, Key, Kind, Target, set_id};
use sluice_store::{Item, Listing, NewAuditEntry, Write};

use self::state::{Entry, State};
use crate::api::{Api, unix_now};
use crate::audit::Edit;
use crate::auth::Caller;
use crate::body;
use crate::bulk::{MODIFIED_INDEX, decode_config, id_text, items_of};
use crate::reply::{Refusal, Reply};

const DIGEST: HeaderName = HeaderName::from_static("x-digest");
const LAST_MODIFIED: HeaderName = HeaderName::from_static("x-last-modified");

/// Most changes of one write that the audit log lists; of a larger one it says how many there were.
const LISTED_CHANGES: usize = 1000;

/// An item that is to be in force.
struct Wanted {
    key: Key,
    value: Value,
    modified_index: Option<Value>,
}

/// What a write does to the store.
#[derive(Default)]
struct Plan {
    writes: Vec<Write>,
    /// Key, and the values before and after.
    edits: Vec<(Key, Option<Value>, Option<Value>)>,
}

impl Api {
    /// `configs` by any of its methods.
    pub(crate) async fn configs(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: Body,
        caller: &Caller,
    ) -> Result<Reply, Reply> {
        if method == Method::PUT {
            return self.replace_configs(headers, body, caller).await;
        }
        let state = self.standalone_state().await?;
        let reply = if method == Method::HEAD {
            Reply::empty(StatusCode::OK)
        } else {
            self.shown_configs(&state, headers).await?
        };
        Ok(with_headers(reply, &state))
    }

    async fn replace_configs(
        &self,
        headers: &HeaderMap,
        body: Body,
        caller: &Caller,
    ) -> Result<Reply, Reply> {
        let digest = headers
            .get(DIGEST)
            .map(|digest| String::from_utf8_lossy(digest.as_bytes()).into_owned())
            .ok_or_else(|| Reply::error(StatusCode::BAD_REQUEST, "missing digest header"))?;
        if self.standalone_state().await?.digest.as_ref() == Some(&digest) {
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        }
        let bytes = body::read(body).await?;
        let config =
            decode_config(headers, &bytes).map_err(|fault| Reply::error(StatusCode::BAD_REQUEST, fault))?;

        let writing = self.writing.lock().await;
        let previous = self.standalone_state().await?;
        let metadata = self.metadata_for(&config).await?;
        let mut next = State::new(digest, unix_now());
        let mut plan = Plan::default();
        for kind in Kind::collections() {
            let directory = kind.info().directory;
            let refused = |error: String| Reply::error(StatusCode::BAD_REQUEST, error);
            let keeps = next
                .take_version(&previous, directory, &config)
                .map_err(refused)?;
            if keeps {
                next.keep_items(&previous, directory);
                continue;
            }
            let items = items_of(kind, &config).map_err(|fault| refused(fault.error))?;
            if let Some(fault) = self.faults_of(kind, items, &metadata).into_iter().next() {
                return Err(refused(fault.error));
            }
            let wanted = wanted(kind, items).map_err(|error| Reply::from(Refusal::from(error)))?;
            let listing = self.state.store.list(&format!("/{directory}/")).await;
            plan.add(
                listing.map_err(Refusal::from)?,
                &wanted,
                &previous.indices(directory),
            );
            let entries = wanted.into_iter().map(|item| Entry {
                key: item.key.to_string(),
                modified_index: item.modified_index,
            });
            next.items.insert(directory.to_owned(), entries.collect());
        }
        next.take_plugins(&previous, &config)
            .map_err(|error| Reply::error(StatusCode::BAD_REQUEST, error))?;
        let committed = self.state.store.batch(plan.writes).await.map_err(Refusal::from)?;
        next.save(&self.state.database).await.map_err(Refusal::from)?;
        drop(writing);

        let entries = self.noted(caller, committed.revision, &plan.edits);
        futures_util::future::join(self.note(entries), self.followed(committed.revision)).await;
        Ok(with_headers(Reply::empty(StatusCode::ACCEPTED), &next))
    }

    fn noted(
        &self,
        caller: &Caller,
        revision: u64,
        edits: &[(Key, Option<Value>, Option<Value>)],
    ) -> Vec<NewAuditEntry> {
        let listed = edits.iter().take(LISTED_CHANGES).map(|(key, before, after)| {
            let (before, after) = (before.as_ref(), after.as_ref());
            self.audited(caller, "PUT configs", revision, &Edit { key, before, after })
        });
        let mut entries: Vec<_> = listed.collect();
        let more = edits.len().saturating_sub(LISTED_CHANGES);
        if let (1.., Some(last)) = (more, entries.last().cloned()) {
            entries.push(NewAuditEntry {
                key: "/".to_owned(),
                changes: format!("{more} more changes").into(),
                ..last
            });
        }
        entries
    }

    async fn standalone_state(&self) -> Result<State, Reply> {
        State::load(&self.state.database)
            .await
            .map_err(|error| Refusal::from(error).into())
    }

    /// The configuration as it was written, with its versions.
    async fn shown_configs(&self, state: &State, headers: &HeaderMap) -> Result<Reply, Reply> {
        let mut shown = state.described();
        for kind in Kind::collections() {
            let directory = kind.info().directory;
            let listing = self.state.store.list(&format!("/{directory}/")).await;
            let items = listing.map_err(Refusal::from)?.items.into_iter();
            let mut items: HashMap<String, Item> = items.map(|item| (item.key.clone(), item)).collect();
            let entries = state.items.get(directory).into_iter().flatten();
            let list: Vec<Value> = entries
                .filter_map(|entry| Some(as_written(entry, items.remove(&entry.key)?)))
                .collect();
            if !list.is_empty() {
                shown.insert(directory.to_owned(), list.into());
            }
        }
        let accept = headers.get(header::ACCEPT);
        if !accept.is_some_and(|accept| accept.as_bytes().starts_with(b"application/yaml")) {
            return Ok(Reply::json(StatusCode::OK, shown.into()));
        }
        let yaml = serde_yaml_ng::to_string(&shown).map_err(|error| {
            tracing::error!(%error, "the configuration cannot be written as YAML");
            Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
        })?;
        let yaml_type = HeaderValue::from_static("application/yaml");
        Ok(Reply::text(StatusCode::OK, yaml).with_header(header::CONTENT_TYPE, yaml_type))
    }
}

impl Plan {
    /// Makes the stored items the wanted ones. Those that stay as they are, are not written: neither equal ones, nor
    /// those whose writer says so by their index.
    fn add(&mut self, stored: Listing, wanted: &[Wanted], indices: &HashMap<&str, &Value>) {
        let damaged: Vec<String> = stored.damaged.into_iter().map(|damaged| damaged.key).collect();
        let stored: HashMap<String, Value> = stored
            .items
            .into_iter()
            .map(|item| (item.key, item.value))
            .collect();
        let mut kept: HashSet<String> = HashSet::new();
        for item in wanted {
            let path = item.key.to_string();
            let before = stored.get(&path);
            let index = item.modified_index.as_ref();
            let same_index = index.is_some() && indices.get(path.as_str()).copied() == index;
            kept.insert(path.clone());
            if before.is_some_and(|before| same_index || *before == item.value) {
                continue;
            }
            self.edits
                .push((item.key.clone(), before.cloned(), Some(item.value.clone())));
            self.writes.push(Write::Put {
                key: path,
                value: item.value.clone(),
                ttl: None,
                expected: None,
            });
        }
        let gone = stored.keys().chain(&damaged).filter(|path| !kept.contains(*path));
        for path in gone {
            if let Some(key) = Key::parse(path) {
                self.edits.push((key, stored.get(path).cloned(), None));
            }
            self.writes.push(Write::Delete { key: path.clone() });
        }
    }
}

/// Items that hold, under the keys that they are to be stored under. One without any id gets `arr_` and its place
/// (compat §9.2).
fn wanted(kind: Kind, items: &[Value]) -> Result<Vec<Wanted>, CheckError> {
    let numbered = items.iter().enumerate();
    numbered
        .map(|(index, item)| {
            let mut value = item.clone();
            let modified_index = value
                .as_object_mut()
                .and_then(|members| members.shift_remove(MODIFIED_INDEX));
            let id = value.get("id").and_then(id_text);
            let key = match (kind, id.as_deref()) {
                (Kind::Consumer, Some(id)) if id.contains("/credentials/") => {
                    let (consumer, own) = id.split_once("/credentials/").unwrap_or((id, ""));
                    set_id(&mut value, own.into());
                    Target::credential(consumer, Some(own)).key(&value)?
                }
                (Kind::Secret, Some(id)) => {
                    let (manager, own) = id.split_once('/').unwrap_or((id, ""));
                    Target::secret(manager, Some(own)).key(&value)?
                }
                (Kind::Consumer, _) | (_, Some(_)) => Target::new(kind, None).key(&value)?,
                (_, None) => {
                    set_id(&mut value, format!("arr_{}", index + 1).into());
                    Target::new(kind, None).key(&value)?
                }
            };
            Ok(Wanted {
                key,
                value,
                modified_index,
            })
        })
        .collect()
}

/// An item as its writer knows it.
fn as_written(entry: &Entry, item: Item) -> Value {
    let mut value = item.value;
    if let Some(key) = Key::parse(&entry.key).filter(|key| key.kind() == Kind::Credential) {
        set_id(&mut value, key.id().into());
    }
    if let (Some(index), Some(members)) = (&entry.modified_index, value.as_object_mut()) {
        members.insert(MODIFIED_INDEX.to_owned(), index.clone());
    }
    value
}

/// Says which configuration is in force; before the first one there is nothing to say.
fn with_headers(reply: Reply, state: &State) -> Reply {
    let Some(digest) = state
        .digest
        .as_ref()
        .and_then(|digest| HeaderValue::from_str(digest).ok())
    else {
        return reply;
    };
    reply
        .with_header(DIGEST, digest)
        .with_header(LAST_MODIFIED, state.last_modified.into())
}
