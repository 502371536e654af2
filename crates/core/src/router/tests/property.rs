//! The router against a matcher that scans all routes and knows the rules only.

use std::cmp::Reverse;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::*;

const SEGMENTS: [&str; 8] = ["a", "b", "ab", "", "*", "*rest", ":id", "a*"];
const HOST_PATTERNS: [&str; 6] = ["x.foo.com", "foo.com", "*.foo.com", "*.com", "*", "FOO.com"];
const HOSTS: [&str; 5] = ["x.foo.com", "foo.com:80", "Y.foo.com", "bar.com", ""];
const METHODS: [&str; 3] = ["GET", "POST", "PURGE"];

fn uri() -> impl Strategy<Value = String> {
    let segments = proptest::collection::vec(select(&SEGMENTS[..]), 1..5);
    prop_oneof![9 => segments.prop_map(|segments| format!("/{}", segments.join("/"))), 1 => Just("*".to_owned())]
}

fn path() -> impl Strategy<Value = String> {
    let segments = proptest::collection::vec(select(&["a", "b", "ab", "abc", "", ":id"][..]), 1..6);
    segments.prop_map(|segments| format!("/{}", segments.join("/")))
}

prop_compose! {
    fn entry()(
        uris in proptest::collection::vec(uri(), 1..3),
        hosts in prop_oneof![Just(vec![]), subsequence(&HOST_PATTERNS[..], 1..3)],
        priority in 0..2i64,
        methods in subsequence(&METHODS[..], 0..2),
        local in any::<bool>(),
        v in proptest::option::weighted(0.2, select(&["1", "2"][..])),
    ) -> RouteEntry<()> {
        RouteEntry {
            uris,
            hosts: hosts.into_iter().map(str::to_owned).collect(),
            priority,
            methods: Methods::parse(methods).unwrap(),
            remote_addrs: if local { vec!["10.0.0.0/8".parse().unwrap()] } else { vec![] },
            vars: v.map(|v| Expr::parse(&json!([["arg_v", "==", v]])).unwrap()),
            ..route("", &[])
        }
    }
}

/// The length of the prefix that a pattern compares, or `None` for an exact pattern.
fn prefix_length(uri: &str, kind: RouterKind) -> Option<usize> {
    let colon = uri
        .find("/:")
        .filter(|_| kind == RouterKind::UriWithParameter)
        .map(|slash| slash + 1);
    uri.find('*').into_iter().chain(colon).min()
}

/// Compat §2.2, tried in all ways; the values of the parameters.
fn path_captures(uri: &str, path: &str, kind: RouterKind) -> Option<Vec<String>> {
    let parameters = kind == RouterKind::UriWithParameter;
    let is_wild = |segment: &str| segment.starts_with('*') || (parameters && segment.starts_with(':'));
    let pattern: Vec<&str> = uri.split('/').collect();
    match prefix_length(uri, kind) {
        None => (uri == path).then(Vec::new),
        Some(prefix) if prefix + 1 == uri.len() && uri.ends_with('*') || !uri.split('/').any(is_wild) => {
            path.starts_with(&uri[..prefix]).then(Vec::new)
        }
        Some(_) => segment_captures(&pattern, &path.split('/').collect::<Vec<_>>(), parameters),
    }
}

fn segment_captures(pattern: &[&str], path: &[&str], parameters: bool) -> Option<Vec<String>> {
    let Some((first, rest)) = pattern.split_first() else {
        return path.is_empty().then(Vec::new);
    };
    let with = |value: String, captures: Vec<String>| [vec![value], captures].concat();
    if first.starts_with('*') {
        return (1..=path.len()).rev().find_map(|taken| {
            let captures = segment_captures(rest, &path[taken..], parameters)?;
            Some(if *first == "*" {
                captures
            } else {
                with(path[..taken].join("/"), captures)
            })
        });
    }
    let (segment, path) = path.split_first()?;
    if parameters && first.starts_with(':') {
        let captures = segment_captures(rest, path, parameters)?;
        return (!segment.is_empty()).then(|| with((*segment).to_owned(), captures));
    }
    if first == segment {
        segment_captures(rest, path, parameters)
    } else {
        None
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_lowercase(), host.to_lowercase());
    let host = host.split(':').next().unwrap_or_default();
    pattern
        .strip_prefix('*')
        .map_or(host == pattern, |suffix| host.ends_with(suffix))
}

#[derive(Debug, PartialEq)]
enum Answer {
    Found {
        id: String,
        uri: String,
        host: Option<String>,
        params: Vec<String>,
    },
    Refused,
    None,
}

/// All ways to match, in the order of the rules; the first that passes the predicates wins.
fn naive(kind: RouterKind, entries: &[RouteEntry<()>], request: &RouteRequest<'_>) -> Answer {
    let mut ways = Vec::new();
    let mut has_path = false;
    for entry in entries {
        let hosts: Vec<&String> = entry
            .hosts
            .iter()
            .filter(|host| host_matches(host, request.host))
            .collect();
        for (position, uri) in entry.uris.iter().enumerate() {
            let Some(params) = path_captures(uri, request.path, kind) else {
                continue;
            };
            has_path = true;
            let by_path = (
                prefix_length(uri, kind).is_some(),
                Reverse(prefix_length(uri, kind)),
                Reverse(entry.priority),
                Reverse(uri.len()),
                (entry.order, position),
            );
            let found = |host: Option<&String>| Answer::Found {
                id: entry.id.to_string(),
                uri: uri.clone(),
                host: host.map(|host| host.to_lowercase()),
                params: params.clone(),
            };
            match (kind, entry.hosts.is_empty()) {
                (RouterKind::HostUri, false) => {
                    // Exact hosts, then the longest wildcard.
                    let by_host = |host: &String| (0, host.starts_with('*'), Reverse(host.len()));
                    ways.extend(
                        hosts
                            .iter()
                            .map(|host| (by_host(host), by_path, entry, found(Some(host)))),
                    );
                }
                (RouterKind::HostUri, true) => {
                    ways.push(((1, false, Reverse(0)), by_path, entry, found(None)))
                }
                (_, true) => ways.push(((0, false, Reverse(0)), by_path, entry, found(None))),
                (_, false) => ways.extend(
                    hosts
                        .first()
                        .map(|host| ((0, false, Reverse(0)), by_path, entry, found(Some(host)))),
                ),
            }
        }
    }
    ways.sort_by_key(|(by_host, by_path, ..)| (*by_host, *by_path));
    let passes = |entry: &RouteEntry<()>| {
        entry.methods.contains(request.method)
            && (entry.remote_addrs.is_empty()
                || entry
                    .remote_addrs
                    .iter()
                    .any(|net| net.contains(&request.remote_addr)))
            && entry.vars.as_ref().is_none_or(|vars| vars.eval(request.vars))
    };
    let first = ways.into_iter().find(|(_, _, entry, _)| passes(entry));
    first.map_or(
        if has_path { Answer::Refused } else { Answer::None },
        |(.., answer)| answer,
    )
}

fn answer(lookup: Lookup<'_, '_, ()>) -> Answer {
    match lookup {
        Lookup::Found(found) => Answer::Found {
            id: found.id.to_string(),
            uri: found.uri.to_string(),
            host: found.host.map(ToString::to_string),
            params: found
                .params
                .iter()
                .map(|(_, value)| (*value).to_owned())
                .collect(),
        },
        Lookup::Refused => Answer::Refused,
        Lookup::None => Answer::None,
    }
}

proptest! {
    #[test]
    fn agrees_with_a_scan_of_all_routes(
        entries in proptest::collection::vec(entry(), 0..12),
        requests in proptest::collection::vec((path(), select(&HOSTS[..]), select(&METHODS[..]), any::<bool>()), 1..8),
    ) {
        let entries: Vec<RouteEntry<()>> = entries
            .into_iter()
            .enumerate()
            .map(|(order, entry)| RouteEntry { id: order.to_string().into(), order: order as u64, ..entry })
            .collect();
        for kind in KINDS {
            let router = Router::build(kind, entries.clone());
            for (path, host, method, local) in &requests {
                let request = RouteRequest {
                    path,
                    host,
                    method: &Method::from_bytes(method.as_bytes()).unwrap(),
                    remote_addr: if *local { [10, 0, 0, 1].into() } else { [192, 168, 0, 1].into() },
                    vars: &Vars(&[("arg_v", "1")]),
                };
                prop_assert_eq!(answer(router.find(&request)), naive(kind, &entries, &request), "{:?} {}{}", kind, host, path);
            }
        }
    }
}
