use std::time::Duration;

use sluice_record::{AiRecord, Attempt, Cost, Ended, ResponseSource};

use super::*;
use crate::terms::ended_us;
use crate::testing::{ai_record, record};

fn metrics() -> Arc<Metrics> {
    with(MetricsConfig::default())
}

fn with(config: MetricsConfig) -> Arc<Metrics> {
    Arc::new(Metrics::new(config).unwrap())
}

fn feed(metrics: &Arc<Metrics>, records: impl IntoIterator<Item = Record>) {
    let batch: Vec<_> = records.into_iter().map(Arc::new).collect();
    metrics.sink().write(&batch);
}

/// Seconds since the epoch at which the records of [`crate::testing`] end.
fn now() -> u32 {
    u32::try_from(ended_us(&record()) / 1_000_000).unwrap()
}

fn lines(metrics: &Metrics, family: &str) -> Vec<String> {
    let text = metrics.encode_at(now());
    let of = |line: &&str| {
        line.strip_prefix(family)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    text.lines().filter(of).map(str::to_owned).collect()
}

fn without_consumer() -> Record {
    Record {
        consumer: None,
        ..ai_record()
    }
}

fn ai_with(change: impl FnOnce(&mut AiRecord)) -> Record {
    let mut record = ai_record();
    change(record.ai.as_mut().unwrap());
    record
}

#[test]
fn one_ai_request_in_full() {
    let metrics = with(MetricsConfig {
        hostname: "h".into(),
        version: "1.0".into(),
        latency_buckets: vec![100.0, 1000.0],
        llm_latency_buckets: vec![100.0],
        prompt_token_buckets: vec![1.0, 10.0],
        completion_token_buckets: vec![1.0, 10.0],
        ..MetricsConfig::default()
    });
    feed(&metrics, [ai_record()]);
    let text = metrics.encode_at(now());
    let expected = include_str!("tests/one_ai_request.txt");
    assert_eq!(text, expected);
}

#[test]
fn requests_without_the_plugin_are_not_in_apisix_families() {
    let metrics = metrics();
    feed(
        &metrics,
        [Record {
            prometheus: None,
            ..ai_record()
        }],
    );
    let text = metrics.encode_at(now());
    assert!(!text.contains("apisix_http_status") && !text.contains("apisix_llm"));
    assert_eq!(
        lines(&metrics, "ai_gateway_requests_total"),
        ["ai_gateway_requests_total{client_id=\"alice\",model=\"gpt-5\",status=\"200\"} 1"]
    );
}

#[test]
fn labels_that_the_operator_adds() {
    let mut asked = crate::AskedVariables::default();
    let label = |name: &str, variable: &str, asked: &mut _| ExtraLabel::new(name, variable, asked);
    let extra_labels = [
        (
            "http_status",
            vec![
                label("method", "$request_method", &mut asked),
                label("team", "$http_x_team", &mut asked),
            ],
        ),
        (
            "llm_prompt_tokens",
            vec![label("team", "$http_x_team", &mut asked)],
        ),
    ];
    let config = MetricsConfig {
        extra_labels: extra_labels
            .map(|(name, labels)| (name.to_owned(), labels))
            .into(),
        ..MetricsConfig::default()
    };
    let metrics = Arc::new(Metrics::new(config).unwrap());
    let of = |team: &str| Record {
        asked: [Some(team.into())].into(),
        ..ai_record()
    };
    feed(&metrics, [of("red"), of("blue"), of("red")]);
    let statuses = lines(&metrics, "apisix_http_status");
    let ends: Vec<_> = statuses
        .iter()
        .map(|line| line.rsplit_once("upstream\",").unwrap().1)
        .collect();
    assert_eq!(
        ends,
        [
            "method=\"POST\",team=\"blue\"} 1",
            "method=\"POST\",team=\"red\"} 2"
        ]
    );
    let tokens = lines(&metrics, "apisix_llm_prompt_tokens");
    assert!(
        tokens
            .iter()
            .any(|line| line.ends_with("llm_model=\"gpt-5\",team=\"red\"} 20")),
        "{tokens:?}"
    );
    assert!(
        lines(&metrics, "apisix_bandwidth")
            .iter()
            .all(|line| !line.contains("team"))
    );
}

#[test]
fn extra_labels_are_bounded_like_all_others() {
    let mut asked = crate::AskedVariables::default();
    let labels = vec![ExtraLabel::new("team", "http_x_team", &mut asked)];
    let config = MetricsConfig {
        extra_labels: [("http_status".to_owned(), labels)].into(),
        max_label_sets: 3,
        ..MetricsConfig::default()
    };
    let metrics = Arc::new(Metrics::new(config).unwrap());
    let of = |n: usize| Record {
        asked: [Some(format!("team-{n}-{}", "x".repeat(1000)).into())].into(),
        ..ai_record()
    };
    feed(&metrics, (0..100).map(of));
    let statuses = lines(&metrics, "apisix_http_status");
    assert_eq!(statuses.len(), 4);
    assert!(
        statuses
            .iter()
            .any(|line| line.contains("team=\"__overflow__\"} 97")),
        "{statuses:?}"
    );
    assert!(statuses.iter().all(|line| line.len() < 1000));
}

#[test]
fn an_unmatched_request_has_empty_labels() {
    let metrics = metrics();
    feed(
        &metrics,
        [Record {
            prometheus: Some(false),
            ..record()
        }],
    );
    assert_eq!(
        lines(&metrics, "apisix_http_status"),
        [
            "apisix_http_status{code=\"404\",route=\"\",matched_uri=\"\",matched_host=\"\",service=\"\",consumer=\"\",\
          node=\"\",request_type=\"traditional_http\",request_llm_model=\"\",llm_model=\"\",\
          response_source=\"apisix\"} 1"
        ]
    );
    let latencies = lines(&metrics, "apisix_http_latency_count");
    assert_eq!(latencies.len(), 2, "no upstream was called");
    assert!(latencies.iter().all(|line| !line.contains("type=\"upstream\"")));
}

#[test]
fn names_are_shown_where_they_are_preferred_and_known() {
    let metrics = metrics();
    let service = Some("7".into());
    feed(
        &metrics,
        [Record {
            prometheus: Some(true),
            service_id: service,
            ..ai_record()
        }],
    );
    let status = &lines(&metrics, "apisix_http_status")[0];
    assert!(status.contains("route=\"chat\"") && status.contains("service=\"7\""));
    assert!(lines(&metrics, "apisix_llm_prompt_tokens")[0].contains("route_id=\"chat\""));
}

#[test]
fn statuses_are_told_apart_by_code_and_source() {
    let metrics = metrics();
    let own = Record {
        status: 502,
        source: ResponseSource::Nginx,
        ..ai_record()
    };
    let theirs = Record {
        status: 502,
        ..ai_record()
    };
    feed(&metrics, [own.clone(), theirs, own, ai_record()]);
    let statuses = lines(&metrics, "apisix_http_status");
    assert_eq!(statuses.len(), 3);
    assert!(statuses[1].contains("code=\"502\"") && statuses[1].ends_with("response_source=\"nginx\"} 2"));
    assert!(statuses[2].ends_with("response_source=\"upstream\"} 1"));
}

#[test]
fn a_rejected_ai_request_counts_zeros_and_no_latency() {
    let metrics = metrics();
    let rejected = Record {
        status: 429,
        upstream_us: 0,
        attempts: Vec::new(),
        error: Some("rate_limited"),
        ..ai_with(|ai| {
            *ai = AiRecord {
                model_asked: "gpt".into(),
                provider: "openai",
                ..AiRecord::default()
            }
        })
    };
    feed(&metrics, [rejected]);
    let labels = "route_id=\"1\",service_id=\"\",consumer=\"alice\",node=\"ai-proxy-openai\",request_type=\"ai_chat\",\
                  request_llm_model=\"gpt\",llm_model=\"\"";
    assert_eq!(
        lines(&metrics, "apisix_llm_prompt_tokens"),
        [format!("apisix_llm_prompt_tokens{{{labels}}} 0")]
    );
    assert_eq!(
        lines(&metrics, "apisix_llm_completion_tokens_dist_count"),
        [format!("apisix_llm_completion_tokens_dist_count{{{labels}}} 1")]
    );
    assert!(lines(&metrics, "apisix_llm_latency_count").is_empty());
    assert_eq!(
        lines(&metrics, "ai_gateway_requests_total"),
        ["ai_gateway_requests_total{client_id=\"alice\",model=\"gpt\",status=\"429\"} 1"]
    );
    assert!(lines(&metrics, "ai_gateway_upstream_errors_total").is_empty());
    assert_eq!(
        lines(&metrics, "sluice_request_failures_total"),
        ["sluice_request_failures_total{code=\"rate_limited\"} 1"]
    );
}

#[test]
fn upstream_failures_are_counted_for_their_client() {
    let metrics = metrics();
    let attempt = |status| {
        vec![Attempt {
            addr: "a:1".into(),
            status,
            time_us: 1,
        }]
    };
    feed(
        &metrics,
        [
            Record {
                status: 503,
                attempts: attempt(503),
                ..ai_record()
            },
            Record {
                status: 429,
                attempts: attempt(429),
                ..ai_record()
            },
            Record {
                ended: Ended::UpstreamCut,
                ..ai_record()
            },
            Record {
                status: 400,
                attempts: attempt(400),
                ..ai_record()
            },
            ai_record(),
        ],
    );
    assert_eq!(
        lines(&metrics, "ai_gateway_upstream_errors_total"),
        ["ai_gateway_upstream_errors_total{client_id=\"alice\",model=\"gpt-5\",provider=\"openai\"} 3"]
    );
    assert_eq!(
        lines(&metrics, "sluice_requests_ended_total"),
        [
            "sluice_requests_ended_total{ended=\"complete\"} 4",
            "sluice_requests_ended_total{ended=\"upstream_cut\"} 1"
        ]
    );
}

#[test]
fn without_a_consumer_there_is_no_client() {
    let metrics = metrics();
    feed(&metrics, [without_consumer()]);
    assert!(lines(&metrics, "ai_gateway_requests_total").is_empty());
    assert_eq!(
        lines(&metrics, "ai_gateway_active_clients"),
        ["ai_gateway_active_clients 0"]
    );
    assert!(lines(&metrics, "sluice_llm_requests_total")[0].contains("consumer=\"\""));
}

#[test]
fn clients_are_active_for_five_minutes() {
    let metrics = metrics();
    let other_route = Record {
        route_id: Some("2".into()),
        ..ai_record()
    };
    let bob = Record {
        consumer: Some("bob".into()),
        ..ai_record()
    };
    feed(&metrics, [ai_record(), other_route, bob]);
    assert!(
        metrics
            .encode_at(now() + 299)
            .contains("ai_gateway_active_clients 2\n")
    );
    assert!(
        metrics
            .encode_at(now() + 300)
            .contains("ai_gateway_active_clients 0\n")
    );
}

#[test]
fn vllm_and_unpriced_calls_have_their_counters() {
    let metrics = metrics();
    feed(
        &metrics,
        [ai_with(|ai| {
            ai.provider = "vllm";
            ai.cost = Cost::Unpriced;
        })],
    );
    assert_eq!(
        lines(&metrics, "vllm_requests_total"),
        ["vllm_requests_total{model=\"gpt-5\",status=\"200\"} 1"]
    );
    assert_eq!(
        lines(&metrics, "sluice_llm_unpriced_requests_total"),
        ["sluice_llm_unpriced_requests_total{provider=\"vllm\",model=\"gpt-5\"} 1"]
    );
    assert!(lines(&metrics, "sluice_llm_cost_microusd_total").is_empty());
}

#[test]
fn labels_never_explode() {
    let metrics = with(MetricsConfig {
        max_label_sets: 3,
        ..MetricsConfig::default()
    });
    let of = |n: usize| Record {
        consumer: Some(format!("c{n}").into()),
        ..ai_record()
    };
    feed(&metrics, (0..50).map(of));
    feed(&metrics, [of(0)]);
    let statuses = lines(&metrics, "apisix_http_status");
    assert_eq!(statuses.len(), 4);
    assert_eq!(
        statuses
            .iter()
            .filter(|line| line.contains("__overflow__"))
            .collect::<Vec<_>>(),
        [
            "apisix_http_status{code=\"200\",route=\"__overflow__\",matched_uri=\"__overflow__\",\
          matched_host=\"__overflow__\",service=\"__overflow__\",consumer=\"__overflow__\",node=\"__overflow__\",\
          request_type=\"ai_stream\",request_llm_model=\"__overflow__\",llm_model=\"__overflow__\",\
          response_source=\"upstream\"} 47"
        ]
    );
    assert!(
        statuses[0].contains("c0") && statuses[0].ends_with(" 2"),
        "a known label set stays known"
    );
    assert_eq!(
        lines(&metrics, "sluice_metrics_overflow_total"),
        ["sluice_metrics_overflow_total 94"]
    );
    assert_eq!(
        lines(&metrics, "ai_gateway_requests_total")
            .last()
            .map(String::as_str),
        Some("ai_gateway_requests_total{client_id=\"c2\",model=\"gpt-5\",status=\"200\"} 1")
    );
}

#[test]
fn statuses_of_one_label_set_are_bounded_too() {
    let metrics = with(MetricsConfig {
        max_label_sets: 2,
        ..MetricsConfig::default()
    });
    feed(
        &metrics,
        (200..500).map(|status| Record {
            status,
            ..ai_record()
        }),
    );
    let own = lines(&metrics, "apisix_http_status")
        .iter()
        .filter(|line| line.contains("alice"))
        .count();
    assert_eq!(own, 16);
}

#[test]
fn a_full_budget_makes_room_by_what_was_idle_for_an_hour() {
    let metrics = with(MetricsConfig {
        max_label_sets: 1,
        ..MetricsConfig::default()
    });
    let later = |hours: i64, consumer: &str| Record {
        started_us: ai_record().started_us + hours * 3_600_000_000,
        consumer: Some(consumer.into()),
        ..ai_record()
    };
    feed(&metrics, [later(0, "first"), later(2, "second")]);
    let statuses = lines(&metrics, "apisix_http_status");
    assert_eq!(statuses.len(), 1);
    assert!(statuses[0].contains("second"));
}

#[test]
fn expired_series_go_at_a_scrape() {
    let expire = [("http_status".to_owned(), Duration::from_secs(60))].into();
    let metrics = with(MetricsConfig {
        expire,
        ..MetricsConfig::default()
    });
    feed(&metrics, [ai_record()]);
    let text = metrics.encode_at(now() + 60);
    assert!(!text.contains("apisix_http_status{"));
    assert!(text.contains("apisix_bandwidth{"), "other families keep theirs");
    feed(&metrics, [ai_record()]);
    assert!(lines(&metrics, "apisix_http_status")[0].ends_with(" 1"));
    assert!(lines(&metrics, "apisix_bandwidth")[0].ends_with(" 680"));
}

#[test]
fn labels_can_be_disabled_at_run_time() {
    let metrics = metrics();
    feed(&metrics, [ai_record()]);
    let names = vec!["consumer".to_owned(), "code".to_owned()];
    metrics.set_disabled_labels(&[("http_status".to_owned(), names)].into());
    feed(&metrics, [ai_record()]);
    let statuses = lines(&metrics, "apisix_http_status");
    assert_eq!(statuses.len(), 2);
    assert!(statuses.iter().all(|line| line.contains("code=\"200\"")));
    assert!(statuses.iter().any(|line| line.contains("consumer=\"\"")));
    assert!(lines(&metrics, "apisix_bandwidth")[0].contains("consumer=\"alice\""));
}

#[test]
fn the_prefix_is_configured() {
    let metrics = with(MetricsConfig {
        prefix: "gw_".into(),
        ..MetricsConfig::default()
    });
    feed(&metrics, [ai_record()]);
    let text = metrics.encode_at(now());
    assert!(text.contains("\ngw_http_status{") && text.contains("\nsluice_llm_requests_total{"));
    assert!(!text.contains("apisix_http_status"));
}

#[test]
fn bad_settings_are_refused() {
    let prefix = MetricsConfig {
        prefix: "a-b".into(),
        ..MetricsConfig::default()
    };
    assert_eq!(Metrics::new(prefix).unwrap_err(), MetricsError::Prefix);
    let buckets = MetricsConfig {
        llm_latency_buckets: vec![2.0, 1.0],
        ..MetricsConfig::default()
    };
    assert_eq!(
        Metrics::new(buckets).unwrap_err(),
        MetricsError::Buckets {
            name: "llm_latency_buckets"
        }
    );
}

#[test]
fn collectors_are_asked_and_their_errors_counted() {
    let metrics = metrics();
    metrics.register_collector(|out| {
        out.family("sluice_config_revision", Kind::Gauge, "Revision.")
            .sample(&[], 12_u64);
        out.family("no name", Kind::Gauge, "").sample(&[], 1_u64);
    });
    let text = metrics.encode_at(now());
    assert!(text.contains("# HELP sluice_config_revision Revision.\n# TYPE sluice_config_revision gauge\nsluice_config_revision 12\n"));
    assert!(text.contains("apisix_nginx_metric_errors_total 1\n"));
}

#[test]
fn every_line_of_a_scrape_is_unique() {
    let metrics = metrics();
    let second_uri = Record {
        matched_uri: Some("/v2/*".into()),
        ..ai_record()
    };
    let failed = Record {
        status: 500,
        ..ai_record()
    };
    feed(
        &metrics,
        [ai_record(), second_uri, failed, without_consumer(), record()],
    );
    let text = metrics.encode_at(now());
    let mut series: Vec<_> = text
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all);
}
