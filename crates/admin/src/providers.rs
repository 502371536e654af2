//! Calls to LLM providers that an operator asks for: a test, and the list of a provider's models.
//!
//! How providers are called is not known here: the binary hands in who does.

use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::Api;
use crate::reply::Reply;

/// Calls providers for operators. What it reports holds no secret.
pub trait ProviderCalls: Send + Sync {
    /// Asks a provider for a short answer of a model; without one, of the first that it lists. `None` where no provider
    /// of that id is in force.
    fn test<'a>(&'a self, id: &'a str, model: Option<&'a str>) -> BoxFuture<'a, Option<ProviderTest>>;

    /// Asks a provider for the list of its models. `None` where no provider of that id is in force.
    fn models<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<ProviderModels>>;

    /// As `test`, with a provider that is not stored: the resource with its secrets.
    ///
    /// # Errors
    /// What is wrong with the resource.
    fn test_draft<'a>(
        &'a self,
        provider: &'a Value,
        model: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ProviderTest, String>>;

    /// As `models`, with a provider that is not stored.
    ///
    /// # Errors
    /// What is wrong with the resource.
    fn models_of_draft<'a>(&'a self, provider: &'a Value) -> BoxFuture<'a, Result<ProviderModels, String>>;

    /// How a provider of the configuration is doing, by the calls of the registry.
    fn health(&self, id: &str) -> ProviderHealth;

    /// The same of the targets that stand on clients and routes themselves, by the name of their instance.
    fn own_targets(&self) -> Vec<(String, ProviderHealth)>;

    /// The kinds of providers that there are: `type`, `title`, `base_url`, `needs` and `protocols` of each.
    fn types(&self) -> Vec<Value>;

    /// The models of the price table, with their rates in micro-dollars per million tokens.
    fn prices(&self) -> Vec<(String, Value)>;

    /// The header, in lower case, in which a kind of provider takes its key; `None` where there is no such kind.
    fn key_header(&self, kind: &str) -> Option<&'static str>;

    /// The rates of a model in the price table, served by a kind of provider.
    fn price(&self, kind: &str, model: &str) -> Option<Value>;
}

/// How a provider is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderHealth {
    /// `ok`, `failing`, `cooling_down` or `unknown`.
    pub state: &'static str,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Milliseconds until an answer begins.
    pub latency_ms: Option<u64>,
}

impl Default for ProviderHealth {
    fn default() -> Self {
        Self {
            state: "unknown",
            last_error: None,
            latency_ms: None,
        }
    }
}

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderTest {
    /// Whether the model answered.
    pub ok: bool,
    /// Status of the provider's answer, if there was one.
    pub status: Option<u16>,
    /// Milliseconds to the whole answer.
    pub latency_ms: u64,
    /// Model that was asked.
    pub model: Option<String>,
    /// Model that the answer names.
    pub answered_model: Option<String>,
    /// Class of the failure.
    pub error_class: Option<&'static str>,
    /// What happened, for people.
    pub message: String,
}

/// The models of a provider, or why there are none to show.
pub type ProviderModels = Result<Vec<ProviderModel>, ProviderTest>;

/// A model as its provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderModel {
    /// Its name.
    pub id: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Who made it.
    pub owned_by: Option<String>,
    /// Most tokens of input.
    pub context_window: Option<u64>,
}

impl Api {
    /// `POST providers/{id}/test`. The answer is 200 whatever the provider said: the test was made.
    pub(crate) async fn test_provider(&self, id: &str, body: Option<Value>) -> Reply {
        let model = match &body {
            None => None,
            Some(Value::Object(members)) => match members.get("model") {
                Some(Value::String(model)) if !model.is_empty() && members.len() == 1 => Some(model.as_str()),
                None if members.is_empty() => None,
                _ => return bad_body(),
            },
            Some(_) => return bad_body(),
        };
        match self.state.providers.test(id, model).await {
            Some(test) => Reply::json(StatusCode::OK, shown(&test)),
            None => not_found(id),
        }
    }

    /// `GET providers/{id}/models`.
    pub(crate) async fn provider_models(&self, id: &str) -> Reply {
        match self.state.providers.models(id).await {
            None => not_found(id),
            Some(Ok(models)) => {
                let list: Vec<Value> = models.iter().map(listed).collect();
                Reply::json(StatusCode::OK, json!({ "total": list.len(), "list": list }))
            }
            Some(Err(test)) => {
                let mut body = shown(&test);
                body["error_msg"] = body["message"].take();
                Reply::json(StatusCode::BAD_GATEWAY, body)
            }
        }
    }
}

fn shown(test: &ProviderTest) -> Value {
    json!({
        "ok": test.ok,
        "status": test.status,
        "latency_ms": test.latency_ms,
        "model": test.model,
        "answered_model": test.answered_model,
        "error_class": test.error_class,
        "message": test.message,
    })
}

fn listed(model: &ProviderModel) -> Value {
    json!({
        "id": model.id,
        "display_name": model.display_name,
        "owned_by": model.owned_by,
        "context_window": model.context_window,
    })
}

fn not_found(id: &str) -> Reply {
    Reply::error(StatusCode::NOT_FOUND, format!("no provider [{id}] is in force"))
}

fn bad_body() -> Reply {
    let message = "the body of a test is empty, or {\"model\": \"<name>\"}";
    Reply::error(StatusCode::BAD_REQUEST, message)
}
