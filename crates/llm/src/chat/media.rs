//! Images, sounds, films, documents.

/// What is not text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    /// What it is.
    pub(crate) kind: MediaKind,
    /// Where it is.
    pub(crate) source: Source,
    /// Its media type, such as `image/png`, where it is told.
    pub(crate) media_type: Option<String>,
    /// Name of the file or title of the document.
    pub(crate) name: Option<String>,
    /// In which detail it is to be looked at, in OpenAI's word.
    pub(crate) detail: Option<String>,
}

/// The kinds of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A document.
    Document,
}

/// Where a medium is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the request, as base64 (RFC 4648 §4) of its bytes.
    Base64(String),
    /// In the request, as plain text; of documents only.
    Text(String),
    /// At an address that the provider is to fetch. The gateway does not.
    Url(String),
    /// With the provider, under a name that only it knows.
    File(String),
}

impl Media {
    /// A medium at an address, which may be a `data:` URL (RFC 2397) that holds it.
    pub(crate) fn from_url(kind: MediaKind, url: &str) -> Self {
        let (source, media_type) = match data_url(url) {
            Some((media_type, data)) => (Source::Base64(data.to_owned()), media_type.map(str::to_owned)),
            None => (Source::Url(url.to_owned()), None),
        };
        Self {
            kind,
            source,
            media_type,
            name: None,
            detail: None,
        }
    }

    /// Its address: a `data:` URL if the request holds it, `None` if only the provider knows it or it is plain text.
    pub(crate) fn url(&self) -> Option<String> {
        match &self.source {
            Source::Base64(data) => Some(format!("data:{};base64,{data}", self.media_type())),
            Source::Url(url) => Some(url.clone()),
            Source::Text(_) | Source::File(_) => None,
        }
    }

    /// Its media type: as told, else by the first bytes of an image, else the usual one of its kind.
    pub(crate) fn media_type(&self) -> &str {
        if let Some(told) = &self.media_type {
            return told;
        }
        match (self.kind, &self.source) {
            (MediaKind::Image, Source::Base64(data)) => image_type(data),
            (MediaKind::Image, _) => "image/png",
            (MediaKind::Audio, _) => "audio/wav",
            (MediaKind::Video, _) => "video/mp4",
            (MediaKind::Document, Source::Text(_)) => "text/plain",
            (MediaKind::Document, _) => "application/pdf",
        }
    }

    /// The word for its format in protocols that name formats, not media types: `image/jpeg` is `jpeg`.
    pub(crate) fn format(&self) -> &str {
        let media_type = self.media_type();
        let subtype = media_type
            .split_once('/')
            .map_or(media_type, |(_, subtype)| subtype);
        let subtype = subtype.split(';').next().unwrap_or(subtype).trim();
        match subtype {
            "mpeg" if self.kind == MediaKind::Audio => "mp3",
            "x-wav" | "wave" => "wav",
            "jpg" => "jpeg",
            "plain" => "txt",
            "markdown" => "md",
            "msword" => "doc",
            "vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
            "vnd.ms-excel" => "xls",
            "vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
            other => other,
        }
    }
}

/// Media type and base64 of a `data:` URL that is one. Some clients leave out `;base64`.
fn data_url(url: &str) -> Option<(Option<&str>, &str)> {
    let (meta, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = meta.split(';').next().filter(|media_type| !media_type.is_empty());
    Some((media_type, data))
}

/// What base64 of the magic bytes of images begins with.
fn image_type(base64: &str) -> &'static str {
    const STARTS: [(&str, &str); 4] = [
        ("/9j/", "image/jpeg"),
        ("iVBORw0KGgo", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    STARTS
        .iter()
        .find(|(start, _)| base64.starts_with(start))
        .map_or("image/png", |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_and_others() {
        let held = Media::from_url(MediaKind::Image, "data:image/jpeg;base64,AAAA");
        assert_eq!(held.source, Source::Base64("AAAA".to_owned()));
        assert_eq!((held.media_type(), held.format()), ("image/jpeg", "jpeg"));
        assert_eq!(held.url().unwrap(), "data:image/jpeg;base64,AAAA");

        let untyped = Media::from_url(MediaKind::Image, "data:;base64,/9j/AAAA");
        assert_eq!(untyped.media_type(), "image/jpeg");

        let far = Media::from_url(MediaKind::Image, "https://a/b.png");
        assert_eq!(far.url().unwrap(), "https://a/b.png");
        assert_eq!(far.source, Source::Url("https://a/b.png".to_owned()));
    }
}
