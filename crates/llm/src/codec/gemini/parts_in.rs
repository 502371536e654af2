//! Parts as clients and providers write them.

use serde_json::value::RawValue;

use super::PROTOCOL;
use super::signature;
use crate::chat::{
    Extension, Fields, Json, Media, MediaKind, Part, PartKind, Reasoning, SignatureOrigin, Source, ToolCall,
    ToolResult, Unsayable,
};

/// Gives calls ids and finds those that results answer.
pub(super) trait Ids {
    /// The id of a call.
    fn call(&mut self, id: Option<String>, name: &str, arguments: &str) -> String;

    /// The id of the call that a result answers.
    fn answer(&mut self, id: Option<&str>, name: Option<&str>) -> String;
}

impl Ids for super::super::common::Calls {
    fn call(&mut self, id: Option<String>, name: &str, _: &str) -> String {
        self.call(id, name)
    }

    fn answer(&mut self, id: Option<&str>, name: Option<&str>) -> String {
        self.answer(id, name)
    }
}

/// The members of which a part has one.
const DATA: [&str; 9] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// Refuses a part that says several things at once: Gemini does as well, and what is not read is not looked at.
pub(super) fn check(raw: &RawValue) -> Result<(), Unsayable> {
    let fields = Fields::read(raw)?.in_camel_case();
    match DATA.iter().filter(|name| fields.peek(name).is_some()).count() {
        0 | 1 => Ok(()),
        _ => Err(Unsayable::new(format!(
            "a part must have only one of {}",
            DATA.join(", ")
        ))),
    }
}

/// Reads a part and appends what it says: a text that carries a signature becomes a text and a hidden thought.
pub(super) fn read(raw: &RawValue, ids: &mut impl Ids, parts: &mut Vec<Part>) -> Result<(), Unsayable> {
    let mut fields = Fields::read(raw)?.in_camel_case();
    if let Some(call) = fields.object("functionCall")? {
        parts.push(function_call(call.in_camel_case(), fields, ids)?);
    } else if let Some(response) = fields.object("functionResponse")? {
        parts.push(function_response(response.in_camel_case(), fields, ids)?);
    } else if let Some(data) = fields.object("inlineData")? {
        parts.push(inline_data(data.in_camel_case(), fields)?);
    } else if let Some(data) = fields.object("fileData")? {
        parts.push(file_data(data.in_camel_case(), fields)?);
    } else if fields.peek("text").is_some() || is_signature_only(&fields) {
        text(fields, parts)?;
    } else {
        parts.push(Part::new(PartKind::Foreign, fields.into_extension(PROTOCOL)));
    }
    Ok(())
}

fn is_signature_only(fields: &Fields<'_>) -> bool {
    fields.peek("thoughtSignature").is_some() && DATA.iter().all(|name| fields.peek(name).is_none())
}

fn text(mut fields: Fields<'_>, parts: &mut Vec<Part>) -> Result<(), Unsayable> {
    let text = fields.take::<String>("text")?.unwrap_or_default();
    let is_thought = fields.take::<bool>("thought")?.unwrap_or(false);
    let signature = fields.take::<String>("thoughtSignature")?.map(signature::read);
    let extension = fields.into_extension(PROTOCOL);
    let is_redacted = signature.as_ref().is_some_and(|(_, is_redacted)| *is_redacted);
    let signature = signature.map(|(signature, _)| signature);
    if !is_thought {
        if !text.is_empty() || signature.is_none() {
            parts.push(Part::new(PartKind::Text(text), extension));
        }
        if signature.is_some() {
            let reasoning = Reasoning {
                signature,
                ..Reasoning::default()
            };
            parts.push(Part::new(PartKind::Reasoning(reasoning), Extension::of(PROTOCOL)));
        }
        return Ok(());
    }
    let mut reasoning = Reasoning {
        text,
        signature,
        is_redacted,
        ..Reasoning::default()
    };
    if reasoning
        .signature
        .as_ref()
        .is_some_and(|signature| signature.origin != SignatureOrigin::Gemini)
    {
        join_pieces(&mut reasoning, parts);
    }
    parts.push(Part::new(PartKind::Reasoning(reasoning), extension));
    Ok(())
}

/// Another provider's signature is for its whole thought, which a stream brought to the client in pieces, each a part.
fn join_pieces(reasoning: &mut Reasoning, parts: &mut Vec<Part>) {
    let is_piece =
        |part: &Part| matches!(&part.kind, PartKind::Reasoning(piece) if piece.signature.is_none());
    let first = parts
        .iter()
        .rposition(|part| !is_piece(part))
        .map_or(0, |index| index + 1);
    let mut text = String::new();
    for piece in parts.drain(first..) {
        if let PartKind::Reasoning(piece) = piece.kind {
            text.push_str(&piece.text);
        }
    }
    text.push_str(&reasoning.text);
    reasoning.text = text;
}

fn function_call(
    mut call: Fields<'_>,
    mut fields: Fields<'_>,
    ids: &mut impl Ids,
) -> Result<Part, Unsayable> {
    let within = |error: Unsayable| error.within("functionCall");
    let id = call.take::<String>("id").map_err(within)?;
    let name: String = call.need("name").map_err(within)?;
    let arguments = call
        .raw("args")
        .map(|args| args.get().to_owned())
        .unwrap_or_default();
    let signature = fields.take::<String>("thoughtSignature")?;
    let call = ToolCall {
        id: ids.call(id, &name, &arguments),
        name,
        arguments,
        is_custom: false,
        signature: signature.map(|text| signature::read(text).0),
    };
    Ok(Part::new(
        PartKind::ToolCall(call),
        fields.into_extension(PROTOCOL),
    ))
}

fn function_response(
    mut response: Fields<'_>,
    fields: Fields<'_>,
    ids: &mut impl Ids,
) -> Result<Part, Unsayable> {
    let within = |error: Unsayable| error.within("functionResponse");
    let id = response.take::<String>("id").map_err(within)?;
    let name = response.take::<String>("name").map_err(within)?;
    let (text, is_error) = match response.raw("response") {
        Some(said) => result_text(said),
        None => (String::new(), None),
    };
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(Part::new(PartKind::Text(text), Extension::of(PROTOCOL)));
    }
    for (index, raw) in response
        .items("parts")
        .map_err(within)?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let part = media(raw).map_err(|error| error.within(&format!("functionResponse.parts[{index}]")))?;
        content.extend(part);
    }
    let mut extension = fields.into_extension(PROTOCOL);
    for (name, value) in response.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("functionResponse.{name}"), value.clone());
    }
    let result = ToolResult {
        call_id: ids.answer(id.as_deref(), name.as_deref()),
        name,
        content,
        is_error,
        is_custom: false,
    };
    Ok(Part::new(PartKind::ToolResult(result), extension))
}

/// The text that a response says: Gemini's convention puts it under `output` or `error`; anything else is JSON.
fn result_text(response: &RawValue) -> (String, Option<bool>) {
    let only = |name: &str| {
        let mut fields = Fields::read(response).ok()?;
        let text = fields.take::<String>(name).ok().flatten()?;
        let is_object = Json::parse(text.trim()).is_some_and(|json| json.is_object());
        (fields.is_empty() && !is_object).then_some(text)
    };
    if let Some(text) = only("output") {
        (text, None)
    } else if let Some(text) = only("error") {
        (text, Some(true))
    } else {
        (response.get().to_owned(), None)
    }
}

/// A part that is a medium; `None` for any other.
fn media(raw: &RawValue) -> Result<Option<Part>, Unsayable> {
    let mut fields = Fields::read(raw)?.in_camel_case();
    if let Some(data) = fields.object("inlineData")? {
        return inline_data(data.in_camel_case(), fields).map(Some);
    }
    match fields.object("fileData")? {
        Some(data) => file_data(data.in_camel_case(), fields).map(Some),
        None => Ok(None),
    }
}

fn inline_data(mut data: Fields<'_>, fields: Fields<'_>) -> Result<Part, Unsayable> {
    let within = |error: Unsayable| error.within("inlineData");
    let media_type = data.take::<String>("mimeType").map_err(within)?;
    let media = Media {
        kind: kind(media_type.as_deref(), ""),
        source: Source::Base64(standard(data.need("data").map_err(within)?)),
        media_type,
        name: data.take("displayName").map_err(within)?,
        detail: None,
    };
    Ok(Part::new(PartKind::Media(media), fields.into_extension(PROTOCOL)))
}

/// Base64 in the standard alphabet (RFC 4648 §4), padded. Google's SDKs write that of §5, which its APIs take as well and
/// others refuse.
fn standard(base64: String) -> String {
    if !base64.contains(['-', '_']) && base64.len().is_multiple_of(4) {
        return base64;
    }
    let mut text = base64.replace('-', "+").replace('_', "/");
    let padding = text.len().next_multiple_of(4) - text.len();
    text.extend(std::iter::repeat_n('=', padding));
    text
}

fn file_data(mut data: Fields<'_>, fields: Fields<'_>) -> Result<Part, Unsayable> {
    let within = |error: Unsayable| error.within("fileData");
    let media_type = data.take::<String>("mimeType").map_err(within)?;
    let uri: String = data.need("fileUri").map_err(within)?;
    let is_public = ["https://", "http://"]
        .iter()
        .any(|scheme| uri.starts_with(scheme))
        && !uri.starts_with("https://generativelanguage.googleapis.com/");
    let media = Media {
        kind: kind(media_type.as_deref(), &uri),
        source: if is_public {
            Source::Url(uri)
        } else {
            Source::File(uri)
        },
        media_type,
        name: data.take("displayName").map_err(within)?,
        detail: None,
    };
    Ok(Part::new(PartKind::Media(media), fields.into_extension(PROTOCOL)))
}

/// The kind of a medium by its type, else by its address.
fn kind(media_type: Option<&str>, uri: &str) -> MediaKind {
    let media_type = media_type.unwrap_or_else(|| guessed_type(uri).unwrap_or_default());
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// The media type that an address lets expect.
pub(super) fn guessed_type(uri: &str) -> Option<&'static str> {
    const TYPES: [(&str, &str); 12] = [
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("png", "image/png"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
        ("pdf", "application/pdf"),
        ("mp3", "audio/mp3"),
        ("wav", "audio/wav"),
        ("mp4", "video/mp4"),
        ("mov", "video/mov"),
        ("txt", "text/plain"),
    ];
    if uri.contains("//www.youtube.com/") || uri.contains("//youtu.be/") {
        return Some("video/mp4");
    }
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    let (_, ending) = path.rsplit_once('.')?;
    TYPES
        .iter()
        .find(|(known, _)| ending.eq_ignore_ascii_case(known))
        .map(|(_, media_type)| *media_type)
}
