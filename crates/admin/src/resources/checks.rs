//! The checks of a write that need the store.

use serde_json::Value;
use sluice_resource::{CheckError, Key, Kind, PLUGIN_KINDS, Target, check_global_rule_overlap, references};

use super::AuthKeyIndex;
use crate::api::Api;
use crate::reply::Refusal;

impl Api {
    /// Everything that a resource must hold to be stored, in the order of the messages.
    pub(super) async fn check(
        &self,
        target: &Target<'_>,
        value: &Value,
        index: &mut AuthKeyIndex,
    ) -> Result<(), Refusal> {
        self.check_beside(target, value, None, index).await
    }

    /// The same for what is stored together with another resource, which it may refer to.
    pub(super) async fn check_beside(
        &self,
        target: &Target<'_>,
        value: &Value,
        beside: Option<(&Key, &Value)>,
        index: &mut AuthKeyIndex,
    ) -> Result<(), Refusal> {
        self.checker.check_before_references(target, value)?;
        for reference in references(target, value) {
            if let Some((_, value)) = beside.filter(|(key, _)| **key == reference.key) {
                reference.check(Some(value))?;
                continue;
            }
            let found = self.state.store.get(&reference.key.to_string()).await?;
            reference.check(found.as_ref().map(|item| &item.value))?;
        }
        self.checker.check_after_references(target, value)?;
        self.check_surroundings(target, value).await?;
        match target.kind {
            Kind::Consumer | Kind::Credential => {
                let catalogue = &*self.state.catalogue;
                index.refresh(&self.state.store, catalogue).await?;
                index.check(&target.key(value)?, value, catalogue)?;
            }
            Kind::Model => self.check_model_name(target, value).await?,
            Kind::GlobalRule => self.check_overlap(&target.key(value)?, value).await?,
            _ => {}
        }
        self.dry_run(target, value).await
    }

    /// What plugins say about their metadata, and about other configurations of the same group.
    async fn check_surroundings(&self, target: &Target<'_>, value: &Value) -> Result<(), Refusal> {
        for plugin in self.checker.depends_on_metadata(value) {
            let key = Key::new(Kind::PluginMetadata, &plugin).to_string();
            let metadata = self.state.store.get(&key).await?.map(|item| item.value);
            self.checker
                .check_against_metadata(target, value, &plugin, metadata.as_ref())?;
        }
        if !self.checker.has_groups(value) {
            return Ok(());
        }
        // A POST has no key yet.
        let own = target.key(value).ok();
        for kind in PLUGIN_KINDS {
            for (key, other) in self.all(kind).await? {
                if Some(&key) != own.as_ref() {
                    self.checker.check_groups(target, value, &other.value)?;
                }
            }
        }
        Ok(())
    }

    /// Two models with one name would hide one another.
    async fn check_model_name(&self, target: &Target<'_>, model: &Value) -> Result<(), Refusal> {
        // A POST has no key yet, and with it no name but the one it gives.
        let own = target.key(model).ok();
        let name = |key: Option<&Key>, model: &Value| {
            let given = model.get("name").and_then(Value::as_str).map(str::to_owned);
            given.or_else(|| key.map(|key| key.id().to_owned()))
        };
        let Some(wanted) = name(own.as_ref(), model) else {
            return Ok(());
        };
        for (key, other) in self.all(Kind::Model).await? {
            if Some(&key) != own.as_ref() && name(Some(&key), &other.value).as_deref() == Some(&*wanted) {
                let message = format!("duplicate model name [{wanted}], model [{}] has it", key.id());
                return Err(CheckError::refused(message).into());
            }
        }
        Ok(())
    }

    async fn check_overlap(&self, key: &Key, rule: &Value) -> Result<(), Refusal> {
        let stored = self.all(Kind::GlobalRule).await?;
        let others = stored.iter().map(|(key, item)| (key, &item.value));
        Ok(check_global_rule_overlap(key, rule, others)?)
    }
}
