//! Content parts of messages and of the outputs of tools, both ways.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::PROTOCOL;
use super::items_out::Target;
use super::marks;
use crate::chat::{
    CacheMark, Extension, Fields, Json, Media, MediaKind, Object, Part, PartKind, Role, Source, Unsayable,
    items,
};
use crate::protocol::Protocol;

/// Lifetimes of cache marks by their names, in seconds.
const LIFETIMES: [(&str, u32); 2] = [("30m", 1800), ("12h", 43_200)];

/// Reads `content` or `output`: a string, or a list of parts.
pub(super) fn read(content: &RawValue, role: Role) -> Result<Vec<Part>, Unsayable> {
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        let mut extension = Extension::of(PROTOCOL);
        marks::keep_flag(&mut extension, marks::STRING);
        return Ok(vec![Part::new(PartKind::Text(text), extension)]);
    }
    let parts = items(content).ok_or_else(|| Unsayable::new("must be a string or an array"))?;
    let read = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| read_part(part, role).map_err(|error| error.within(&format!("[{index}]"))));
    read.collect()
}

/// The usual type of text of a role.
fn text_type(role: Role) -> &'static str {
    if role == Role::Assistant {
        "output_text"
    } else {
        "input_text"
    }
}

fn read_part(json: &RawValue, role: Role) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(json)?;
    let told: String = fields.take("type")?.unwrap_or_default();
    let mut kept = Extension::of(PROTOCOL);
    let kind = match told.as_str() {
        "input_text" | "output_text" | "text" => {
            if told != text_type(role) {
                kept.keep(marks::TYPE, Json::of(&told));
            }
            PartKind::Text(fields.need("text")?)
        }
        "refusal" => PartKind::Refusal(fields.need("refusal")?),
        "input_image" => PartKind::Media(read_image(&mut fields, &mut kept)?),
        "input_file" => PartKind::Media(read_file(&mut fields, &mut kept)?),
        "input_audio" => PartKind::Media(read_audio(&mut fields, &mut kept)?),
        _ => {
            return Ok(Part::new(
                PartKind::Foreign,
                Fields::read(json)?.into_extension(PROTOCOL),
            ));
        }
    };
    for (name, mark) in [("annotations", marks::ANNOTATIONS), ("logprobs", marks::LOGPROBS)] {
        if fields
            .peek(name)
            .is_some_and(|list| items(list).is_some_and(|list| list.is_empty()))
        {
            fields.raw(name);
            marks::keep_flag(&mut kept, mark);
        }
    }
    let cache = read_cache_mark(&mut fields);
    marks::push_rest(&mut kept, "", fields);
    Ok(Part {
        kind,
        cache,
        extension: kept,
    })
}

/// Takes `prompt_cache_breakpoint` out if it says nothing that a [`CacheMark`] cannot.
fn read_cache_mark(fields: &mut Fields<'_>) -> Option<CacheMark> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Mark {
        mode: String,
        ttl: Option<String>,
    }

    let mark: Mark = serde_json::from_str(fields.peek("prompt_cache_breakpoint")?.get()).ok()?;
    let ttl = match mark.ttl {
        Some(name) => Some(LIFETIMES.iter().find(|(known, _)| *known == name)?.1),
        None => None,
    };
    (mark.mode == "explicit").then(|| {
        fields.raw("prompt_cache_breakpoint");
        CacheMark { ttl }
    })
}

fn read_image(fields: &mut Fields<'_>, kept: &mut Extension) -> Result<Media, Unsayable> {
    let detail = fields.take("detail")?;
    let media = match fields.take::<String>("image_url")? {
        Some(url) => from_url(MediaKind::Image, &url, kept),
        None => match fields.take("file_id")? {
            Some(id) => with_provider(MediaKind::Image, id),
            None => return Err(Unsayable::at("image_url", "`image_url` or `file_id` is required")),
        },
    };
    Ok(Media { detail, ..media })
}

fn read_file(fields: &mut Fields<'_>, kept: &mut Extension) -> Result<Media, Unsayable> {
    let detail = fields.take("detail")?;
    let name = fields.take("filename")?;
    let media = if let Some(data) = fields.take::<String>("file_data")? {
        if data.starts_with("data:") {
            from_url(MediaKind::Document, &data, kept)
        } else {
            kept.keep(marks::SOURCE, Json::of(&data));
            held(MediaKind::Document, data, None)
        }
    } else if let Some(url) = fields.take::<String>("file_url")? {
        Media {
            source: Source::Url(url),
            ..with_provider(MediaKind::Document, String::new())
        }
    } else if let Some(id) = fields.take("file_id")? {
        with_provider(MediaKind::Document, id)
    } else {
        let message = "`file_data`, `file_url` or `file_id` is required";
        return Err(Unsayable::at("file_data", message));
    };
    Ok(Media {
        detail,
        name,
        ..media
    })
}

fn read_audio(fields: &mut Fields<'_>, kept: &mut Extension) -> Result<Media, Unsayable> {
    let mut audio = fields
        .object("input_audio")?
        .ok_or_else(|| Unsayable::at("input_audio", "`input_audio` is required"))?;
    let within = |error: Unsayable| error.within("input_audio");
    let data = audio.need("data").map_err(within)?;
    let format: String = audio.need("format").map_err(within)?;
    marks::push_rest(kept, "input_audio.", audio);
    let media_type = match format.as_str() {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    Ok(held(MediaKind::Audio, data, Some(media_type)))
}

/// A medium at an address, which is kept verbatim if it would be written in another way.
fn from_url(kind: MediaKind, url: &str, kept: &mut Extension) -> Media {
    let media = Media::from_url(kind, url);
    let is_plain = match url.split_once(',') {
        Some((meta, _)) if meta.starts_with("data:") => {
            media
                .media_type
                .as_ref()
                .is_some_and(|told| meta.len() == told.len() + "data:;base64".len())
                && meta.ends_with(";base64")
        }
        _ => true,
    };
    if !is_plain {
        kept.keep(marks::SOURCE, Json::of(url));
    }
    media
}

fn held(kind: MediaKind, data: String, media_type: Option<String>) -> Media {
    Media {
        kind,
        source: Source::Base64(data),
        media_type,
        name: None,
        detail: None,
    }
}

fn with_provider(kind: MediaKind, id: String) -> Media {
    Media {
        kind,
        source: Source::File(id),
        media_type: None,
        name: None,
        detail: None,
    }
}

/// Writes a part of a message or of the output of a tool; nothing for empty text of other protocols.
///
/// # Errors
/// [`Unsayable`] for media that the protocol has no word for.
pub(super) fn write(part: &Part, role: Role, target: &mut Target<'_>) -> Result<Option<Json>, Unsayable> {
    let is_own = part.extension.protocol() == PROTOCOL;
    let mut object = match &part.kind {
        PartKind::Text(text) if text.is_empty() && !is_own => return Ok(None),
        PartKind::Text(text) => write_text(part, text, role),
        PartKind::Refusal(text) if role == Role::Assistant => {
            Object::new().set("type", "refusal").set("refusal", text)
        }
        PartKind::Refusal(text) => Object::new().set("type", "input_text").set("text", text),
        PartKind::Media(media) => write_media(part, media, role)?,
        _ => Object::new(),
    };
    write_cache_mark(&mut object, part, target);
    for (name, value) in part.extension.members(PROTOCOL) {
        if !name.starts_with("input_audio.") && !name.starts_with(marks::MESSAGE) {
            object.put(name, value);
        }
    }
    part.extension.drop_unless(PROTOCOL, "", target.drops);
    Ok(Some(object.finish()))
}

fn write_text(part: &Part, text: &str, role: Role) -> Object {
    let object = match part.extension.kept(PROTOCOL, marks::TYPE) {
        Some(told) => Object::new().set("type", told),
        None => Object::new().set("type", text_type(role)),
    };
    let mut object = object.set("text", text);
    let is_foreign_answer = role == Role::Assistant && part.extension.protocol() != PROTOCOL;
    if marks::has(&part.extension, marks::ANNOTATIONS) || is_foreign_answer {
        object.put("annotations", &[(); 0]);
    }
    if marks::has(&part.extension, marks::LOGPROBS) {
        object.put("logprobs", &[(); 0]);
    }
    object
}

fn write_media(part: &Part, media: &Media, role: Role) -> Result<Object, Unsayable> {
    if role == Role::Assistant {
        return Err(Unsayable::new(
            "the provider takes no media in messages of the assistant",
        ));
    }
    let knows_files = matches!(part.extension.protocol(), PROTOCOL | Protocol::OpenAiChat);
    if matches!(media.source, Source::File(_)) && !knows_files {
        return Err(Unsayable::new(
            "the file is stored with another provider; send its content or an address",
        ));
    }
    let told = part.extension.kept(PROTOCOL, marks::SOURCE);
    match media.kind {
        MediaKind::Image => Ok(write_image(media, told)),
        MediaKind::Document => Ok(write_file(part, media, told)),
        MediaKind::Audio => write_audio(part, media),
        MediaKind::Video => Err(Unsayable::new("the provider takes no video")),
    }
}

fn write_image(media: &Media, told: Option<&Json>) -> Object {
    let object = Object::new().set("type", "input_image");
    let object = match (&media.source, told) {
        (_, Some(told)) => object.set("image_url", told),
        (Source::File(id), None) => object.set("file_id", id),
        (_, None) => object.set_some("image_url", media.url()),
    };
    object.set_some("detail", media.detail.as_ref())
}

fn write_file(part: &Part, media: &Media, told: Option<&Json>) -> Object {
    if let Source::Text(text) = &media.source {
        let text = match &media.name {
            Some(name) => format!("{name}\n\n{text}"),
            None => text.clone(),
        };
        return Object::new().set("type", "input_text").set("text", &text);
    }
    let object = Object::new().set("type", "input_file");
    let object = match (&media.source, told) {
        (_, Some(told)) => object.set("file_data", told),
        (Source::File(id), None) => object.set("file_id", id),
        (Source::Url(url), None) => object.set("file_url", url),
        (_, None) => object.set_some("file_data", media.url()),
    };
    // Data without a name are refused.
    let needs_name = part.extension.protocol() != PROTOCOL && matches!(media.source, Source::Base64(_));
    let name = media.name.clone();
    let name = name.or_else(|| needs_name.then(|| format!("document.{}", media.format())));
    object
        .set_some("filename", name)
        .set_some("detail", media.detail.as_ref())
}

fn write_audio(part: &Part, media: &Media) -> Result<Object, Unsayable> {
    let (Source::Base64(data), format @ ("wav" | "mp3")) = (&media.source, media.format()) else {
        if part.extension.protocol() == PROTOCOL {
            // A format that the client named is the provider's to judge.
            if let Source::Base64(data) = &media.source {
                return Ok(audio(part, data, media.format()));
            }
        }
        return Err(Unsayable::new(
            "the provider takes sound as wav or mp3 within the request only",
        ));
    };
    Ok(audio(part, data, format))
}

fn audio(part: &Part, data: &str, format: &str) -> Object {
    let mut audio = Object::new().set("data", data).set("format", format);
    marks::put_rest(&mut audio, &part.extension, "input_audio.");
    Object::new()
        .set("type", "input_audio")
        .set("input_audio", &audio.finish())
}

/// Marks of OpenAI's own protocols are written as they are; those of others only for models that take them, on text and
/// files.
fn write_cache_mark(object: &mut Object, part: &Part, target: &mut Target<'_>) {
    let Some(mark) = part.cache else { return };
    let is_own = matches!(part.extension.protocol(), PROTOCOL | Protocol::OpenAiChat);
    let is_image = matches!(&part.kind, PartKind::Media(media) if media.kind == MediaKind::Image);
    if !is_own && (is_image || !takes_cache_marks(target.rules.model)) {
        target.drops.note("cache_control");
        return;
    }
    // The shortest lifetime that is no shorter than what was asked.
    let ttl = mark.ttl.map(|asked| {
        let named = LIFETIMES.iter().find(|(_, seconds)| *seconds >= asked);
        named.map_or("12h", |(name, _)| name)
    });
    let value = Object::new()
        .set("mode", "explicit")
        .set_some("ttl", ttl)
        .finish();
    object.put("prompt_cache_breakpoint", &value);
}

/// Models that take `prompt_cache_breakpoint`: GPT 5.6 and later.
fn takes_cache_marks(model: &str) -> bool {
    let model = model.rsplit('/').next().unwrap_or(model);
    let Some(version) = model.strip_prefix("gpt-") else {
        return false;
    };
    let digits = |text: &str| -> u32 {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end)
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    };
    let minor = version.split_once('.').map_or(0, |(_, minor)| digits(minor));
    (digits(version), minor) >= (5, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_marks_are_for_the_newest_models() {
        for (model, takes) in [
            ("gpt-5.6", true),
            ("openai/gpt-5.10-mini", true),
            ("gpt-6-astra", true),
            ("gpt-5.1", false),
            ("gpt-5", false),
            ("gpt-4o", false),
            ("o3", false),
            ("llama", false),
        ] {
            assert_eq!(takes_cache_marks(model), takes, "{model}");
        }
    }
}
