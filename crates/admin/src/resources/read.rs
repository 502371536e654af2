//! GET of one resource and of collections.

use http::StatusCode;
use serde_json::Value;
use sluice_resource::{Key, Kind};
use sluice_store::Item;

use super::Call;
use super::selection::Selection;
use crate::api::Api;
use crate::envelope::ApiVersion;
use crate::reply::{Refusal, Reply, object};

impl Api {
    pub(super) async fn read(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        match call.address.id {
            Some(_) => self.read_one(call).await,
            None => self.read_collection(call).await,
        }
    }

    async fn read_one(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let key = call.address.target().existing()?.ok_or(Refusal::Absent)?;
        let item = self.state.store.get(&key.to_string()).await?;
        let item = item.ok_or(Refusal::Absent)?;
        let version = self.state.options.api_version;
        Ok(Reply::json(StatusCode::OK, version.one(self.shown(&key, item))))
    }

    async fn read_collection(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let kind = call.address.kind;
        let directory = kind.info().directory;
        let version = self.state.options.api_version;
        let prefix = match (kind, call.address.parent.as_deref()) {
            (Kind::Credential, Some(consumer)) => format!("/{directory}/{consumer}/credentials/"),
            (_, Some(manager)) => format!("/{directory}/{manager}/"),
            (_, None) => format!("/{directory}/"),
        };
        let mut items = self.below(&prefix, kind).await?;
        // Only collections of their own have a placeholder in etcd, without which there is nothing to list.
        if items.is_empty() && kind == Kind::Credential {
            return Err(Refusal::Absent);
        }
        let selection = match version {
            ApiVersion::V2 => Selection::everything(),
            ApiVersion::V3 => Selection::new(kind, call.query)?,
        };
        items.retain(|(_, item)| selection.admits(&item.value));
        let total = items.len();
        let list = match selection.page() {
            None => items,
            Some((skip, size)) => items.into_iter().skip(skip).take(size).collect(),
        };
        let mut list: Value = list
            .into_iter()
            .map(|(key, item)| self.shown(&key, item))
            .collect();
        if selection.page().is_some() && list.as_array().is_some_and(Vec::is_empty) {
            // APISIX cuts the page out into a table that is nothing but empty.
            list = object([]);
        }
        let directory = format!(
            "{}{}",
            self.state.options.key_prefix,
            prefix.trim_end_matches('/')
        );
        Ok(Reply::json(StatusCode::OK, version.list(&directory, list, total)))
    }

    /// An item as GET shows it: private keys stay here.
    fn shown(&self, key: &Key, mut item: Item) -> Value {
        if let (Kind::Ssl, Some(ssl)) = (key.kind(), item.value.as_object_mut()) {
            ssl.shift_remove("key");
            ssl.shift_remove("keys");
        }
        self.entry(key, item)
    }
}
