//! The cache, over managers that do what tests tell them.

use serde_json::json;
use tokio::time::{Instant, advance};

use super::*;
use crate::manager::Reading;

/// What a fake manager does when it is asked.
#[derive(Clone)]
enum Says {
    Value(Value),
    Absent,
    Failed,
    Nothing,
}

#[derive(Default)]
struct Script {
    says: Mutex<HashMap<String, Says>>,
    reads: watch::Sender<usize>,
}

#[derive(Clone, Default)]
struct Fake(Arc<Script>);

impl Fake {
    fn says(&self, document: &str, says: Says) {
        lock(&self.0.says).insert(document.to_owned(), says);
    }

    fn reads(&self) -> usize {
        *self.0.reads.borrow()
    }

    fn secrets(&self) -> Secrets {
        let environment = Environment::of(|name| (name == "TOKEN").then(|| "t0k3n".to_owned()));
        Secrets::new(environment, self.clone(), Handle::current())
    }
}

impl Connect for Fake {
    fn connect(&self, kind: &str, config: &Value) -> Result<Arc<dyn SecretManager>, String> {
        match (kind, config["token"].as_str()) {
            ("vault", Some("t0k3n")) => Ok(Arc::new(self.clone())),
            _ => Err("bad configuration".to_owned()),
        }
    }
}

impl SecretManager for Fake {
    fn read<'a>(&'a self, document: &'a str) -> Reading<'a> {
        self.0.reads.send_modify(|reads| *reads += 1);
        let says = lock(&self.0.says).get(document).cloned();
        Box::pin(async move {
            match says {
                Some(Says::Value(value)) => Ok(value),
                Some(Says::Failed) => Err(SecretReadError::Failed("on fire".to_owned())),
                Some(Says::Nothing) => std::future::pending().await,
                Some(Says::Absent) | None => Err(SecretReadError::Absent("not there".to_owned())),
            }
        })
    }
}

fn manager(token: &str) -> Arc<Value> {
    Arc::new(json!({ "token": token }))
}

fn with_manager(fake: &Fake) -> Secrets {
    let secrets = fake.secrets();
    secrets.set_managers([("vault/1", &manager("$env://TOKEN"))]);
    secrets
}

fn reference() -> Value {
    json!({"key": "$secret://vault/1/jack/key", "plain": "text"})
}

fn key_of(secrets: &Secrets) -> Option<String> {
    let value = reference();
    let resolution = secrets.resolve(&value);
    assert_eq!(resolution.value["plain"], "text");
    let key = resolution.value["key"].as_str().unwrap().to_owned();
    match resolution.unresolved.is_empty() {
        true => Some(key),
        false => {
            assert_eq!(key, "$secret://vault/1/jack/key");
            None
        }
    }
}

async fn next_change(secrets: &Secrets) -> Vec<String> {
    secrets.changed().await;
    secrets.take_changed().iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_document_is_read_once_for_all_its_fields_and_again_when_it_is_stale() {
    let fake = Fake::default();
    fake.says("jack", Says::Value(json!({"key": "one", "other": "two"})));
    let secrets = with_manager(&fake);
    let watch = secrets.watch(&json!([
        "$secret://vault/1/jack/key",
        "$SECRET://vault/1/jack/other"
    ]));
    let again = secrets.watch(&reference());
    assert!(watch.is_pending() && again.is_pending());
    assert_eq!(key_of(&secrets), None);
    secrets.settled().await;
    assert_eq!(next_change(&secrets).await, ["vault/1/jack"]);
    assert_eq!(key_of(&secrets).as_deref(), Some("one"));
    assert_eq!(secrets.values_of(&reference()), ["one"]);
    assert_eq!(fake.reads(), 1);

    // What did not change is no news.
    let start = Instant::now();
    fake.0
        .reads
        .subscribe()
        .wait_for(|reads| *reads == 2)
        .await
        .unwrap();
    assert_eq!(start.elapsed().as_secs(), 300);
    assert!(secrets.take_changed().is_empty());
    fake.says("jack", Says::Value(json!({"key": "new"})));
    assert_eq!(next_change(&secrets).await, ["vault/1/jack"]);
    assert_eq!(start.elapsed().as_secs(), 600);
    assert_eq!(key_of(&secrets).as_deref(), Some("new"));
    assert!(watch.uses(&BTreeSet::from(["vault/1/jack".into()])));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_sooner_and_never_take_a_value_away() {
    let fake = Fake::default();
    fake.says("jack", Says::Failed);
    let secrets = with_manager(&fake);
    let start = Instant::now();
    let watch = secrets.watch(&reference());
    assert_eq!(next_change(&secrets).await, ["vault/1/jack"]);
    assert!(!watch.is_pending());
    assert_eq!(key_of(&secrets), None);
    fake.says("jack", Says::Value(json!({"key": "one"})));
    next_change(&secrets).await;
    assert_eq!(start.elapsed().as_secs(), 60);

    for trouble in [Says::Failed, Says::Nothing] {
        let reads = fake.reads();
        fake.says("jack", trouble);
        fake.0
            .reads
            .subscribe()
            .wait_for(|now| *now == reads + 2)
            .await
            .unwrap();
        assert_eq!(key_of(&secrets).as_deref(), Some("one"));
    }
    assert!(secrets.take_changed().is_empty());

    // Deleted is deleted.
    fake.says("jack", Says::Absent);
    next_change(&secrets).await;
    assert_eq!(key_of(&secrets), None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_manager_is_given_up() {
    let fake = Fake::default();
    fake.says("jack", Says::Nothing);
    let secrets = with_manager(&fake);
    let start = Instant::now();
    let _watch = secrets.watch(&reference());
    secrets.settled().await;
    assert_eq!(start.elapsed(), READ_TIMEOUT);
    let value = reference();
    let resolution = secrets.resolve(&value);
    assert_eq!(resolution.unresolved[0].reason, "no answer within 5 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_changes_is_asked_again_at_once() {
    let fake = Fake::default();
    fake.says("jack", Says::Value(json!({"key": "one"})));
    let secrets = fake.secrets();
    let watch = secrets.watch(&reference());
    assert!(!watch.is_pending(), "there is nobody to wait for");
    let start = Instant::now();
    let good = manager("t0k3n");
    secrets.set_managers([("vault/1", &good)]);
    next_change(&secrets).await;
    assert_eq!(key_of(&secrets).as_deref(), Some("one"));

    // The same once more is no change; a bad one leaves what was read.
    let reads = fake.reads();
    secrets.set_managers([("vault/1", &good), ("vault/2", &good)]);
    secrets.set_managers([("vault/1", &manager("bad"))]);
    advance(Duration::from_secs(1)).await;
    assert_eq!((fake.reads(), key_of(&secrets).as_deref()), (reads, Some("one")));

    secrets.set_managers([]);
    next_change(&secrets).await;
    assert_eq!(key_of(&secrets), None);
    assert!(start.elapsed().as_secs() < 60);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_watches_is_read_no_more() {
    let fake = Fake::default();
    fake.says("jack", Says::Nothing);
    let secrets = with_manager(&fake);
    drop(secrets.watch(&reference()));
    secrets.settled().await;
    fake.says("jack", Says::Value(json!({"key": "one"})));
    let watch = secrets.watch(&reference());
    secrets.settled().await;
    let reads = fake.reads();
    drop(watch);
    advance(Duration::from_secs(1000)).await;
    tokio::task::yield_now().await;
    assert_eq!(fake.reads(), reads);
    assert_eq!(key_of(&secrets), None);
}

#[tokio::test]
async fn without_references_nothing_is_copied_or_read() {
    let fake = Fake::default();
    let secrets = with_manager(&fake);
    let value = json!({"a": ["$secret:/x", {"b": "env://X"}], "n": 1});
    assert!(secrets.watch(&value).is_empty());
    assert!(matches!(secrets.resolve(&value).value, Cow::Borrowed(_)));
    let broken = json!("$secret://vault");
    assert_eq!(secrets.resolve(&broken).unresolved.len(), 1);
    assert!(secrets.watch(&broken).is_empty());
    assert_eq!(fake.reads(), 0);
}
