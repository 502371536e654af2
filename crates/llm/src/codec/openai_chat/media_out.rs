//! Media in messages for a provider.

use crate::chat::{Extension, Fields, Json, Media, MediaKind, Object, Part, Source, Unsayable};
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// The member of a medium and what it holds, with what the client said beside.
///
/// # Errors
/// [`Unsayable`] for what OpenAI chat has no part for.
pub(super) fn encode(part: &Part, media: &Media, is_openai: bool) -> Result<(&'static str, Json), Unsayable> {
    let is_own = part.extension.protocol() == HERE;
    let (member, inner) = match media.kind {
        MediaKind::Image => (
            "image_url",
            by_url(media, "an image")?.set_some("detail", media.detail.as_ref()),
        ),
        MediaKind::Video if is_openai && !is_own => {
            return Err(Unsayable::new("the provider takes no videos"));
        }
        MediaKind::Video => ("video_url", by_url(media, "a video")?),
        MediaKind::Audio => ("input_audio", audio(media)?),
        MediaKind::Document => ("file", document(part, media)?),
    };
    Ok((member, extended(inner, &part.extension, member).finish()))
}

/// A medium's own text, for documents that are plain text.
pub(super) fn plain_text(media: &Media) -> Option<String> {
    match (&media.source, &media.name) {
        (Source::Text(text), Some(name)) => Some(format!("{name}\n\n{text}")),
        (Source::Text(text), None) => Some(text.clone()),
        _ => None,
    }
}

fn by_url(media: &Media, what: &str) -> Result<Object, Unsayable> {
    let url = media.url().ok_or_else(|| {
        Unsayable::new(format!(
            "{what} must be given as data or by its URL: the provider knows no file ids for it"
        ))
    })?;
    Ok(Object::new().set("url", &url))
}

fn audio(media: &Media) -> Result<Object, Unsayable> {
    let Source::Base64(data) = &media.source else {
        return Err(Unsayable::new(
            "audio must be given as data: the provider fetches none",
        ));
    };
    let object = Object::new().set("data", data);
    Ok(object.set("format", media.format()))
}

fn document(part: &Part, media: &Media) -> Result<Object, Unsayable> {
    let origin = part.extension.protocol();
    match &media.source {
        Source::Base64(_) => {
            // OpenAI refuses data without a name.
            let made = (origin != HERE).then(|| format!("document.{}", media.format()));
            let name = media.name.clone().or(made);
            Ok(Object::new()
                .set_some("filename", name)
                .set_some("file_data", media.url()))
        }
        Source::File(id) if matches!(origin, Protocol::OpenAiChat | Protocol::OpenAiResponses) => {
            Ok(Object::new()
                .set("file_id", id)
                .set_some("filename", media.name.as_ref()))
        }
        Source::File(_) => Err(Unsayable::new(
            "the provider does not know that file: send the document as data",
        )),
        Source::Url(_) | Source::Text(_) => Err(Unsayable::new(
            "a document must be given as data: the provider fetches none",
        )),
    }
}

/// Adds what the client said within the member.
fn extended(inner: Object, extension: &Extension, member: &str) -> Object {
    let rest = extension.get(HERE, member);
    match rest.and_then(|rest| Fields::from_slice(rest.text().as_bytes()).ok()) {
        Some(rest) => inner.extend(&rest.into_extension(HERE), HERE),
        None => inner,
    }
}
