use sluice_core::AiLogging;
use sluice_observe::AttributeValue;
use sluice_record::{AiRecord, Text};
use sluice_resource::CheckScope;

use super::*;
use crate::fixture::{self, Fixture};

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn value<'a>(span: &'a Span, name: &str) -> Option<&'a AttributeValue> {
    let found = span.attributes.iter().find(|attribute| attribute.name == name);
    found.map(|attribute| &attribute.value)
}

fn text(span: &Span, name: &str) -> String {
    match value(span, name) {
        Some(AttributeValue::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

async fn traced(fixture: &Fixture, sent: Option<&'static str>, conf: &Value) -> Context {
    let plugin = fixture.compile(definition, conf).unwrap();
    let mut cx = fixture.context("POST", "/v1/chat?key=secret");
    if let Some(sent) = sent {
        cx.request
            .headers
            .insert("traceparent", HeaderValue::from_static(sent));
    }
    assert!(matches!(plugin.rewrite(&mut cx), Step::Done(_)));
    cx
}

#[tokio::test]
async fn a_trace_is_joined_and_passed_on() {
    let fixture = Fixture::new();
    let on = json!({ "sampler": { "name": "parent_base" } });
    let cx = traced(&fixture, Some(SENT), &on).await;
    let Trace { span, parent } = cx.trace.unwrap();
    assert_eq!(span.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    assert_eq!((parent, span.sampled), (Some(0xb7ad_6b71_6920_3331), true));
    assert_ne!(Some(span.span_id), parent);
    assert_eq!(cx.request.header("traceparent"), Some(&*span.to_string()));
}

#[tokio::test]
async fn without_a_trace_one_begins() {
    let mut fixture = Fixture::new();
    let on = json!({ "sampler": { "name": "always_on" } });
    let first = traced(&fixture, Some("00-bad"), &on).await.trace.unwrap();
    assert_eq!((first.parent, first.span.sampled), (None, true));
    let second = traced(&fixture, None, &on).await.trace.unwrap();
    assert_ne!(first.span.trace_id, second.span.trace_id);

    fixture.metadata = Some(json!({ "trace_id_source": "x-request-id" }));
    let plugin = fixture.compile(definition, &on).unwrap();
    let mut cx = fixture.context("GET", "/");
    let id = HeaderValue::from_static("01234567-89ab-cdef-0123-456789abcdef");
    cx.request.headers.insert("x-request-id", id);
    assert!(matches!(plugin.rewrite(&mut cx), Step::Done(_)));
    assert_eq!(
        cx.trace.unwrap().span.trace_id,
        0x0123_4567_89ab_cdef_0123_4567_89ab_cdef
    );
}

#[tokio::test]
async fn what_spans_tell() {
    let fixture = Fixture::new();
    let mut cx = traced(
        &fixture,
        Some(SENT),
        &json!({ "sampler": { "name": "always_on" } }),
    )
    .await;
    cx.request
        .headers
        .insert("x-team-a", HeaderValue::from_static("red"));
    cx.request
        .headers
        .insert("authorization", HeaderValue::from_static("secret"));
    cx.route = Some(fixture::route(None));
    let mut call = fixture::chat("{}", AiLogging::default());
    call.model_sent = Some(Text::from("gpt-5"));
    cx.ai = Some(call);
    let started = cx.started;
    cx.attempts = [502_u16, 200]
        .map(|status| sluice_core::Trial {
            addr: Text::from("api.example:443"),
            status,
            started,
            ended: Some(started),
        })
        .into();
    let mut record = fixture.record(&cx);
    record.matched_uri = Some(Text::from("/v1/*"));
    let mut ai = AiRecord {
        protocol: "openai-chat",
        provider: "azure-openai",
        model_sent: Text::from("gpt-5"),
        ..AiRecord::default()
    };
    ai.usage.input = 7;
    record.ai = Some(Box::new(ai));
    let trace = cx.trace.unwrap();

    let mut server = spans::server(&cx, &record, trace);
    let wanted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    spans::add(
        &mut server,
        &cx,
        &wanted(&["route_id", "nothing"]),
        &wanted(&["X-Team-*", "authorization"]),
    );
    assert_eq!((&*server.name, server.parent), ("POST /v1/*", trace.parent));
    assert_eq!(server.ended_us - server.started_us, 250_000);
    assert_eq!(text(&server, "http.target"), "/v1/chat?key=***");
    assert_eq!(text(&server, "route_id"), "1");
    assert_eq!(
        (text(&server, "x-team-a"), text(&server, "authorization")),
        ("red".into(), "***".into())
    );
    assert_eq!(
        value(&server, "http.status_code"),
        Some(&AttributeValue::Int(200))
    );
    assert!(!server.failed && value(&server, "nothing").is_none());

    let calls = spans::provider_calls(&cx, &record, trace);
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!(
            (&*call.name, call.parent),
            ("chat gpt-5", Some(trace.span.span_id))
        );
        assert_eq!(text(call, "gen_ai.provider.name"), "azure.ai.openai");
        assert_eq!(value(call, "server.port"), Some(&AttributeValue::Int(443)));
    }
    assert!(calls[0].failed && !calls[1].failed);
    assert_eq!(text(&calls[0], "error.type"), "502");
    assert_eq!(value(&calls[0], "gen_ai.usage.input_tokens"), None);
    assert_eq!(
        value(&calls[1], "gen_ai.usage.input_tokens"),
        Some(&AttributeValue::Int(7))
    );
}

#[test]
fn configurations_are_checked() {
    let info = definition().unwrap().info;
    assert_eq!(info.check(&json!({}), CheckScope::Main), Ok(()));
    for conf in [
        json!({ "sampler": { "name": "sometimes" } }),
        json!({ "additional_attributes": [] }),
    ] {
        assert!(info.check(&conf, CheckScope::Main).is_err(), "{conf}");
    }
    let metadata = json!({ "collector": { "address": 1 } });
    assert!(info.check(&metadata, CheckScope::Metadata).is_err());
}
