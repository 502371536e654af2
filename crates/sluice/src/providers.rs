//! Calls to providers that operators ask for, between Admin API and exchange.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_admin::{ProviderCalls, ProviderHealth, ProviderModel, ProviderModels, ProviderTest};
use sluice_core::{Services, SnapshotCell};
use sluice_exchange::{ProbeReport, ProviderConfig, list_models, test_provider};
use sluice_llm::{KeyHeader, Price, Protocol, Provider, ProviderConf, Usage};
use sluice_upstream::OWN_TARGETS;

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

    async fn listed(&self, provider: &ProviderConfig) -> ProviderModels {
        let listed = list_models(provider, &self.services).await;
        listed.map_err(told).map(|models| {
            let models = models.into_iter().map(|model| ProviderModel {
                id: model.id,
                display_name: model.display_name,
                owned_by: model.owned_by,
                context_window: model.context_window,
            });
            models.collect()
        })
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
            Some(self.listed(&provider).await)
        })
    }

    fn test_draft<'a>(
        &'a self,
        provider: &'a Value,
        model: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ProviderTest, String>> {
        Box::pin(async move {
            let provider = ProviderConfig::read(provider).map_err(|error| error.to_string())?;
            Ok(told(test_provider(&provider, model, &self.services).await))
        })
    }

    fn models_of_draft<'a>(&'a self, provider: &'a Value) -> BoxFuture<'a, Result<ProviderModels, String>> {
        Box::pin(async move {
            let provider = ProviderConfig::read(provider).map_err(|error| error.to_string())?;
            Ok(self.listed(&provider).await)
        })
    }

    fn health(&self, id: &str) -> ProviderHealth {
        let now = Instant::now();
        let states = self.services.targets.beginning_with(&format!("{id}/"));
        let views: Vec<_> = states
            .iter()
            .map(|state| (state.view(true, now), state.is_cooling(now)))
            .collect();
        let latency = views.iter().filter_map(|(view, _)| view.latency).reduce(f64::min);
        let state = match views.as_slice() {
            [] => "unknown",
            views if views.iter().all(|(_, cooling)| *cooling) => "cooling_down",
            views if views.iter().any(|(view, _)| view.error_rate > 0.5) => "failing",
            views if views.iter().all(|(view, _)| view.latency.is_none()) => "unknown",
            _ => "ok",
        };
        ProviderHealth {
            state,
            last_error: None,
            latency_ms: latency.map(|seconds| Duration::from_secs_f64(seconds.max(0.0)).as_millis() as u64),
        }
    }

    fn own_targets(&self) -> Vec<(String, ProviderHealth)> {
        let keys = self.services.targets.keys_beginning_with(OWN_TARGETS);
        let names = keys.iter().filter_map(|key| Some(key.rsplit_once('/')?.0));
        let mut names: Vec<_> = names.collect();
        names.dedup();
        let shown = |name: &&str| name.trim_start_matches(OWN_TARGETS).to_owned();
        names
            .iter()
            .map(|name| (shown(name), self.health(name)))
            .collect()
    }

    fn types(&self) -> Vec<Value> {
        Provider::all().iter().map(described).collect()
    }

    fn prices(&self) -> Vec<(String, Value)> {
        let entries = self.services.prices.entries().into_iter();
        entries
            .map(|(provider, model, price)| (format!("{provider}/{model}"), rates(price)))
            .collect()
    }

    fn key_header(&self, kind: &str) -> Option<&'static str> {
        let provider = Provider::find(kind).ok()?;
        Some(match provider.key_header() {
            KeyHeader::Bearer => "authorization",
            KeyHeader::Named(header) => header,
        })
    }

    fn price(&self, kind: &str, model: &str) -> Option<Value> {
        self.services.prices.find(kind, model).map(rates)
    }
}

fn rates(price: &Price) -> Value {
    let rates = price.rates();
    let named = Usage::BUCKETS.into_iter().zip(rates.buckets());
    // What is billed by another unit is named where it is billed at all.
    let shown = named.filter(|(name, rate)| *rate > 0 || !matches!(*name, "searches" | "audio_ms"));
    shown
        .map(|(name, rate)| (name.to_owned(), rate.into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What a form has to know of a kind of provider.
fn described(provider: &'static Provider) -> Value {
    let host = provider.host(&ProviderConf::default());
    let base = match (host, provider.local_port()) {
        (Some(host), Some(port)) => Some(format!("http://{host}:{port}")),
        (Some(host), None) => Some(format!("https://{host}")),
        (None, _) => None,
    };
    let needs: &[&str] = match provider.name() {
        "bedrock" => &["region", "aws"],
        "vertex-ai" | "vertex-anthropic" => &["region", "project"],
        _ if provider.is_built_in() || provider.local_port().is_some() => &[],
        _ if base.is_none() => &["base_url", "api_key"],
        _ => &["api_key"],
    };
    let protocols: Vec<_> = Protocol::ALL
        .into_iter()
        .filter(|protocol| provider.endpoint(*protocol).is_some())
        .map(Protocol::name)
        .collect();
    json!({
        "type": provider.name(),
        "title": provider.name(),
        "base_url": base,
        "needs": needs,
        "protocols": protocols,
    })
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
