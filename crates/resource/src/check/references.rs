//! What a resource refers to and must find when it is written (compat §1.7).

use serde_json::Value;

use super::{CheckError, Result, Target};
use crate::key::Key;
use crate::kind::Kind;
use crate::lua;

/// Something that has to exist for a resource to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What has to exist.
    pub key: Key,
    /// The id as the message shows it.
    id: String,
}

impl Reference {
    /// Judges what the store has under [`Reference::key`].
    ///
    /// # Errors
    ///
    /// It has nothing, or a certificate that is not for clients.
    pub fn check(&self, found: Option<&Value>) -> Result {
        let kind = self.key.kind();
        let name = kind.info().name;
        let failed = |why| {
            let message = format!("failed to fetch {name} info by {name} id [{}], {why}", self.id);
            Err(CheckError::refused(message))
        };
        match (kind, found) {
            (Kind::Consumer, None) => Err(CheckError {
                status: 404,
                message: "consumer not found".to_owned(),
            }),
            (_, None) => failed("response code: 404"),
            (Kind::Ssl, Some(ssl)) if ssl.get("type").and_then(Value::as_str) != Some("client") => {
                failed("wrong ssl type")
            }
            (_, Some(_)) => Ok(()),
        }
    }
}

/// Who refers to what by which member, in the order of the checks.
const REFERENCES: &[(Kind, &str, Kind)] = &[
    (Kind::Upstream, "/tls/client_cert_id", Kind::Ssl),
    (Kind::Route, "/upstream/tls/client_cert_id", Kind::Ssl),
    (Kind::Route, "/upstream_id", Kind::Upstream),
    (Kind::Route, "/service_id", Kind::Service),
    (Kind::Route, "/plugin_config_id", Kind::PluginConfig),
    (Kind::Service, "/upstream/tls/client_cert_id", Kind::Ssl),
    (Kind::Service, "/upstream_id", Kind::Upstream),
    (Kind::StreamRoute, "/upstream/tls/client_cert_id", Kind::Ssl),
    (Kind::StreamRoute, "/upstream_id", Kind::Upstream),
    (Kind::StreamRoute, "/service_id", Kind::Service),
    (Kind::Consumer, "/group_id", Kind::ConsumerGroup),
];

/// What a resource whose schema holds refers to, in the order in which absence is reported. A credential
/// refers to its consumer.
pub fn references(target: &Target<'_>, value: &Value) -> Vec<Reference> {
    if let (Kind::Credential, Some(consumer)) = (target.kind, target.parent) {
        return vec![Reference {
            key: Key::new(Kind::Consumer, consumer),
            id: consumer.to_owned(),
        }];
    }
    if target.kind == Kind::Model {
        return providers_of(value);
    }
    let of_kind = REFERENCES.iter().filter(|(from, ..)| *from == target.kind);
    of_kind
        .filter_map(|(_, pointer, to)| {
            let id = lua::id_text(value.pointer(pointer)?)?;
            Some(Reference {
                key: Key::new(*to, &id),
                id,
            })
        })
        .collect()
}

/// The providers that a model's targets name, each once.
fn providers_of(model: &Value) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    let targets = model.get("targets").and_then(Value::as_array);
    for id in targets
        .into_iter()
        .flatten()
        .filter_map(|target| lua::id_text(target.get("provider")?))
    {
        if !found.iter().any(|known| known.id == id) {
            found.push(Reference {
                key: Key::new(Kind::Provider, &id),
                id,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn missing(target: &Target<'_>, value: &Value) -> Vec<(String, String)> {
        let all = references(target, value);
        all.iter()
            .map(|r| (r.key.to_string(), r.check(None).unwrap_err().message))
            .collect()
    }

    #[test]
    fn absence_is_reported_in_the_order_of_the_checks() {
        let route = json!({
            "plugin_config_id": "p",
            "service_id": 3,
            "upstream_id": 1.0,
            "upstream": {"tls": {"client_cert_id": "c"}},
        });
        let text = |noun: &str, id: &str| {
            format!("failed to fetch {noun} info by {noun} id [{id}], response code: 404")
        };
        assert_eq!(
            missing(&Target::new(Kind::Route, None), &route),
            [
                ("/ssls/c".to_owned(), text("ssl", "c")),
                ("/upstreams/1".to_owned(), text("upstream", "1")),
                ("/services/3".to_owned(), text("service", "3")),
                ("/plugin_configs/p".to_owned(), text("plugin config", "p")),
            ]
        );
        assert_eq!(
            missing(&Target::new(Kind::Consumer, None), &json!({"group_id": "g"})),
            [("/consumer_groups/g".to_owned(), text("consumer group", "g"),)]
        );
        assert!(missing(&Target::new(Kind::Route, None), &json!({"uri": "/"})).is_empty());
        assert!(missing(&Target::new(Kind::GlobalRule, None), &route).is_empty());
    }

    #[test]
    fn a_model_needs_the_providers_of_its_targets() {
        let model = json!({"targets": [{"provider": "a"}, {"provider": 2}, {"provider": "a"}]});
        let missing = missing(&Target::new(Kind::Model, None), &model);
        let keys: Vec<_> = missing.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["/providers/a", "/providers/2"]);
        let text = "failed to fetch provider info by provider id [a], response code: 404";
        assert_eq!(missing[0].1, text);
    }

    #[test]
    fn a_credential_needs_its_consumer() {
        let [consumer] = &references(&Target::credential("jack", Some("c1")), &json!({}))[..] else {
            panic!("one reference");
        };
        assert_eq!(consumer.key, Key::new(Kind::Consumer, "jack"));
        let error = consumer.check(None).unwrap_err();
        assert_eq!(
            (error.status, error.message.as_str()),
            (404, "consumer not found")
        );
        assert_eq!(consumer.check(Some(&json!({"username": "jack"}))), Ok(()));
    }

    #[test]
    fn a_client_certificate_must_be_one() {
        let upstream = json!({"tls": {"client_cert_id": "c"}});
        let all = references(&Target::new(Kind::Upstream, None), &upstream);
        assert_eq!(all[0].check(Some(&json!({"type": "client"}))), Ok(()));
        assert_eq!(
            all[0].check(Some(&json!({"sni": "a.b"}))).unwrap_err().message,
            "failed to fetch ssl info by ssl id [c], wrong ssl type",
        );
    }
}
