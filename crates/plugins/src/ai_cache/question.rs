//! What is asked, as keys: which requests get the same answer (compat §4.13, "Scope", "Fingerprint").

use serde_json::{Map, Value, json};
use sluice_core::{AiCall, Context, Profile};
use sluice_llm::Protocol;
use sluice_resource::Variables;
use sluice_wire::sha256_hex;

use super::schema::KeyConfig;

/// Who shares answers with the caller.
pub(super) fn scope(config: &KeyConfig, cx: &Context) -> String {
    let mut scope = String::new();
    let mut add = |name: &str, value: &str| {
        if !scope.is_empty() {
            scope.push(':');
        }
        scope.push_str(name);
        scope.push('=');
        for char in value.chars() {
            match char {
                '%' => scope.push_str("%25"),
                ':' => scope.push_str("%3A"),
                '=' => scope.push_str("%3D"),
                other => scope.push(other),
            }
        }
    };
    if !config.share_across_routes {
        add("route", cx.route.as_ref().map_or("", |matched| &matched.route.id));
    }
    if config.include_consumer {
        add("consumer", cx.consumer_name().map_or("", |name| name));
    }
    for name in &config.include_vars {
        add(name, &cx.get(name).unwrap_or_default());
    }
    if scope.is_empty() {
        scope.push_str("shared");
    }
    scope
}

/// A request without what does not change its answer: two that are equal here are the same question.
pub(super) struct Question {
    /// Everything but the messages.
    pub(super) settings: Value,
    /// `messages` of the body; null where the protocol has another member for them.
    pub(super) messages: Value,
}

impl Question {
    /// `None` for calls without a body, or whose body is no object.
    pub(super) fn of(cx: &Context, ai: &AiCall) -> Option<Self> {
        let body = ai.request.as_ref()?.bytes();
        let mut members: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let mut messages = members.remove("messages").unwrap_or_default();
        members.remove("stream");
        let in_body = members.remove("model");
        let asked = in_body.unwrap_or_else(|| json!(ai.model));
        let picked = &ai.picked;
        // Where the protocol is not known, the path says what is asked for.
        let target = (ai.protocol == Protocol::Passthrough).then_some((&cx.request.path, &cx.request.query));
        let mut settings = json!({
            "protocol": ai.protocol.name(),
            "native": cx.profile == Profile::Native,
            "stream": ai.stream,
            "model": picked.model.as_ref().map_or(asked, |model| json!(model)),
            "target": picked.settings,
            "path": target,
            "members": members,
        });
        settings.sort_all_objects();
        messages.sort_all_objects();
        Some(Self { settings, messages })
    }

    /// Digest of the whole question.
    pub(super) fn fingerprint(&self) -> String {
        digest(&json!([self.settings, self.messages]))
    }

    /// Digest of the question with other messages, among askers of one scope.
    pub(super) fn partition(&self, scope: &str, messages: &[Value]) -> String {
        digest(&json!([scope, self.settings, messages]))
    }
}

fn digest(value: &Value) -> String {
    sha256_hex(value.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use sluice_core::AiLogging;
    use sluice_record::Text;

    use super::*;
    use crate::fixture::{Fixture, chat, route};

    fn question(fixture: &Fixture, body: &'static str, change: impl FnOnce(&mut AiCall)) -> String {
        let cx = fixture.context("POST", "/v1/chat/completions?a=1");
        let mut ai = chat(body, AiLogging::default());
        change(&mut ai);
        Question::of(&cx, &ai).unwrap().fingerprint()
    }

    #[tokio::test]
    async fn what_makes_a_question_another() {
        let fixture = Fixture::new();
        let of = |body| question(&fixture, body, |_| {});
        let plain = of(r#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"n":1,"top_p":0.5}"#);
        assert_eq!(plain.len(), 64);
        assert_eq!(
            of(r#"{ "top_p": 0.50, "n": 1, "messages": [{"content":"a", "role":"user"}], "model":"gpt" }"#),
            plain,
            "order and blanks do not count"
        );
        for other in [
            r#"{"model":"gpt","messages":[{"role":"user","content":"b"}],"n":1,"top_p":0.5}"#,
            r#"{"model":"gpt","messages":[{"role":"system","content":"a"}],"n":1,"top_p":0.5}"#,
            r#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"n":2,"top_p":0.5}"#,
            r#"{"model":"gpt2","messages":[{"role":"user","content":"a"}],"n":1,"top_p":0.5}"#,
        ] {
            assert_ne!(of(other), plain, "{other}");
        }
        let body = r#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"n":1,"top_p":0.5}"#;
        let changed = |change: fn(&mut AiCall)| question(&fixture, body, change);
        assert_ne!(changed(|ai| ai.stream = true), plain);
        assert_ne!(changed(|ai| ai.protocol = Protocol::AnthropicMessages), plain);
        assert_ne!(changed(|ai| ai.picked.settings = Text::from("x")), plain);
        assert_ne!(changed(|ai| ai.picked.model = Some(Text::from("own"))), plain);
        assert_eq!(changed(|ai| ai.picked.model = Some(Text::from("gpt"))), plain);
        assert_eq!(changed(|ai| ai.picked.index = 7), plain, "equal instances share");
    }

    #[tokio::test]
    async fn the_path_counts_where_the_protocol_is_not_known() {
        let fixture = Fixture::new();
        let fingerprint = |uri: &str, protocol| {
            let cx = fixture.context("POST", uri);
            let mut ai = chat(r#"{"input":"a"}"#, AiLogging::default());
            ai.protocol = protocol;
            Question::of(&cx, &ai).unwrap().fingerprint()
        };
        let unknown = Protocol::Passthrough;
        assert_ne!(
            fingerprint("/v1/moderations", unknown),
            fingerprint("/v1/rerank", unknown)
        );
        assert_ne!(
            fingerprint("/v1/a?b=1", unknown),
            fingerprint("/v1/a?b=2", unknown)
        );
        let known = Protocol::OpenAiResponses;
        assert_eq!(
            fingerprint("/v1/responses", known),
            fingerprint("/x/v1/responses", known)
        );
    }

    #[tokio::test]
    async fn calls_without_an_object_are_no_questions() {
        let fixture = Fixture::new();
        let cx = fixture.context("GET", "/v1/models");
        let mut ai = chat("[1]", AiLogging::default());
        assert!(Question::of(&cx, &ai).is_none());
        ai.request = None;
        assert!(Question::of(&cx, &ai).is_none());
    }

    #[tokio::test]
    async fn scopes() {
        let fixture = Fixture::new();
        let mut cx = fixture.context("POST", "/x?team=a:b");
        cx.route = Some(route(None));
        cx.request.headers.insert("x-tenant", "50%=".parse().unwrap());
        let of = |share, consumer, vars: &[&str]| {
            let config = KeyConfig {
                share_across_routes: share,
                include_consumer: consumer,
                include_vars: vars.iter().map(|var| (*var).to_owned()).collect(),
            };
            scope(&config, &cx)
        };
        assert_eq!(of(false, false, &[]), "route=1");
        assert_eq!(of(true, false, &[]), "shared");
        assert_eq!(of(true, true, &[]), "consumer=");
        assert_eq!(
            of(false, false, &["http_x_tenant", "arg_none"]),
            "route=1:http_x_tenant=50%25%3D:arg_none="
        );
        assert_eq!(of(true, false, &["arg_team"]), "arg_team=a%3Ab");
    }
}
