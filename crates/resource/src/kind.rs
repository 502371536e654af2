//! The kinds of resources, and what the rest of the gateway needs to know of each, as data (compat §1.2).

use self::{IdRule as Id, Method as M};

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Which requests go where, with which plugins.
    Route,
    /// What several routes share.
    Service,
    /// Where requests go.
    Upstream,
    /// A caller.
    Consumer,
    /// A key of a consumer.
    Credential,
    /// What several consumers share.
    ConsumerGroup,
    /// Plugins that several routes share.
    PluginConfig,
    /// Plugins that run for every request.
    GlobalRule,
    /// Settings of a plugin that all its instances share.
    PluginMetadata,
    /// A certificate.
    Ssl,
    /// Where secret references lead.
    Secret,
    /// A protobuf definition.
    Proto,
    /// A route of layer 4.
    StreamRoute,
    /// An LLM provider with its credentials.
    Provider,
    /// A model that clients may ask for, and who serves it.
    Model,
}

/// The methods of the Admin API on resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read one, or list.
    Get,
    /// Create or replace under a known id.
    Put,
    /// Create under a generated id.
    Post,
    /// Remove.
    Delete,
    /// Change in part.
    Patch,
}

impl Method {
    /// The method as HTTP spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
        }
    }
}

/// Where the id of a kind comes from and what it looks like (compat §1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// From the path or the body's `id`, stored as `id`.
    Plain,
    /// The body's `username`; never stored as `id`.
    Username,
    /// The name of a plugin, from the path only.
    PluginName,
    /// Plain, below a consumer: `{consumer}/credentials/{id}`.
    OfConsumer,
    /// Plain, below a secret manager: `{manager}/{id}`, which is stored as `id`.
    OfManager,
}

/// What is to be known of a kind.
#[derive(Debug)]
pub struct KindInfo {
    /// The kind that this is about.
    pub kind: Kind,
    /// Its name inside messages.
    pub name: &'static str,
    /// The last collection segment of its Admin API path.
    pub segment: &'static str,
    /// The directory of the store that holds it.
    pub directory: &'static str,
    /// The name of its schema at `/schema/{name}`; `None` if there is no one schema for the kind.
    pub schema_name: Option<&'static str>,
    /// What the Admin API allows.
    pub methods: &'static [Method],
    /// Whether `create_time` and `update_time` are stored.
    pub has_timestamps: bool,
    /// Where ids come from.
    pub id_rule: IdRule,
}

const ALL_METHODS: &[Method] = &[M::Get, M::Put, M::Post, M::Delete, M::Patch];
const NO_PATCH: &[Method] = &[M::Get, M::Put, M::Post, M::Delete];
const NO_POST: &[Method] = &[M::Get, M::Put, M::Delete, M::Patch];
const BY_ID_ONLY: &[Method] = &[M::Get, M::Put, M::Delete];

/// In the order of declaration of the kinds: `Kind::info` indexes it.
#[rustfmt::skip]
const TABLE: &[KindInfo; Kind::ALL.len()] = &[
    //   kind                 name in messages   directory          schema                   methods      id
    row(Kind::Route,          "route",           "routes",          Some("route"),           ALL_METHODS, Id::Plain),
    row(Kind::Service,        "service",         "services",        Some("service"),         ALL_METHODS, Id::Plain),
    row(Kind::Upstream,       "upstream",        "upstreams",       Some("upstream"),        ALL_METHODS, Id::Plain),
    row(Kind::Consumer,       "consumer",        "consumers",       Some("consumer"),        BY_ID_ONLY,  Id::Username),
    row(Kind::Credential,     "credential",      "consumers",       Some("credential"),      BY_ID_ONLY,  Id::OfConsumer),
    row(Kind::ConsumerGroup,  "consumer group",  "consumer_groups", Some("consumer_group"),  NO_POST,     Id::Plain),
    row(Kind::PluginConfig,   "plugin config",   "plugin_configs",  Some("plugin_config"),   NO_POST,     Id::Plain),
    row(Kind::GlobalRule,     "global rule",     "global_rules",    Some("global_rule"),     NO_POST,     Id::Plain),
    row(Kind::PluginMetadata, "plugin_metadata", "plugin_metadata", None,                    BY_ID_ONLY,  Id::PluginName),
    row(Kind::Ssl,            "ssl",             "ssls",            Some("ssl"),             ALL_METHODS, Id::Plain),
    row(Kind::Secret,         "secret",          "secrets",         None,                    NO_POST,     Id::OfManager),
    row(Kind::Proto,          "proto",           "protos",          Some("proto"),           NO_PATCH,    Id::Plain),
    row(Kind::StreamRoute,    "stream route",    "stream_routes",   Some("stream_route"),    NO_PATCH,    Id::Plain),
    row(Kind::Provider,       "provider",        "providers",       Some("provider"),        ALL_METHODS, Id::Plain),
    row(Kind::Model,          "model",           "models",          Some("model"),           ALL_METHODS, Id::Plain),
];

const fn row(
    kind: Kind,
    name: &'static str,
    directory: &'static str,
    schema_name: Option<&'static str>,
    methods: &'static [Method],
    id_rule: IdRule,
) -> KindInfo {
    // Credentials live in the directory of their consumers; metadata has no times.
    let segment = if matches!(kind, Kind::Credential) {
        "credentials"
    } else {
        directory
    };
    let has_timestamps = !matches!(kind, Kind::PluginMetadata);
    KindInfo {
        kind,
        name,
        segment,
        directory,
        schema_name,
        methods,
        has_timestamps,
        id_rule,
    }
}

impl Kind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 15] = [
        Self::Route,
        Self::Service,
        Self::Upstream,
        Self::Consumer,
        Self::Credential,
        Self::ConsumerGroup,
        Self::PluginConfig,
        Self::GlobalRule,
        Self::PluginMetadata,
        Self::Ssl,
        Self::Secret,
        Self::Proto,
        Self::StreamRoute,
        Self::Provider,
        Self::Model,
    ];

    /// The row of this kind.
    pub const fn info(self) -> &'static KindInfo {
        &TABLE[self as usize]
    }

    /// The kind whose collection is `/apisix/admin/{segment}`. Credentials have no collection of their own
    /// there.
    pub fn from_segment(segment: &str) -> Option<Self> {
        Self::collections().find(|kind| kind.info().segment == segment)
    }

    /// The kinds with a directory of their own in the store: all but credentials, which live below their
    /// consumer.
    pub fn collections() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|kind| kind.info().id_rule != IdRule::OfConsumer)
    }

    /// Whether the Admin API allows `method` on this kind.
    pub fn allows(self, method: Method) -> bool {
        self.info().methods.contains(&method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_kinds() {
        for kind in Kind::ALL {
            assert_eq!(kind.info().kind, kind);
        }
    }

    #[test]
    fn segments_name_kinds() {
        for kind in Kind::collections() {
            assert_eq!(Kind::from_segment(kind.info().segment), Some(kind));
        }
        assert_eq!(Kind::from_segment("credentials"), None);
        assert_eq!(Kind::from_segment("plugins"), None);
        assert_eq!(Kind::from_segment(""), None);
    }

    #[test]
    fn methods_are_those_of_the_reference() {
        let without = |method| -> Vec<&str> {
            Kind::ALL
                .iter()
                .filter(|k| !k.allows(method))
                .map(|k| k.info().segment)
                .collect()
        };
        assert_eq!(
            without(Method::Post),
            [
                "consumers",
                "credentials",
                "consumer_groups",
                "plugin_configs",
                "global_rules",
                "plugin_metadata",
                "secrets"
            ],
        );
        assert_eq!(
            without(Method::Patch),
            [
                "consumers",
                "credentials",
                "plugin_metadata",
                "protos",
                "stream_routes"
            ],
        );
        for method in [Method::Get, Method::Put, Method::Delete] {
            assert!(without(method).is_empty());
        }
    }

    #[test]
    fn only_plugin_metadata_has_no_timestamps() {
        let bare: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| !kind.info().has_timestamps)
            .collect();
        assert_eq!(bare, [Kind::PluginMetadata]);
    }
}
