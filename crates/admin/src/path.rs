//! Which endpoint a request means (compat §1.1, §1.2, §1.8).
//!
//! APISIX takes the normalised path apart at its slashes and looks at the places, so extra segments are ignored
//! and a trailing slash makes no difference. The same is done here, by one function.

use http::Method as HttpMethod;
use sluice_resource::{Kind, Method, Target};

/// Where the Admin API is.
pub(crate) const BASE: &str = "/apisix/admin";

/// Where the audit log is.
pub(crate) const EVENTS: &str = "/api/gateway/events";

/// What a path under the Admin API means, together with the method.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `GET plugins/list`.
    PluginList,
    /// `plugins/reload` by any method.
    PluginReload,
    /// `POST schema/validate/{segment}`.
    SchemaValidation(String),
    /// `POST configs/validate`.
    BulkValidation,
    /// `GET plugins/{name}`, `GET schema/plugins/{name}`.
    Plugin(Option<String>),
    /// `GET schema/{name}`.
    Schema(Option<String>),
    /// A stored resource or a collection of them.
    Stored(Method, Address),
    /// `POST providers/{id}/test`.
    ProviderTest(String),
    /// `GET providers/{id}/models`.
    ProviderModels(String),
    /// `stream_routes`: there is no layer 4 here, as in APISIX with `proxy_mode: http`.
    StreamRoutes,
    /// The whole configuration, in standalone mode.
    Configs(HttpMethod),
    /// The audit log.
    Events,
    /// A method that plugins and schemas lack altogether.
    NoMethod,
    /// No such resource.
    Unknown(String),
}

/// Where a stored resource is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) kind: Kind,
    /// The consumer of a credential, the manager of a secret.
    pub(crate) parent: Option<String>,
    pub(crate) id: Option<String>,
    /// What follows the id: the member that a PATCH means.
    pub(crate) sub_path: String,
}

impl Address {
    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            kind: self.kind,
            parent: self.parent.as_deref(),
            id: self.id.as_deref(),
        }
    }

    fn new(kind: Kind, parent: Option<&str>, segments: &[&str]) -> Self {
        let (id, rest) = match segments {
            [id, rest @ ..] => (Some((*id).to_owned()), rest),
            [] => (None, segments),
        };
        Self {
            kind,
            parent: parent.map(str::to_owned),
            id,
            sub_path: rest.join("/"),
        }
    }
}

/// The endpoint of a normalised path in standalone mode, where there are few (compat §1.8). `None` is nginx's 404.
pub(crate) fn standalone_endpoint(method: &HttpMethod, path: &str) -> Option<Endpoint> {
    match (method.as_str(), path.strip_prefix(BASE)) {
        ("PUT" | "GET" | "HEAD", Some("/configs")) => Some(Endpoint::Configs(method.clone())),
        ("POST", Some("/configs/validate")) => Some(Endpoint::BulkValidation),
        ("GET", None) if path == EVENTS => Some(Endpoint::Events),
        _ => None,
    }
}

/// The endpoint of a normalised path. `None` is nginx's 404.
pub(crate) fn endpoint(method: &HttpMethod, path: &str) -> Option<Endpoint> {
    if method == HttpMethod::GET && path == EVENTS {
        return Some(Endpoint::Events);
    }
    let below = path.strip_prefix(BASE)?.strip_prefix('/')?;
    let method = resource_method(method)?;
    match (method, below) {
        (Method::Get, "plugins/list") => return Some(Endpoint::PluginList),
        (_, "plugins/reload") => return Some(Endpoint::PluginReload),
        (Method::Post, "configs/validate") => return Some(Endpoint::BulkValidation),
        _ => {}
    }
    let segments: Vec<&str> = match below.strip_suffix('/').unwrap_or(below) {
        "" => Vec::new(),
        below => below.split('/').collect(),
    };
    Some(resource(method, &segments))
}

fn resource(method: Method, segments: &[&str]) -> Endpoint {
    let name = |rest: &[&str]| rest.first().map(|name| (*name).to_owned());
    let stored = |kind, parent, rest| Endpoint::Stored(method, Address::new(kind, parent, rest));
    match segments {
        ["schema", "validate", segment, ..] if method == Method::Post => {
            Endpoint::SchemaValidation((*segment).to_owned())
        }
        ["schema" | "plugins", ..] if method != Method::Get => Endpoint::NoMethod,
        ["schema", "plugins", rest @ ..] if !rest.is_empty() => Endpoint::Plugin(name(rest)),
        ["schema", rest @ ..] => Endpoint::Schema(name(rest)),
        ["plugins", rest @ ..] => Endpoint::Plugin(name(rest)),
        ["providers", id, "test"] if method == Method::Post => Endpoint::ProviderTest((*id).to_owned()),
        ["providers", id, "models"] if method == Method::Get => Endpoint::ProviderModels((*id).to_owned()),
        ["stream_routes", ..] => Endpoint::StreamRoutes,
        ["consumers", consumer, "credentials", rest @ ..] => stored(Kind::Credential, Some(consumer), rest),
        ["secrets", manager, rest @ ..] => stored(Kind::Secret, Some(manager), rest),
        [segment, rest @ ..] => match Kind::from_segment(segment) {
            Some(kind) => stored(kind, None, rest),
            None => Endpoint::Unknown((*segment).to_owned()),
        },
        [] => Endpoint::Unknown(String::new()),
    }
}

fn resource_method(method: &HttpMethod) -> Option<Method> {
    let all = [
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Delete,
        Method::Patch,
    ];
    all.into_iter().find(|known| known.name() == method.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Option<Endpoint> {
        endpoint(&HttpMethod::GET, path)
    }

    #[track_caller]
    fn address(path: &str) -> (Kind, Option<String>, Option<String>, String) {
        match get(path) {
            Some(Endpoint::Stored(Method::Get, a)) => (a.kind, a.parent, a.id, a.sub_path),
            other => panic!("{path}: {other:?}"),
        }
    }

    fn own(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn collections_and_resources() {
        let none = String::new;
        assert_eq!(address("/apisix/admin/routes"), (Kind::Route, None, None, none()));
        assert_eq!(
            address("/apisix/admin/routes/"),
            (Kind::Route, None, None, none())
        );
        assert_eq!(
            address("/apisix/admin/routes/1"),
            (Kind::Route, None, own("1"), none())
        );
        assert_eq!(
            address("/apisix/admin/routes/1/"),
            (Kind::Route, None, own("1"), none())
        );
        assert_eq!(
            address("/apisix/admin/routes/1/upstream/nodes"),
            (Kind::Route, None, own("1"), "upstream/nodes".to_owned())
        );
        assert_eq!(
            address("/apisix/admin/consumers/jack/credentials"),
            (Kind::Credential, own("jack"), None, none())
        );
        assert_eq!(
            address("/apisix/admin/consumers/jack/credentials/c1/x"),
            (Kind::Credential, own("jack"), own("c1"), "x".to_owned())
        );
        assert_eq!(
            address("/apisix/admin/consumers/jack/keys"),
            (Kind::Consumer, None, own("jack"), "keys".to_owned())
        );
        assert_eq!(
            address("/apisix/admin/secrets"),
            (Kind::Secret, None, None, none())
        );
        assert_eq!(
            address("/apisix/admin/secrets/vault/1/token"),
            (Kind::Secret, own("vault"), own("1"), "token".to_owned())
        );
    }

    #[test]
    fn what_is_no_stored_resource() {
        let get = |path: &str| get(&format!("/apisix/admin/{path}")).unwrap();
        assert_eq!(get("plugins"), Endpoint::Plugin(None));
        assert_eq!(get("plugins/cors"), Endpoint::Plugin(own("cors")));
        assert_eq!(get("plugins/list/"), Endpoint::Plugin(own("list")));
        assert_eq!(get("schema/plugins/cors"), Endpoint::Plugin(own("cors")));
        assert_eq!(get("schema/route"), Endpoint::Schema(own("route")));
        assert_eq!(get("schema/plugins"), Endpoint::Schema(own("plugins")));
        assert_eq!(get("schema/"), Endpoint::Schema(None));
        assert_eq!(get("stream_routes/1"), Endpoint::StreamRoutes);
        assert_eq!(get("nothing/1"), Endpoint::Unknown("nothing".to_owned()));
        assert_eq!(get("credentials"), Endpoint::Unknown("credentials".to_owned()));
        assert_eq!(get(""), Endpoint::Unknown(String::new()));
    }

    #[test]
    fn endpoints_of_their_own_depend_on_the_method() {
        let on = |method, path| endpoint(&method, &format!("/apisix/admin/{path}")).unwrap();
        assert_eq!(on(HttpMethod::GET, "plugins/list"), Endpoint::PluginList);
        assert_eq!(on(HttpMethod::PUT, "plugins/list"), Endpoint::NoMethod);
        assert_eq!(on(HttpMethod::GET, "plugins/reload"), Endpoint::PluginReload);
        assert_eq!(on(HttpMethod::PUT, "plugins/reload"), Endpoint::PluginReload);
        let validation = Endpoint::SchemaValidation("routes".to_owned());
        assert_eq!(on(HttpMethod::POST, "schema/validate/routes"), validation);
        assert_eq!(
            on(HttpMethod::GET, "schema/validate/routes"),
            Endpoint::Schema(own("validate"))
        );
        assert_eq!(on(HttpMethod::PUT, "schema/validate/routes"), Endpoint::NoMethod);
        assert_eq!(on(HttpMethod::POST, "configs/validate"), Endpoint::BulkValidation);
        assert_eq!(
            on(HttpMethod::GET, "configs/validate"),
            Endpoint::Unknown("configs".to_owned())
        );
    }

    #[test]
    fn calls_to_providers_stand_below_them() {
        let on = |method, path| endpoint(&method, &format!("/apisix/admin/{path}")).unwrap();
        let test = Endpoint::ProviderTest("p".to_owned());
        assert_eq!(on(HttpMethod::POST, "providers/p/test"), test);
        let models = Endpoint::ProviderModels("p".to_owned());
        assert_eq!(on(HttpMethod::GET, "providers/p/models"), models);
        assert!(matches!(
            on(HttpMethod::GET, "providers/p/test"),
            Endpoint::Stored(..)
        ));
        assert!(matches!(
            on(HttpMethod::POST, "providers/p"),
            Endpoint::Stored(..)
        ));
    }

    #[test]
    fn the_rest_is_no_endpoint() {
        for path in [
            "/",
            "/apisix",
            "/apisix/admin",
            "/apisix/adminx",
            "/apisix/adminx/routes",
            "/ui",
        ] {
            assert_eq!(get(path), None, "{path}");
        }
        for method in [HttpMethod::HEAD, HttpMethod::TRACE, HttpMethod::CONNECT] {
            assert_eq!(endpoint(&method, "/apisix/admin/routes"), None, "{method}");
        }
    }
}
