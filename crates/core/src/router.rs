//! The HTTP router: which route gets a request (compat §2.1–2.3).
//!
//! A route is filed under its paths, once per host pattern in the default kind. Exact paths are found by
//! hash, prefixes in a radix tree, both without allocating. What is found there is tried in the order of
//! the rules until one passes its predicates.

mod host;
mod methods;
mod normalize;
mod pattern;
mod prefix;
mod table;

use std::cmp::Reverse;
use std::net::IpAddr;

use http::Method;
use ipnet::IpNet;
use sluice_record::Text;
use sluice_resource::{Expr, Variables};

use self::host::{HostName, HostPattern, HostTable};
pub use self::methods::{Methods, UnknownMethod};
pub use self::normalize::{PathError, normalize_path, strip_tail_slash};
pub use self::pattern::PathParams;
use self::pattern::PathPattern;
use self::table::{Candidate, PathTable};

/// How routes are filed and what their paths may contain (`apisix.router.http`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouterKind {
    /// `radixtree_host_uri`: the routes of the most specific matching host first, routes without a host last.
    #[default]
    HostUri,
    /// `radixtree_uri`: the path decides, hosts are a predicate.
    Uri,
    /// `radixtree_uri_with_parameter`: like [`RouterKind::Uri`], with `:name` segments.
    UriWithParameter,
}

/// A route as the router is told about it. Disabled routes are left out by the caller.
#[derive(Clone, Debug)]
pub struct RouteEntry<T> {
    /// `id`.
    pub id: Text,
    /// `uri` or `uris`.
    pub uris: Vec<String>,
    /// `host` or `hosts`, the service's when the route has none. Empty: any host.
    pub hosts: Vec<String>,
    /// `priority`; orders routes that share a path.
    pub priority: i64,
    /// `methods`.
    pub methods: Methods,
    /// `remote_addr` or `remote_addrs`. Empty: any address.
    pub remote_addrs: Vec<IpNet>,
    /// `vars`.
    pub vars: Option<Expr>,
    /// What [`Router::find`] gives back, usually an `Arc`.
    pub target: T,
    /// Breaks ties, lower first: the position in which the store lists the route.
    pub order: u64,
}

/// What the router looks at.
#[derive(Clone, Copy)]
pub struct RouteRequest<'a> {
    /// The path, normalised by [`normalize_path`].
    pub path: &'a str,
    /// The `Host` header or `:authority` as sent, port included. Empty when there is none.
    pub host: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The client's address after real-ip processing.
    pub remote_addr: IpAddr,
    /// For `vars`. What [`Expr::uses`] names must be at hand.
    pub vars: &'a dyn Variables,
}

/// The answer of [`Router::find`]; `'r` is the router's life, `'q` the request path's.
#[derive(Debug)]
pub enum Lookup<'r, 'q, T> {
    /// This route.
    Found(Match<'r, 'q, T>),
    /// Some route has the path, but each that does refuses the request by host, method, address or `vars`.
    Refused,
    /// No route has the path, on any host.
    None,
}

/// A route that takes the request, and how it was matched.
#[derive(Debug)]
pub struct Match<'r, 'q, T> {
    /// The route's id.
    pub id: &'r Text,
    /// The route's target.
    pub target: &'r T,
    /// The path pattern that matched, as written.
    pub uri: &'r Text,
    /// The host pattern that matched, in lower case; `None` for a route without hosts.
    pub host: Option<&'r Text>,
    /// What named segments captured (`uri_param_<name>`), from left to right.
    pub params: PathParams<'r, 'q>,
}

/// An immutable index over all routes of a snapshot.
///
/// ```
/// use sluice_core::{Lookup, Methods, RouteEntry, RouteRequest, Router, RouterKind};
/// # use std::borrow::Cow;
/// # struct NoVariables;
/// # impl sluice_resource::Variables for NoVariables {
/// #     fn get(&self, _name: &str) -> Option<Cow<'_, str>> { None }
/// # }
///
/// let router = Router::build(RouterKind::default(), vec![RouteEntry {
///     id: "chat".into(),
///     uris: vec!["/v1/*".into()],
///     hosts: vec!["*.example.com".into()],
///     priority: 0,
///     methods: Methods::parse(["POST"])?,
///     remote_addrs: vec![],
///     vars: None,
///     target: "target",
///     order: 0,
/// }]);
/// let mut request = RouteRequest {
///     path: "/v1/chat/completions",
///     host: "api.example.com:9080",
///     method: &http::Method::POST,
///     remote_addr: [127, 0, 0, 1].into(),
///     vars: &NoVariables,
/// };
/// let Lookup::Found(found) = router.find(&request) else { panic!("not found") };
/// assert_eq!(&**found.uri, "/v1/*");
/// request.host = "example.com";
/// assert!(matches!(router.find(&request), Lookup::Refused));
/// # Ok::<(), sluice_core::UnknownMethod>(())
/// ```
#[derive(Debug)]
pub struct Router<T> {
    routes: Box<[Route<T>]>,
    /// Routes with hosts, by host; empty unless the kind is [`RouterKind::HostUri`].
    by_host: HostTable,
    /// All routes of `by_host` again, whatever their host: tells [`Lookup::Refused`] from [`Lookup::None`].
    any_host: PathTable,
    /// The other routes.
    by_path: PathTable,
}

#[derive(Debug)]
struct Route<T> {
    id: Text,
    patterns: Box<[PathPattern]>,
    /// Hosts that are still to be checked: none for routes in the host table.
    hosts: Box<[HostPattern]>,
    methods: Methods,
    remote_addrs: Box<[IpNet]>,
    vars: Option<Expr>,
    target: T,
}

impl<T> Router<T> {
    /// Builds the index. `O(n log n)` in the number of paths.
    #[must_use]
    pub fn build(kind: RouterKind, entries: Vec<RouteEntry<T>>) -> Self {
        let mut routes = Vec::with_capacity(entries.len());
        let mut filing = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let (priority, order) = (Reverse(entry.priority), entry.order);
            let route = Route::new(entry, kind == RouterKind::UriWithParameter);
            filing.extend(route.patterns.iter().enumerate().map(|(pattern, parsed)| {
                let rank = (priority, Reverse(parsed.source().len()), order);
                (
                    rank,
                    Candidate {
                        route: index,
                        pattern,
                    },
                )
            }));
            routes.push(route);
        }
        // Tables list candidates in the order in which they are filed.
        filing.sort_unstable();
        let mut by_host = HostTable::builder();
        let mut any_host = PathTable::builder();
        let mut by_path = PathTable::builder();
        for (_, candidate) in filing {
            let route = &routes[candidate.route];
            let pattern = &route.patterns[candidate.pattern];
            if kind != RouterKind::HostUri || route.hosts.is_empty() {
                by_path.file(pattern, candidate);
                continue;
            }
            any_host.file(pattern, candidate);
            for host in &route.hosts {
                by_host.paths_of(host).file(pattern, candidate);
            }
        }
        if kind == RouterKind::HostUri {
            routes.iter_mut().for_each(|route| route.hosts = Box::default());
        }
        Self {
            routes: routes.into(),
            by_host: by_host.build(),
            any_host: any_host.build(),
            by_path: by_path.build(),
        }
    }

    /// What all routes lead to.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.routes.iter().map(|route| &route.target)
    }

    /// The route for a request.
    pub fn find<'r, 'q>(&'r self, request: &RouteRequest<'q>) -> Lookup<'r, 'q, T> {
        let host = HostName::parse(request.host);
        for (pattern, paths) in self.by_host.matching(host.name()) {
            if let Lookup::Found(found) = self.find_in(paths, request, &host, Some(pattern)) {
                return Lookup::Found(found);
            }
        }
        match self.find_in(&self.by_path, request, &host, None) {
            Lookup::None if self.is_on_some_host(request.path) => Lookup::Refused,
            answer => answer,
        }
    }

    fn find_in<'r, 'q>(
        &'r self,
        paths: &'r PathTable,
        request: &RouteRequest<'q>,
        host: &HostName<'_>,
        filed_under: Option<&'r Text>,
    ) -> Lookup<'r, 'q, T> {
        let mut answer = Lookup::None;
        for candidate in paths.candidates(request.path) {
            let route = &self.routes[candidate.route];
            let pattern = &route.patterns[candidate.pattern];
            let Some(params) = pattern.captures(request.path) else {
                continue;
            };
            let matched_host = route
                .hosts
                .iter()
                .find(|pattern| pattern.matches(host))
                .map(HostPattern::text);
            let host_passes = matched_host.is_some() || route.hosts.is_empty();
            if host_passes && route.accepts(request) {
                return Lookup::Found(Match {
                    id: &route.id,
                    target: &route.target,
                    uri: pattern.source(),
                    host: filed_under.or(matched_host),
                    params,
                });
            }
            answer = Lookup::Refused;
        }
        answer
    }

    fn is_on_some_host(&self, path: &str) -> bool {
        let mut candidates = self.any_host.candidates(path);
        candidates.any(|it| {
            self.routes[it.route].patterns[it.pattern]
                .captures(path)
                .is_some()
        })
    }
}

impl<T> Route<T> {
    fn new(entry: RouteEntry<T>, parameters: bool) -> Self {
        Self {
            id: entry.id,
            patterns: entry
                .uris
                .iter()
                .map(|uri| PathPattern::parse(uri, parameters))
                .collect(),
            hosts: entry.hosts.iter().map(|host| HostPattern::new(host)).collect(),
            methods: entry.methods,
            remote_addrs: entry.remote_addrs.into(),
            vars: entry.vars,
            target: entry.target,
        }
    }

    /// Whether all predicates but the host pass. `vars` come last: they cost most.
    fn accepts(&self, request: &RouteRequest<'_>) -> bool {
        let address = request.remote_addr.to_canonical();
        self.methods.contains(request.method)
            && (self.remote_addrs.is_empty()
                || self.remote_addrs.iter().any(|network| network.contains(&address)))
            && self.vars.as_ref().is_none_or(|vars| vars.eval(request.vars))
    }
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self::build(RouterKind::default(), Vec::new())
    }
}

#[cfg(test)]
mod tests;
