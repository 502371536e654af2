mod property;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::json;

use super::*;

/// Variables of the form `name=value`.
pub(super) struct Vars(pub(super) &'static [(&'static str, &'static str)]);

impl Variables for Vars {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| Cow::Borrowed(*value))
    }
}

const NO_VARS: &Vars = &Vars(&[]);

pub(super) fn route(id: &str, uris: &[&str]) -> RouteEntry<()> {
    RouteEntry {
        id: Arc::from(id),
        uris: uris.iter().map(ToString::to_string).collect(),
        hosts: Vec::new(),
        priority: 0,
        methods: Methods::default(),
        remote_addrs: Vec::new(),
        vars: None,
        target: (),
        order: 0,
    }
}

fn hosted(id: &str, uris: &[&str], hosts: &[&str]) -> RouteEntry<()> {
    RouteEntry {
        hosts: hosts.iter().map(ToString::to_string).collect(),
        ..route(id, uris)
    }
}

fn request<'a>(host: &'a str, path: &'a str) -> RouteRequest<'a> {
    RouteRequest {
        path,
        host,
        method: &Method::GET,
        remote_addr: [10, 0, 0, 1].into(),
        vars: NO_VARS,
    }
}

/// A router over routes that stand in the store in this order.
fn build(kind: RouterKind, mut entries: Vec<RouteEntry<()>>) -> Router<()> {
    for (order, entry) in entries.iter_mut().enumerate() {
        entry.order = order as u64;
    }
    Router::build(kind, entries)
}

/// The id of the route found, `refused` or `none`.
fn ask<'r>(router: &'r Router<()>, request: &RouteRequest<'_>) -> &'r str {
    match router.find(request) {
        Lookup::Found(found) => found.id,
        Lookup::Refused => "refused",
        Lookup::None => "none",
    }
}

fn check_paths(router: &Router<()>, cases: &[(&str, &str)]) {
    for (path, expected) in cases {
        assert_eq!(ask(router, &request("any", path)), *expected, "{path}");
    }
}

const KINDS: [RouterKind; 3] = [RouterKind::HostUri, RouterKind::Uri, RouterKind::UriWithParameter];

#[test]
fn exact_path() {
    for kind in KINDS {
        let router = build(kind, vec![route("r", &["/foo"])]);
        check_paths(
            &router,
            &[
                ("/foo", "r"),
                ("/foobar", "none"),
                ("/foo/", "none"),
                ("/", "none"),
            ],
        );
    }
}

#[test]
fn prefix_path() {
    for kind in KINDS {
        let router = build(kind, vec![route("r", &["/foo*"])]);
        check_paths(
            &router,
            &[("/foo", "r"), ("/foobar", "r"), ("/foo/x", "r"), ("/fo", "none")],
        );
    }
}

#[test]
fn prefix_with_slash() {
    for kind in KINDS {
        let router = build(kind, vec![route("r", &["/foo/*"])]);
        check_paths(
            &router,
            &[
                ("/foo/", "r"),
                ("/foo/x/y", "r"),
                ("/foo", "none"),
                ("/foobar", "none"),
            ],
        );
    }
}

#[test]
fn everything() {
    for kind in KINDS {
        for pattern in ["*", "/*"] {
            let router = build(kind, vec![route("r", &[pattern])]);
            check_paths(&router, &[("/", "r"), ("/a/b", "r")]);
        }
    }
}

#[test]
fn star_in_the_middle() {
    for kind in KINDS {
        let router = build(kind, vec![route("r", &["/a/*/b"])]);
        check_paths(
            &router,
            &[
                ("/a/x/b", "r"),
                ("/a/x/y/b", "r"),
                ("/a/b", "none"),
                ("/a/x/c", "none"),
            ],
        );
    }
}

#[test]
fn parameters_have_a_meaning_in_one_kind_only() {
    let routes = || vec![route("r", &["/user/:id/x"]), route("rest", &["/files/:id/*path"])];
    let router = build(RouterKind::UriWithParameter, routes());
    check_paths(
        &router,
        &[("/user/7/x", "r"), ("/user//x", "none"), ("/user/7/8/x", "none")],
    );
    let Lookup::Found(found) = router.find(&request("any", "/files/7/a/b")) else {
        panic!("no route")
    };
    let params: Vec<_> = found
        .params
        .iter()
        .map(|(name, value)| (&***name, *value))
        .collect();
    assert_eq!(params, [("id", "7"), ("path", "a/b")]);
    for kind in [RouterKind::HostUri, RouterKind::Uri] {
        check_paths(
            &build(kind, routes()),
            &[("/user/7/x", "none"), ("/user/:id/x", "r")],
        );
    }
}

#[test]
fn exact_beats_prefix_whatever_the_priority() {
    for kind in KINDS {
        let high = RouteEntry {
            priority: 100,
            ..route("prefix", &["/foo*"])
        };
        let router = build(kind, vec![high, route("exact", &["/foo"])]);
        check_paths(&router, &[("/foo", "exact"), ("/foo1", "prefix")]);
    }
}

#[test]
fn longest_prefix_first_whatever_the_priority() {
    for kind in KINDS {
        let high = RouteEntry {
            priority: 100,
            ..route("short", &["/a/*"])
        };
        let router = build(
            kind,
            vec![high, route("long", &["/a/b/*"]), route("all", &["/*"])],
        );
        check_paths(&router, &[("/a/b/c", "long"), ("/a/c", "short"), ("/b", "all")]);
    }
}

#[test]
fn ties_of_one_path() {
    for kind in KINDS {
        let high = RouteEntry {
            priority: 1,
            ..route("high", &["/p"])
        };
        let router = build(kind, vec![route("low", &["/p"]), high]);
        check_paths(&router, &[("/p", "high")]);
        // Same prefix `/a/`: the longer pattern is the more specific one.
        let router = build(
            kind,
            vec![route("short", &["/a/*"]), route("longer", &["/a/*/b"])],
        );
        check_paths(&router, &[("/a/x/b", "longer"), ("/a/x/c", "short")]);
        let router = build(kind, vec![route("first", &["/p"]), route("second", &["/p"])]);
        check_paths(&router, &[("/p", "first")]);
        let early = RouteEntry {
            order: 1,
            ..route("early", &["/p"])
        };
        let late = RouteEntry {
            order: 2,
            ..route("late", &["/p"])
        };
        check_paths(&Router::build(kind, vec![late, early]), &[("/p", "early")]);
    }
}

#[test]
fn refusing_routes_let_the_next_one_try() {
    for kind in KINDS {
        let only = |name, id, uri| RouteEntry {
            methods: Methods::parse([name]).unwrap(),
            ..route(id, &[uri])
        };
        let router = build(
            kind,
            vec![
                only("PUT", "exact", "/a/b"),
                only("POST", "long", "/a/*"),
                only("GET", "short", "/*"),
            ],
        );
        let ask_method = |method: &Method| {
            ask(
                &router,
                &RouteRequest {
                    method,
                    ..request("any", "/a/b")
                },
            )
        };
        assert_eq!(ask_method(&Method::PUT), "exact");
        assert_eq!(ask_method(&Method::POST), "long");
        assert_eq!(ask_method(&Method::GET), "short");
        assert_eq!(ask_method(&Method::HEAD), "refused");
    }
}

#[test]
fn host_before_path_in_the_default_kind() {
    let routes = || {
        vec![
            route("plain", &["/a/b"]),
            hosted("exact", &["/a/*"], &["x.foo.com"]),
            hosted("wild", &["/a/b", "/w"], &["*.foo.com"]),
            hosted("wilder", &["/w", "/v"], &["*.com"]),
            hosted("any", &["/u"], &["*"]),
        ]
    };
    let router = build(RouterKind::HostUri, routes());
    for (host, path, id) in [
        ("x.foo.com", "/a/b", "exact"),
        ("X.Foo.COM:9080", "/a/b", "exact"),
        ("y.foo.com", "/a/b", "wild"),
        ("x.foo.com", "/w", "wild"),
        ("foo.com", "/w", "wilder"),
        ("x.foo.com", "/v", "wilder"),
        ("bar.org", "/u", "any"),
        ("", "/u", "any"),
        ("bar.org", "/a/b", "plain"),
        ("bar.org", "/v", "refused"),
        ("bar.org", "/z", "none"),
    ] {
        assert_eq!(ask(&router, &request(host, path)), id, "{host}{path}");
    }
    let Lookup::Found(found) = router.find(&request("y.foo.com", "/w")) else {
        panic!("no route")
    };
    assert_eq!(
        (&**found.uri, found.host.map(|host| &**host)),
        ("/w", Some("*.foo.com"))
    );
    // The other kinds look at the path first.
    let router = build(RouterKind::Uri, routes());
    assert_eq!(ask(&router, &request("x.foo.com", "/a/b")), "plain");
}

#[test]
fn hosts_as_a_predicate() {
    for kind in [RouterKind::Uri, RouterKind::UriWithParameter] {
        let router = build(
            kind,
            vec![hosted("r", &["/a"], &["b.org", "*.foo.com", "c.org:8080"])],
        );
        for (host, id) in [
            ("a.foo.com", "r"),
            ("a.b.foo.com", "r"),
            ("foo.com", "refused"),
            ("B.org:80", "r"),
            ("c.org:8080", "r"),
            ("c.org", "refused"),
        ] {
            assert_eq!(ask(&router, &request(host, "/a")), id, "{host}");
        }
        let Lookup::Found(found) = router.find(&request("a.foo.com", "/a")) else {
            panic!("no route")
        };
        assert_eq!(found.host.map(|host| &**host), Some("*.foo.com"));
    }
}

#[test]
fn methods() {
    for kind in KINDS {
        let get = RouteEntry {
            methods: Methods::parse(["GET"]).unwrap(),
            ..route("r", &["/a"])
        };
        let router = build(kind, vec![get, route("any", &["/b"])]);
        let purge = Method::from_bytes(b"PURGE").unwrap();
        for (method, a, b) in [
            (&Method::GET, "r", "any"),
            (&Method::HEAD, "refused", "any"),
            (&purge, "refused", "any"),
        ] {
            assert_eq!(
                ask(
                    &router,
                    &RouteRequest {
                        method,
                        ..request("any", "/a")
                    }
                ),
                a
            );
            assert_eq!(
                ask(
                    &router,
                    &RouteRequest {
                        method,
                        ..request("any", "/b")
                    }
                ),
                b
            );
        }
    }
}

#[test]
fn remote_addresses() {
    for kind in KINDS {
        let networks = vec!["10.1.0.0/16".parse().unwrap(), "fd00::7/128".parse().unwrap()];
        let router = build(
            kind,
            vec![RouteEntry {
                remote_addrs: networks,
                ..route("r", &["/a"])
            }],
        );
        for (address, id) in [
            ("10.1.9.9", "r"),
            ("10.2.0.1", "refused"),
            ("fd00::7", "r"),
            ("::ffff:10.1.0.1", "r"),
            ("fd00::8", "refused"),
        ] {
            let remote_addr = address.parse().unwrap();
            assert_eq!(
                ask(
                    &router,
                    &RouteRequest {
                        remote_addr,
                        ..request("any", "/a")
                    }
                ),
                id,
                "{address}"
            );
        }
    }
}

#[test]
fn vars() {
    for kind in KINDS {
        let expr = |value| Some(Expr::parse(&json!([["arg_v", "==", value]])).unwrap());
        let router = build(
            kind,
            vec![
                RouteEntry {
                    vars: expr("1"),
                    priority: 2,
                    ..route("one", &["/a"])
                },
                RouteEntry {
                    vars: expr("2"),
                    priority: 1,
                    ..route("two", &["/a"])
                },
            ],
        );
        for (vars, id) in [
            (&Vars(&[("arg_v", "1")]), "one"),
            (&Vars(&[("arg_v", "2")]), "two"),
            (&Vars(&[("arg_v", "3")]), "refused"),
        ] {
            assert_eq!(
                ask(
                    &router,
                    &RouteRequest {
                        vars,
                        ..request("any", "/a")
                    }
                ),
                id
            );
        }
    }
}

#[test]
fn a_pattern_that_only_shares_the_prefix_refuses_nothing() {
    let get = || Methods::parse(["POST"]).unwrap();
    let with_host = hosted("h", &["/a/*/b"], &["x.com"]);
    let router = build(
        RouterKind::HostUri,
        vec![
            with_host,
            RouteEntry {
                methods: get(),
                ..route("p", &["/c/*/d"])
            },
        ],
    );
    check_paths(
        &router,
        &[
            ("/a/x/c", "none"),
            ("/a/x/b", "refused"),
            ("/c/x/e", "none"),
            ("/c/x/d", "refused"),
        ],
    );
}

#[test]
fn an_empty_router_knows_no_path() {
    assert_eq!(ask(&Router::default(), &request("a.com", "/")), "none");
}

#[test]
fn many_routes() {
    let entries = (0..10_000).flat_map(|n| {
        let exact = route(&format!("e{n}"), &[&format!("/exact/{n}")]);
        let prefix = route(&format!("p{n}"), &[&format!("/prefix/{n}/*")]);
        [
            exact,
            prefix,
            hosted(&format!("h{n}"), &["/*"], &[&format!("{n}.example.com")]),
        ]
    });
    let router = build(RouterKind::HostUri, entries.collect());
    for n in [0, 7, 99, 1234, 9999] {
        assert_eq!(
            ask(&router, &request("", &format!("/exact/{n}"))),
            format!("e{n}")
        );
        assert_eq!(
            ask(&router, &request("", &format!("/prefix/{n}/x"))),
            format!("p{n}")
        );
        assert_eq!(
            ask(&router, &request(&format!("{n}.example.com"), "/x")),
            format!("h{n}")
        );
    }
    assert_eq!(
        ask(&router, &request("", "/prefix/10000/x")),
        "refused",
        "`/*` is on some host"
    );
}
