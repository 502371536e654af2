//! Ids: where they come from and how they get into a resource (compat §1.3).

use serde_json::{Map, Value};

use super::{CheckError, Result};
use crate::key::Key;
use crate::kind::{IdRule, Kind};
use crate::lua;

/// Where a call of the Admin API points, as its path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The kind.
    pub kind: Kind,
    /// The consumer of a credential, the manager of a secret.
    pub parent: Option<&'a str>,
    /// The id, if the path has one.
    pub id: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// A target of a kind without parents.
    pub fn new(kind: Kind, id: Option<&'a str>) -> Self {
        Self {
            kind,
            parent: None,
            id,
        }
    }

    /// A credential of a consumer.
    pub fn credential(consumer: &'a str, id: Option<&'a str>) -> Self {
        Self {
            kind: Kind::Credential,
            parent: Some(consumer),
            id,
        }
    }

    /// A secret of a manager.
    pub fn secret(manager: &'a str, id: Option<&'a str>) -> Self {
        Self {
            kind: Kind::Secret,
            parent: Some(manager),
            id,
        }
    }

    /// The place of a stored resource.
    pub fn of(key: &'a Key) -> Self {
        Self {
            kind: key.kind(),
            parent: key.parent(),
            id: Some(key.own_id()),
        }
    }

    /// The body of a PUT, or what a PATCH made of a stored resource, as it is to be checked and stored: with
    /// its `id`.
    ///
    /// # Errors
    ///
    /// No body; no id anywhere; an id in the body other than that of the path.
    pub fn identify_put(&self, body: Option<Value>) -> Result<Value> {
        let mut body = body.ok_or_else(missing_configuration)?;
        match self.kind.info().id_rule {
            IdRule::Username => {}
            IdRule::PluginName => {
                let name = self
                    .id
                    .ok_or_else(|| CheckError::refused("missing plugin name"))?;
                set_id(&mut body, name.into());
            }
            IdRule::Plain | IdRule::OfConsumer => {
                let id = self.path_or_own_id(body.get("id").cloned())?;
                set_id(&mut body, id);
            }
            IdRule::OfManager => {
                let manager = self.parent.unwrap_or_default();
                let own = body.get("id").map(|own| without_manager(manager, own));
                if let Some(id) = lua::id_text(&self.path_or_own_id(own)?) {
                    set_id(&mut body, format!("{manager}/{id}").into());
                }
            }
        }
        Ok(body)
    }

    /// The body of a POST as it is to be checked; its id is generated later ([`set_id`]).
    ///
    /// # Errors
    ///
    /// No body; an id in the path or the body.
    pub fn identify_post(&self, body: Option<Value>) -> Result<Value> {
        let body = body.ok_or_else(missing_configuration)?;
        if self.id.is_some() || body.get("id").is_some() {
            return Err(CheckError::refused(format!(
                "wrong {} id, do not need it",
                self.kind.info().name
            )));
        }
        Ok(body)
    }

    /// The key that a PATCH or DELETE means. `None` when the id is one that nothing can have: answer as for a
    /// key that is not there.
    ///
    /// # Errors
    ///
    /// The path has no id.
    pub fn existing(&self) -> Result<Option<Key>> {
        match self.id {
            Some(id) => Ok(self.key_of(id)),
            None if self.kind == Kind::Secret => Err(CheckError::refused("no secret id")),
            None => Err(self.missing_id()),
        }
    }

    /// The key under which a checked resource is stored.
    ///
    /// # Errors
    ///
    /// The id is none that a resource can have.
    pub fn key(&self, value: &Value) -> Result<Key> {
        let id = match self.kind.info().id_rule {
            IdRule::Username => value.get("username").and_then(lua::id_text),
            IdRule::OfManager => {
                let manager = self.parent.unwrap_or_default();
                value
                    .get("id")
                    .and_then(|id| lua::id_text(&without_manager(manager, id)))
            }
            IdRule::Plain | IdRule::PluginName | IdRule::OfConsumer => value.get("id").and_then(lua::id_text),
        };
        let id = id.as_deref().or(self.id).ok_or_else(|| self.missing_id())?;
        self.key_of(id).ok_or_else(|| {
            CheckError::invalid("property \"id\" validation failed: object matches none of the required")
        })
    }

    /// Parts with a slash, or none at all, name nothing or something else.
    fn key_of(&self, id: &str) -> Option<Key> {
        let fits = |part: &str| !part.is_empty() && !part.contains('/');
        match (self.kind, self.parent) {
            (_, Some(parent)) if !fits(parent) => None,
            _ if !fits(id) => None,
            (Kind::Credential, Some(consumer)) => Some(Key::credential(consumer, id)),
            (Kind::Secret, Some(manager)) => Some(Key::secret(manager, id)),
            (Kind::Credential | Kind::Secret, None) => None,
            (kind, _) => Some(Key::new(kind, id)),
        }
    }

    /// The consumer that the path names is the consumer that the body describes.
    pub(super) fn check_username(&self, value: &Value) -> Result {
        let own = value.get("username").and_then(Value::as_str);
        match self.id {
            Some(name) if own != Some(name) => Err(CheckError::refused("wrong username")),
            _ => Ok(()),
        }
    }

    fn path_or_own_id(&self, own: Option<Value>) -> Result<Value> {
        match (self.id, own) {
            (None, None) => Err(self.missing_id()),
            (None, Some(own)) => Ok(own),
            (Some(id), Some(own)) if lua::id_text(&own).as_deref() != Some(id) => {
                Err(CheckError::refused(format!("wrong {} id", self.kind.info().name)))
            }
            (Some(id), _) => Ok(id.into()),
        }
    }

    fn missing_id(&self) -> CheckError {
        CheckError::refused(format!("missing {} id", self.kind.info().name))
    }
}

fn missing_configuration() -> CheckError {
    CheckError::refused("missing configurations")
}

/// A secret is stored with its manager's name in its id; written, it may come with or without.
fn without_manager(manager: &str, id: &Value) -> Value {
    let own = id
        .as_str()
        .and_then(|id| id.strip_prefix(manager)?.strip_prefix('/'));
    own.map_or_else(|| id.clone(), Value::from)
}

/// Puts an id into a resource. An empty array becomes an object; what else is no object stays, for the schema
/// to refuse.
pub fn set_id(value: &mut Value, id: Value) {
    if value.as_array().is_some_and(Vec::is_empty) {
        *value = Value::Object(Map::new());
    }
    if let Some(members) = value.as_object_mut() {
        members.insert("id".to_owned(), id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.status, 400);
        error.message
    }

    fn put(target: Target<'_>, body: Value) -> Result<Value> {
        target.identify_put(Some(body))
    }

    #[test]
    fn put_takes_the_id_of_the_path_or_the_body() {
        let route = |id| Target::new(Kind::Route, id);
        assert_eq!(
            put(route(Some("1")), json!({"uri": "/"})),
            Ok(json!({"uri": "/", "id": "1"}))
        );
        assert_eq!(put(route(Some("1")), json!({"id": 1})), Ok(json!({"id": "1"})));
        assert_eq!(put(route(None), json!({"id": 1})), Ok(json!({"id": 1})));
        assert_eq!(put(route(Some("1")), json!([])), Ok(json!({"id": "1"})));
        assert_eq!(message(put(route(None), json!({}))), "missing route id");
        assert_eq!(message(put(route(Some("1")), json!({"id": 2}))), "wrong route id");
        assert_eq!(
            message(put(route(Some("1")), json!({"id": null}))),
            "wrong route id"
        );
        assert_eq!(
            message(route(Some("1")).identify_put(None)),
            "missing configurations"
        );
        assert_eq!(
            message(put(Target::new(Kind::ConsumerGroup, None), json!({}))),
            "missing consumer group id"
        );
    }

    #[test]
    fn put_of_kinds_with_rules_of_their_own() {
        let consumer = Target::new(Kind::Consumer, None);
        assert_eq!(
            put(consumer, json!({"username": "jack"})),
            Ok(json!({"username": "jack"}))
        );
        let metadata = Target::new(Kind::PluginMetadata, Some("cors"));
        assert_eq!(put(metadata, json!({"a": 1})), Ok(json!({"a": 1, "id": "cors"})));
        assert_eq!(
            message(put(Target::new(Kind::PluginMetadata, None), json!({}))),
            "missing plugin name"
        );
        assert_eq!(
            put(Target::secret("vault", Some("1")), json!({})),
            Ok(json!({"id": "vault/1"}))
        );
        assert_eq!(
            put(Target::secret("vault", None), json!({"id": 1})),
            Ok(json!({"id": "vault/1"}))
        );
        assert_eq!(
            put(Target::secret("vault", Some("1")), json!({"id": "vault/1"})),
            Ok(json!({"id": "vault/1"}))
        );
        assert_eq!(
            message(put(Target::secret("vault", Some("1")), json!({"id": "aws/1"}))),
            "wrong secret id"
        );
        assert_eq!(
            message(put(Target::secret("vault", None), json!({}))),
            "missing secret id"
        );
        assert_eq!(
            put(Target::credential("jack", None), json!({"id": "c"})),
            Ok(json!({"id": "c"}))
        );
    }

    #[test]
    fn post_takes_no_id() {
        let route = Target::new(Kind::Route, None);
        assert_eq!(
            route.identify_post(Some(json!({"uri": "/"}))),
            Ok(json!({"uri": "/"}))
        );
        let text = "wrong route id, do not need it";
        assert_eq!(message(route.identify_post(Some(json!({"id": 1})))), text);
        assert_eq!(
            message(Target::new(Kind::Route, Some("1")).identify_post(Some(json!({})))),
            text
        );
        assert_eq!(message(route.identify_post(None)), "missing configurations");
    }

    #[test]
    fn patch_and_delete_need_an_id() {
        assert_eq!(
            Target::new(Kind::Route, Some("1")).existing(),
            Ok(Some(Key::new(Kind::Route, "1")))
        );
        assert_eq!(
            message(Target::new(Kind::Upstream, None).existing()),
            "missing upstream id"
        );
        assert_eq!(
            message(Target::credential("jack", None).existing()),
            "missing credential id"
        );
        assert_eq!(message(Target::secret("vault", None).existing()), "no secret id");
    }

    #[test]
    fn ids_cannot_reach_into_other_kinds() {
        assert_eq!(
            Target::new(Kind::Consumer, Some("jack/credentials/c1")).existing(),
            Ok(None)
        );
        assert_eq!(Target::credential("a/b", Some("c")).existing(), Ok(None));
        assert_eq!(Target::new(Kind::Route, Some("")).existing(), Ok(None));
        assert_eq!(
            message(Target::new(Kind::Route, None).key(&json!({"id": "a/b"}))),
            r#"invalid configuration: property "id" validation failed: object matches none of the required"#,
        );
    }

    #[test]
    fn keys_of_checked_resources() {
        let key = |target: Target<'_>, value: Value| target.key(&value).unwrap().to_string();
        assert_eq!(key(Target::new(Kind::Route, None), json!({"id": 7})), "/routes/7");
        assert_eq!(
            key(Target::new(Kind::Consumer, None), json!({"username": "jack"})),
            "/consumers/jack"
        );
        assert_eq!(
            key(Target::credential("jack", None), json!({"id": "c"})),
            "/consumers/jack/credentials/c"
        );
        assert_eq!(
            key(Target::secret("vault", None), json!({"id": "vault/1"})),
            "/secrets/vault/1"
        );
        assert_eq!(
            key(
                Target::new(Kind::PluginMetadata, Some("cors")),
                json!({"id": "cors"})
            ),
            "/plugin_metadata/cors"
        );
    }

    #[test]
    fn stored_resources_are_targets() {
        let key = Key::credential("jack", "c1");
        assert_eq!(Target::of(&key), Target::credential("jack", Some("c1")));
        let key = Key::new(Kind::Route, "1");
        assert_eq!(Target::of(&key), Target::new(Kind::Route, Some("1")));
    }
}
