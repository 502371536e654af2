//! The tables of compat §4.5–§4.9, row by row: status, body and content type of what each prompt plugin answers itself.

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway, Reply};

use crate::support::{gateway, node, put};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What a body must be.
enum Said {
    /// An object with this one member, as tables of APISIX are sent: with a line feed.
    Message(&'static str),
    /// The same, of whose text the beginning is known.
    MessageThatBegins(&'static str),
    /// The page of the status.
    Page,
    /// Nothing.
    Nothing,
}

/// A plugin, a request's body, and what comes of both.
type Row = (&'static str, Value, String, u16, Said);

/// A gateway whose every path has this plugin before an upstream that takes everything.
async fn with(gateway: &Gateway, upstream: &FakeProvider, plugin: &str, conf: &Value) {
    let route = json!({ "uri": "/*", "upstream": node(upstream.addr()), "plugins": { plugin: conf } });
    put(gateway, "/routes/1", route).await;
}

async fn check(call: Call, what: &str, status: u16, said: &Said) {
    let answer = call.send().await;
    assert_eq!(answer.status, status, "{what}");
    let content_type = answer.header("content-type").map(str::to_owned);
    let body = answer.text().await;
    let message = |body: &str| -> String {
        assert_eq!(content_type.as_deref(), Some(TEXT), "{what}");
        let object = body
            .strip_suffix('\n')
            .unwrap_or_else(|| panic!("{what}: {body}"));
        let object: Value = serde_json::from_str(object).unwrap();
        assert_eq!(
            object.as_object().map(serde_json::Map::len),
            Some(1),
            "{what}: {body}"
        );
        object["message"].as_str().unwrap().to_owned()
    };
    match said {
        Said::Message(text) => assert_eq!(message(&body), *text, "{what}"),
        Said::MessageThatBegins(text) => {
            let message = message(&body);
            assert!(
                message.starts_with(text) && message.len() > text.len(),
                "{what}: {message}"
            );
        }
        Said::Page => {
            assert_eq!(content_type.as_deref(), Some(HTML), "{what}");
            assert!(body.contains(&format!("<center><h1>{status} ")), "{what}: {body}");
        }
        Said::Nothing => assert_eq!(body, "", "{what}"),
    }
}

fn decorator(more: Value) -> Value {
    let mut conf = json!({ "prepend": [{ "role": "system", "content": "s" }] });
    extend(&mut conf, more);
    conf
}

fn template(content: &str, more: Value) -> Value {
    let messages = json!([{ "role": "user", "content": content }]);
    let mut conf = json!({ "templates": [{ "name": "t", "template": { "messages": messages } }] });
    extend(&mut conf, more);
    conf
}

fn rag() -> Value {
    let service = json!({ "endpoint": "http://127.0.0.1:1/", "api_key": "k" });
    json!({
        "embeddings_provider": { "azure_openai": service }, "vector_search_provider": { "azure_ai_search": service },
    })
}

fn rewrite(more: Value) -> Value {
    let mut conf = json!({
        "prompt": "p", "provider": "openai", "auth": {}, "override": { "endpoint": "http://127.0.0.1:1" },
    });
    extend(&mut conf, more);
    conf
}

fn extend(conf: &mut Value, more: Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        conf[name] = value.clone();
    }
}

fn small() -> Value {
    json!({ "max_req_body_size": 10 })
}

/// A chat whose messages are these: role and content.
fn chat(messages: &[(&str, &str)]) -> String {
    let messages: Vec<_> = messages
        .iter()
        .map(|(role, content)| json!({ "role": role, "content": content }))
        .collect();
    json!({ "messages": messages }).to_string()
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let (gateway, upstream) = (gateway().await, FakeProvider::start());
    let empty = "could not get body: request body is empty";
    let large = "could not get body: request size 11 is greater than the maximum size 10 allowed";
    let broken = "could not parse JSON request body: ";
    let eleven = || r#"{"abc":"d"}"#.to_owned();
    let rows: [Row; 17] = [
        (
            "ai-prompt-decorator",
            decorator(json!({})),
            String::new(),
            400,
            Said::Message(empty),
        ),
        (
            "ai-prompt-decorator",
            decorator(small()),
            eleven(),
            400,
            Said::Message(large),
        ),
        (
            "ai-prompt-decorator",
            decorator(json!({})),
            "{".to_owned(),
            400,
            Said::MessageThatBegins(broken),
        ),
        (
            "ai-prompt-template",
            template("x", json!({})),
            String::new(),
            400,
            Said::Message(empty),
        ),
        (
            "ai-prompt-template",
            template("x", small()),
            eleven(),
            400,
            Said::Message(large),
        ),
        (
            "ai-prompt-template",
            template("x", json!({})),
            "[".to_owned(),
            400,
            Said::MessageThatBegins(broken),
        ),
        ("ai-rag", rag(), String::new(), 400, Said::Message(empty)),
        (
            "ai-rag",
            rag(),
            "{".to_owned(),
            400,
            Said::MessageThatBegins(broken),
        ),
        ("ai-rag", rag(), "[1]".to_owned(), 400, Said::Page),
        ("ai-rag", rag(), r#"{"ai_rag":{}}"#.to_owned(), 400, Said::Page),
        (
            "ai-prompt-guard",
            json!({}),
            String::new(),
            400,
            Said::Message("Empty request body"),
        ),
        (
            "ai-prompt-guard",
            small(),
            eleven(),
            400,
            Said::Message("Empty request body"),
        ),
        (
            "ai-prompt-guard",
            json!({ "fail_mode": "error" }),
            "{".to_owned(),
            400,
            Said::MessageThatBegins(""),
        ),
        (
            "ai-prompt-guard",
            json!({ "fail_mode": "error" }),
            "{}".to_owned(),
            400,
            Said::Message("Request format not recognized by ai-prompt-guard"),
        ),
        (
            "ai-request-rewrite",
            rewrite(json!({})),
            String::new(),
            400,
            Said::Page,
        ),
        ("ai-request-rewrite", rewrite(small()), eleven(), 400, Said::Page),
        (
            "ai-request-rewrite",
            rewrite(json!({})),
            "x".to_owned(),
            500,
            Said::Page,
        ),
    ];
    for (plugin, conf, body, status, said) in rows {
        with(&gateway, &upstream, plugin, &conf).await;
        let what = format!("{plugin} {conf} {body}");
        check(gateway.client().post("/x").body(body), &what, status, &said).await;
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn templates_that_cannot_be_filled_in() {
    let (gateway, upstream) = (gateway().await, FakeProvider::start());
    for (content, body, status, message) in [
        ("x", "{}", 400, "template name is missing in request."),
        (
            "x",
            r#"{"template_name":""}"#,
            400,
            "template name is missing in request.",
        ),
        (
            "x",
            r#"{"template_name":"u"}"#,
            400,
            "template: u not configured.",
        ),
    ] {
        with(
            &gateway,
            &upstream,
            "ai-prompt-template",
            &template(content, json!({})),
        )
        .await;
        let call = gateway.client().post("/x").body(body);
        check(call, body, status, &Said::Message(message)).await;
    }
    with(
        &gateway,
        &upstream,
        "ai-prompt-template",
        &template("{% x %}", json!({})),
    )
    .await;
    let call = gateway.client().post("/x").body(r#"{"template_name":"t"}"#);
    let said = Said::MessageThatBegins("request template rendering: ");
    check(call, "a block of code", 503, &said).await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_a_template_makes_of_values() {
    let (gateway, upstream) = (gateway().await, FakeProvider::start());
    upstream.always(Reply::json(200, &json!({})));
    for (content, value, expected) in [
        (
            "{{v}}",
            json!("<a href='/'>\"&"),
            "&lt;a href=&#39;&#47;&#39;&gt;&quot;&amp;",
        ),
        ("{*v*}", json!("<a>"), "<a>"),
        ("{{v}}", json!(12.5), "12.5"),
        ("{{v}}", json!(true), "true"),
        ("[{{none}}]", json!(""), "[]"),
    ] {
        with(
            &gateway,
            &upstream,
            "ai-prompt-template",
            &template(content, json!({})),
        )
        .await;
        let filled = gateway
            .client()
            .post("/x")
            .json(&json!({ "template_name": "t", "v": value }));
        filled.send().await.expect_status(200).await.bytes().await;
        let sent = upstream.last_request().json();
        assert_eq!(
            sent,
            json!({ "messages": [{ "role": "user", "content": expected }] }),
            "{content} {value}"
        );
    }
}

#[tokio::test]
async fn what_the_pattern_guard_judges() {
    let (gateway, upstream) = (gateway().await, FakeProvider::start());
    upstream.always(Reply::json(200, &json!({})));
    let denied = || (400, Said::Message("Request contains prohibited content"));
    let unlike = || (400, Said::Message("Request doesn't match allow patterns"));
    let passes = || (200, Said::Message(""));
    let ended = || (200, Said::Nothing);
    let old = [("user", "bad"), ("assistant", "ok"), ("user", "fine")];
    let system = [("system", "bad"), ("user", "fine")];
    let last = [("user", "fine"), ("assistant", "bad")];
    let flags = |all_roles: bool, all_history: bool| {
        json!({
            "deny_patterns": ["b[a]d"], "match_all_roles": all_roles, "match_all_conversation_history": all_history,
        })
    };
    let allow = json!({ "allow_patterns": ["fine"] });
    let both = json!({ "allow_patterns": ["bad"], "deny_patterns": ["bad"] });
    let responses = r#"{"instructions":"bad","input":"fine"}"#.to_owned();
    let items = r#"{"input":[{"role":"user","content":"bad"},{"role":"user","content":"fine"}]}"#.to_owned();
    for (path, conf, body, (status, said)) in [
        ("/x", flags(false, false), chat(&old), passes()),
        ("/x", flags(false, true), chat(&old), denied()),
        ("/x", flags(false, true), chat(&system), passes()),
        ("/x", flags(true, true), chat(&system), denied()),
        ("/x", flags(true, false), chat(&system), passes()),
        ("/x", flags(true, false), chat(&last), denied()),
        ("/x", flags(false, false), chat(&last), ended()),
        ("/x", allow.clone(), chat(&old), passes()),
        ("/x", allow.clone(), chat(&[("user", "else")]), unlike()),
        ("/x", allow, chat(&[("user", "")]), ended()),
        ("/x", both, chat(&[("user", "bad")]), denied()),
        ("/v1/responses", flags(false, false), responses.clone(), passes()),
        ("/v1/responses", flags(true, false), responses, denied()),
        ("/v1/responses", flags(false, false), items, denied()),
        ("/x", json!({}), "{".to_owned(), passes()),
        (
            "/x",
            json!({ "fail_mode": "warn" }),
            r#"{"a":1}"#.to_owned(),
            passes(),
        ),
    ] {
        with(&gateway, &upstream, "ai-prompt-guard", &conf).await;
        let before = upstream.requests().len();
        let what = format!("{path} {conf} {body}");
        let call = gateway.client().post(path).body(body);
        if matches!(said, Said::Message("")) {
            call.send().await.expect_status(200).await.bytes().await;
            assert_eq!(upstream.requests().len(), before + 1, "{what}");
        } else {
            check(call, &what, status, &said).await;
            assert_eq!(upstream.requests().len(), before, "{what}");
        }
    }
}

#[tokio::test]
async fn services_that_a_lookup_needs() {
    let (gateway, upstream, embeddings, search) = (
        gateway().await,
        FakeProvider::start(),
        FakeProvider::start(),
        FakeProvider::start(),
    );
    let vector = json!({ "data": [{ "embedding": [1] }] });
    embeddings.always(Reply::json(200, &vector));
    let mut conf = rag();
    conf["embeddings_provider"]["azure_openai"]["endpoint"] = json!(embeddings.url("/e"));
    conf["vector_search_provider"]["azure_ai_search"]["endpoint"] = json!(search.url("/s"));
    with(&gateway, &upstream, "ai-rag", &conf).await;
    let body = json!({
        "messages": [], "ai_rag": { "embeddings": { "input": "i" }, "vector_search": { "fields": "f" } },
    });
    for (of_embeddings, of_search, status, said) in [
        (Some(Reply::body(429, "text/plain", "slow")), None, 429, "slow"),
        (
            Some(Reply::json(200, &json!({}))),
            None,
            500,
            "the embeddings service answered no embedding",
        ),
        (
            Some(Reply::raw("no http\r\n\r\n")),
            None,
            500,
            "the lookup service did not answer",
        ),
        (None, Some(Reply::body(404, "application/json", "{}")), 404, "{}"),
        (
            None,
            Some(Reply::raw("no http\r\n\r\n")),
            500,
            "the lookup service did not answer",
        ),
    ] {
        if let Some(reply) = of_embeddings {
            embeddings.next(reply);
        }
        if let Some(reply) = of_search {
            search.next(reply);
        }
        let answer = gateway.client().post("/x").json(&body).send().await;
        assert_eq!(answer.status, status, "{said}");
        assert_eq!(answer.text().await, said);
    }
    assert!(upstream.requests().is_empty());
}
