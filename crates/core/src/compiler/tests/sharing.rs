use std::time::{Duration, Instant};

use crate::consumer::Consumer;
use crate::route::{Route, RouteUpstream};
use crate::testing::Gateway;

use super::*;

/// Two of each kind; those of `/1` hang together, and so do those of `/2`.
fn gateway() -> Gateway {
    let mut gateway = Gateway::new();
    for n in [1, 2] {
        gateway.put(&format!("/upstreams/{n}"), json!({"nodes": {"10.0.0.1:80": 1}}));
        gateway.put(&format!("/services/{n}"), json!({"upstream_id": n}));
        gateway.put(&format!("/plugin_configs/{n}"), json!({"plugins": {"a": {}}}));
        let route =
            json!({"uri": format!("/{n}"), "service_id": n, "plugin_config_id": n, "plugins": {"b": {}}});
        gateway.put(&format!("/routes/{n}"), route);
        gateway.put(&format!("/consumer_groups/{n}"), json!({"plugins": {"c": {}}}));
        gateway.put(
            &format!("/consumers/c{n}"),
            json!({"group_id": n, "plugins": {"key-auth": {"key": n.to_string()}}}),
        );
    }
    gateway
}

fn routes(gateway: &Gateway) -> [Arc<Route>; 2] {
    ["/1", "/2"].map(|path| gateway.route(path))
}

fn consumers(gateway: &Gateway) -> [Arc<Consumer>; 2] {
    ["c1", "c2"].map(|name| gateway.caller(name).consumer)
}

/// Which of the two are still the same.
fn same<T>(before: &[Arc<T>; 2], after: &[Arc<T>; 2]) -> [bool; 2] {
    [
        Arc::ptr_eq(&before[0], &after[0]),
        Arc::ptr_eq(&before[1], &after[1]),
    ]
}

#[test]
fn edits_share_what_they_do_not_touch() {
    for (key, value, routes_kept, consumers_kept) in [
        ("/routes/1", json!({"uri": "/1"}), [false, true], [true, true]),
        ("/services/1", json!({}), [false, true], [true, true]),
        ("/plugin_configs/1", json!({}), [false, true], [true, true]),
        (
            "/upstreams/1",
            json!({"nodes": {"10.0.0.2:80": 1}}),
            [false, true],
            [true, true],
        ),
        ("/consumers/c1", json!({}), [true, true], [false, true]),
        ("/consumer_groups/1", json!({}), [true, true], [true, true]),
        (
            "/global_rules/1",
            json!({"plugins": {"a": {}}}),
            [true, true],
            [true, true],
        ),
        (
            "/consumers/c1/credentials/1",
            json!({"plugins": {"key-auth": {"key": "x"}}}),
            [true, true],
            [true, true],
        ),
        ("/plugin_metadata/c", json!({}), [true, true], [true, true]),
    ] {
        let mut gateway = gateway();
        let (routes_before, consumers_before) = (routes(&gateway), consumers(&gateway));
        gateway.put(key, value);
        assert_eq!(gateway.problem(key), None);
        assert_eq!(same(&routes_before, &routes(&gateway)), routes_kept, "{key}");
        assert_eq!(
            same(&consumers_before, &consumers(&gateway)),
            consumers_kept,
            "{key}"
        );
    }
}

#[test]
fn only_routes_build_the_router_again() {
    let mut gateway = gateway();
    let router = gateway.snapshot().router;
    gateway.put("/consumers/c1", json!({"plugins": {"a": {}}}));
    gateway.put("/global_rules/1", json!({"plugins": {"b": {}}}));
    gateway.put("/upstreams/unused", json!({"nodes": {}}));
    assert!(Arc::ptr_eq(&router, &gateway.snapshot().router));
    gateway.put("/routes/3", json!({"uri": "/3"}));
    assert!(!Arc::ptr_eq(&router, &gateway.snapshot().router));
}

#[test]
fn a_service_edit_does_not_compile_the_plugins_of_its_routes() {
    let mut gateway = gateway();
    let entry = |gateway: &Gateway, name| gateway.route("/1").pipeline.plugins().get(name).unwrap().clone();
    let (a, b) = (entry(&gateway, "a"), entry(&gateway, "b"));
    gateway.put("/services/1", json!({"name": "edited"}));
    assert!(Arc::ptr_eq(&a, &entry(&gateway, "a")));
    assert!(Arc::ptr_eq(&b, &entry(&gateway, "b")));
}

#[test]
fn routes_of_a_service_share_its_inline_upstream() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"upstream": {"nodes": {"10.0.0.1:80": 1}}}));
    gateway.put("/routes/1", json!({"uri": "/1", "service_id": "s"}));
    gateway.put("/routes/2", json!({"uri": "/2", "service_id": "s"}));
    let [one, two] = routes(&gateway).map(|route| match &route.upstream {
        RouteUpstream::To(upstream) => upstream.clone(),
        _ => panic!("no upstream"),
    });
    assert!(Arc::ptr_eq(&one, &two));
    assert_eq!(&*one.key, "/apisix/services/s");
}

#[test]
fn snapshots_do_not_change() {
    let mut gateway = gateway();
    let before = gateway.snapshot();
    gateway.put("/consumers/c1", json!({"plugins": {"key-auth": {"key": "new"}}}));
    gateway.delete("/consumers/c2");
    gateway.put("/routes/1", json!({"uri": "/elsewhere"}));
    assert!(before.consumers.find("key-auth", "1").is_some());
    assert!(before.consumers.find("key-auth", "2").is_some());
    assert!(before.consumers.find("key-auth", "new").is_none());
    assert_eq!(before.consumers.len(), 2);
    assert_eq!(gateway.snapshot().consumers.len(), 1);
}

#[test]
fn sources_are_kept_only_where_metadata_may_matter() {
    let gateway = gateway();
    let kept: BTreeSet<String> = gateway.compiler.sources.keys().map(ToString::to_string).collect();
    let expected = [
        "consumer_groups/1",
        "consumer_groups/2",
        "plugin_configs/1",
        "plugin_configs/2",
        "routes/1",
        "routes/2",
    ];
    assert_eq!(kept, expected.map(|key| format!("/{key}")).into());
}

#[test]
fn an_edit_among_thousands_of_consumers_touches_one() {
    const COUNT: usize = 5_000;
    let mut gateway = Gateway::new();
    let consumer = |key: &str| json!({"plugins": {"key-auth": {"key": key}, "a": {"tag": key}}});
    let all: Vec<_> = (0..COUNT)
        .map(|n| gateway.change(&format!("/consumers/c{n}"), Some(consumer(&format!("k{n}")))))
        .collect();
    gateway.compiler.apply(all);
    gateway.put("/routes/1", json!({"uri": "/r"}));
    let (before, route) = (gateway.snapshot(), gateway.route("/r"));
    assert_eq!(before.consumers.len(), COUNT);

    // The quickest of some, since the machine does other things: far below what compiling all would take.
    let edit = |n: usize| {
        let start = Instant::now();
        gateway.put("/consumers/c7", consumer(&format!("new{n}")));
        let after = gateway.snapshot();
        (start.elapsed(), after)
    };
    let (quickest, after) = (0..10).map(edit).min_by_key(|(took, _)| *took).unwrap();
    assert!(quickest < Duration::from_millis(5), "{quickest:?}");

    let kept = |n: usize| {
        let name = format!("c{n}");
        Arc::ptr_eq(
            before.consumers.get(&name).unwrap(),
            after.consumers.get(&name).unwrap(),
        )
    };
    assert_eq!((0..COUNT).filter(|n| !kept(*n)).collect::<Vec<_>>(), [7]);
    assert!(after.consumers.find("key-auth", "k7").is_none());
    assert!(Arc::ptr_eq(&route, &gateway.route("/r")));
}
