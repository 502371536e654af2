//! What keeps a resource from being deleted (compat §1.2, §1.7).

use serde_json::Value;

use super::CheckError;
use crate::key::Key;
use crate::kind::Kind;
use crate::lua;

/// One way in which resources of a kind can be in use: who uses them, and where it says so.
#[derive(Debug)]
pub struct DeleteCheck {
    /// The kind of the resource that is to be deleted.
    pub of: Kind,
    /// The kind whose resources are to be looked through.
    pub scan: Kind,
    /// Where these hold the id; `*` stands for every item of an array.
    path: &'static [&'static str],
    /// What the message calls the user.
    user: &'static str,
}

impl DeleteCheck {
    /// Whether a resource of the scanned kind uses the resource with that id.
    pub fn refers(&self, value: &Value, id: &str) -> bool {
        any_at(value, self.path, &|found| {
            lua::id_text(found).as_deref() == Some(id)
        })
    }

    /// The refusal because of that user.
    pub fn refusal(&self, user: &Key) -> CheckError {
        let directly = if matches!(self.of, Kind::Service | Kind::StreamRoute) {
            " directly"
        } else {
            ""
        };
        CheckError::refused(format!(
            "can not delete this {}{directly}, {} [{}] is still using it now",
            self.of.info().name,
            self.user,
            user.own_id(),
        ))
    }
}

/// What is to be looked through before a resource of that kind is deleted, in order. Empty for kinds that
/// nothing uses.
pub fn delete_checks(kind: Kind) -> impl Iterator<Item = &'static DeleteCheck> {
    CHECKS.iter().filter(move |check| check.of == kind)
}

const UPSTREAM_ID: &[&str] = &["upstream_id"];
const TRAFFIC_SPLIT: &[&str] = &[
    "plugins",
    "traffic-split",
    "rules",
    "*",
    "weighted_upstreams",
    "*",
    "upstream_id",
];
const PROTO_ID: &[&str] = &["plugins", "grpc-transcode", "proto_id"];

const TARGET_PROVIDER: &[&str] = &["targets", "*", "provider"];

const fn check(of: Kind, scan: Kind, path: &'static [&'static str], user: &'static str) -> DeleteCheck {
    DeleteCheck { of, scan, path, user }
}

const CHECKS: &[DeleteCheck] = &[
    check(Kind::Service, Kind::Route, &["service_id"], "route"),
    check(Kind::Service, Kind::StreamRoute, &["service_id"], "stream_route"),
    check(Kind::Upstream, Kind::Route, UPSTREAM_ID, "route"),
    check(Kind::Upstream, Kind::Service, UPSTREAM_ID, "service"),
    check(Kind::Upstream, Kind::Route, TRAFFIC_SPLIT, "plugin in route"),
    check(Kind::Upstream, Kind::Service, TRAFFIC_SPLIT, "plugin in service"),
    check(
        Kind::Upstream,
        Kind::PluginConfig,
        TRAFFIC_SPLIT,
        "plugin in plugin_config",
    ),
    check(
        Kind::Upstream,
        Kind::Consumer,
        TRAFFIC_SPLIT,
        "plugin in consumer",
    ),
    check(
        Kind::Upstream,
        Kind::ConsumerGroup,
        TRAFFIC_SPLIT,
        "plugin in consumer_group",
    ),
    check(
        Kind::Upstream,
        Kind::GlobalRule,
        TRAFFIC_SPLIT,
        "plugin in global_rules",
    ),
    check(Kind::ConsumerGroup, Kind::Consumer, &["group_id"], "consumer"),
    check(Kind::PluginConfig, Kind::Route, &["plugin_config_id"], "route"),
    check(Kind::Proto, Kind::Route, PROTO_ID, "route"),
    check(Kind::Proto, Kind::Service, PROTO_ID, "service"),
    check(
        Kind::StreamRoute,
        Kind::StreamRoute,
        &["protocol", "superior_id"],
        "stream_route",
    ),
    check(Kind::Provider, Kind::Model, TARGET_PROVIDER, "model"),
];

fn any_at(value: &Value, path: &[&str], test: &dyn Fn(&Value) -> bool) -> bool {
    match path {
        [] => test(value),
        ["*", rest @ ..] => value
            .as_array()
            .is_some_and(|items| items.iter().any(|item| any_at(item, rest, test))),
        [name, rest @ ..] => value.get(*name).is_some_and(|member| any_at(member, rest, test)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The refusal when `users` are all that is stored.
    fn refusal(kind: Kind, id: &str, users: &[(Key, Value)]) -> Option<String> {
        delete_checks(kind).find_map(|check| {
            let found = users
                .iter()
                .find(|(key, value)| key.kind() == check.scan && check.refers(value, id));
            found.map(|(key, _)| check.refusal(key).message)
        })
    }

    #[track_caller]
    fn refused(kind: Kind, user: Key, value: Value, text: &str) {
        let users = [(user, value)];
        assert_eq!(refusal(kind, "1", &users).as_deref(), Some(text));
        assert_eq!(refusal(kind, "2", &users), None);
    }

    #[test]
    fn resources_in_use_stay() {
        refused(
            Kind::Service,
            Key::new(Kind::Route, "r"),
            json!({"service_id": 1}),
            "can not delete this service directly, route [r] is still using it now",
        );
        refused(
            Kind::Service,
            Key::new(Kind::StreamRoute, "r"),
            json!({"service_id": "1"}),
            "can not delete this service directly, stream_route [r] is still using it now",
        );
        refused(
            Kind::Upstream,
            Key::new(Kind::Service, "s"),
            json!({"upstream_id": "1"}),
            "can not delete this upstream, service [s] is still using it now",
        );
        refused(
            Kind::ConsumerGroup,
            Key::new(Kind::Consumer, "jack"),
            json!({"group_id": "1"}),
            "can not delete this consumer group, consumer [jack] is still using it now",
        );
        refused(
            Kind::PluginConfig,
            Key::new(Kind::Route, "r"),
            json!({"plugin_config_id": "1"}),
            "can not delete this plugin config, route [r] is still using it now",
        );
        refused(
            Kind::Proto,
            Key::new(Kind::Route, "r"),
            json!({"plugins": {"grpc-transcode": {"proto_id": 1}}}),
            "can not delete this proto, route [r] is still using it now",
        );
        refused(
            Kind::StreamRoute,
            Key::new(Kind::StreamRoute, "r"),
            json!({"protocol": {"superior_id": "1"}}),
            "can not delete this stream route directly, stream_route [r] is still using it now",
        );
        refused(
            Kind::Provider,
            Key::new(Kind::Model, "m"),
            json!({"targets": [{"provider": "x"}, {"provider": 1}]}),
            "can not delete this provider, model [m] is still using it now",
        );
    }

    #[test]
    fn traffic_split_uses_upstreams() {
        let value = json!({"plugins": {"traffic-split": {"rules": [
            {"match": []},
            {"weighted_upstreams": [{"weight": 1}, {"upstream_id": 1}]},
        ]}}});
        let users = [
            (Kind::Route, "route"),
            (Kind::Service, "service"),
            (Kind::PluginConfig, "plugin_config"),
            (Kind::Consumer, "consumer"),
            (Kind::ConsumerGroup, "consumer_group"),
            (Kind::GlobalRule, "global_rules"),
        ];
        for (kind, noun) in users {
            let text = format!("can not delete this upstream, plugin in {noun} [x] is still using it now");
            refused(Kind::Upstream, Key::new(kind, "x"), value.clone(), &text);
        }
    }

    #[test]
    fn what_nothing_uses_has_no_checks() {
        for kind in [
            Kind::Route,
            Kind::Consumer,
            Kind::Credential,
            Kind::GlobalRule,
            Kind::Ssl,
            Kind::Secret,
            Kind::Model,
        ] {
            assert_eq!(delete_checks(kind).count(), 0, "{kind:?}");
        }
    }
}
