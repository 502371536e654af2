//! The stored resources: one implementation for all kinds (compat §1.2–1.7).

mod auth_keys;
mod checks;
mod delete;
mod read;
mod selection;
mod together;
mod write;

use std::time::Duration;

use serde_json::Value;
use sluice_resource::{CheckError, Key, Kind, Method};
use sluice_store::{Item, StoreError};

pub(crate) use self::auth_keys::AuthKeyIndex;
use crate::api::Api;
use crate::audit::Edit;
use crate::auth::Caller;
use crate::body::Payload;
use crate::path::Address;
use crate::query::Query;
use crate::reply::{Refusal, Reply, object};

/// Longest life that etcd gives to a lease, in seconds.
const MAX_TTL: f64 = 9e9;

/// A call on a stored resource.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) address: &'a Address,
    pub(crate) query: &'a Query,
    pub(crate) caller: &'a Caller,
    pub(crate) payload: Payload,
    pub(crate) expected: Expected,
}

/// What a write relies upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing.
    Any,
    /// That nothing is there.
    Absent,
    /// That this version is there.
    At(u64),
}

impl Call<'_> {
    /// How long what is written shall live.
    fn ttl(&self) -> Result<Option<Duration>, Refusal> {
        match self.payload.ttl {
            None => Ok(None),
            Some(seconds) if seconds > 0.0 => Ok(Some(Duration::from_secs_f64(seconds.min(MAX_TTL)))),
            Some(_) => Err(CheckError::refused("invalid argument ttl: should be positive").into()),
        }
    }
}

impl Api {
    /// Refuses a write that relies upon something else than what is there.
    fn expect(&self, expected: Expected, key: &Key, there: Option<&Item>) -> Result<(), Refusal> {
        let version = there.map(|item| item.mod_revision);
        let holds = match expected {
            Expected::Any => true,
            Expected::Absent => version.is_none(),
            Expected::At(wanted) => version == Some(wanted),
        };
        if holds {
            return Ok(());
        }
        let current = there.map(|item| {
            object([
                ("id", key.id().into()),
                ("value", self.redacted(key, item.value.clone())),
                ("version", item.mod_revision.into()),
            ])
        });
        Err(Refusal::Changed(Box::new(current.unwrap_or_default())))
    }

    /// Answers a call whose body and query are read.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Reply, Refusal> {
        let kind = call.address.kind;
        if !kind.allows(call.method) {
            return Err(CheckError::method(kind, call.method).into());
        }
        match call.method {
            Method::Get => self.read(&call).await,
            Method::Put => self.put(call).await,
            Method::Post => self.post(call).await,
            Method::Patch => self.patch(call).await,
            Method::Delete => self.delete(&call).await,
        }
    }

    /// All readable resources of a kind, oldest first.
    pub(crate) async fn all(&self, kind: Kind) -> Result<Vec<(Key, Item)>, StoreError> {
        self.below(&format!("/{}/", kind.info().directory), kind).await
    }

    /// The readable resources of a kind whose keys begin so, oldest first.
    pub(crate) async fn below(&self, prefix: &str, kind: Kind) -> Result<Vec<(Key, Item)>, StoreError> {
        let listing = self.state.store.list(prefix).await?;
        for damaged in &listing.damaged {
            tracing::warn!(%damaged, "left out of a listing");
        }
        let keyed = listing
            .items
            .into_iter()
            .filter_map(|item| Some((Key::parse(&item.key)?, item)));
        Ok(keyed.filter(|(key, _)| key.kind() == kind).collect())
    }

    /// An item as GET shows it.
    pub(crate) fn entry(&self, key: &Key, item: Item) -> Value {
        object([
            ("key", self.path_of(key).into()),
            ("value", item.value),
            ("createdIndex", item.create_revision.into()),
            ("modifiedIndex", item.mod_revision.into()),
        ])
    }

    /// The key as replies show it: with the prefix that it would have in etcd.
    fn path_of(&self, key: &Key) -> String {
        format!("{}{key}", self.state.options.key_prefix)
    }

    /// Waits until requests feel a write, but not for long: a data plane that lags is no reason to fail.
    pub(crate) async fn followed(&self, revision: u64) {
        let reached = self.state.data_plane.reached(revision);
        if tokio::time::timeout(self.state.options.follow_wait, reached)
            .await
            .is_err()
        {
            tracing::warn!(revision, "the data plane has not taken over a change yet");
        }
    }

    /// What is left to do once a write is stored: to note it, and to see it in force.
    async fn finish(&self, call: &Call<'_>, revision: u64, edits: &[Edit<'_>]) {
        let action = call.method.name();
        let entries = edits
            .iter()
            .map(|edit| self.audited(call.caller, action, revision, edit))
            .collect();
        futures_util::future::join(self.note(entries), self.followed(revision)).await;
    }
}
