//! Formats of media, which Converse names without their media type.

use crate::chat::{Media, MediaKind};

const NAMES: [(MediaKind, &str, &str); 19] = [
    (MediaKind::Image, "png", "image/png"),
    (MediaKind::Image, "jpeg", "image/jpeg"),
    (MediaKind::Image, "gif", "image/gif"),
    (MediaKind::Image, "webp", "image/webp"),
    (MediaKind::Document, "pdf", "application/pdf"),
    (MediaKind::Document, "csv", "text/csv"),
    (MediaKind::Document, "html", "text/html"),
    (MediaKind::Document, "txt", "text/plain"),
    (MediaKind::Document, "md", "text/markdown"),
    (MediaKind::Document, "doc", "application/msword"),
    (
        MediaKind::Document,
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    (MediaKind::Document, "xls", "application/vnd.ms-excel"),
    (
        MediaKind::Document,
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    (MediaKind::Video, "mov", "video/quicktime"),
    (MediaKind::Video, "mkv", "video/x-matroska"),
    (MediaKind::Video, "three_gp", "video/3gpp"),
    (MediaKind::Video, "flv", "video/x-flv"),
    (MediaKind::Video, "wmv", "video/x-ms-wmv"),
    (MediaKind::Audio, "mp3", "audio/mpeg"),
];

/// Formats of films and sounds whose media type is named alike.
const PLAIN_VIDEO: [&str; 4] = ["mp4", "webm", "mpeg", "mpg"];
const PLAIN_AUDIO: [&str; 9] = ["wav", "opus", "aac", "flac", "mp4", "ogg", "webm", "m4a", "pcm"];

/// The member of a content block for media of that kind.
pub(super) fn member(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// The media type of a format.
pub(super) fn media_type(kind: MediaKind, format: &str) -> String {
    let known = NAMES.iter().find(|(of, name, _)| *of == kind && *name == format);
    match known {
        Some((_, _, media_type)) => (*media_type).to_owned(),
        None if kind == MediaKind::Document => format!("application/{format}"),
        None => format!("{}/{format}", member(kind)),
    }
}

/// The format of a medium; `None` if Converse has no word for it.
pub(super) fn format(media: &Media) -> Option<&str> {
    let told = media.media_type();
    let told = told.split(';').next().unwrap_or(told).trim();
    let known = NAMES
        .iter()
        .find(|(kind, _, media_type)| *kind == media.kind && *media_type == told);
    if let Some((_, name, _)) = known {
        return Some(name);
    }
    let name = media.format();
    let is_known = NAMES
        .iter()
        .any(|(kind, known, _)| *kind == media.kind && *known == name)
        || (media.kind == MediaKind::Video && PLAIN_VIDEO.contains(&name))
        || (media.kind == MediaKind::Audio && PLAIN_AUDIO.contains(&name));
    is_known.then_some(name)
}
