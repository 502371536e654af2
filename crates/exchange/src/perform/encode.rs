//! The request as it goes out: its body, in the provider's protocol, and its address.

use bytes::Bytes;
use http::{StatusCode, Uri};
use sluice_core::{AiCall, Context, Failure, Profile};
use sluice_llm::{
    Carriage, ChatTranslation, Conversion, EmbedTranslation, ErrorKind, Operation, Protocol, RequestView,
    RerankTranslation, TranslationFor, Unsayable, brings_foreign_thoughts, with_gemini_model,
};
use sluice_record::Text;

use super::failures::defect;
use super::{Provided, spoken};
use crate::models::ListWay;
use crate::payload::Payload;
use crate::prepare::client_call;
use crate::target::{Addressed, ClientTarget, Place, Target};
use crate::{memory, relayed};

/// A call as it goes out.
pub(super) struct Outbound {
    pub(super) provided: Provided,
    pub(super) body: Payload,
    pub(super) uri: Uri,
}

pub(super) enum Encoded {
    Counted,
    Local { provided: Provided, body: Bytes },
    Remote(Outbound),
}

/// The body and path of the call. Each attempt starts from the client's body.
pub(super) fn encode(cx: &mut Context, target: &Target) -> Result<Encoded, Box<Failure>> {
    let profile = cx.profile;
    let is_retry = !cx.attempts.is_empty();
    let is_object = |ai: &AiCall| ai.protocol == Protocol::OpenAiObjects;
    // What nobody stores is not found, whether or not the provider has anything of the kind.
    if profile == Profile::Native
        && cx.ai.as_deref().is_some_and(is_object)
        && let Some(failure) = relayed::refusal(cx, target)
    {
        return Err(Box::new(failure));
    }
    let Some(ai) = cx.ai.as_deref_mut() else {
        return Err(Box::new(defect("no AI call was prepared")));
    };
    let carriage = target.carriage(ai.protocol, profile).map_err(|error| {
        let text = error.to_string();
        Failure::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            "unsupported_protocol",
            text.clone(),
        )
        .apisix_text(text)
    })?;
    let carriage = match carriage {
        Carriage::Same(endpoint) if profile == Profile::Native && is_foreign(ai, target) => {
            Carriage::Translated(endpoint)
        }
        carriage => carriage,
    };
    let model = target
        .model
        .clone()
        .or_else(|| (!ai.model.is_empty()).then(|| ai.model.clone()));
    ai.model_sent = Some(model.clone().unwrap_or_else(|| Text::from("")));
    if carriage == Carriage::Counted {
        return Ok(Encoded::Counted);
    }
    let (stream, protocol) = (ai.stream, ai.protocol);
    let Written {
        body,
        conversion,
        tool_count,
    } = written(cx, target, carriage, model.as_deref(), is_retry)?;
    if let (Some(ai), Some(tool_count)) = (cx.ai.as_deref_mut(), tool_count) {
        ai.tool_count = tool_count;
    }
    let lists = ListWay::of(cx, target);
    if let Place::BuiltIn = target.place {
        return Ok(Encoded::Local {
            provided: Provided {
                carriage,
                conversion,
                lists_models: lists.is_some(),
            },
            body: body.signed().clone(),
        });
    }
    let address = Addressed {
        carriage: &carriage,
        protocol,
        profile,
        model: model.as_deref(),
        stream,
        client: lists.map_or_else(|| ClientTarget::of(cx), |way| way.client(cx, target)),
    };
    let uri = target.uri(&address).ok_or_else(|| {
        let text = "could not resolve upstream path: ensure the route or request body specifies a model, or that \
                    override.endpoint includes a path";
        Failure::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest, "no_upstream_path", text)
            .apisix_json(serde_json::json!({ "error_msg": text }))
    })?;
    Ok(Encoded::Remote(Outbound {
        provided: Provided {
            carriage,
            conversion,
            lists_models: lists == Some(ListWay::Written),
        },
        body,
        uri,
    }))
}

/// Whether a request brings thoughts of another target's, which this one would refuse: what was packed for the client's
/// own protocol, and in a chat whatever OpenAI does not know, where another target may have said it.
fn is_foreign(ai: &AiCall, target: &Target) -> bool {
    let Some(request) = &ai.request else { return false };
    let is_asked = match ai.protocol {
        Protocol::OpenAiChat => ai.keeps_signatures() && target.provider.quirks().is_openai(),
        // It goes on with what the provider keeps.
        Protocol::OpenAiResponses => request
            .object()
            .is_none_or(|body| body.get("previous_response_id").is_none()),
        _ => true,
    };
    is_asked && brings_foreign_thoughts(ai.protocol, request.bytes())
}

/// A request as it goes to the provider.
struct Written {
    body: Payload,
    /// What turns the answer back.
    conversion: Option<Conversion>,
    /// Length of `tools`, where it may differ from the client's.
    tool_count: Option<u32>,
}

fn written(
    cx: &Context,
    target: &Target,
    carriage: Carriage,
    model: Option<&str>,
    is_retry: bool,
) -> Result<Written, Box<Failure>> {
    let Some(request) = cx.ai.as_deref().and_then(|ai| ai.request.as_ref()) else {
        return Ok(Written {
            body: relayed::payload(cx, model),
            conversion: None,
            tool_count: None,
        });
    };
    let converted = convert(cx, target, carriage, request, model)?;
    let (view, conversion) = converted.map_or((None, None), |(view, made)| (Some(view), Some(made)));
    let view = view.as_ref().unwrap_or(request);
    let spoken = spoken(cx, carriage);
    let plan = target.plan(spoken, cx.profile);
    // Of these, only moderations have a model.
    let names_none = spoken == Protocol::OpenAiObjects && request.model().is_none();
    let plan = plan.filter(|_| !names_none);
    let body = match plan {
        Some(plan) => plan.apply(view.json()).map_err(|error| {
            let text = format!("could not parse JSON request body: {error}");
            Failure::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::InvalidRequest,
                "invalid_json",
                text.clone(),
            )
            .apisix_json(serde_json::json!({ "message": text }))
        })?,
        None => view.bytes().clone(),
    };
    let body = with_gemini_model(spoken, body, model.unwrap_or_default());
    let sets_tools = plan.is_some_and(|plan| plan.sets("tools"));
    let counts_again = sets_tools || conversion.is_some() || is_retry;
    let tool_count = counts_again.then(|| {
        let sent = sets_tools
            .then(|| RequestView::parse(body.clone()).ok())
            .flatten();
        tool_count(sent.as_ref().unwrap_or(view))
    });
    Ok(Written {
        body: Payload::Whole(body),
        conversion,
        tool_count,
    })
}

/// `llm_tool_count` counts what is sent (compat §4.1.6).
fn tool_count(body: &RequestView) -> u32 {
    u32::try_from(body.tool_count()).unwrap_or(u32::MAX)
}

type Converted = Option<(RequestView, Conversion)>;

/// The body in the provider's protocol, where that is not the client's.
fn convert(
    cx: &Context,
    target: &Target,
    carriage: Carriage,
    request: &RequestView,
    model: Option<&str>,
) -> Result<Converted, Box<Failure>> {
    let refused = |reason: String| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            "not_convertible",
            reason.clone(),
        )
        .apisix_json(serde_json::json!({ "error_msg": reason }))
    };
    let converted = match carriage {
        Carriage::Translated(endpoint) => Some(translate(cx, target, endpoint.protocol(), request, model)?),
        _ => Conversion::of(carriage, request).map_err(|error| refused(error.to_string()))?,
    };
    let Some((body, conversion)) = converted else {
        return Ok(None);
    };
    let view = RequestView::parse(body).map_err(|error| refused(error.to_string()))?;
    Ok(Some((view, conversion)))
}

/// A request in the provider's protocol.
fn translate(
    cx: &Context,
    target: &Target,
    protocol: Protocol,
    request: &RequestView,
    model: Option<&str>,
) -> Result<(Bytes, Conversion), Box<Failure>> {
    let asked = cx.ai.as_deref().map_or(Protocol::Passthrough, |ai| ai.protocol);
    let to = TranslationFor {
        client: &client_call(cx, asked),
        provider: target.provider,
        protocol,
        model: model.unwrap_or_default(),
        id: &format!("{:032x}", cx.id.0),
        created: u64::try_from(cx.started_us / 1_000_000).unwrap_or_default(),
        memory: &memory::of_caller(cx),
    };
    let body = request.bytes();
    let translated = match protocol.operation() {
        Operation::Embed => EmbedTranslation::request(body, to)
            .map(|(body, translation)| (body, Conversion::Embed(Box::new(translation)))),
        Operation::Rerank => RerankTranslation::request(body, to)
            .map(|(body, translation)| (body, Conversion::Rerank(Box::new(translation)))),
        _ => ChatTranslation::request(body, to)
            .map(|(body, translation)| (body, Conversion::Chat(Box::new(translation)))),
    };
    translated.map_err(|error| Box::new(not_translatable(&error)))
}

/// A request that is not what its protocol says, or says what the provider's cannot.
pub(crate) fn not_translatable(error: &Unsayable) -> Failure {
    let failure = Failure::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        match error.param.as_deref() {
            Some("previous_response_id") => "previous_response_not_found",
            _ => "not_translatable",
        },
        match &error.param {
            Some(param) => format!("{param}: {}", error.message),
            None => error.message.clone(),
        },
    );
    match &error.param {
        Some(param) => failure.about(param.clone()),
        None => failure,
    }
}
