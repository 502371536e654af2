//! Lists of models of callers with a provider of their own: the provider's list, in the caller's dialect.

use bytes::Bytes;
use http::{Method, StatusCode};
use sluice_core::{Context, Failure, ModelAccess, Profile};
use sluice_llm::{
    AskedModels, Dialect, ErrorKind, KeyHeader, ListedModel, Protocol, read_models, write_model, write_models,
};

use crate::target::{ClientTarget, Target};

/// Longest model name that a message repeats, in characters.
const NAME_MAX: usize = 128;

/// How the caller gets to see the provider's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListWay {
    /// As it stands.
    Relayed,
    /// Read, and written in the caller's dialect.
    Written,
}

/// Whose form a provider's list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListForm {
    OpenAi,
    Anthropic,
    Gemini,
    Cohere,
}

impl ListForm {
    fn of(target: &Target) -> Self {
        let by_key = target.provider.key_header() == KeyHeader::Named("x-goog-api-key");
        if by_key && target.speaks(Protocol::GeminiGenerate) {
            Self::Gemini
        } else if target.speaks(Protocol::CohereChat) {
            Self::Cohere
        } else if target.speaks(Protocol::AnthropicMessages) && !target.speaks(Protocol::OpenAiChat) {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

impl ListWay {
    /// `None` where a request does not ask for models.
    pub(crate) fn of(cx: &Context, target: &Target) -> Option<Self> {
        asked(cx)?;
        let form = ListForm::of(target);
        let is_own = match dialect(cx) {
            Dialect::OpenAi | Dialect::OpenAiResponses => form == ListForm::OpenAi,
            Dialect::Anthropic => form == ListForm::Anthropic,
            Dialect::Gemini => form == ListForm::Gemini,
            Dialect::Ollama => target.speaks(Protocol::OllamaChat),
            Dialect::Bedrock | Dialect::Cohere => false,
        };
        Some(match is_own && access(cx).is_none() {
            true => Self::Relayed,
            false => Self::Written,
        })
    }

    /// What the provider is asked for.
    pub(crate) fn client<'c>(self, cx: &'c Context, target: &Target) -> ClientTarget<'c> {
        match self {
            Self::Written => whole_list(target),
            // Google has lists of both forms: one beside its own endpoints, one beside OpenAI's.
            Self::Relayed if dialect(cx) == Dialect::Gemini => ClientTarget {
                models: None,
                ..ClientTarget::of(cx)
            },
            Self::Relayed => ClientTarget::of(cx),
        }
    }
}

/// Where a provider lists its models: its own list where it has another than OpenAI's, and as much of it as one answer
/// holds.
pub(crate) fn whole_list(target: &Target) -> ClientTarget<'static> {
    let (path, query) = match ListForm::of(target) {
        ListForm::Gemini => ("/v1beta/models", "pageSize=1000"),
        ListForm::Cohere => ("/v1/models", "page_size=1000"),
        ListForm::Anthropic => ("/v1/models", "limit=1000"),
        ListForm::OpenAi => {
            return ClientTarget {
                path: "/v1/models",
                query: None,
                models: Some(""),
                resource: None,
            };
        }
    };
    ClientTarget {
        path,
        query: Some(query),
        models: None,
        resource: None,
    }
}

/// A provider's list as the caller is to see it: what it may use, under its names, in its dialect.
pub(crate) fn written(cx: &Context, list: &[u8]) -> Result<Bytes, Box<Failure>> {
    let Some(listed) = read_models(list) else {
        let message = "the provider's answer is no list of models";
        let failure = Failure::new(
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "not_convertible",
            message,
        );
        return Err(Box::new(failure));
    };
    let usable = usable(listed, access(cx));
    let body = match asked(cx) {
        Some(AskedModels::One(name)) => {
            let found = usable.iter().find(|model| model.id == name);
            write_model(dialect(cx), found.ok_or_else(|| not_found(name))?)
        }
        _ => write_models(dialect(cx), &usable, |name| cx.request.query_arg(name)),
    };
    Ok(Bytes::from(body.to_string()))
}

fn usable(mut listed: Vec<ListedModel>, access: Option<&dyn ModelAccess>) -> Vec<ListedModel> {
    let Some(access) = access else { return listed };
    let renamed = |(alias, meant): &(sluice_record::Text, sluice_record::Text)| {
        let model = listed.iter().find(|model| *model.id == **meant)?;
        Some(ListedModel {
            id: alias.to_string(),
            ..model.clone()
        })
    };
    let aliases: Vec<ListedModel> = access.aliases().iter().filter_map(renamed).collect();
    listed.retain(|model| access.allows(&model.id) && !aliases.iter().any(|alias| alias.id == model.id));
    listed.extend(aliases);
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    listed
}

fn asked(cx: &Context) -> Option<AskedModels<'_>> {
    let asks = cx.profile == Profile::Native && cx.request.method == Method::GET;
    asks.then(|| AskedModels::of(&cx.request.path)).flatten()
}

fn dialect(cx: &Context) -> Dialect {
    cx.dialect()
}

/// Which models the caller may use; `None` where nobody says.
fn access(cx: &Context) -> Option<&dyn ModelAccess> {
    let mut entries = cx
        .pipeline
        .plugins()
        .iter()
        .chain(cx.snapshot.global.plugins().iter());
    entries.find_map(|entry| entry.plugin.model_access())
}

fn not_found(asked: &str) -> Box<Failure> {
    let shown: String = asked.chars().take(NAME_MAX).collect();
    Box::new(Failure::new(
        StatusCode::NOT_FOUND,
        ErrorKind::NotFound,
        "model_not_found",
        format!("the model `{shown}` does not exist, or you do not have access to it"),
    ))
}
