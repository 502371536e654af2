//! PUT, POST and PATCH.

use http::StatusCode;
use serde_json::Value;
use sluice_resource::{CheckError, Key, Method, Target, check_times, merge_patch, set_at_path, set_id};
use sluice_store::{Item, StoreError, Written};

use super::Call;
use crate::api::{Api, unix_now};
use crate::audit::Edit;
use crate::reply::{Refusal, Reply};

impl Api {
    pub(super) async fn put(&self, mut call: Call<'_>) -> Result<Reply, Refusal> {
        let target = call.address.target();
        let ttl = call.ttl()?;
        let mut value = target.identify_put(call.payload.body.take())?;
        check_times(&value)?;
        self.decrypt_keys(target.kind, &mut value);

        let mut writing = self.writing.lock().await;
        self.check(&target, &value, &mut writing).await?;
        let key = target.key(&value)?;
        let previous = self.previous(&key).await?;
        self.expect(call.expected, &key, previous.as_ref())?;
        stamp(&key, &mut value, previous.as_ref().map(|item| &item.value));
        let store = &self.state.store;
        let written = store.put(&key.to_string(), value.clone(), ttl).await?;
        drop(writing);

        let status = if written.existed {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        let done = Done {
            key,
            before: previous.map(|item| item.value),
            value,
            written,
        };
        Ok(self.written(&call, done, status).await)
    }

    pub(super) async fn post(&self, mut call: Call<'_>) -> Result<Reply, Refusal> {
        let target = call.address.target();
        let ttl = call.ttl()?;
        let mut value = target.identify_post(call.payload.body.take())?;
        check_times(&value)?;
        self.decrypt_keys(target.kind, &mut value);

        let mut writing = self.writing.lock().await;
        self.check(&target, &value, &mut writing).await?;
        set_id(&mut value, self.state.store.next_id().await?.into());
        let key = target.key(&value)?;
        stamp(&key, &mut value, None);
        let store = &self.state.store;
        let written = store.put(&key.to_string(), value.clone(), ttl).await?;
        drop(writing);

        let done = Done {
            key,
            before: None,
            value,
            written,
        };
        Ok(self.written(&call, done, StatusCode::CREATED).await)
    }

    /// The merge starts from what is stored in plain text, so a patch of one member leaves secrets alone.
    pub(super) async fn patch(&self, mut call: Call<'_>) -> Result<Reply, Refusal> {
        let target = call.address.target();
        let ttl = call.ttl()?;
        let existing = target.existing()?;
        let body = call.payload.body.take();
        let sub_path = &*call.address.sub_path;
        if sub_path.is_empty() || body.is_none() {
            // What is wrong with the body is said before what is missing in the store.
            merge_patch(&Value::Null, body.as_ref())?;
        }
        let key = existing.ok_or(Refusal::Absent)?;

        let mut writing = self.writing.lock().await;
        let item = self.state.store.get(&key.to_string()).await?;
        let item = item.ok_or(Refusal::Absent)?;
        let keeps_time = sub_path.is_empty() && sets_time(body.as_ref());
        let merged = if sub_path.is_empty() {
            merge_patch(&item.value, body.as_ref())?
        } else {
            set_at_path(&item.value, sub_path, body)?
        };
        let mut value = patched(&target, merged, keeps_time)?;
        self.decrypt_keys(target.kind, &mut value);
        self.check(&target, &value, &mut writing).await?;
        let path = key.to_string();
        let store = &self.state.store;
        let written = store
            .compare_and_swap(&path, item.mod_revision, value.clone(), ttl)
            .await?;
        drop(writing);

        let done = Done {
            key,
            before: Some(item.value),
            value,
            written,
        };
        Ok(self.written(&call, done, StatusCode::OK).await)
    }

    /// What stands where something is going to be written or deleted. What cannot be read may be.
    pub(super) async fn previous(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        match self.state.store.get(&key.to_string()).await {
            Err(StoreError::Damaged(_)) => Ok(None),
            other => other,
        }
    }

    async fn written(&self, call: &Call<'_>, done: Done, status: StatusCode) -> Reply {
        let Done {
            key,
            before,
            value,
            written,
        } = done;
        let edit = Edit {
            key: &key,
            before: before.as_ref(),
            after: Some(&value),
        };
        self.finish(call, written.revision, &[edit]).await;
        let action = match call.method {
            Method::Post => "create",
            Method::Patch => "compareAndSwap",
            Method::Get | Method::Put | Method::Delete => "set",
        };
        let shown = self.encrypted(&key, value);
        let version = self.state.options.api_version;
        Reply::json(status, version.written(action, self.path_of(&key), shown))
    }
}

/// A write that is stored.
struct Done {
    key: Key,
    before: Option<Value>,
    value: Value,
    written: Written,
}

/// What a patch made of a resource, with its id and times.
fn patched(target: &Target<'_>, mut value: Value, keeps_time: bool) -> Result<Value, CheckError> {
    let now = unix_now();
    if let (true, Some(members)) = (target.kind.info().has_timestamps, value.as_object_mut()) {
        members.entry("create_time").or_insert_with(|| now.into());
        if !keeps_time || !members.contains_key("update_time") {
            members.insert("update_time".to_owned(), now.into());
        }
    }
    target.identify_put(Some(value))
}

/// Whether a patch brings an `update_time` of its own.
fn sets_time(patch: Option<&Value>) -> bool {
    patch.is_some_and(|patch| patch.get("update_time").is_some())
}

/// The times of a PUT or POST (compat §1.4): a replaced resource keeps its first one.
pub(super) fn stamp(key: &Key, value: &mut Value, previous: Option<&Value>) {
    let (true, Some(members)) = (key.kind().info().has_timestamps, value.as_object_mut()) else {
        return;
    };
    let now = Value::from(unix_now());
    let created = previous.and_then(|previous| previous.get("create_time"));
    let created = created.filter(|time| time.is_number()).unwrap_or(&now).clone();
    members.insert("create_time".to_owned(), created);
    members.insert("update_time".to_owned(), now);
}
