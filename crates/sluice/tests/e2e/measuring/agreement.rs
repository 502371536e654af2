//! Both ways of counting (DESIGN §5): what follows APISIX agrees among itself, what follows the normal form agrees
//! among itself, and the two agree wherever the provider reported usage.

use serde_json::{Value, json};
use sluice_ledger::Entry;
use sluice_llm::Usage;
use sluice_testkit::{FakeProvider, Gate, Gateway, Reply};

use super::{access_log, json_lines};
use crate::ledger::entries;
use crate::scrape::Scrape;
use crate::support::{binary, chat, openai, put_route};

const LIMIT: u64 = 1_000_000;

/// Prompt and completion tokens.
type Tokens = (u64, u64);

/// One request, by a consumer of its own.
struct Case {
    name: &'static str,
    path: &'static str,
    body: Value,
    /// What the provider answers, if not by its prompt contract.
    reply: Option<Reply>,
    /// Events after which the client leaves.
    leaves_after: Option<usize>,
    /// What the provider reported, if it did.
    reported: Option<Tokens>,
}

impl Case {
    fn new(name: &'static str, path: &'static str, body: Value) -> Self {
        Self {
            name,
            path,
            body,
            reply: None,
            leaves_after: None,
            reported: None,
        }
    }

    fn streamed(mut self) -> Self {
        self.body["stream"] = json!(true);
        self
    }

    fn answered(mut self, reply: Reply) -> Self {
        self.reply = Some(reply);
        self
    }

    fn leaving_after(mut self, events: usize) -> Self {
        self.leaves_after = Some(events);
        self
    }

    fn reports(mut self, prompt: u64, completion: u64) -> Self {
        self.reported = Some((prompt, completion));
        self
    }

    /// Instance of the route that it calls.
    fn instance(&self) -> &'static str {
        if self.path == MESSAGES {
            "ai-proxy-anthropic"
        } else {
            "ai-proxy-openai"
        }
    }
}

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const EMBEDDINGS: &str = "/v1/embeddings";
const MESSAGES: &str = "/anthropic/v1/messages";
const CONVERTED: &str = "/openai/v1/messages";

fn chunk(delta: &str) -> String {
    let choice = json!({ "index": 0, "delta": { "content": delta }, "finish_reason": null });
    json!({ "id": "c", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [choice] })
        .to_string()
}

fn usage_chunk(prompt: u64, completion: u64) -> String {
    let usage = json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion });
    json!({ "id": "c", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [], "usage": usage })
        .to_string()
}

fn completion(usage: Value) -> Reply {
    let message = json!({ "role": "assistant", "content": "a few words of an answer" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let mut body = json!({ "id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": [choice] });
    if !usage.is_null() {
        body["usage"] = usage;
    }
    Reply::json(200, &body)
}

/// A gate that lets so many frames through and no more.
fn gate(frames: usize) -> Gate {
    let gate = Gate::closed();
    gate.open(frames);
    gate
}

fn cases() -> Vec<Case> {
    let message = json!({ "model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{ "role": "user", "content": "conf:hello" }] });
    let input = json!({ "model": "gpt-4o", "input": "conf:hello" });
    let details = json!({
        "prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130,
        "prompt_tokens_details": { "cached_tokens": 40 }, "completion_tokens_details": { "reasoning_tokens": 12 },
    });
    let words = || [chunk("some"), chunk(" words"), chunk(" more")];
    let late = [chunk("some"), usage_chunk(11, 7), "[DONE]".to_owned()];
    vec![
        Case::new("whole", CHAT, chat("conf:hello")).reports(10, 5),
        Case::new("details", CHAT, chat("hi"))
            .answered(completion(details))
            .reports(100, 30),
        Case::new("silent", CHAT, chat("hi")).answered(completion(Value::Null)),
        Case::new("stream", CHAT, chat("conf:hello"))
            .streamed()
            .reports(10, 5),
        Case::new("reasoning", CHAT, chat("conf:reason"))
            .streamed()
            .reports(12, 20),
        Case::new("tools", CHAT, chat("conf:tool"))
            .streamed()
            .reports(20, 7),
        Case::new("unreported", CHAT, chat("hi"))
            .streamed()
            .answered(Reply::events(words())),
        Case::new("aborted", CHAT, chat("hi"))
            .streamed()
            .answered(Reply::events(words()).gated(&gate(2)))
            .leaving_after(2),
        Case::new("late", CHAT, chat("hi"))
            .streamed()
            .answered(Reply::events(late).gated(&gate(2)))
            .leaving_after(2)
            .reports(11, 7),
        Case::new("cut", CHAT, chat("conf:cut")).streamed(),
        Case::new("err400", CHAT, chat("conf:err400")).reports(0, 0),
        Case::new("err429", CHAT, chat("conf:err429")).reports(0, 0),
        Case::new("err500", CHAT, chat("conf:err500"))
            .streamed()
            .reports(0, 0),
        Case::new(
            "embeddings",
            EMBEDDINGS,
            json!({ "model": "text-embedding-3-small", "input": ["a", "b", "c"] }),
        )
        .reports(12, 0),
        Case::new("responses", RESPONSES, input.clone()).reports(10, 5),
        Case::new("responses_stream", RESPONSES, input)
            .streamed()
            .reports(10, 5),
        Case::new("messages", MESSAGES, message.clone()).reports(10, 5),
        Case::new("messages_stream", MESSAGES, message.clone())
            .streamed()
            .reports(10, 5),
        Case::new("converted", CONVERTED, message.clone()).reports(10, 5),
        Case::new("converted_stream", CONVERTED, message)
            .streamed()
            .reports(10, 5),
    ]
}

async fn start(provider: &FakeProvider, cases: &[Case]) -> Gateway {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_ACCESS_LOG_TARGET", "access.log")
        .start()
        .await;
    let file = json!({ "path": gateway.dir().join("logger.log"), "log_format": {
        "consumer": "$consumer_name", "prompt": "$llm_prompt_tokens", "completion": "$llm_completion_tokens",
        "total": "$llm_total_tokens",
    } });
    let conf = |provider_name: &str| {
        let mut conf = openai(provider);
        conf["provider"] = json!(provider_name);
        conf["logging"] = json!({ "summaries": true });
        conf
    };
    for (id, path, provider_name) in [
        ("chat", CHAT, "openai"),
        ("responses", RESPONSES, "openai"),
        ("embeddings", EMBEDDINGS, "openai"),
        ("messages", MESSAGES, "anthropic"),
        ("converted", CONVERTED, "openai"),
    ] {
        let mut conf = conf(provider_name);
        if path == MESSAGES {
            conf["override"]["endpoint"] = json!(provider.url("/v1/messages"));
        }
        let plugins = json!({ "key-auth": {}, "ai-proxy": conf, "prometheus": {}, "file-logger": file });
        put_route(&gateway, id, path, plugins).await;
    }
    // Same instances, other routes: shows what is left of a quota, and nothing else.
    for name in ["openai", "anthropic"] {
        let plugins = json!({ "key-auth": {}, "ai-proxy": conf(name) });
        put_route(
            &gateway,
            &format!("probe-{name}"),
            &format!("/probe-{name}"),
            plugins,
        )
        .await;
    }
    for case in cases {
        let limit = json!({ "limit": LIMIT, "time_window": 3600 });
        let plugins = json!({ "key-auth": { "key": case.name }, "ai-rate-limiting": limit });
        let consumer = json!({ "username": case.name, "plugins": plugins });
        gateway
            .admin()
            .put("/consumers", consumer)
            .await
            .expect_status(201);
    }
    gateway
}

async fn play(gateway: &Gateway, provider: &FakeProvider, case: &Case) {
    if let Some(reply) = &case.reply {
        provider.next(reply.clone());
    }
    let call = gateway
        .client()
        .post(case.path)
        .header("apikey", case.name)
        .json(&case.body);
    let answer = call.header("anthropic-version", "2023-06-01").send().await;
    match case.leaves_after {
        Some(events) => {
            let mut stream = answer.events();
            for _ in 0..events {
                stream.next().await.unwrap();
            }
            drop(stream);
            provider.wait_disconnected().await;
        }
        None => drop(answer.try_bytes().await),
    }
}

/// What `ai-rate-limiting` has charged to a consumer.
async fn charged(gateway: &Gateway, provider: &FakeProvider, case: &Case) -> u64 {
    provider.next(Reply::body(500, "text/plain", "costs nothing"));
    let path = format!("/probe-{}", case.instance().strip_prefix("ai-proxy-").unwrap());
    let answer = gateway
        .client()
        .post(&path)
        .header("apikey", case.name)
        .json(&chat("hi"))
        .send()
        .await;
    let header = format!("x-ai-ratelimit-remaining-{}", case.instance());
    let remaining: u64 = answer
        .header(&header)
        .unwrap_or_else(|| panic!("{}: {answer:?}", case.name))
        .parse()
        .unwrap();
    LIMIT - remaining
}

/// Everything that was measured of one case.
struct Measured<'a> {
    charged: u64,
    log: &'a Value,
    logger: &'a Value,
    entry: &'a Entry,
    scrape: &'a Scrape,
}

impl Measured<'_> {
    /// Quota, access log, loggers and `apisix_*` metrics.
    fn by_apisix(&self, case: &Case) -> Tokens {
        let number = |value: &Value| {
            value
                .as_u64()
                .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
        };
        let name = case.name;
        let counts = (
            number(&self.log["llm_prompt_tokens"]),
            number(&self.log["llm_completion_tokens"]),
        );
        assert_eq!(self.charged, counts.0 + counts.1, "{name}: quota");
        assert_eq!(
            number(&self.log["llm_total_tokens"]),
            counts.0 + counts.1,
            "{name}: total"
        );
        let logged = (number(&self.logger["prompt"]), number(&self.logger["completion"]));
        assert_eq!(logged, counts, "{name}: variables of a logger");
        assert_eq!(
            number(&self.logger["total"]),
            counts.0 + counts.1,
            "{name}: total of a logger"
        );
        let summary = &self.logger["llm_summary"];
        let summed = (
            number(&summary["prompt_tokens"]),
            number(&summary["completion_tokens"]),
        );
        assert_eq!(summed, counts, "{name}: summary");
        for suffix in ["", "_dist_sum"] {
            let sum = |kind: &str| {
                let metric = format!("apisix_llm_{kind}_tokens{suffix}");
                assert_eq!(
                    self.scrape.samples(&metric, &[("consumer", name)]).len(),
                    1,
                    "{name}: {metric}"
                );
                self.scrape.sum(&metric, &[("consumer", name)]) as u64
            };
            assert_eq!(
                (sum("prompt"), sum("completion")),
                counts,
                "{name}: metrics{suffix}"
            );
        }
        counts
    }

    /// Ledger, aigateway's metrics and our own.
    fn by_normal_form(&self, case: &Case) -> Tokens {
        let name = case.name;
        let usage = self.entry.usage;
        let tokens = (usage.total_input(), usage.total_output());
        let sum = |metric: &str| self.scrape.sum(metric, &[("client_id", name)]) as u64;
        let by_client = (
            sum("ai_gateway_input_tokens_total"),
            sum("ai_gateway_output_tokens_total"),
        );
        assert_eq!(by_client, tokens, "{name}: aigateway's metrics");
        let bucket = |bucket: &str| {
            let labels = [("consumer", name), ("bucket", bucket)];
            self.scrape.sum("sluice_llm_tokens_total", &labels) as u64
        };
        let by_bucket = Usage::BUCKETS.map(bucket);
        let by_bucket = &by_bucket[..Usage::TOKEN_BUCKETS];
        let usage = &usage.buckets()[..Usage::TOKEN_BUCKETS];
        assert_eq!(by_bucket, usage, "{name}: our metrics");
        let provenance = self.entry.detail.provenance.as_deref().unwrap_or("reported");
        assert_eq!(self.log["llm_usage_provenance"], provenance, "{name}");
        for sample in self
            .scrape
            .samples("sluice_llm_tokens_total", &[("consumer", name)])
        {
            assert_eq!(sample.label("provenance"), Some(provenance), "{name}");
        }
        let status = self.entry.status.to_string();
        for (metric, label) in [
            ("ai_gateway_requests_total", "client_id"),
            ("sluice_llm_requests_total", "consumer"),
        ] {
            let counted = self.scrape.sum(metric, &[(label, name), ("status", &status)]);
            // The probe, which the provider refused, is a request of this consumer, too.
            let expected = if status == "500" { 2.0 } else { 1.0 };
            assert_eq!(counted, expected, "{name}: {metric}");
        }
        tokens
    }
}

#[tokio::test]
async fn both_counts_agree_where_the_provider_reported() {
    let provider = FakeProvider::start();
    let cases = cases();
    let mut gateway = start(&provider, &cases).await;
    for case in &cases {
        play(&gateway, &provider, case).await;
    }
    let log = json_lines(&access_log(&gateway), cases.len()).await;
    let mut charges = Vec::new();
    for case in &cases {
        charges.push(charged(&gateway, &provider, case).await);
    }
    let all = 2.0 * cases.len() as f64;
    let scrape = Scrape::when(&gateway, "all requests", |scrape| {
        scrape.sum("sluice_llm_requests_total", &[]) == all
    })
    .await;
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let logger = json_lines(&gateway.dir().join("logger.log"), cases.len()).await;
    let entries = entries(&gateway).await;

    for (case, charged) in cases.iter().zip(charges) {
        let name = case.name;
        let is_own = |entry: &&Entry| {
            let route = entry.series.route.as_deref();
            entry.series.consumer.as_deref() == Some(name)
                && !route.is_some_and(|route| route.starts_with("probe"))
        };
        let measured = Measured {
            charged,
            log: log.iter().find(|line| line["consumer_name"] == name).unwrap(),
            logger: logger.iter().find(|line| line["consumer"] == name).unwrap(),
            entry: entries.iter().find(is_own).unwrap(),
            scrape: &scrape,
        };
        let (apisix, normal) = (measured.by_apisix(case), measured.by_normal_form(case));
        match case.reported {
            Some(reported) => assert_eq!((apisix, normal), (reported, reported), "{name}: {}", measured.log),
            None => {
                assert_eq!(apisix, (0, 0), "{name}: nothing reported, nothing charged");
                assert!(normal.0 > 0 && normal.1 > 0, "{name}: estimated: {normal:?}");
                assert_eq!(measured.log["llm_usage_provenance"], "estimated", "{name}");
            }
        }
        let ended = match name {
            "aborted" | "late" => "client_gone",
            "cut" => "upstream_cut",
            "unreported" => "upstream_cut",
            _ => "complete",
        };
        assert_eq!(measured.log["ended"], ended, "{name}");
    }
}
