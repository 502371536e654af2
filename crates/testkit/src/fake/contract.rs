//! Answers to requests, in the wire format of each endpoint.

use bytes::Bytes;
use serde_json::Value;

use super::completion::Completion;
use super::endpoint::{Dialect, Endpoint};
use super::fault::Fault;
use super::prompt::outcome;
use super::record::Recorded;
use super::{
    anthropic, bedrock, cohere, gemini, gemini_extras, ollama, openai, openai_extras, rerank, responses,
    sigv4, strict, vertex,
};

/// A complete answer.
pub(super) struct Contracted {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
    /// Frames after which the connection breaks.
    pub(super) cut_after: Option<usize>,
}

pub(super) enum Content {
    /// Known whole, sent with its length.
    Whole(Bytes),
    /// Sent piece by piece.
    Frames(Vec<Bytes>),
}

impl Contracted {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    pub(super) fn whole(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.into())],
            content: Content::Whole(body.into()),
            cut_after: None,
        }
    }

    pub(super) fn events(frames: Vec<Bytes>, cut_after: Option<usize>) -> Self {
        Self::frames("text/event-stream", frames, cut_after)
    }

    pub(super) fn frames(content_type: &str, frames: Vec<Bytes>, cut_after: Option<usize>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", content_type.into())],
            content: Content::Frames(frames),
            cut_after,
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A whole answer of a cut one breaks off in the middle.
    pub(super) fn with_cut(mut self, completion: &Completion) -> Self {
        self.cut_after = completion.cut_after;
        self
    }
}

/// A request that is to be answered.
pub(super) struct Ask<'a> {
    pub(super) request: &'a Recorded,
    /// Null where it is no JSON.
    pub(super) body: &'a Value,
    pub(super) endpoint: &'a Endpoint,
    /// Makes ids that differ between requests.
    pub(super) number: usize,
    /// Whether the request is held to everything that the real provider asks for.
    pub(super) strict: bool,
    /// Members that are taken all the same, wherever they are.
    pub(super) accepted: &'a [String],
}

/// How requests are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) strict: bool,
    pub(super) accepted: Vec<String>,
}

impl<'a> Ask<'a> {
    fn new(
        request: &'a Recorded,
        endpoint: &'a Endpoint,
        body: &'a Value,
        number: usize,
        rules: &'a Rules,
    ) -> Self {
        Self {
            request,
            body,
            endpoint,
            number,
            strict: rules.strict,
            accepted: &rules.accepted,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.endpoint.dialect(self.request)
    }

    pub(super) fn streams(&self) -> bool {
        self.body["stream"] == Value::Bool(true)
    }

    pub(super) fn fault(&self, fault: &Fault) -> Contracted {
        let is_array = *self.endpoint == Endpoint::Generate { stream: true }
            && gemini::is_array(self.request.query.as_deref());
        if is_array {
            return Contracted::whole(fault.status, "application/json", fault.element(0));
        }
        fault.answer(self.dialect(), self.number)
    }
}

/// What is to be answered.
pub(super) enum Script<'a> {
    /// By the prompt contract.
    Contract,
    Completion(&'a Completion),
    Fault(&'a Fault),
}

fn parse(request: &Recorded, endpoint: &Endpoint) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(&request.body).ok()?;
    // Azure has the model in the path, and overlooks that of the body.
    if request.path.contains("/openai/deployments/")
        && let Value::Object(members) = &mut body
    {
        members.entry("model").or_insert_with(|| "deployment".into());
    }
    Some(match endpoint.dialect(request) {
        Dialect::Gemini => gemini::camel_case(body),
        _ => body,
    })
}

/// Why a strict provider refuses a request, and how.
pub(super) fn refusal(
    request: &Recorded,
    endpoint: &Endpoint,
    number: usize,
    rules: &Rules,
) -> Option<(Fault, Contracted)> {
    if !rules.strict {
        return None;
    }
    // What is no JSON is either a form or refused by all.
    let body = parse(request, endpoint)?;
    let ask = Ask::new(request, endpoint, &body, number, rules);
    let fault = strict::check(&ask).err()?;
    let answer = ask.fault(&fault);
    Some((fault, answer))
}

/// The answer to a request.
pub(super) fn answer(
    request: &Recorded,
    endpoint: &Endpoint,
    script: &Script<'_>,
    number: usize,
    rules: &Rules,
) -> Contracted {
    let parsed = parse(request, endpoint);
    let is_json = parsed.is_some();
    let body = parsed.unwrap_or_default();
    let ask = Ask::new(request, endpoint, &body, number, rules);
    if let Script::Fault(fault) = script {
        return ask.fault(fault);
    }
    if let Some(answer) = without_json(&ask) {
        return answer;
    }
    if !is_json {
        return ask.fault(&Fault::plain(400));
    }
    match authorized(&ask) {
        Ok(()) => with_json(&ask, script),
        Err(refusal) => refusal,
    }
}

/// Answers from endpoints that take no JSON.
fn without_json(ask: &Ask<'_>) -> Option<Contracted> {
    Some(match ask.endpoint {
        Endpoint::AnthropicModels(id) => anthropic::models(id),
        Endpoint::OpenAiModels(id) => openai_extras::models(id),
        Endpoint::GeminiModels(id) => gemini_extras::models(id),
        Endpoint::OllamaTags => ollama::tags(),
        Endpoint::Token => vertex::token(ask.request, ask.number),
        Endpoint::Transcriptions => openai_extras::transcription(ask),
        Endpoint::Images if !openai_extras::is_generation(ask.request) => openai_extras::images(ask),
        Endpoint::Files(rest) => openai_extras::files(ask, rest),
        Endpoint::Batches(rest) => openai_extras::batches(ask, rest),
        Endpoint::Unknown if ask.request.method == http::Method::GET => {
            Fault::plain(404).answer(Dialect::OpenAi, ask.number)
        }
        _ => return None,
    })
}

/// Whether a request carries what providers with credentials of their own kind ask for.
fn authorized(ask: &Ask<'_>) -> Result<(), Contracted> {
    if ask.request.path.starts_with("/model/") {
        let bearer = ask
            .request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        if bearer == Some(sigv4::AWS_BEDROCK_API_KEY) {
            return Ok(());
        }
        return sigv4::verify(ask.request)
            .map_err(|reason| bedrock::error(403, "InvalidSignatureException", &reason, ask.number));
    }
    if ask.request.path.contains("/publishers/") || *ask.endpoint == Endpoint::Predict {
        return vertex::check(ask.request);
    }
    Ok(())
}

fn with_json(ask: &Ask<'_>, script: &Script<'_>) -> Contracted {
    match ask.endpoint {
        Endpoint::CountMessageTokens => return anthropic::count_tokens(ask.body),
        Endpoint::Predict => return vertex::predict(ask.body),
        Endpoint::Embeddings => return openai_extras::embeddings(ask.body),
        Endpoint::Moderations => return openai_extras::moderations(ask.body, ask.number),
        Endpoint::Images => return openai_extras::images(ask),
        Endpoint::Speech => return openai_extras::speech(ask.body),
        Endpoint::Rerank => return rerank::jina(ask.body),
        Endpoint::CohereRerank => return rerank::cohere(ask),
        Endpoint::CohereEmbed => return cohere::embed(ask),
        Endpoint::CountTokens => return gemini_extras::count_tokens(ask.body),
        Endpoint::EmbedContent { batch } => return gemini_extras::embed(ask.body, *batch),
        Endpoint::OllamaEmbed => return ollama::embed(ask.body),
        _ => {}
    }
    let contracted;
    let completion = match script {
        Script::Completion(completion) => *completion,
        _ => match outcome(ask.body) {
            Ok(completion) => {
                contracted = completion;
                &contracted
            }
            Err(status) => return ask.fault(&Fault::plain(status)),
        },
    };
    match ask.endpoint {
        Endpoint::Chat => openai::chat(ask, completion),
        Endpoint::Completions => openai::completions(ask, completion),
        Endpoint::Responses => responses::respond(ask, completion),
        Endpoint::Messages => anthropic::message(ask, completion, ask.streams()),
        Endpoint::RawPredict { stream } => anthropic::message(ask, completion, *stream),
        Endpoint::Invoke { stream } => bedrock::invoke(ask, completion, *stream),
        Endpoint::Converse { stream } => bedrock::converse(ask, completion, *stream),
        Endpoint::Generate { stream } => gemini::generate(ask, completion, *stream),
        Endpoint::CohereChat => cohere::chat(ask, completion),
        Endpoint::OllamaChat => ollama::chat(ask, completion),
        Endpoint::OllamaGenerate => ollama::generate(ask, completion),
        _ => ask.fault(&Fault::plain(404)),
    }
}

/// An event without a name, as OpenAI's streams have them.
pub(super) fn data(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}

/// An event named after its `type`, as Anthropic's messages and OpenAI's responses have them.
pub(super) fn named(value: &Value) -> Bytes {
    let name = value["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n").into()
}
