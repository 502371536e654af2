//! OpenAI's other endpoints: embeddings, moderations, models, images, audio, files, batches.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::contract::{Ask, Contracted, named};
use super::endpoint::Dialect;
use super::fault::Fault;
use super::record::{FormPart, Recorded};

pub(super) const CREATED: u64 = 1_700_000_000;
const MODELS: [&str; 3] = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"];
const DIMENSIONS: u16 = 16;
/// A picture of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x01D\0;";

pub(super) fn embeddings(request: &Value) -> Contracted {
    // A text, tokens, or a list of either.
    let count = match &request["input"] {
        Value::Array(items) if items.iter().all(Value::is_number) => 1,
        Value::Array(items) => items.len(),
        _ => 1,
    };
    let data: Vec<_> = (0..count)
        .map(|index| {
            let floats: Vec<f32> = (0..DIMENSIONS).map(|i| f32::from(i + 1) / 16.0).collect();
            let embedding = if request["encoding_format"] == "base64" {
                let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
                json!(BASE64_STANDARD.encode(bytes))
            } else {
                json!(floats)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    Contracted::json(
        200,
        &json!({
            "object": "list",
            "data": data,
            "model": request["model"],
            "usage": {"prompt_tokens": 4 * count, "total_tokens": 4 * count},
        }),
    )
}

pub(super) fn moderations(request: &Value, number: usize) -> Contracted {
    let count = request["input"].as_array().map_or(1, Vec::len);
    let kinds = ["hate", "harassment", "self-harm", "sexual", "violence"];
    let of_kinds = |value: Value| -> Value {
        kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), value.clone()))
            .collect()
    };
    let result = json!({"flagged": false, "categories": of_kinds(json!(false)), "category_scores": of_kinds(json!(0.001))});
    Contracted::json(
        200,
        &json!({"id": format!("modr-{number}"), "model": "omni-moderation-latest", "results": vec![result; count]}),
    )
}

/// The list, or one model when `id` is not empty.
pub(super) fn models(id: &str) -> Contracted {
    let model = |id: &str| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "fake"});
    if id.is_empty() {
        return Contracted::json(200, &json!({"object": "list", "data": MODELS.map(model)}));
    }
    if MODELS.contains(&id) {
        Contracted::json(200, &model(id))
    } else {
        Fault::plain(404).answer(Dialect::OpenAi, 0)
    }
}

/// Images: made of a prompt, or of a form with images.
pub(super) fn images(ask: &Ask<'_>) -> Contracted {
    let form = ask.request.form();
    let field = |name: &str| match ask.body.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(value) => Some(value.to_string()),
        None => form.iter().find(|part| part.name == name).map(FormPart::text),
    };
    let sent = form.iter().filter(|part| part.filename.is_some());
    let revised = match sent.map(|part| part.data.len()).reduce(|a, b| a + b) {
        Some(size) => format!("{size} bytes of images"),
        None => field("prompt").unwrap_or_default(),
    };
    let count = field("n").and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut image = json!({"revised_prompt": revised});
    if field("response_format").is_some_and(|format| format == "url") {
        image["url"] = "https://images.example/1.gif".into();
    } else {
        image["b64_json"] = BASE64_STANDARD.encode(PIXEL).into();
    }
    let usage = json!({
        "input_tokens": 10, "output_tokens": 20, "total_tokens": 30,
        "input_tokens_details": {"text_tokens": 10, "image_tokens": 0},
    });
    if ask.streams() || field("stream").is_some_and(|stream| stream == "true") {
        let kind = if ask.request.path.ends_with("/edits") {
            "image_edit"
        } else {
            "image_generation"
        };
        let event = |step: &str| {
            let b64 = &image["b64_json"];
            json!({"type": format!("{kind}.{step}"), "b64_json": b64, "created_at": CREATED})
        };
        let mut partial = event("partial_image");
        partial["partial_image_index"] = 0.into();
        let mut completed = event("completed");
        completed["usage"] = usage;
        return Contracted::events(vec![named(&partial), named(&completed)], None);
    }
    let body = json!({"created": CREATED, "data": vec![image; count], "usage": usage});
    Contracted::json(200, &body)
}

/// Whether images are asked for in JSON.
pub(super) fn is_generation(request: &Recorded) -> bool {
    request.path.ends_with("/generations")
}

/// Sound, which spells what was to be said.
pub(super) fn speech(request: &Value) -> Contracted {
    let kind = match request["response_format"].as_str() {
        Some("opus") => "audio/opus",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    let text = request["input"].as_str().unwrap_or_default();
    if request["stream_format"] == "sse" {
        let audio = BASE64_STANDARD.encode(text);
        let usage = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
        let events = [
            json!({"type": "speech.audio.delta", "audio": audio}),
            json!({"type": "speech.audio.done", "usage": usage}),
        ];
        return Contracted::events(events.iter().map(named).collect(), None);
    }
    Contracted::frames(kind, vec![Bytes::from(text.to_owned())], None)
}

/// What was heard: the name and size of the file, and the model.
pub(super) fn transcription(ask: &Ask<'_>) -> Contracted {
    let form = ask.request.form();
    let text_of = |name: &str| form.iter().find(|part| part.name == name).map(FormPart::text);
    let (Some(file), Some(model)) = (form.iter().find(|part| part.name == "file"), text_of("model")) else {
        return ask.fault(&Fault::new(
            400,
            "file and model are required in a multipart form",
        ));
    };
    let name = file.filename.as_deref().unwrap_or_default();
    let text = format!("{name}: {} bytes, {model}", file.data.len());
    if text_of("stream").is_some_and(|stream| stream == "true") {
        let usage = json!({"type": "tokens", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
        let events = [
            json!({"type": "transcript.text.delta", "delta": text}),
            json!({"type": "transcript.text.done", "text": text, "usage": usage}),
        ];
        return Contracted::events(events.iter().map(named).collect(), None);
    }
    match text_of("response_format").as_deref() {
        Some("text" | "srt" | "vtt") => Contracted::whole(200, "text/plain", format!("{text}\n")),
        Some("verbose_json") => Contracted::json(
            200,
            &json!({"task": "transcribe", "language": "english", "duration": 1.5, "text": text, "segments": [],
                "usage": {"type": "duration", "seconds": 2}}),
        ),
        _ => Contracted::json(
            200,
            &json!({"text": text, "usage": {"type": "tokens", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}),
        ),
    }
}

/// Files: kept as their name and size only.
pub(super) fn files(ask: &Ask<'_>, rest: &str) -> Contracted {
    let file = |id: &str, name: &str, bytes: usize| json!({"id": id, "object": "file", "bytes": bytes, "created_at": CREATED, "filename": name, "purpose": "batch", "status": "processed"});
    let (id, part) = rest.split_once('/').unwrap_or((rest, ""));
    match (&ask.request.method, id, part) {
        (&Method::POST, "", _) => {
            let form = ask.request.form();
            let Some(sent) = form.iter().find(|part| part.name == "file") else {
                return ask.fault(&Fault::new(400, "file is required in a multipart form"));
            };
            let id = format!("file-{}", ask.number);
            let name = sent.filename.as_deref().unwrap_or_default();
            Contracted::json(200, &file(&id, name, sent.data.len()))
        }
        (&Method::GET, "", _) => Contracted::json(
            200,
            &json!({"object": "list", "data": [file("file-1", "a.jsonl", 10)], "has_more": false}),
        ),
        (&Method::GET, _, "content") => {
            Contracted::whole(200, "application/octet-stream", "{\"custom_id\":\"1\"}\n")
        }
        (&Method::GET, id, "") => Contracted::json(200, &file(id, "a.jsonl", 10)),
        (&Method::DELETE, id, "") => {
            Contracted::json(200, &json!({"id": id, "object": "file", "deleted": true}))
        }
        _ => ask.fault(&Fault::plain(404)),
    }
}

/// Batches, which are never done.
pub(super) fn batches(ask: &Ask<'_>, rest: &str) -> Contracted {
    let batch = |id: &str, status: &str| {
        json!({
            "id": id, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-1",
            "completion_window": "24h", "status": status, "created_at": CREATED,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        })
    };
    let (id, part) = rest.split_once('/').unwrap_or((rest, ""));
    match (&ask.request.method, id, part) {
        (&Method::POST, "", _) => {
            let mut made = batch(&format!("batch_{}", ask.number), "validating");
            for member in ["endpoint", "input_file_id", "completion_window"] {
                if ask.body[member].is_null() {
                    return ask.fault(&Fault::new(
                        400,
                        format!("Missing required parameter: '{member}'."),
                    ));
                }
                made[member] = ask.body[member].clone();
            }
            Contracted::json(200, &made)
        }
        (&Method::GET, "", _) => Contracted::json(
            200,
            &json!({"object": "list", "data": [batch("batch_1", "in_progress")], "has_more": false}),
        ),
        (&Method::GET, id, "") => Contracted::json(200, &batch(id, "in_progress")),
        (&Method::POST, id, "cancel") => Contracted::json(200, &batch(id, "cancelling")),
        _ => ask.fault(&Fault::plain(404)),
    }
}
