//! The families of APISIX that finished records feed (compat §7), for requests with the `prometheus` plugin.

use sluice_record::{Record, ResponseSource, Text};

use self::families::Families;
use super::extra::{ExtraLabel, ExtraValues};
use super::family::{LabelValues, LazyId, overflowed_in_all, sweep_all};
use super::names::ModelLabels;
use super::tuples::Tuples;
use super::{DisabledLabels, Exposition, MetricsConfig, MetricsError, OVERFLOW};
use crate::terms::{request_type, response_source};

mod families;

/// Between the values of added labels where they stand for all of them.
const SEPARATOR: &str = "\u{1f}";

/// Feeds and shows the families.
#[derive(Debug)]
pub(crate) struct ApisixMetrics {
    families: Families,
    /// Of all families; their values are the last member of a label set.
    extra_labels: Vec<ExtraLabel>,
    series: Tuples<Series, 10>,
    overflowed: u64,
}

/// The series of one label set, each found at its first use.
#[derive(Debug, Default)]
struct Series {
    /// By status and who made the answer: few, so a list.
    status: Vec<(u16, ResponseSource, LazyId)>,
    request_latency: LazyId,
    upstream_latency: LazyId,
    apisix_latency: LazyId,
    ingress: LazyId,
    egress: LazyId,
    llm_total: LazyId,
    llm_ttft: LazyId,
    prompt_tokens: LazyId,
    completion_tokens: LazyId,
    prompt_tokens_dist: LazyId,
    completion_tokens_dist: LazyId,
}

impl ApisixMetrics {
    pub(crate) fn new(config: &MetricsConfig) -> Result<Self, MetricsError> {
        let series = Tuples::new(config.max_label_sets);
        Ok(Self {
            families: Families::new(config)?,
            extra_labels: config.all_extra_labels(),
            series,
            overflowed: 0,
        })
    }

    /// Counts one request.
    pub(crate) fn feed(
        &mut self,
        record: &Record,
        prefer_name: bool,
        models: Option<ModelLabels<'_>>,
        now: u32,
    ) {
        let extra: Vec<String> = self
            .extra_labels
            .iter()
            .map(|label| label.value(record))
            .collect();
        let extra_key = extra.join(SEPARATOR);
        let mut values = Values {
            extra: ExtraValues::Known(&extra),
            extra_key: &extra_key,
            ..Values::of(record, prefer_name, models)
        };
        let overflow = values.overflow();
        let (series, overflowed) = self
            .series
            .get(values.tuple(), || overflow.tuple(), Series::default);
        if overflowed {
            self.overflowed += 1;
            values = overflow;
        }
        self.families.count_http(series, &values, record, now);
        if record.ai.is_some() {
            self.families.count_llm(series, &values, record, now);
        }
        self.families.count_cache(&values, record, now);
    }

    pub(crate) fn set_disabled(&mut self, disabled: &DisabledLabels) {
        self.families
            .each()
            .into_iter()
            .for_each(|family| family.set_disabled(disabled));
        self.series.clear();
    }

    pub(crate) fn overflowed(&mut self) -> u64 {
        self.overflowed + overflowed_in_all(&self.families.each())
    }

    pub(crate) fn sweep(&mut self, now: u32) {
        if sweep_all(&mut self.families.each(), self.series.is_full(), now) {
            self.series.clear();
        }
    }

    pub(crate) fn collect(&mut self, out: &mut Exposition) {
        self.families
            .each()
            .into_iter()
            .for_each(|family| family.collect(true, out));
    }
}

/// Label values of one request.
#[derive(Clone, Copy, Debug)]
struct Values<'r> {
    /// Id, or name with `prefer_name`; also the value of labels called `route_id`.
    route: &'r str,
    matched_uri: &'r str,
    matched_host: &'r str,
    /// Like `route`.
    service: &'r str,
    consumer: &'r str,
    node: &'r str,
    request_type: &'r str,
    request_llm_model: &'r str,
    llm_model: &'r str,
    /// Of all labels that the operator added.
    extra: ExtraValues<'r>,
    /// The same as one text.
    extra_key: &'r str,
}

impl<'r> Values<'r> {
    fn of(record: &'r Record, prefer_name: bool, models: Option<ModelLabels<'r>>) -> Self {
        let shown = |id: &'r Option<Text>, name: &'r Option<Text>| match (id, name) {
            (Some(_), Some(name)) if prefer_name => &**name,
            _ => text(id),
        };
        Self {
            route: shown(&record.route_id, &record.route_name),
            matched_uri: text(&record.matched_uri),
            matched_host: text(&record.matched_host),
            service: shown(&record.service_id, &record.service_name),
            consumer: text(&record.consumer),
            node: text(&record.node),
            request_type: request_type(record),
            request_llm_model: models.map_or("", |models| models.asked),
            llm_model: models.map_or("", |models| models.sent),
            extra: ExtraValues::None,
            extra_key: "",
        }
    }

    fn overflow(&self) -> Self {
        Self {
            route: OVERFLOW,
            matched_uri: OVERFLOW,
            matched_host: OVERFLOW,
            service: OVERFLOW,
            consumer: OVERFLOW,
            node: OVERFLOW,
            request_type: self.request_type,
            request_llm_model: OVERFLOW,
            llm_model: OVERFLOW,
            extra: ExtraValues::Overflow,
            extra_key: OVERFLOW,
        }
    }

    fn tuple(&self) -> [&'r str; 10] {
        [
            self.route,
            self.matched_uri,
            self.matched_host,
            self.service,
            self.consumer,
            self.node,
            self.request_type,
            self.request_llm_model,
            self.llm_model,
            self.extra_key,
        ]
    }

    fn status<'a>(&self, code: &'a str, source: ResponseSource) -> LabelValues<'a, 11>
    where
        'r: 'a,
    {
        let own = [
            code,
            self.route,
            self.matched_uri,
            self.matched_host,
            self.service,
            self.consumer,
            self.node,
            self.request_type,
            self.request_llm_model,
            self.llm_model,
            response_source(source),
        ];
        LabelValues {
            own,
            extra: self.extra,
        }
    }

    /// Labels of the families that have a `type`, and no pattern of the route.
    fn typed(&self, kind: &'static str) -> LabelValues<'r, 8> {
        let [route, service, consumer, node, request_type, asked, sent] = self.llm().own;
        LabelValues {
            own: [kind, route, service, consumer, node, request_type, asked, sent],
            extra: self.extra,
        }
    }

    /// Labels of the families of the cache, which tell names and ids.
    fn cache(&self, record: &'r Record) -> LabelValues<'r, 9> {
        let overflowed = self.extra_key == OVERFLOW;
        let id = |id: &'r Option<Text>| if overflowed { OVERFLOW } else { text(id) };
        let own = [
            self.route,
            id(&record.route_id),
            self.service,
            id(&record.service_id),
            self.consumer,
            self.node,
            self.request_type,
            self.request_llm_model,
            self.llm_model,
        ];
        LabelValues {
            own,
            extra: self.extra,
        }
    }

    fn cache_hit(&self, layer: &'static str, record: &'r Record) -> LabelValues<'r, 10> {
        let [
            route,
            route_id,
            service,
            service_id,
            consumer,
            node,
            kind,
            asked,
            sent,
        ] = self.cache(record).own;
        let own = [
            layer, route, route_id, service, service_id, consumer, node, kind, asked, sent,
        ];
        LabelValues {
            own,
            extra: self.extra,
        }
    }

    fn llm(&self) -> LabelValues<'r, 7> {
        let own = [
            self.route,
            self.service,
            self.consumer,
            self.node,
            self.request_type,
            self.request_llm_model,
            self.llm_model,
        ];
        LabelValues {
            own,
            extra: self.extra,
        }
    }
}

fn text(text: &Option<Text>) -> &str {
    text.as_deref().unwrap_or("")
}
