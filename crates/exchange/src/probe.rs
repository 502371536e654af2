//! Calls of an operator's to a provider: does it answer, and which models has it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use serde_json::{Value, json};
use sluice_core::{Profile, Services};
use sluice_llm::{
    BodyEdits, BodyPlan, Carriage, EchoStamp, ErrorClass, ListedModel, Protocol, ProviderMessage,
    RequestView, StreamUsage, echo, echo_models, read_models,
};
use sluice_net::{Body, SendErrorKind};

use crate::credential::Unsigned;
use crate::models::whole_list;
use crate::provider::ProviderConfig;
use crate::target::{Addressed, ClientTarget, Place, Target};

/// Most bytes of an answer.
const ANSWER_MAX: u64 = 16 << 20;

/// Longest wait, whatever the provider's own timeout: somebody sits before it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a test call came to. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Whether the model answered.
    pub ok: bool,
    /// Status of the answer; `None` where there was none.
    pub status: Option<u16>,
    /// From the call to the whole answer.
    pub latency: Duration,
    /// Model that was asked, as the provider calls it.
    pub model: Option<String>,
    /// Model that the answer names.
    pub answered: Option<String>,
    /// Class of the failure.
    pub class: Option<ErrorClass>,
    /// What happened, for people.
    pub message: String,
}

/// Asks a provider for a real answer, as short as it can be. Without a model, the first that it lists is asked.
pub async fn test_provider(config: &ProviderConfig, model: Option<&str>, services: &Services) -> ProbeReport {
    let started = Instant::now();
    let model = match model {
        Some(model) => model.to_owned(),
        None => match list_models(config, services).await {
            Ok(list) => match list.into_iter().next() {
                Some(first) => first.id,
                None => return failed(started, "the provider lists no model: name one".to_owned()),
            },
            Err(report) => {
                let message = format!(
                    "name a model, since the provider's list cannot be had: {}",
                    report.message
                );
                return ProbeReport { message, ..report };
            }
        },
    };
    let target = match config.target("test", Some(&model), None, services) {
        Ok(target) => target,
        Err(error) => return failed(started, error.to_string()),
    };
    let Some((protocol, body)) = question(&target, &model) else {
        let message = format!(
            "providers of type {} cannot be tested with a call",
            target.provider.name()
        );
        return failed(started, message);
    };
    let report = match &target.place {
        Place::BuiltIn => local(&target, protocol, &body, services, started),
        Place::Remote { .. } => {
            let Ok(carriage) = target.carriage(protocol, Profile::Native) else {
                return failed(started, "the provider does not speak its own protocol".to_owned());
            };
            let body = match short(&target, protocol, &body) {
                Ok(body) => body,
                Err(message) => return failed(started, message),
            };
            let asked = Asked {
                method: Method::POST,
                uri: target.uri(&Addressed {
                    carriage: &carriage,
                    protocol,
                    profile: Profile::Native,
                    model: Some(&model),
                    stream: false,
                    client: nobody("/"),
                }),
                body,
            };
            send(config, &target, asked, services, started).await.1
        }
    };
    ProbeReport {
        model: Some(model),
        ..report
    }
}

/// The models that a provider lists.
///
/// # Errors
/// A report that says why there is no list.
pub async fn list_models(
    config: &ProviderConfig,
    services: &Services,
) -> Result<Vec<ListedModel>, ProbeReport> {
    let started = Instant::now();
    let target = config
        .target("models", None, None, services)
        .map_err(|error| failed(started, error.to_string()))?;
    let bytes = match &target.place {
        Place::BuiltIn => echo_models(),
        Place::Remote { .. } => {
            let asked = Asked {
                method: Method::GET,
                uri: target.uri(&Addressed {
                    carriage: &Carriage::Passthrough,
                    protocol: Protocol::Passthrough,
                    profile: Profile::Native,
                    model: None,
                    stream: false,
                    client: whole_list(&target),
                }),
                body: Bytes::new(),
            };
            let (bytes, report) = send(config, &target, asked, services, started).await;
            if !report.ok {
                return Err(report);
            }
            bytes
        }
    };
    read_models(&bytes)
        .ok_or_else(|| failed(started, "the provider's answer is no list of models".to_owned()))
}

/// The client's part in a path, where there is no client.
fn nobody(path: &str) -> ClientTarget<'_> {
    ClientTarget {
        path,
        query: None,
        models: None,
        resource: None,
    }
}

/// The question with a limit of what may be answered, under the provider's name for it. Models that reason need a few
/// tokens before they say anything.
fn short(target: &Target, protocol: Protocol, body: &Bytes) -> Result<Bytes, String> {
    let edits = BodyEdits {
        stream_usage: StreamUsage::WhenMissing,
        options: None,
        max_tokens: Some(16),
        request_body: None,
        force: false,
    };
    let view = RequestView::parse(body.clone()).map_err(|error| error.to_string())?;
    let plan = BodyPlan::compile(target.provider, protocol, &edits);
    plan.apply(view.json()).map_err(|error| error.to_string())
}

/// The shortest question in a protocol that the provider speaks itself.
fn question(target: &Target, model: &str) -> Option<(Protocol, Bytes)> {
    let messages = json!([{ "role": "user", "content": "ping" }]);
    let blocks = json!([{ "role": "user", "content": [{ "text": "ping" }] }]);
    let parts = json!([{ "role": "user", "parts": [{ "text": "ping" }] }]);
    let chat = json!({ "model": model, "messages": messages, "stream": false });
    let embedding = json!({ "model": model, "input": "ping" });
    let mut questions = vec![
        (Protocol::OpenAiChat, chat.clone()),
        (Protocol::AnthropicMessages, chat.clone()),
        (Protocol::CohereChat, chat),
        (
            Protocol::OpenAiResponses,
            json!({ "model": model, "input": "ping" }),
        ),
        (Protocol::GeminiGenerate, json!({ "contents": parts })),
        (Protocol::BedrockConverse, json!({ "messages": blocks })),
        (
            Protocol::OllamaChat,
            json!({ "model": model, "messages": messages, "stream": false }),
        ),
        (Protocol::OpenAiEmbeddings, embedding.clone()),
    ];
    // Models for embeddings take no chat.
    if model.to_ascii_lowercase().contains("embed") {
        questions.insert(0, (Protocol::OpenAiEmbeddings, embedding));
    }
    let speaks = |protocol: Protocol| target.provider.is_built_in() || target.speaks(protocol);
    let (protocol, body) = questions.into_iter().find(|(protocol, _)| speaks(*protocol))?;
    Some((protocol, body.to_string().into()))
}

struct Asked {
    method: Method,
    uri: Option<Uri>,
    body: Bytes,
}

/// Sends a question; the answer's bytes and what it came to.
async fn send(
    config: &ProviderConfig,
    target: &Target,
    asked: Asked,
    services: &Services,
    started: Instant,
) -> (Bytes, ProbeReport) {
    let none = |message: String| (Bytes::new(), failed(started, message));
    let (Place::Remote { origin, .. }, Some(uri)) = (&target.place, asked.uri) else {
        return none("the provider has no path for this".to_owned());
    };
    let pool = &services.background_pool;
    let unsigned = Unsigned {
        method: &asked.method,
        uri: &uri,
        body: &asked.body,
        origin,
    };
    let own = || headers(target);
    let headers = match target.credential.headers(pool, unsigned, own).await {
        Ok(signed) => signed.unwrap_or_else(own),
        Err(failure) => return none(failure.message.into_owned()),
    };
    let mut request = Request::new(Body::from(asked.body.clone()));
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    let call = async {
        let sent = pool.send(origin, request, config.call.timeouts()).await;
        let sent = sent.map_err(|error| unreachable_text(&error.kind))?;
        let status = sent.response.status();
        let bytes = sent.response.into_body().collect_limited(ANSWER_MAX).await;
        Ok::<_, String>((
            status,
            bytes.map_err(|_| "the provider's answer broke off".to_owned())?,
        ))
    };
    match tokio::time::timeout(PATIENCE, call).await {
        Err(_) => none(format!(
            "the provider did not answer within {} seconds",
            PATIENCE.as_secs()
        )),
        Ok(Err(message)) => none(message),
        Ok(Ok((status, bytes))) => {
            let report = judged(status, &bytes, started);
            (bytes, report)
        }
    }
}

fn headers(target: &Target) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in target.provider.fixed_headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    for (name, value) in &target.auth_headers {
        headers.insert(name, value.clone());
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn unreachable_text(kind: &SendErrorKind) -> String {
    let why = match kind {
        SendErrorKind::Timeout(_) => return "the provider did not answer in time".to_owned(),
        SendErrorKind::Resolve => "its name has no address",
        SendErrorKind::Connect => "nobody takes the connection",
        SendErrorKind::Tls => "the TLS handshake failed; does its certificate hold?",
        SendErrorKind::Reset => "it closed the connection",
        SendErrorKind::InvalidHead => "it does not answer with HTTP",
        SendErrorKind::RequestBody => "the request could not be sent",
    };
    format!("the provider cannot be reached: {why}")
}

/// What an answer says. What a provider says of keys may hold parts of them, so it stays out.
fn judged(status: StatusCode, body: &[u8], started: Instant) -> ProbeReport {
    let answered = || {
        let body: Value = serde_json::from_slice(body).ok()?;
        Some(body.get("model")?.as_str()?.to_owned())
    };
    let class = ErrorClass::of(status, body);
    let said = ProviderMessage::read(body).map(|said| said.message);
    let message = match (status.is_success(), class) {
        (true, _) => "the provider answered".to_owned(),
        (false, Some(ErrorClass::Auth)) if status == StatusCode::PAYMENT_REQUIRED => {
            "the provider refuses the account: it wants to be paid".to_owned()
        }
        (false, Some(ErrorClass::Auth)) => "the provider refuses the credentials".to_owned(),
        (false, _) => match said {
            Some(said) => format!("the provider answered {}: {said}", status.as_u16()),
            None => format!("the provider answered {}", status.as_u16()),
        },
    };
    ProbeReport {
        ok: status.is_success(),
        status: Some(status.as_u16()),
        latency: started.elapsed(),
        model: None,
        answered: if status.is_success() { answered() } else { None },
        class,
        message,
    }
}

fn failed(started: Instant, message: String) -> ProbeReport {
    ProbeReport {
        ok: false,
        status: None,
        latency: started.elapsed(),
        model: None,
        answered: None,
        class: None,
        message,
    }
}

fn local(
    target: &Target,
    protocol: Protocol,
    body: &Bytes,
    services: &Services,
    started: Instant,
) -> ProbeReport {
    let stamp = EchoStamp {
        id: "test",
        created: 0,
    };
    let count = |text: &str| services.tokens.count("echo", text);
    match echo(protocol, body, stamp, &count) {
        Ok(_) => ProbeReport {
            ok: true,
            message: format!("{} answers inside the gateway", target.provider.name()),
            ..failed(started, String::new())
        },
        Err(error) => failed(started, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_of_a_key_stays_out() {
        let body = br#"{"error":{"message":"Incorrect API key provided: sk-ab***cd"}}"#;
        let report = judged(StatusCode::UNAUTHORIZED, body, Instant::now());
        assert_eq!(report.message, "the provider refuses the credentials");
        assert_eq!((report.ok, report.status), (false, Some(401)));
    }
}
