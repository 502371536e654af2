//! The cache, with lookups that the test controls.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;

/// Gives the answers set, and counts how often it is asked.
#[derive(Clone, Default)]
struct Script {
    answer: Arc<Mutex<Option<Found>>>,
    asked: Arc<AtomicUsize>,
}

impl Script {
    fn set(&self, addresses: &[[u8; 4]], ttl: u64) {
        let addresses = addresses.iter().map(|address| IpAddr::from(*address)).collect();
        *self.answer.lock().unwrap() = Some(Found {
            addresses,
            ttl: Duration::from_secs(ttl),
        });
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = None;
    }
}

impl Lookup for Script {
    fn lookup(&self, host: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        self.asked.fetch_add(1, SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer.ok_or(DnsError::Failed {
                host,
                reason: "down".into(),
            })
        })
    }
}

fn resolver(script: &Script) -> Resolver {
    Resolver::new(script.clone(), Handle::current())
}

async fn order(resolver: &Resolver) -> Vec<String> {
    resolver
        .resolve("api.test")
        .await
        .unwrap()
        .iter()
        .map(|address| address.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn addresses_are_kept_for_their_time_to_live() {
    let script = Script::default();
    script.set(&[[10, 0, 0, 1]], 30);
    let resolver = resolver(&script);
    for _ in 0..5 {
        assert_eq!(order(&resolver).await, ["10.0.0.1"]);
    }
    assert_eq!(script.asked.load(SeqCst), 1);
    script.set(&[[10, 0, 0, 2]], 30);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(order(&resolver).await, ["10.0.0.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_of_the_configuration_wins() {
    for (own, given) in [(3000, 10), (1, 10)] {
        let script = Script::default();
        script.set(&[[10, 0, 0, 1]], own);
        let resolver = resolver(&script).with_ttl(Duration::from_secs(given));
        order(&resolver).await;
        script.set(&[[10, 0, 0, 2]], own);
        tokio::time::advance(Duration::from_secs(given - 1)).await;
        assert_eq!(order(&resolver).await, ["10.0.0.1"], "{own}");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(order(&resolver).await, ["10.0.0.2"], "{own}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_take_turns() {
    let script = Script::default();
    script.set(&[[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]], 30);
    let resolver = resolver(&script);
    assert_eq!(order(&resolver).await, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(order(&resolver).await, ["10.0.0.2", "10.0.0.3", "10.0.0.1"]);
    assert_eq!(order(&resolver).await, ["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
    assert_eq!(order(&resolver).await[0], "10.0.0.1");
}

#[tokio::test(start_paused = true)]
async fn old_addresses_serve_when_the_name_cannot_be_resolved() {
    let script = Script::default();
    script.set(&[[10, 0, 0, 1]], 30);
    let resolver = resolver(&script);
    order(&resolver).await;
    script.fail();
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(order(&resolver).await, ["10.0.0.1"]);
    assert_eq!(order(&resolver).await, ["10.0.0.1"]);
    assert_eq!(script.asked.load(SeqCst), 2, "not asked again at once");
    script.set(&[[10, 0, 0, 2]], 30);
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(order(&resolver).await, ["10.0.0.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_never_resolved_is_an_error() {
    let script = Script::default();
    let resolver = resolver(&script);
    assert!(matches!(
        resolver.resolve("api.test").await,
        Err(DnsError::Failed { .. })
    ));
    script.set(&[], 30);
    assert!(matches!(
        resolver.resolve("api.test").await,
        Err(DnsError::NoAddress(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn callers_at_the_same_time_share_a_lookup() {
    let script = Script::default();
    script.set(&[[10, 0, 0, 1]], 30);
    let resolver = resolver(&script);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { resolver.resolve("api.test").await.is_ok() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(script.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn addresses_are_not_looked_up() {
    let script = Script::default();
    let resolver = resolver(&script);
    for (host, address) in [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::1", "::1"),
    ] {
        let found = resolver.resolve(host).await.unwrap();
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            [address.parse::<IpAddr>().unwrap()]
        );
    }
    assert_eq!(script.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn the_hosts_file_is_read() {
    let resolver = Resolver::system(Handle::current()).unwrap();
    let found = resolver.resolve("localhost").await.unwrap();
    assert!(found.iter().all(|address| address.is_loopback()));
}
