//! Whose limits a request meets.

use std::sync::Arc;

use sluice_core::{CallerLimits, Context, Plugin, PluginSet, Subject};
use sluice_record::Text;
use smallvec::SmallVec;

use super::{AiLimits, NAME};

/// One whose limits a request meets, with the plugin that says them.
pub(super) struct Party {
    scope: Scope,
    name: Text,
    plugin: Arc<dyn Plugin>,
}

enum Scope {
    Client,
    Group,
    Route,
}

impl Party {
    pub(super) fn subject(&self) -> Subject<'_> {
        match self.scope {
            Scope::Client => Subject::Client(&self.name),
            Scope::Group => Subject::Group(&self.name),
            Scope::Route => Subject::Route(&self.name),
        }
    }

    pub(super) fn limits(&self) -> Option<&AiLimits> {
        self.plugin
            .caller_limits()
            .and_then(CallerLimits::as_any)?
            .downcast_ref()
    }
}

/// The request's client, its group and its route, as far as they have limits. The pipeline runs one instance only; all
/// of them hold.
pub(super) fn parties(cx: &Context) -> SmallVec<[Party; 3]> {
    let mut parties = SmallVec::new();
    let mut add = |scope, name: &Text, plugins: &PluginSet| {
        if let Some(entry) = plugins.get(NAME) {
            parties.push(Party {
                scope,
                name: name.clone(),
                plugin: entry.plugin.clone(),
            });
        }
    };
    if let Some(caller) = &cx.caller {
        let consumer = &caller.consumer;
        add(Scope::Client, &consumer.username, &consumer.plugins);
        if let Some(id) = &consumer.group_id
            && let Some(group) = cx.snapshot.consumers.group(id)
        {
            add(Scope::Group, id, &group.plugins);
        }
    }
    if let Some(matched) = &cx.route {
        add(Scope::Route, &matched.route.id, matched.route.pipeline.plugins());
    }
    parties
}
