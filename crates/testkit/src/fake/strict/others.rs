//! What the endpoints take where no model converses.

use super::shape::Shape::{Any, Either, Flag, Integer, List, Map, Number, Object, Text, Word};
use super::shape::{Shape, opt, req};

const INPUT: Shape = Either(&[Text, List(&Text), List(&Integer), List(&List(&Integer))]);

pub(super) const EMBEDDINGS: Shape = Object(&[
    req("model", Text),
    req("input", INPUT),
    opt("dimensions", Integer),
    opt("encoding_format", Word(&["float", "base64"])),
    opt("user", Text),
]);

pub(super) const MODERATIONS: Shape = Object(&[
    req("input", Either(&[Text, List(&Text), List(&Map)])),
    opt("model", Text),
]);

pub(super) const IMAGES: Shape = Object(&[
    req("prompt", Text),
    opt("model", Text),
    opt("n", Integer),
    opt("size", Text),
    opt("quality", Text),
    opt("style", Text),
    opt("background", Text),
    opt("moderation", Text),
    opt("output_format", Word(&["png", "jpeg", "webp"])),
    opt("output_compression", Integer),
    opt("response_format", Word(&["url", "b64_json"])),
    opt("stream", Flag),
    opt("partial_images", Integer),
    opt("user", Text),
]);

pub(super) const SPEECH: Shape = Object(&[
    req("model", Text),
    req("input", Text),
    req("voice", Any),
    opt(
        "response_format",
        Word(&["mp3", "opus", "aac", "flac", "wav", "pcm"]),
    ),
    opt("speed", Number),
    opt("instructions", Text),
    opt("stream_format", Word(&["audio", "sse"])),
]);

/// Jina's, with what vLLM takes beside it.
pub(super) const RERANK: Shape = Object(&[
    req("model", Text),
    req("query", Any),
    req("documents", List(&Either(&[Text, Map]))),
    opt("top_n", Integer),
    opt("return_documents", Flag),
    opt("truncate_prompt_tokens", Integer),
]);
