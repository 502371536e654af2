//! The golden matrix: one request in each client protocol, what every provider gets for it, and what clients get of a
//! provider's answer. After a deliberate change: `INSTA_UPDATE=always cargo test -p sluice-llm --test golden`, and read
//! the differences.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde_json::value::RawValue;
use sluice_llm::{
    BodyEdits, BodyPlan, Carriage, Conversion, Protocol, Provider, ProviderConf, RequestView,
    StreamConversion, StreamOutcome, StreamUsage,
};

/// Client protocols, and a path that means each.
const CLIENTS: [(Protocol, &str); 5] = [
    (Protocol::AnthropicMessages, "/v1/messages"),
    (Protocol::BedrockConverse, "/converse"),
    (Protocol::OpenAiChat, "/v1/chat/completions"),
    (Protocol::OpenAiEmbeddings, "/v1/embeddings"),
    (Protocol::OpenAiResponses, "/v1/responses"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read(kind: &str, name: &str) -> Bytes {
    std::fs::read(folder().join(kind).join(name)).unwrap().into()
}

fn request(protocol: Protocol) -> RequestView {
    RequestView::parse(read("inputs", &format!("{protocol}.json"))).unwrap()
}

/// The path called and the body sent, with `override.llm_options.max_tokens` set.
fn sent(provider: &'static Provider, carriage: Carriage, request: &RequestView) -> String {
    let conf = ProviderConf {
        project_id: Some("project".to_owned()),
        region: Some("eu-central-1".to_owned()),
    };
    let edits = BodyEdits {
        stream_usage: StreamUsage::Forced,
        options: None,
        max_tokens: Some(64),
        request_body: None,
        force: false,
    };
    let converted = Conversion::of(carriage, request).unwrap();
    let converted = converted.map(|(body, _)| RequestView::parse(body).unwrap());
    let body = converted.as_ref().unwrap_or(request).json();
    let body = BodyPlan::compile(provider, carriage.target(), &edits)
        .apply(body)
        .unwrap();
    let path = carriage
        .endpoint()
        .and_then(|endpoint| endpoint.path(&conf, request.model().as_deref(), request.stream()));
    format!("POST {}\n{}", path.unwrap(), pretty(&body))
}

/// One member of the top level and one message, tool or choice per line; everything else as it stands.
fn pretty(body: &[u8]) -> String {
    let raw: &RawValue = serde_json::from_slice(body).unwrap();
    let mut out = String::new();
    lay_out(raw, 0, &mut out);
    out
}

fn lay_out(value: &RawValue, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth + 1);
    let close = "  ".repeat(depth);
    let text = value.get();
    if depth > 1 || text.len() < 80 {
        out.push_str(text.trim());
    } else if let Ok(members) = serde_json::from_str::<indexed::Members<'_>>(text) {
        out.push_str("{\n");
        for (index, (name, member)) in members.0.iter().enumerate() {
            let comma = if index + 1 < members.0.len() { "," } else { "" };
            write!(out, "{indent}\"{name}\": ").unwrap();
            lay_out(member, depth + 1, out);
            writeln!(out, "{comma}").unwrap();
        }
        write!(out, "{close}}}").unwrap();
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        out.push_str("[\n");
        for (index, item) in items.iter().enumerate() {
            let comma = if index + 1 < items.len() { "," } else { "" };
            out.push_str(&indent);
            lay_out(item, depth + 1, out);
            writeln!(out, "{comma}").unwrap();
        }
        write!(out, "{close}]").unwrap();
    } else {
        out.push_str(text.trim());
    }
}

/// The providers that APISIX has.
const PROVIDERS: [&str; 10] = [
    "openai",
    "openai-compatible",
    "azure-openai",
    "anthropic",
    "deepseek",
    "aimlapi",
    "openrouter",
    "gemini",
    "vertex-ai",
    "bedrock",
];

fn assert_golden(name: &str, content: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, content));
}

#[test]
fn requests() {
    let mut refused = String::new();
    for (protocol, path) in CLIENTS {
        let request = request(protocol);
        assert_eq!(Protocol::detect(path, &request), Some(protocol));
        for provider in PROVIDERS.map(|name| Provider::find(name).unwrap()) {
            match provider.carriage(protocol) {
                Ok(carriage) => {
                    let name = format!("{protocol}.to.{provider}");
                    assert_golden(&name, &sent(provider, carriage, &request));
                }
                Err(error) => writeln!(refused, "{error}").unwrap(),
            }
        }
    }
    assert_golden("refused", &refused);
}

/// The conversion of the golden request of a protocol for a provider, and the name that `mcp.files read` goes by.
fn conversion(protocol: Protocol, provider: &str) -> (Conversion, String) {
    let carriage = Provider::find(provider).unwrap().carriage(protocol).unwrap();
    let (body, conversion) = Conversion::of(carriage, &request(protocol)).unwrap().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let name = body
        .find("mcp_files_read_")
        .map(|at| body[at..at + 23].to_owned());
    (conversion, name.unwrap_or_default())
}

fn answer(file: &str, name: &str) -> Bytes {
    let text = String::from_utf8(read("answers", file).to_vec()).unwrap();
    text.replace("mcp_files_read_SENT", name).into()
}

#[test]
fn whole_answers() {
    for (client, provider, target) in [
        (Protocol::AnthropicMessages, "openai", Protocol::OpenAiChat),
        (Protocol::OpenAiEmbeddings, "vertex-ai", Protocol::VertexPredict),
    ] {
        let (conversion, name) = conversion(client, provider);
        let answer = answer(&format!("{target}.json"), &name);
        let shown = conversion.answer(StatusCode::OK, None, &answer).unwrap();
        assert_golden(&format!("{client}.from.{target}"), &pretty(&shown));
    }
}

#[test]
fn streamed_answers() {
    let (conversion, name) = conversion(Protocol::AnthropicMessages, "openai");
    let Some(StreamConversion::Anthropic(mut stream)) = conversion.into_stream() else {
        panic!("no stream")
    };
    let mut out = BytesMut::new();
    let answer = answer("openai-chat.sse", &name);
    let text = std::str::from_utf8(&answer).unwrap();
    for frame in text.split_inclusive("\n\n") {
        stream.push(frame.as_bytes(), &mut out);
    }
    assert_eq!(stream.finish(&mut out), StreamOutcome::Complete);
    let shown = std::str::from_utf8(&out).unwrap();
    assert_golden("anthropic-messages.from.openai-chat.stream", shown);
}

/// JSON objects with their order and their members' spelling.
mod indexed {
    use std::fmt;

    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
    use serde_json::value::RawValue;

    pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

    struct InOrder;

    impl<'de> Visitor<'de> for InOrder {
        type Value = Members<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Members(members))
        }
    }

    impl<'de> Deserialize<'de> for Members<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(InOrder)
        }
    }
}
