//! A consumer with its first credential: both are stored, or neither.

use serde_json::Value;
use sluice_resource::{Key, Kind, Target};
use sluice_store::Write;

use super::Expected;
use super::write::stamp;
use crate::api::Api;
use crate::audit::Edit;
use crate::auth::Caller;
use crate::reply::Refusal;

impl Api {
    /// Stores a consumer that is not there yet and a credential of it, in one transaction.
    pub(crate) async fn put_with_credential(
        &self,
        caller: &Caller,
        consumer: Value,
        id: &str,
        credential: Value,
    ) -> Result<(), Refusal> {
        let of_consumer = Target {
            kind: Kind::Consumer,
            parent: None,
            id: None,
        };
        let mut consumer = of_consumer.identify_put(Some(consumer))?;
        self.decrypt_keys(Kind::Consumer, &mut consumer);
        let consumer_key = of_consumer.key(&consumer)?;
        let of_credential = Target {
            kind: Kind::Credential,
            parent: Some(consumer_key.id()),
            id: Some(id),
        };
        let mut credential = of_credential.identify_put(Some(credential))?;
        self.decrypt_keys(Kind::Credential, &mut credential);
        let credential_key = of_credential.key(&credential)?;

        let mut writing = self.writing.lock().await;
        self.check(&of_consumer, &consumer, &mut writing).await?;
        // Its consumer is not stored yet: it comes along.
        let beside = Some((&consumer_key, &consumer));
        self.check_beside(&of_credential, &credential, beside, &mut writing)
            .await?;
        let previous = self.previous(&consumer_key).await?;
        self.expect(Expected::Absent, &consumer_key, previous.as_ref())?;
        stamp(&consumer_key, &mut consumer, None);
        stamp(&credential_key, &mut credential, None);
        let put = |key: &Key, value: &Value| Write::Put {
            key: key.to_string(),
            value: value.clone(),
            ttl: None,
            expected: Some(0),
        };
        let writes = vec![put(&consumer_key, &consumer), put(&credential_key, &credential)];
        let committed = self.state.store.batch(writes).await?;
        drop(writing);

        let edits = [(&consumer_key, &consumer), (&credential_key, &credential)].map(|(key, value)| Edit {
            key,
            before: None,
            after: Some(value),
        });
        let entries = edits
            .iter()
            .map(|edit| self.audited(caller, "PUT", committed.revision, edit))
            .collect();
        futures_util::future::join(self.note(entries), self.followed(committed.revision)).await;
        Ok(())
    }
}
