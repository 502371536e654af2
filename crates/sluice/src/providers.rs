//! Calls to providers that operators ask for, between Admin API and exchange.

use std::pin::Pin;
use std::sync::Arc;

use sluice_admin::{ProviderCalls, ProviderModel, ProviderModels, ProviderTest};
use sluice_core::{Services, SnapshotCell};
use sluice_exchange::{ProbeReport, ProviderConfig, list_models, test_provider};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Calls the providers that are in force.
pub(crate) struct Calls {
    pub(crate) services: Arc<Services>,
    pub(crate) snapshots: Arc<SnapshotCell>,
}

impl Calls {
    fn provider(&self, id: &str) -> Option<ProviderConfig> {
        let snapshot = self.snapshots.load();
        ProviderConfig::read(&snapshot.models.provider(id)?.conf).ok()
    }
}

impl ProviderCalls for Calls {
    fn test<'a>(&'a self, id: &'a str, model: Option<&'a str>) -> BoxFuture<'a, Option<ProviderTest>> {
        Box::pin(async move {
            let provider = self.provider(id)?;
            Some(told(test_provider(&provider, model, &self.services).await))
        })
    }

    fn models<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<ProviderModels>> {
        Box::pin(async move {
            let provider = self.provider(id)?;
            let listed = list_models(&provider, &self.services).await;
            Some(listed.map_err(told).map(|models| {
                let models = models.into_iter().map(|model| ProviderModel {
                    id: model.id,
                    display_name: model.display_name,
                    owned_by: model.owned_by,
                    context_window: model.context_window,
                });
                models.collect()
            }))
        })
    }
}

fn told(report: ProbeReport) -> ProviderTest {
    ProviderTest {
        ok: report.ok,
        status: report.status,
        latency_ms: u64::try_from(report.latency.as_millis()).unwrap_or(u64::MAX),
        model: report.model,
        answered_model: report.answered,
        error_class: report.class.map(sluice_llm::ErrorClass::name),
        message: report.message,
    }
}
