//! Balancers that look at requests and at traffic (compat §8.2).

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gate, Gateway, eventually};

use super::{answering, ok, to};
use crate::support::{gateway, put, put_consumer};

fn nodes(providers: &[FakeProvider]) -> Value {
    providers
        .iter()
        .map(|p| (p.addr().to_string(), json!(1)))
        .collect()
}

/// The node that took the last of the calls that were made with `send`, by what all nodes have taken before and after.
async fn taken_by(providers: &[FakeProvider], call: Call) -> usize {
    let counts = || providers.iter().map(|p| p.requests().len()).collect::<Vec<_>>();
    let before = counts();
    call.send().await.expect_status(200).await.bytes().await;
    let after = counts();
    (0..providers.len())
        .find(|node| after[*node] > before[*node])
        .unwrap()
}

#[tokio::test]
async fn least_conn_leaves_busy_nodes_alone() {
    let providers = [answering(ok()), answering(ok())];
    let gateway = to(json!({ "type": "least_conn", "nodes": nodes(&providers) })).await;
    let gate = Gate::closed();
    providers[0].always(ok().head_gated(&gate));
    let mut held = Vec::new();
    // One of two calls comes to the node that holds it.
    while providers[0].requests().is_empty() {
        let call = tokio::spawn(gateway.client().get("/held").send());
        eventually("the call at a node", async || {
            (call.is_finished() || !providers[0].requests().is_empty()).then_some(())
        })
        .await;
        held.push(call);
    }
    for _ in 0..5 {
        assert_eq!(taken_by(&providers, gateway.client().get("/")).await, 1);
    }
    gate.open_for_good();
    for call in held {
        call.await.unwrap().expect_status(200).await.bytes().await;
    }
    providers[0].always(ok());
    eventually("the node that is free again to be asked", async || {
        (taken_by(&providers, gateway.client().get("/")).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn ewma_prefers_the_node_that_answers_faster() {
    let providers = [answering(ok()), answering(ok())];
    providers[0].always(ok().head_after(std::time::Duration::from_millis(300)));
    let gateway = to(json!({ "type": "ewma", "nodes": nodes(&providers) })).await;
    while providers.iter().any(|provider| provider.requests().is_empty()) {
        gateway
            .client()
            .get("/")
            .send()
            .await
            .expect_status(200)
            .await
            .bytes()
            .await;
    }
    for _ in 0..8 {
        assert_eq!(taken_by(&providers, gateway.client().get("/")).await, 1);
    }
}

#[tokio::test]
async fn a_type_that_does_not_exist_works_for_one_node_only() {
    let providers = [answering(ok()), answering(ok())];
    let gateway = to(json!({ "type": "random", "nodes": nodes(&providers[..1]) })).await;
    gateway.client().get("/").send().await.expect_status(200).await;
    let upstream = json!({ "type": "random", "nodes": nodes(&providers) });
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": upstream }),
    )
    .await;
    gateway.client().get("/").send().await.expect_status(502).await;
}

/// Whether calls that differ in what is hashed spread over the nodes, and those that do not stay together.
async fn assert_sticks(
    gateway: &Gateway,
    providers: &[FakeProvider],
    call: impl Fn(&Gateway, usize) -> Call,
) {
    let mut homes = Vec::new();
    for user in 0..12 {
        let home = taken_by(providers, call(gateway, user)).await;
        for _ in 0..2 {
            assert_eq!(
                taken_by(providers, call(gateway, user)).await,
                home,
                "user {user}"
            );
        }
        homes.push(home);
    }
    assert!(homes.iter().any(|home| *home != homes[0]), "{homes:?}");
}

#[tokio::test]
async fn hashes_of_cookies_headers_variables_and_combinations() {
    let providers = [answering(ok()), answering(ok()), answering(ok())];
    let gateway = gateway().await;
    let upstream = |hash_on: &str, key: &str| json!({ "type": "chash", "hash_on": hash_on, "key": key, "nodes": nodes(&providers) });
    for (id, hash_on, key) in [
        ("cookie", "cookie", "cookie_user"),
        ("header", "header", "X_User"),
        ("vars", "vars", "arg_user"),
        ("combined", "vars_combinations", "$arg_a-$arg_user"),
    ] {
        let route = json!({ "uri": format!("/{id}"), "upstream": upstream(hash_on, key) });
        put(&gateway, &format!("/routes/{id}"), route).await;
    }
    assert_sticks(&gateway, &providers, |gateway, user| {
        gateway
            .client()
            .get("/cookie")
            .header("cookie", &format!("user=x; cookie_user={user}"))
    })
    .await;
    assert_sticks(&gateway, &providers, |gateway, user| {
        gateway
            .client()
            .get("/header")
            .header("x-user", &user.to_string())
    })
    .await;
    assert_sticks(&gateway, &providers, |gateway, user| {
        gateway.client().get(&format!("/vars?user={user}"))
    })
    .await;
    assert_sticks(&gateway, &providers, |gateway, user| {
        gateway.client().get(&format!("/combined?a=1&user={user}"))
    })
    .await;
    // Without a value the client's address counts: one for all calls.
    for path in ["/cookie", "/header", "/vars", "/combined"] {
        let home = taken_by(&providers, gateway.client().get(path)).await;
        let other = gateway
            .client()
            .get(&format!("{path}?other=1"))
            .header("x-other", "1");
        assert_eq!(taken_by(&providers, other).await, home, "{path}");
    }
}

#[tokio::test]
async fn hashes_of_consumers() {
    let providers = [answering(ok()), answering(ok()), answering(ok())];
    let gateway = gateway().await;
    let upstream = json!({ "type": "chash", "hash_on": "consumer", "nodes": nodes(&providers) });
    let route = json!({ "uri": "/*", "upstream": upstream, "plugins": { "key-auth": {} } });
    put(&gateway, "/routes/1", route).await;
    for user in 0..12 {
        put_consumer(&gateway, &format!("user{user}")).await;
    }
    assert_sticks(&gateway, &providers, |gateway, user| {
        gateway
            .client()
            .get("/")
            .header("apikey", &format!("key-user{user}"))
    })
    .await;
}
