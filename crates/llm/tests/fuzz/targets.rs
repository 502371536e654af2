//! One function per kind of decoder. The first three bytes choose client, provider and cuts, the rest is read.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sluice_llm::{
    Carriage, ChatTranslation, ClientCall, Conversation, EventSplitter, Framing, Memory, Protocol, Provider,
    RequestView, StreamTap, TapOptions, TranslationFor, answer_texts, event_texts, prompt_messages,
    replace_texts,
};

use crate::json::{has_repeated_names, is_json};

/// A provider, and the protocol in which it is called.
pub(crate) type Target = (&'static Provider, Protocol);

/// Remembers nothing.
struct NoMemory;

impl Memory for NoMemory {
    fn conversation(&self, _: &str) -> Option<Arc<Conversation>> {
        None
    }
    fn keep_conversation(&self, _: &str, _: Arc<Conversation>) {}
    fn forget_conversation(&self, _: &str) {}
    fn signature(&self, _: &str) -> Option<String> {
        None
    }
    fn keep_signature(&self, _: &str, _: String) {}
}

/// Every provider that a client of that protocol reaches by translation, with the protocol in which it is called.
pub(crate) fn providers(client: Protocol) -> Vec<Target> {
    let target = |provider: &'static Provider| match provider.native_carriage(client) {
        Ok(Carriage::Translated(endpoint)) => Some((provider, endpoint.protocol())),
        _ => None,
    };
    Provider::all().iter().filter_map(target).collect()
}

pub(crate) fn translate(
    client: Protocol,
    (provider, protocol): Target,
    body: &[u8],
) -> Option<(Bytes, ChatTranslation)> {
    let memory: Arc<dyn Memory> = Arc::new(NoMemory);
    let call = ClientCall::in_protocol(client);
    let to = TranslationFor {
        client: &call,
        provider,
        protocol,
        model: "m",
        id: "abc",
        created: 1,
        memory: &memory,
    };
    ChatTranslation::request(&Bytes::copy_from_slice(body), to).ok()
}

/// The smallest request of each protocol.
fn smallest(client: Protocol) -> &'static str {
    match client {
        Protocol::AnthropicMessages => {
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#
        }
        Protocol::BedrockConverse => r#"{"messages":[{"role":"user","content":[{"text":"a"}]}]}"#,
        Protocol::GeminiGenerate => r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#,
        Protocol::OllamaGenerate | Protocol::OpenAiCompletions => r#"{"model":"m","prompt":"a"}"#,
        Protocol::OpenAiResponses => r#"{"model":"m","input":"a","store":false}"#,
        _ => r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#,
    }
}

pub(crate) fn clients() -> impl Iterator<Item = Protocol> {
    Protocol::ALL.into_iter().filter(|protocol| protocol.is_chat())
}

fn chosen(data: &[u8]) -> Option<(Protocol, Target, usize, &[u8])> {
    let [client, provider, cut, rest @ ..] = data else {
        return None;
    };
    let client = clients().nth(usize::from(*client) % clients().count())?;
    let providers = providers(client);
    let provider = providers.get(usize::from(*provider) % providers.len().max(1))?;
    Some((client, *provider, usize::from(*cut) + 1, rest))
}

/// The byte that chooses clients of that protocol.
pub(crate) fn client_byte(protocol: Protocol) -> u8 {
    let at = clients()
        .position(|client| client == protocol)
        .unwrap_or_default();
    u8::try_from(at).unwrap_or_default()
}

/// The next byte that chooses, for the client that another one chooses, a provider that is called in that protocol.
pub(crate) fn provider_byte(client: u8, from: u8, protocol: Protocol) -> u8 {
    let is_meant =
        |byte: &u8| chosen(&[client, *byte, 0]).is_some_and(|(_, (_, spoken), ..)| spoken == protocol);
    (0..=u8::MAX)
        .map(|step| from.wrapping_add(step))
        .find(is_meant)
        .unwrap_or(from)
}

/// A client's request for a provider.
pub(crate) fn request(data: &[u8]) {
    let Some((client, to, _, body)) = chosen(data) else {
        return;
    };
    let Some((written, _)) = translate(client, to, body) else {
        return;
    };
    assert!(is_json(&written), "{}", String::from_utf8_lossy(&written));
    if has_repeated_names(body) == Some(false) {
        assert_ne!(
            has_repeated_names(&written),
            Some(true),
            "{client} to {}: {}",
            to.1,
            String::from_utf8_lossy(&written)
        );
    }
    assert!(written.len() < body.len() * 20 + 10_000);
    stays(to, &written);
}

/// What was written for a provider is read by its own protocol, which says the same with it: every text, and nothing else
/// from the second time on. How a single text is written is no difference.
fn stays((provider, protocol): Target, written: &[u8]) {
    let shown = || {
        format!(
            "{protocol} at {}: {}",
            provider.name(),
            String::from_utf8_lossy(written)
        )
    };
    let read = |body: &[u8]| translate(protocol, (provider, protocol), body).map(|(again, _)| again);
    let once = read(written);
    assert!(once.is_some(), "unreadable, {}", shown());
    let once = once.unwrap_or_default();
    let said = |body: &[u8]| -> Vec<String> {
        let messages = prompt_messages(protocol, body);
        let spans = messages.iter().flat_map(|message| &message.spans);
        spans.map(|span| span.text.clone().into_owned()).collect()
    };
    assert_eq!(said(&once), said(written), "{}", shown());
    let value = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).ok();
    let twice = read(&once).unwrap_or_default();
    assert_eq!(value(&twice), value(&once), "{}", shown());
}

/// A provider's whole answer.
pub(crate) fn answer(data: &[u8]) {
    let Some((client, to, _, body)) = chosen(data) else {
        return;
    };
    let Some((_, translation)) = translate(client, to, smallest(client).as_bytes()) else {
        return;
    };
    if let Ok(written) = translation.answer(body) {
        assert!(is_json(&written), "{}", String::from_utf8_lossy(&written));
        assert!(written.len() < body.len() * 20 + 10_000);
        answer_stays((to.0, client), &written);
    }
}

/// What was written for a client is read as an answer of its own protocol, with the same texts.
fn answer_stays((provider, protocol): Target, written: &[u8]) {
    let shown = || format!("{protocol}: {}", String::from_utf8_lossy(written));
    let own = translate(protocol, (provider, protocol), smallest(protocol).as_bytes());
    assert!(own.is_some(), "no translation, {}", shown());
    let Some((_, translation)) = own else { return };
    let again = translation.answer(written);
    assert!(again.is_ok(), "{again:?}, {}", shown());
    let again = again.unwrap_or_default();
    let said = |body: &[u8]| -> Vec<String> {
        answer_texts(protocol, body)
            .iter()
            .map(|span| span.text.clone().into_owned())
            .collect()
    };
    assert_eq!(said(&again), said(written), "{}", shown());
}

/// What a client reads, without what Ollama's answers say of the time that passed.
fn without_durations(client: Protocol, out: &[u8]) -> Vec<u8> {
    if !matches!(client, Protocol::OllamaChat | Protocol::OllamaGenerate) {
        return out.to_vec();
    }
    let lines = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            assert!(is_json(line), "{}", String::from_utf8_lossy(line));
            let mut line: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(line).unwrap_or_default();
            line.retain(|name, _| !name.ends_with("_duration"));
            serde_json::Value::Object(line).to_string()
        });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

/// A provider's stream, whole and in pieces.
pub(crate) fn stream(data: &[u8]) {
    let Some((client, to, size, body)) = chosen(data) else {
        return;
    };
    let Some((_, translation)) = translate(client, to, smallest(client).as_bytes()) else {
        return;
    };
    let run = |size: usize| {
        let mut stream = translation.clone().into_stream();
        let mut out = BytesMut::new();
        for piece in body.chunks(size) {
            stream.push(&Bytes::copy_from_slice(piece), &mut out);
        }
        stream.finish(&mut out);
        assert!(stream.is_whole() || stream.error().is_some());
        (
            without_durations(client, &out),
            stream.is_whole(),
            stream.has_content(),
        )
    };
    let whole = run(body.len().max(1));
    assert_eq!(whole, run(size), "{client} from {}", to.1);
    assert!(whole.0.len() < body.len() * 1_000 + 100_000);
    let mut tap = StreamTap::new(
        to.1,
        TapOptions {
            keep_text: true,
            ..TapOptions::default()
        },
    );
    for piece in body.chunks(size) {
        tap.feed(&Bytes::copy_from_slice(piece));
    }
    tap.finish();
}

/// Events of every framing, whole and in pieces; no byte is lost.
pub(crate) fn wire(data: &[u8]) {
    let [_, _, cut, body @ ..] = data else { return };
    for framing in [
        Framing::Sse,
        Framing::EventStream,
        Framing::Lines,
        Framing::JsonArray,
    ] {
        let run = |size: usize| {
            let mut splitter = EventSplitter::new(framing);
            let mut frames = Vec::new();
            for piece in body.chunks(size) {
                splitter.push(Bytes::copy_from_slice(piece));
                while let Some(event) = splitter.next_event() {
                    let _ = (event.name(), event.data());
                    frames.extend_from_slice(event.frame());
                }
            }
            frames.extend(
                splitter
                    .finish()
                    .into_iter()
                    .flat_map(|event| event.frame().to_vec()),
            );
            frames
        };
        let whole = run(body.len().max(1));
        assert_eq!(whole, run(usize::from(*cut) + 1), "{framing:?}");
        if framing != Framing::JsonArray {
            assert_eq!(whole, body, "{framing:?}");
        }
    }
}

/// A body seen as ranges: it is read where serde reads it, and its protocol is found or not.
pub(crate) fn view(data: &[u8]) {
    let body = data.get(3..).unwrap_or_default();
    if let Ok(view) = RequestView::parse(Bytes::copy_from_slice(body)) {
        assert!(is_json(body));
        for path in ["/v1/messages", "/v1/responses", "/model/m/converse", "/x"] {
            let _ = Protocol::detect(path, &view).map(|protocol| protocol.wants_stream(&view));
        }
        let _ = sluice_llm::has_images(body);
    }
}

/// Texts as guards see them: they are JSON strings at their ranges, and put back they change nothing.
pub(crate) fn texts(data: &[u8]) {
    let body = data.get(3..).unwrap_or_default();
    for protocol in Protocol::ALL {
        let prompts = prompt_messages(protocol, body)
            .into_iter()
            .flat_map(|message| message.spans);
        for span in prompts
            .chain(answer_texts(protocol, body))
            .chain(event_texts(protocol, body))
        {
            let raw = body.get(span.range.clone()).unwrap_or_default();
            assert_eq!(
                serde_json::from_slice::<String>(raw).ok().as_deref(),
                Some(&*span.text)
            );
            let other = replace_texts(body, [(span.range, "x")]);
            assert!(is_json(&other));
        }
    }
}
