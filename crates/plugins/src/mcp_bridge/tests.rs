use http_body_util::BodyExt;
use sluice_process::{ProcessOptions, Processes};
use tokio::runtime::Handle;

use super::*;
use crate::fixture::Fixture;

fn fixture(allowed: Value) -> Fixture {
    let options = ProcessOptions {
        allowed: serde_json::from_value(allowed).unwrap(),
        ..ProcessOptions::default()
    };
    Fixture::with(|services| services.processes = Processes::new(options, Handle::current()))
}

async fn verdict(plugin: &dyn Plugin, cx: &mut Context) -> Verdict {
    match plugin.access(cx) {
        Step::Done(verdict) => verdict,
        Step::Wait(future) => future.await,
    }
}

/// The reply to `GET uri` or `POST uri` with this body.
async fn ask(fixture: &Fixture, plugin: &dyn Plugin, uri: &str, body: Option<&str>) -> Result<Reply, u16> {
    let mut cx = fixture.context(if body.is_some() { "POST" } else { "GET" }, uri);
    if let Some(body) = body {
        cx.request.body.replace(body.to_owned().into());
    }
    match verdict(plugin, &mut cx).await {
        Verdict::Reply(reply) => Ok(*reply),
        Verdict::Fail(failure) => Err(failure.status().as_u16()),
        Verdict::Continue => panic!("it is terminal"),
    }
}

/// The next piece of a stream.
async fn next(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_session_from_beginning_to_end() {
    let fixture = fixture(json!([["/bin/sh", "-c", "read line; echo \"$line\""]]));
    let conf = json!({
        "base_uri": "/mcp", "command": "/bin/sh", "args": ["-c", "read line; echo \"$line\""],
    });
    let bridge = fixture.compile(definition, &conf).unwrap();
    let reply = ask(&fixture, &*bridge, "/mcp/sse", None).await.unwrap();
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    assert_eq!(reply.headers["cache-control"], "no-cache");
    let ReplyBody::Raw(mut body) = reply.body else {
        panic!("it streams")
    };
    let opening = next(&mut body).await.unwrap();
    let (endpoint, ping) = opening.split_once("\n\n").unwrap();
    let target = endpoint.strip_prefix("event: endpoint\ndata: ").unwrap();
    let id = target.strip_prefix("/mcp/message?sessionId=").unwrap();
    assert!(Uuid::try_parse(id).is_ok(), "{id}");
    assert!(ping.contains("\"id\":\"ping:1\""), "{ping}");

    let reply = ask(&fixture, &*bridge, target, Some("{\"id\":\n7}"))
        .await
        .unwrap();
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(
        next(&mut body).await.as_deref(),
        Some("event: message\ndata: {\"id\": 7}\n\n")
    );
    assert_eq!(next(&mut body).await, None, "the stream ends with the server");
}

#[tokio::test(start_paused = true)]
async fn pings_go_on() {
    let fixture = fixture(json!(["cat"]));
    let bridge = fixture.compile(definition, &json!({ "command": "cat" })).unwrap();
    let reply = ask(&fixture, &*bridge, "/sse", None).await.unwrap();
    let ReplyBody::Raw(mut body) = reply.body else {
        panic!("it streams")
    };
    let opening = next(&mut body).await.unwrap();
    assert!(opening.contains("data: /message?sessionId="), "{opening}");
    for number in 2..5 {
        let begun = tokio::time::Instant::now();
        let ping = next(&mut body).await.unwrap();
        assert!(ping.contains(&format!("\"ping:{number}\"")), "{ping}");
        assert_eq!(begun.elapsed().as_secs(), 30);
    }
}

#[tokio::test]
async fn the_endpoints_are_two() {
    let fixture = fixture(json!(["true"]));
    let conf = json!({ "command": "true", "base_uri": "/mcp" });
    let bridge = fixture.compile(definition, &conf).unwrap();
    for (uri, body) in [
        ("/mcp/message", None),
        ("/mcp/sse", Some("{}")),
        ("/mcp", None),
        ("/mcp/", None),
        ("/mcp/sse/", None),
        ("/mcpx/sse", None),
        ("/sse", None),
    ] {
        assert_eq!(
            ask(&fixture, &*bridge, uri, body).await.unwrap_err(),
            404,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn messages_that_reach_nobody() {
    let fixture = fixture(json!([]));
    let bridge = fixture
        .compile(definition, &json!({ "command": "true" }))
        .unwrap();
    let unknown = format!("/message?sessionId={}", Uuid::new_v4());
    for uri in [&*unknown, "/message", "/message?sessionId=x"] {
        let reply = ask(&fixture, &*bridge, uri, Some("{}")).await.unwrap();
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{uri}");
        assert_eq!(ask(&fixture, &*bridge, uri, Some("")).await.unwrap_err(), 400);
    }
    let long = "x".repeat(LINE_MAX + 1);
    assert_eq!(
        ask(&fixture, &*bridge, &unknown, Some(&long)).await.unwrap_err(),
        413
    );
}

#[tokio::test]
async fn a_command_that_is_not_allowed_compiles_and_does_not_run() {
    let fixture = fixture(json!(["/does/not/exist"]));
    for command in ["/bin/true", "/does/not/exist"] {
        let bridge = fixture
            .compile(definition, &json!({ "command": command }))
            .unwrap();
        assert_eq!(ask(&fixture, &*bridge, "/sse", None).await.unwrap_err(), 500);
    }
    let info = definition().unwrap().info;
    let allowed = serde_json::from_value(json!([["a", "b"]])).unwrap();
    let right = json!({ "command": "a", "args": ["b"] });
    assert_eq!(info.check_command(&right, &allowed), Ok(()));
    let refusal = info
        .check_command(&json!({ "command": "a" }), &allowed)
        .unwrap_err();
    assert!(refusal.contains("`commands.allowed`"), "{refusal}");
}
