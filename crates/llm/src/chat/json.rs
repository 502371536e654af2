//! JSON that stays as it was written: documents as text, objects read member by member and written member by member.
//!
//! serde's `flatten` cannot keep raw values, and a tree would change numbers; these few types do neither.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Extension, Unsayable};
use crate::protocol::Protocol;

/// A JSON document as text. Equal where the texts are.
#[derive(Clone)]
pub(crate) struct Json(Box<RawValue>);

impl Json {
    /// The document, if the text is one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// A value as JSON; `null` for one that cannot be.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        serde_json::value::to_raw_value(value).map_or_else(|_| Self(RawValue::NULL.to_owned()), Self)
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        self.0.get()
    }

    /// The value, read as a type.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Its members, if it is an object.
    pub(crate) fn fields(&self) -> Option<Fields<'_>> {
        Fields::read(&self.0).ok()
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.0.get().starts_with('{')
    }

    /// Whether it is an array.
    pub(crate) fn is_array(&self) -> bool {
        self.0.get().starts_with('[')
    }

    /// Whether it is `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.0.get() == "null"
    }
}

impl From<&RawValue> for Json {
    fn from(value: &RawValue) -> Self {
        Self(value.to_owned())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// The members of an object, in their order, to be taken out by name. What is left over is the
/// [extension](Self::into_extension).
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// The members of an object; of members with the same name the last counts.
    ///
    /// # Errors
    /// [`Unsayable`] if it is no object.
    pub(crate) fn read(json: &'a RawValue) -> Result<Self, Unsayable> {
        serde_json::from_str::<Members<'a>>(json.get())
            .map(|members| Self { members: members.0 })
            .map_err(|_| Unsayable::new("must be an object"))
    }

    /// The members of an object given as bytes.
    ///
    /// # Errors
    /// [`Unsayable`] if they are no object.
    pub(crate) fn from_slice(json: &'a [u8]) -> Result<Self, Unsayable> {
        serde_json::from_slice::<Members<'a>>(json)
            .map(|members| Self { members: members.0 })
            .map_err(|_| Unsayable::new("the body must be a JSON object"))
    }

    /// The same with names in camel case, as protocol buffers read both `tool_config` and `toolConfig`. Of members
    /// whose names become the same the last counts.
    pub(crate) fn in_camel_case(mut self) -> Self {
        if self.members.iter().any(|(name, _)| name.contains('_')) {
            let mut members: Vec<(String, &'a RawValue)> = Vec::with_capacity(self.members.len());
            for (name, value) in self.members {
                let name = camel_case(&name);
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => *old = value,
                    None => members.push((name, value)),
                }
            }
            self.members = members;
        }
        self
    }

    /// A member as it stands, left in place; `null` counts as absent.
    pub(crate) fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }

    /// Takes a member out as it stands; `null` counts as absent.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.members.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.members.remove(index);
        (value.get() != "null").then_some(value)
    }

    /// Takes a member out as a document.
    pub(crate) fn json(&mut self, name: &str) -> Option<Json> {
        self.raw(name).map(Json::from)
    }

    /// Takes a member out as a type; `null` counts as absent.
    ///
    /// # Errors
    /// [`Unsayable`] that names the member, if it is of another type.
    pub(crate) fn take<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, Unsayable> {
        self.raw(name)
            .map(|value| {
                serde_json::from_str(value.get()).map_err(|error| Unsayable::at(name, describe(&error)))
            })
            .transpose()
    }

    /// Takes a member out that must be there.
    ///
    /// # Errors
    /// [`Unsayable`] that names the member, if it is missing or of another type.
    pub(crate) fn need<T: Deserialize<'a>>(&mut self, name: &str) -> Result<T, Unsayable> {
        self.take(name)?
            .ok_or_else(|| Unsayable::at(name, format!("`{name}` is required")))
    }

    /// Takes an object out.
    ///
    /// # Errors
    /// [`Unsayable`] that names the member, if it is no object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields<'a>>, Unsayable> {
        self.raw(name)
            .map(|value| Fields::read(value).map_err(|error| error.within(name)))
            .transpose()
    }

    /// Takes an array out.
    ///
    /// # Errors
    /// [`Unsayable`] that names the member, if it is no array.
    pub(crate) fn items(&mut self, name: &str) -> Result<Option<Vec<&'a RawValue>>, Unsayable> {
        self.raw(name)
            .map(|value| items(value).ok_or_else(|| Unsayable::at(name, "must be an array")))
            .transpose()
    }

    /// Puts a member that was taken back.
    pub(crate) fn put_back(&mut self, name: &str, value: &'a RawValue) {
        self.members.push((name.to_owned(), value));
    }

    /// What has not been taken, as an extension of `protocol`; `null`s included.
    pub(crate) fn into_extension(self, protocol: Protocol) -> Extension {
        let members = self
            .members
            .into_iter()
            .map(|(name, value)| (name, Json::from(value)));
        Extension::with(protocol, members.collect())
    }

    /// What has not been taken.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Names of what has not been taken, `null`s left out.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let given = self.members.iter().filter(|(_, value)| value.get() != "null");
        given.map(|(name, _)| name.as_str())
    }

    /// Whether everything has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// `snake_case` as `snakeCase`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// The items of an array.
pub(crate) fn items(json: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json.get()).ok()
}

/// A deserialiser's complaint without the place in a text that the client never sees as such.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<'a>(std::marker::PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Collect<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'a RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'a RawValue>()? {
                    match members.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, old)) => *old = value,
                        None => members.push((name, value)),
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect(std::marker::PhantomData))
    }
}

/// An object being written, member by member.
///
/// ```ignore
/// Object::new().set("role", "user").set_some("name", name.as_ref()).finish()
/// ```
#[derive(Debug, Default)]
pub(crate) struct Object {
    text: String,
}

impl Object {
    /// An empty object.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a member. Names must not repeat.
    #[must_use]
    pub(crate) fn set<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        self.put(name, value);
        self
    }

    /// Adds a member if there is a value.
    #[must_use]
    pub(crate) fn set_some<T: Serialize>(mut self, name: &str, value: Option<T>) -> Self {
        if let Some(value) = value {
            self.put(name, &value);
        }
        self
    }

    /// Adds the members of an extension, if it belongs to `protocol`.
    #[must_use]
    pub(crate) fn extend(mut self, extension: &Extension, protocol: Protocol) -> Self {
        for (name, value) in extension.members(protocol) {
            self.put(name, value);
        }
        self
    }

    /// Adds a member in place.
    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        append(&mut self.text, name);
        self.text.push(':');
        append(&mut self.text, value);
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The object.
    pub(crate) fn finish(self) -> Json {
        RawValue::from_string(self.into_text()).map_or_else(|_| Json(RawValue::NULL.to_owned()), Json)
    }

    /// The object as text.
    pub(crate) fn into_text(mut self) -> String {
        if self.text.is_empty() {
            self.text.push('{');
        }
        self.text.push('}');
        self.text
    }
}

/// An array of documents.
pub(crate) fn array(items: &[Json]) -> Json {
    Json::of(items)
}

/// Appends a value as JSON; `null` for one that cannot be.
fn append<T: Serialize + ?Sized>(text: &mut String, value: &T) {
    match serde_json::to_string(value) {
        Ok(json) => text.push_str(&json),
        Err(_) => text.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_comes_out_as_it_was() {
        let body = br#"{"model":"m","t":0.10,"big":12345678901234567890,"x":{"b":1,"a":2},"n":null}"#;
        let mut fields = Fields::from_slice(body).unwrap();
        assert_eq!(fields.take::<String>("model").unwrap().as_deref(), Some("m"));
        assert_eq!(fields.take::<String>("n").unwrap(), None);
        assert_eq!(fields.take::<String>("missing").unwrap(), None);
        let extension = fields.into_extension(Protocol::OpenAiChat);
        let written = Object::new()
            .set("model", "m")
            .extend(&extension, Protocol::OpenAiChat)
            .into_text();
        assert_eq!(
            written,
            r#"{"model":"m","t":0.10,"big":12345678901234567890,"x":{"b":1,"a":2}}"#
        );
        let elsewhere = Object::new()
            .extend(&extension, Protocol::AnthropicMessages)
            .into_text();
        assert_eq!(elsewhere, "{}");
    }

    #[test]
    fn names_in_either_case_are_one() {
        let fields = Fields::from_slice(br#"{"tool_config":1,"toolConfig":2,"_a__b":3}"#).unwrap();
        let written = Object::new()
            .extend(
                &fields.in_camel_case().into_extension(Protocol::GeminiGenerate),
                Protocol::GeminiGenerate,
            )
            .into_text();
        assert_eq!(written, r#"{"toolConfig":2,"AB":3}"#);
    }

    #[test]
    fn errors_name_the_member() {
        let mut fields = Fields::from_slice(br#"{"a":{"b":"x"},"c":1}"#).unwrap();
        let mut inner = fields.object("a").unwrap().unwrap();
        let error = inner.take::<u64>("b").unwrap_err().within("a");
        assert_eq!(error.param.as_deref(), Some("a.b"));
        assert_eq!(error.message, "invalid type: string \"x\", expected u64");
        assert_eq!(fields.items("c").unwrap_err().param.as_deref(), Some("c"));
        assert!(Fields::from_slice(b"[]").is_err());
    }
}
