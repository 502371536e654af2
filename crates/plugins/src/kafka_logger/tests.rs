use sluice_resource::CheckScope;

use super::*;
use crate::fixture::Fixture;

fn checked(conf: &Value) -> Value {
    let info = definition().unwrap().info;
    info.checked(conf, CheckScope::Main).unwrap()
}

fn config(conf: &Value) -> Config {
    Config::deserialize(&checked(conf)).unwrap()
}

fn batches(conf: &Value) -> BatchConfig {
    let fixture = Fixture::new();
    let conf = checked(conf);
    let batches = fixture.with_env(|env| logger::batch_config(&conf, env)).unwrap();
    Config::deserialize(&conf).unwrap().batches(batches)
}

#[test]
fn defaults_are_those_of_apisix() {
    let conf = json!({ "brokers": [{ "host": "k", "port": 9092 }], "kafka_topic": "t" });
    let filled = checked(&conf);
    for (name, default) in [
        ("meta_format", json!("default")),
        ("producer_type", json!("async")),
        ("required_acks", json!(1)),
        ("timeout", json!(3)),
        ("cluster_name", json!(1)),
        ("producer_batch_num", json!(200)),
        ("producer_batch_size", json!(1_048_576)),
        ("producer_max_buffering", json!(50_000)),
        ("producer_time_linger", json!(1)),
        ("meta_refresh_interval", json!(30)),
        ("api_version", json!(1)),
        ("name", json!("kafka logger")),
    ] {
        assert_eq!(filled[name], default, "{name}");
    }
}

#[test]
fn bad_configurations_are_refused() {
    let info = definition().unwrap().info;
    for conf in [
        json!({ "kafka_topic": "t" }),
        json!({ "brokers": [{ "host": "k", "port": 9092 }] }),
        json!({ "brokers": [], "kafka_topic": "t" }),
        json!({ "brokers": [{ "host": "k", "port": 0 }], "kafka_topic": "t" }),
        json!({ "broker_list": { "k": 70_000 }, "kafka_topic": "t" }),
        json!({ "broker_list": { "k": 1 }, "brokers": [{ "host": "k", "port": 1 }], "kafka_topic": "t" }),
        json!({ "brokers": [{ "host": "k", "port": 1 }], "kafka_topic": "t", "required_acks": 0 }),
        json!({
            "brokers": [{ "host": "k", "port": 1, "sasl_config": { "user": "u" } }], "kafka_topic": "t",
        }),
        json!({
            "brokers": [{
                "host": "k", "port": 1,
                "sasl_config": { "mechanism": "GSSAPI", "user": "u", "password": "p" },
            }],
            "kafka_topic": "t",
        }),
    ] {
        assert!(info.check(&conf, CheckScope::Main).is_err(), "{conf}");
    }
}

#[test]
fn brokers_of_both_forms() {
    let target =
        config(&json!({ "broker_list": { "a": 1, "b": 2 }, "kafka_topic": "t", "tls": {} })).target();
    let brokers: Vec<_> = target
        .brokers
        .iter()
        .map(|broker| (&*broker.host, broker.port))
        .collect();
    assert_eq!(brokers, [("a", 1), ("b", 2)]);
    assert_eq!(target.tls.map(|tls| tls.verify), Some(false));

    let sasl = json!({ "mechanism": "SCRAM-SHA-512", "user": "u", "password": "canary" });
    let brokers = json!([{ "host": "a", "port": 1, "sasl_config": sasl }]);
    let target = config(&json!({ "brokers": brokers, "kafka_topic": "t", "key": "k" })).target();
    assert_eq!(
        target.brokers[0].sasl.as_ref().unwrap().mechanism,
        SaslMechanism::ScramSha512
    );
    assert_eq!((target.tls, target.key.as_deref()), (None, Some("k")));
    assert!(!format!("{:?}", target.brokers).contains("canary"));
}

#[tokio::test]
async fn single_entries_linger_and_batches_do_not() {
    let brokers = json!({ "brokers": [{ "host": "k", "port": 9092 }], "kafka_topic": "t" });
    let with = |more: Value| {
        let mut conf = brokers.clone();
        conf.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        batches(&conf)
    };
    let seconds = Duration::from_secs;
    let shown = |batches: BatchConfig| {
        (
            batches.batch_max_size,
            batches.inactive_timeout,
            batches.batch_max_bytes,
        )
    };
    let usual = BatchConfig::default().batch_max_bytes;
    assert_eq!(shown(with(json!({}))), (1000, seconds(5), usual));
    let single = with(json!({ "batch_max_size": 1, "producer_time_linger": 2, "producer_batch_size": 10 }));
    assert_eq!(shown(single), (200, seconds(2), 10));
    let sync = with(json!({ "batch_max_size": 1, "producer_type": "sync" }));
    assert_eq!(shown(sync), (1, seconds(5), usual));
    assert_eq!(
        with(json!({ "batch_max_size": 1, "producer_max_buffering": 7 })).max_pending_entries,
        7
    );
}

#[tokio::test]
async fn origin_is_a_text_in_an_array() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("GET", "/a");
    cx.request.body.replace("x".into());
    let record = fixture.record(&cx);
    let format = || {
        fixture
            .with_env(|env| EntryFormat::compile(&json!({}), env))
            .unwrap()
    };
    let origins = &fixture.services.origins;
    let target = config(&json!({ "broker_list": { "a": 1 }, "kafka_topic": "t" })).target();
    let target = Arc::new(KafkaTarget::new(target, origins, &fixture.services.resolver).unwrap());
    let sink = |single| KafkaSink {
        target: target.clone(),
        single,
    };
    let origin = format().of_request_as_it_came();
    let text = "GET /a HTTP/1.1\r\n\r\n";
    assert_eq!(sink(true).entry(&origin, &cx, &record).unwrap(), text.as_bytes());
    let quoted = serde_json::to_vec(text).unwrap();
    assert_eq!(sink(false).entry(&origin, &cx, &record).unwrap(), quoted);
    let entry = sink(false).entry(&format(), &cx, &record).unwrap();
    assert!(serde_json::from_slice::<Value>(&entry).unwrap()["request"].is_object());
}
