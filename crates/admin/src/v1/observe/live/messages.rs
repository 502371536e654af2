//! What a page gets.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_ledger::{Entry, Filter};
use sluice_observe::LiveTotals;
use sluice_resource::Kind;
use sluice_store::{Change, EventKind, Watch};
use tokio::time::Instant;

use crate::api::Api;
use crate::v1::clients;
use crate::v1::observe::{names, overview, requests};
use crate::v1::session;

/// Clients of one message.
const CLIENTS: usize = 100;

/// Requests of before that a page begins with.
const BEFORE: u64 = 20;

/// How often providers are looked at.
const PROVIDERS: Duration = Duration::from_secs(5);

/// How often an idle page hears something.
const PING: Duration = Duration::from_secs(20);

/// What a page may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Tiles,
    Series,
    Requests,
    Clients,
    Providers,
    Configuration,
    /// How the limits of a client stand.
    Limits(String),
}

impl Topic {
    /// None for one that only other versions know.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "tiles" => Self::Tiles,
            "series" => Self::Series,
            "requests" => Self::Requests,
            "clients" => Self::Clients,
            "providers" => Self::Providers,
            "configuration" => Self::Configuration,
            _ => Self::Limits(
                name.strip_prefix("limits:")
                    .filter(|id| !id.is_empty())?
                    .to_owned(),
            ),
        })
    }
}

/// What a page has asked for, and what it has seen.
pub(super) struct Messages {
    topics: Vec<Topic>,
    second: i64,
    requests: u64,
    clients: u64,
    providers_at: Option<Instant>,
    pinged: Instant,
    edits: Watch,
    revision: u64,
    /// The standings sent last.
    limits: HashMap<String, Value>,
}

impl Messages {
    pub(super) fn new(api: &Api) -> Self {
        let revision = api.state.data_plane.report().revision;
        let records = api.state.live.records();
        Self {
            topics: Vec::new(),
            second: 0,
            // A page begins with what was before it.
            requests: records.saturating_sub(BEFORE),
            // Of clients it has asked for that by itself.
            clients: records,
            providers_at: None,
            pinged: Instant::now(),
            edits: api.state.store.subscribe(revision),
            revision,
            limits: HashMap::new(),
        }
    }

    pub(super) fn hello(api: &Api) -> String {
        let version = &api.state.options.version;
        json!({ "type": "hello", "server_time": session::now(), "version": version }).to_string()
    }

    pub(super) fn subscribe(&mut self, topics: Vec<Topic>) {
        self.topics = topics;
        self.limits.clear();
        self.providers_at = None;
    }

    /// What is new.
    pub(super) async fn fresh(&mut self, api: &Api) -> Vec<String> {
        let mut messages = Vec::new();
        for topic in self.topics.clone() {
            let message = match topic {
                Topic::Tiles => Some(tiles(api)),
                Topic::Series => self.series(api),
                Topic::Requests => self.requests(api).await,
                Topic::Clients => self.clients(api),
                Topic::Providers => self.providers(api).await,
                Topic::Configuration => self.configuration(api),
                Topic::Limits(client) => self.limits(api, client),
            };
            messages.extend(message);
        }
        if messages.is_empty() && self.pinged.elapsed() >= PING {
            messages.push(json!({ "type": "ping", "at": session::now() }));
        }
        if !messages.is_empty() {
            self.pinged = Instant::now();
        }
        messages.iter().map(Value::to_string).collect()
    }

    fn series(&mut self, api: &Api) -> Option<Value> {
        let second = api.state.live.second();
        if second.at == std::mem::replace(&mut self.second, second.at) {
            return None;
        }
        let totals = &second.totals;
        Some(json!({ "type": "series", "point": {
            "at": second.at * 1000,
            "interval_ms": 1000,
            "requests": totals.requests,
            "errors": totals.errors,
            "input_tokens": totals.input_tokens,
            "output_tokens": totals.output_tokens,
            "cost_micro_usd": totals.cost_micros,
        }}))
    }

    async fn requests(&mut self, api: &Api) -> Option<Value> {
        let feed = api.state.live.feed(self.requests);
        self.requests = feed.seen;
        if feed.records.is_empty() {
            return None;
        }
        let names = names::of(api).await;
        let entries = feed.records.iter().filter_map(|record| Entry::of(record));
        let items: Vec<Value> = entries.map(|entry| requests::row(&entry, &names)).collect();
        Some(json!({ "type": "requests", "items": items, "skipped": feed.skipped }))
    }

    fn clients(&mut self, api: &Api) -> Option<Value> {
        let (clients, seen) = api.state.live.clients_since(self.clients, CLIENTS);
        self.clients = seen;
        if clients.is_empty() {
            return None;
        }
        let item = |(id, client): &(std::sync::Arc<str>, sluice_observe::ClientToday)| {
            json!({
                "id": id,
                "requests_today": client.totals.requests,
                "tokens_today": client.totals.tokens(),
                "cost_today_micro_usd": client.totals.cost_micros,
                "errors_today": client.totals.errors,
                "seen_at": client.seen_at,
            })
        };
        Some(json!({ "type": "clients", "items": clients.iter().map(item).collect::<Vec<_>>() }))
    }

    async fn providers(&mut self, api: &Api) -> Option<Value> {
        if self.providers_at.is_some_and(|at| at.elapsed() < PROVIDERS) {
            return None;
        }
        self.providers_at = Some(Instant::now());
        let today = Filter {
            since_us: Some(overview::today_us()),
            ..Filter::default()
        };
        let items = overview::providers(api, &today).await.ok()?;
        Some(json!({ "type": "providers", "items": items }))
    }

    /// The standings of a client's limits, if they have changed.
    fn limits(&mut self, api: &Api, client: String) -> Option<Value> {
        let items = clients::standings(api, &client);
        let known = self.limits.get(&client);
        if known == Some(&items) {
            return None;
        }
        self.limits.insert(client, items.clone());
        Some(json!({ "type": "limits", "items": items }))
    }

    /// Which kinds were edited, once the edit is in force.
    fn configuration(&mut self, api: &Api) -> Option<Value> {
        let revision = api.state.data_plane.report().revision;
        if revision == self.revision {
            return None;
        }
        self.revision = revision;
        let mut kinds = BTreeSet::new();
        while let Some(change) = self.edits.try_next() {
            match change {
                Change::Event(event) => {
                    let key = match &event.kind {
                        EventKind::Put(item) => &item.key,
                        EventKind::Delete { key } => key,
                        EventKind::Damaged(item) => &item.key,
                    };
                    kinds.insert(kind(key).to_owned());
                }
                // Too many to tell them apart.
                Change::Resync => {
                    self.edits = api.state.store.subscribe(revision);
                    let all = Kind::collections().map(|kind| kind.info().directory.to_owned());
                    kinds.extend(all);
                }
            }
        }
        Some(json!({ "type": "configuration", "revision": revision, "kinds": kinds }))
    }
}

/// The directory of a key; what stands below a consumer is its credentials.
fn kind(key: &str) -> &str {
    let mut segments = key.split('/').skip(1);
    let directory = segments.next().unwrap_or_default();
    match segments.nth(1) {
        Some("credentials") => "credentials",
        _ => directory,
    }
}

/// What goes on at this moment: the message `tiles`.
pub(in crate::v1::observe) fn tiles(api: &Api) -> Value {
    let tiles = api.state.live.tiles();
    json!({
        "type": "tiles",
        "at": session::now(),
        "in_flight": api.state.metrics.server().in_flight(),
        "active_keys": tiles.active_keys,
        "requests_per_second": tiles.requests_per_second,
        "errors_per_second": tiles.errors_per_second,
        "tokens_per_second": tiles.tokens_per_second,
        "today": totals(&tiles.today),
    })
}

fn totals(totals: &LiveTotals) -> Value {
    json!({
        "requests": totals.requests,
        "errors": totals.errors,
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cache_read_tokens": totals.cache_read_tokens,
        "cost_micro_usd": totals.cost_micros,
        "unpriced_requests": totals.unpriced,
        "cache_hits": totals.cache_hits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_kinds() {
        assert_eq!(kind("/routes/1"), "routes");
        assert_eq!(kind("/consumers/jack"), "consumers");
        assert_eq!(kind("/consumers/jack/credentials/a"), "credentials");
    }

    #[test]
    fn topics_have_names() {
        assert_eq!(Topic::from_name("tiles"), Some(Topic::Tiles));
        assert_eq!(
            Topic::from_name("limits:a:b"),
            Some(Topic::Limits("a:b".to_owned()))
        );
        assert_eq!(Topic::from_name("limits:"), None);
        assert_eq!(Topic::from_name("everything"), None);
    }
}
