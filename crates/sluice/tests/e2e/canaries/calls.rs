//! Every request there is. The answers to it are a sink.

use serde_json::json;
use sluice_testkit::{Call, Client, FakeProvider, Gate, Gateway, Reply};

use super::sinks::Sinks;
use super::{CLIENT, LLM, MARKER, ODD_CLIENT, WRONG};
use crate::support::chat;

struct Caller<'a> {
    client: Client,
    sinks: &'a mut Sinks,
}

pub(super) async fn make_all(gateway: &Gateway, provider: &FakeProvider, sinks: &mut Sinks) {
    let client = gateway.client().with_header("user-agent", MARKER);
    let mut caller = Caller { client, sinks };
    caller.show_keys().await;
    caller.show_keys_in_odd_places().await;
    caller.meet_failures(provider).await;
    caller.send_nonsense().await;
    let mut raw = gateway.client().raw().await;
    raw.write(format!(
        "GET /x HTTP/1.1\r\nhost: a\r\napikey: {CLIENT}\r\nbad header\r\n\r\n"
    ))
    .await;
    caller
        .sinks
        .add("answer to a broken head", raw.read_to_end().await);
}

impl Caller<'_> {
    async fn send(&mut self, call: Call) {
        let answer = call.send().await;
        let head = format!("{} {:?}", answer.status, answer.headers);
        let body = answer
            .try_bytes()
            .await
            .map(|body| body.to_vec())
            .unwrap_or_default();
        self.sinks
            .add("answers of the proxy", [head.as_bytes(), &body].concat());
    }

    /// Where callers put their keys, right and wrong.
    async fn show_keys(&mut self) {
        for (key, path) in [CLIENT, WRONG]
            .into_iter()
            .flat_map(|key| ["/ai", "/plain", LLM].map(|path| (key, path)))
        {
            for (name, value) in [
                ("apikey", key.to_owned()),
                ("authorization", format!("Bearer {key}")),
                ("authorization", key.to_owned()),
                ("x-api-key", key.to_owned()),
                ("api-key", key.to_owned()),
                ("x-goog-api-key", key.to_owned()),
                ("referer", format!("http://here/?key={key}")),
            ] {
                let call = self
                    .client
                    .post(path)
                    .json(&chat("conf:hello"))
                    .header(name, &value);
                self.send(call).await;
            }
            for name in ["key", "apikey", "api_key", "access_token", "Key", "%6bey"] {
                let target = format!("{path}?x=1&{name}={key}&y=2");
                let call = self.client.post(&target).json(&chat("conf:hello"));
                self.send(call).await;
            }
        }
    }

    /// Where one route reads them from.
    async fn show_keys_in_odd_places(&mut self) {
        for key in [ODD_CLIENT, WRONG] {
            for call in [
                self.client.post("/odd").header("x-odd-key", key),
                self.client.post(&format!("/odd?tok={key}")),
                self.client.post(&format!("/odd?%74ok={key}")),
            ] {
                self.send(call.json(&chat("conf:hello"))).await;
            }
        }
    }

    /// What may go wrong upstream.
    async fn meet_failures(&mut self, provider: &FakeProvider) {
        for path in ["/ai", LLM] {
            let call = self.client.post(path).header("apikey", CLIENT);
            for text in ["conf:err400", "conf:err429", "conf:err500", "conf:cut"] {
                let mut body = chat(text);
                body["stream"] = json!(true);
                self.send(call.clone().json(&body)).await;
            }
            for reply in [
                Reply::hang_up(),
                Reply::raw("no http at all\r\n\r\n"),
                Reply::contract().head_gated(&Gate::closed()),
                Reply::body(200, "application/json", "no json"),
                Reply::json(200, &json!({})),
                Reply::json(401, &json!({ "error": { "message": "who are you" } })),
            ] {
                provider.next(reply);
                self.send(call.clone().json(&chat("hi"))).await;
            }
        }
        for path in ["/closed", "/tls", "/name"] {
            let call = self.client.post(path).header("apikey", CLIENT);
            self.send(call.json(&chat("hi"))).await;
        }
    }

    /// What may be wrong with a request.
    async fn send_nonsense(&mut self) {
        for body in [
            "",
            "no json",
            "{}",
            r#"{"model":"a","model":"b","messages":[]}"#,
            "[[[[[[[[",
        ] {
            for path in ["/ai", LLM] {
                let call = self.client.post(path).header("apikey", CLIENT);
                self.send(call.header("content-type", "application/json").body(body))
                    .await;
            }
        }
        let nowhere = self.client.get(&format!("/nowhere?key={CLIENT}"));
        self.send(nowhere.header("apikey", CLIENT)).await;
    }
}
