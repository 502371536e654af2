use secrecy::SecretString;
use sluice_net::TlsClients;
use sluice_testkit::FakeKafka;
use tokio::runtime::Handle;

use super::*;

/// `NOT_LEADER_OR_FOLLOWER`.
const NOT_LEADER: i16 = 6;

/// `MESSAGE_TOO_LARGE`.
const TOO_LARGE: i16 = 10;

fn config(broker: &FakeKafka) -> KafkaConfig {
    KafkaConfig {
        brokers: vec![KafkaBroker {
            host: broker.addr().ip().to_string(),
            port: broker.addr().port(),
            sasl: None,
        }],
        tls: None,
        topic: "logs".to_owned(),
        key: None,
        required_acks: -1,
        timeout: Duration::from_secs(20),
        meta_refresh: Duration::from_secs(3600),
    }
}

fn target(config: KafkaConfig) -> KafkaTarget {
    let resolver = Resolver::system(Handle::current()).unwrap();
    KafkaTarget::new(config, &Origins::new(TlsClients::new()), &resolver).unwrap()
}

fn bytes(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from(*text)).collect()
}

#[tokio::test]
async fn messages_arrive_with_topic_acks_and_key() {
    let broker = FakeKafka::start(1);
    let target = target(KafkaConfig {
        key: Some("k".to_owned()),
        ..config(&broker)
    });
    target.produce(&bytes(&["a", "b"])).await.unwrap();
    let messages = broker.wait_messages(2).await;
    let said: Vec<_> = messages.iter().map(|message| message.value.clone()).collect();
    assert_eq!(said, bytes(&["a", "b"]));
    for message in &messages {
        assert_eq!((&*message.topic, message.acks, message.request), ("logs", -1, 1));
        assert_eq!(message.key.as_deref(), Some(&b"k"[..]));
    }
}

#[tokio::test]
async fn without_a_key_batches_go_round_and_with_one_they_stay() {
    let broker = FakeKafka::start(3);
    let round = target(config(&broker));
    for _ in 0..3 {
        round.produce(&bytes(&["x"])).await.unwrap();
    }
    let keyed = target(KafkaConfig {
        key: Some("k".to_owned()),
        ..config(&broker)
    });
    for _ in 0..3 {
        keyed.produce(&bytes(&["y"])).await.unwrap();
    }
    let partitions: Vec<_> = broker
        .wait_messages(6)
        .await
        .iter()
        .map(|message| message.partition)
        .collect();
    let (round, keyed) = partitions.split_at(3);
    let mut all = round.to_vec();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
    let expected = i32::try_from(crc32fast::hash(b"k") % 3).unwrap();
    assert_eq!(keyed, [expected; 3]);
    assert_eq!(
        broker.asked_for_leaders(),
        2,
        "leaders are asked for once per target"
    );
}

#[tokio::test]
async fn a_new_leader_is_asked_for() {
    let broker = FakeKafka::start(1);
    let target = target(config(&broker));
    broker.refuse_next(NOT_LEADER);
    target.produce(&bytes(&["a"])).await.unwrap();
    assert_eq!(broker.wait_messages(1).await.len(), 1);
    assert_eq!(broker.asked_for_leaders(), 2);
}

#[tokio::test]
async fn what_no_broker_takes_is_given_up_at_once() {
    let broker = FakeKafka::start(1);
    let target = target(config(&broker));
    broker.refuse_next(TOO_LARGE);
    let error = target.produce(&bytes(&["a"])).await.unwrap_err();
    assert!(error.is_final(), "{error}");
    assert_eq!(broker.asked_for_leaders(), 1);
}

#[tokio::test]
async fn tries_end() {
    let broker = FakeKafka::start(1);
    let target = target(config(&broker));
    (0..TRIES).for_each(|_| broker.refuse_next(NOT_LEADER));
    let error = target.produce(&bytes(&["a"])).await.unwrap_err();
    assert!(
        matches!(error, KafkaError::Broker(_)) && !error.is_final(),
        "{error}"
    );
    target.produce(&bytes(&["a"])).await.unwrap();
}

#[tokio::test]
async fn users_prove_who_they_are() {
    for (mechanism, name) in [
        (SaslMechanism::Plain, "PLAIN"),
        (SaslMechanism::ScramSha256, "SCRAM-SHA-256"),
        (SaslMechanism::ScramSha512, "SCRAM-SHA-512"),
    ] {
        let broker = FakeKafka::with_user(1, "gateway", "canary");
        let with_password = |password: &str| {
            let mut config = config(&broker);
            config.brokers[0].sasl = Some(SaslConfig {
                mechanism,
                user: "gateway".to_owned(),
                password: SecretString::from(password),
            });
            target(config)
        };
        let error = with_password("wrong-canary")
            .produce(&bytes(&["a"]))
            .await
            .unwrap_err();
        assert!(matches!(error, KafkaError::Auth(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));

        with_password("canary").produce(&bytes(&["a"])).await.unwrap();
        assert_eq!(broker.wait_messages(1).await.len(), 1);
        assert_eq!(broker.authenticated(), [name]);
        let stranger = target(config(&broker)).produce(&bytes(&["a"])).await.unwrap_err();
        assert!(matches!(stranger, KafkaError::Remote(_)), "{stranger}");
    }
}

#[tokio::test]
async fn an_unknown_mechanism_is_said() {
    let broker = FakeKafka::with_user(1, "gateway", "canary");
    broker.offer_only("PLAIN");
    let mut config = config(&broker);
    config.brokers[0].sasl = Some(SaslConfig {
        mechanism: SaslMechanism::ScramSha512,
        user: "gateway".to_owned(),
        password: SecretString::from("canary"),
    });
    let error = target(config).produce(&bytes(&["a"])).await.unwrap_err();
    assert!(matches!(error, KafkaError::Auth(_)), "{error}");
}

#[tokio::test]
async fn the_next_of_several_brokers_is_asked() {
    let broker = FakeKafka::start(1);
    let mut config = config(&broker);
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    config.brokers.insert(
        0,
        KafkaBroker {
            host: "127.0.0.1".to_owned(),
            port: dead,
            sasl: None,
        },
    );
    target(config).produce(&bytes(&["a"])).await.unwrap();
}
