//! `ai-rag`: looks up what is known and appends it to the prompt (compat §4.9).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Reply, ReplyBody, Step,
    Verdict,
};
use sluice_llm::{ErrorKind, PromptEdits, RequestView, TextMessage};
use sluice_resource::{PluginInfo, SchemaCompileError};
use sluice_wire::{ObjectView, Splice};

use crate::callout::{Callout, CalloutAnswer, CalloutConfig, CalloutError};
use crate::json_body;

/// Milliseconds for each of both calls.
const TIMEOUT: u64 = 30_000;
/// Largest request body.
const MAX_BODY: u64 = json_body::MAX_BODY;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let service = |name: &str| {
        json!({
            "type": "object",
            "properties": {
                name: {
                    "type": "object",
                    "properties": { "endpoint": { "type": "string" }, "api_key": { "type": "string" } },
                    "required": ["endpoint", "api_key"],
                },
            },
            "required": [name],
            "maxProperties": 1,
        })
    };
    let schema = json!({
        "type": "object",
        "properties": {
            "embeddings_provider": service("azure_openai"),
            "vector_search_provider": service("azure_ai_search"),
            "ssl_verify": { "type": "boolean", "default": true },
        },
        "required": ["embeddings_provider", "vector_search_provider"],
    });
    let info = PluginInfo::new("ai-rag", 1060, schema)?.with_encrypted_fields(&[
        "embeddings_provider.azure_openai.api_key",
        "vector_search_provider.azure_ai_search.api_key",
    ]);
    Ok(PluginDef {
        info,
        compile: Rag::compile,
    })
}

/// `ai_rag` of a request.
#[derive(Deserialize)]
struct Lookup {
    embeddings: Value,
    vector_search: VectorSearch,
}

#[derive(Deserialize)]
struct VectorSearch {
    fields: String,
}

/// A service with its key.
struct Service {
    callout: Callout,
    headers: HeaderMap,
}

struct Rag {
    embeddings: Service,
    search: Service,
}

impl Rag {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let service = |place: &str| {
            let at = |member: &str| conf.pointer(&format!("{place}/{member}")).and_then(Value::as_str);
            Service::compile(
                at("endpoint").unwrap_or_default(),
                at("api_key").unwrap_or_default(),
                conf["ssl_verify"].as_bool().unwrap_or(true),
                env,
            )
        };
        Ok(Arc::new(Self {
            embeddings: service("/embeddings_provider/azure_openai")?,
            search: service("/vector_search_provider/azure_ai_search")?,
        }))
    }

    async fn augment(&self, cx: &mut Context) -> Result<(), Verdict> {
        let request = json_body::read(cx, MAX_BODY).await.map_err(Verdict::from)?;
        let Some(body) = request.object() else {
            return Err(malformed().into());
        };
        let lookup = lookup(body).ok_or_else(|| Verdict::from(malformed()))?;
        let pool = &cx.worker.pool;
        let answer = self.embeddings.ask(pool, &lookup.embeddings).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let Some(vector) = answer.pointer("/data/0/embedding") else {
            return Err(broken("the embeddings service answered no embedding").into());
        };
        let query = json!({
            "vectorQueries": [{ "kind": "vector", "vector": vector, "fields": lookup.vector_search.fields }],
        });
        let found = self.search.ask(pool, &query).await?;
        let found = TextMessage {
            role: "user".to_owned(),
            content: String::from_utf8_lossy(&found).into_owned(),
        };
        let body = appended(cx, body, found).map_err(|error| {
            let message = format!("could not parse JSON request body: {error}");
            Verdict::from(json_body::refused("invalid_json", message))
        })?;
        cx.request.body.replace(body);
        Ok(())
    }
}

/// The `ai_rag` member, if it is what it should be.
fn lookup(body: &ObjectView) -> Option<Lookup> {
    let lookup: Lookup = serde_json::from_slice(body.get("ai_rag")?.raw()).ok()?;
    lookup.embeddings.get("input")?.as_str()?;
    Some(lookup)
}

/// The body without `ai_rag` and with what was found.
fn appended(cx: &Context, body: &ObjectView, found: TextMessage) -> Result<Bytes, sluice_wire::JsonError> {
    let mut splice = Splice::new(body);
    splice.remove("ai_rag");
    let request = RequestView::parse(splice.finish())?;
    let edits = PromptEdits {
        prepend: Vec::new(),
        append: vec![found],
    };
    let protocol = sluice_exchange::protocol_of(cx, &request);
    Ok(edits.apply(protocol, &request))
}

impl Service {
    fn compile(
        endpoint: &str,
        key: &str,
        ssl_verify: bool,
        env: &CompileEnv<'_>,
    ) -> Result<Self, CompileError> {
        let mut key = HeaderValue::from_str(key)
            .map_err(|_| CompileError("api_key cannot be sent in a header".to_owned()))?;
        key.set_sensitive(true);
        let config = CalloutConfig {
            ssl_verify,
            timeout: TIMEOUT,
            ..CalloutConfig::new(endpoint)
        };
        Ok(Self {
            callout: Callout::compile(config, env.services)?,
            headers: HeaderMap::from_iter([(http::HeaderName::from_static("api-key"), key)]),
        })
    }

    async fn ask(&self, pool: &sluice_net::Pool, body: &Value) -> Result<Bytes, Verdict> {
        match self.callout.post_json(pool, self.headers.clone(), body).await {
            Ok(answer) if answer.status == StatusCode::OK => Ok(answer.body),
            Ok(answer) => Err(as_answered(answer).into()),
            Err(error) => Err(unanswered(error).into()),
        }
    }
}

/// A service's refusal, as the client gets it.
fn as_answered(answer: CalloutAnswer) -> Reply {
    Reply {
        body: ReplyBody::Text(String::from_utf8_lossy(&answer.body).into_owned().into()),
        ..Reply::status(answer.status)
    }
}

fn unanswered(error: CalloutError) -> Failure {
    broken("the lookup service did not answer").caused_by(error)
}

fn broken(message: &'static str) -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Upstream,
        "lookup_failed",
        message,
    )
    .apisix_text(message)
}

fn malformed() -> Failure {
    let message = "ai_rag must hold embeddings.input and vector_search.fields";
    Failure::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        "invalid_ai_rag",
        message,
    )
}

impl Plugin for Rag {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(async move {
            match self.augment(cx).await {
                Ok(()) => Verdict::Continue,
                Err(verdict) => verdict,
            }
        })
    }
}
