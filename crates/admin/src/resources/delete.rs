//! DELETE.

use http::StatusCode;
use sluice_resource::{Key, Kind, delete_checks};
use sluice_store::{Item, Write};

use super::Call;
use crate::api::Api;
use crate::audit::Edit;
use crate::reply::{Refusal, Reply};

impl Api {
    pub(super) async fn delete(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let key = call.address.target().existing()?.ok_or(Refusal::Absent)?;
        // APISIX would delete what stands in front of the segments that it ignores: the consumer, for
        // `consumers/jack/credential/1`.
        if !call.address.sub_path.is_empty() {
            return Err(Refusal::Absent);
        }

        let writing = self.writing.lock().await;
        if call.query.get("force") != Some("true") {
            self.check_unused(&key).await?;
        }
        let path = key.to_string();
        let mut writes = Vec::new();
        let mut gone = Vec::new();
        if key.kind() == Kind::Consumer {
            let prefix = format!("{path}/credentials/");
            gone = self.below(&prefix, Kind::Credential).await?;
            writes.push(Write::DeletePrefix { prefix });
        }
        let previous = self.previous(&key).await?;
        self.expect(call.expected, &key, previous.as_ref())?;
        if let Some(item) = previous {
            gone.push((key.clone(), item));
        }
        writes.push(Write::Delete { key: path });
        let committed = self.state.store.batch(writes).await?;
        drop(writing);

        if committed.existed.last() != Some(&true) {
            return Err(Refusal::Absent);
        }
        let edits = gone.iter().map(|(key, item)| Edit {
            key,
            before: Some(&item.value),
            after: None,
        });
        let edits: Vec<_> = edits.collect();
        self.finish(call, committed.revision, &edits).await;
        let version = self.state.options.api_version;
        Ok(Reply::json(StatusCode::OK, version.deleted(&self.path_of(&key))))
    }

    /// Refuses if something stored refers to the resource.
    async fn check_unused(&self, key: &Key) -> Result<(), Refusal> {
        let mut scanned: Vec<(Kind, Vec<(Key, Item)>)> = Vec::new();
        for check in delete_checks(key.kind()) {
            if !scanned.iter().any(|(kind, _)| *kind == check.scan) {
                scanned.push((check.scan, self.all(check.scan).await?));
            }
            let users = scanned.iter().filter(|(kind, _)| *kind == check.scan);
            let mut users = users.flat_map(|(_, items)| items);
            if let Some((user, _)) = users.find(|(_, item)| check.refers(&item.value, key.id())) {
                return Err(check.refusal(user).into());
            }
        }
        Ok(())
    }
}
