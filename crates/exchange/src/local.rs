//! Targets inside the gateway: the `echo` provider.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use sluice_core::{Context, Failure, Profile};
use sluice_llm::{EchoReply, EchoStamp, ErrorKind, echo, echo_models};
use sluice_net::Body;

use crate::config::CallConfig;
use crate::perform::{Attempt, Provided, upstream_reply};
use crate::target::Target;
use crate::{answer, models, stream};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Answers a call without any upstream. The answer takes the same way as a provider's.
pub(crate) async fn answer(
    cx: &mut Context,
    target: &Target,
    call: &CallConfig,
    provided: Provided,
    body: Bytes,
) -> Attempt {
    let Some(ai) = cx.ai.as_deref() else {
        return refused("no AI call was prepared".to_owned()).into();
    };
    if ai.request.is_none() {
        return without_request(cx, target, &provided);
    }
    let id = format!("{:032x}", cx.id.0);
    let created = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let stamp = EchoStamp {
        id: &id,
        created: i64::try_from(created).unwrap_or(i64::MAX),
    };
    let model = ai.model_sent.clone().unwrap_or_else(|| "echo".into());
    let tokens = &cx.services.tokens;
    let replied = echo(provided.carriage.target(), &body, stamp, &|text| {
        tokens.count(&model, text)
    });
    let mut headers = HeaderMap::new();
    match replied {
        Err(error) => refused(error.to_string()).into(),
        Ok(EchoReply::Json(json)) => {
            headers.insert(header::CONTENT_TYPE, JSON);
            answer::relay(cx, call, &provided, StatusCode::OK, headers, Body::from(json)).await
        }
        Ok(EchoReply::Stream(frames)) => {
            headers.insert(header::CONTENT_TYPE, EVENTS);
            stream::relay(cx, call, provided, StatusCode::OK, headers, chunks(frames)).await
        }
    }
}

/// The list of models; nothing else that has no JSON is answered here.
fn without_request(cx: &Context, target: &Target, provided: &Provided) -> Attempt {
    let path = &*cx.request.path;
    let list = match provided.lists_models {
        true => match models::written(cx, &echo_models()) {
            Ok(list) => list,
            Err(failure) => return (*failure).into(),
        },
        false if path.ends_with("/models") => echo_models(),
        false => {
            return refused(format!(
                "{} does not answer {} {path}",
                target.provider.name(),
                cx.request.method
            ))
            .into();
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, JSON);
    let body = Body::from(list);
    let body = if cx.profile == Profile::Apisix {
        body.into_chunked()
    } else {
        body
    };
    upstream_reply(StatusCode::OK, headers, body).into()
}

fn chunks(frames: Vec<Bytes>) -> Body {
    let frames = VecDeque::from(frames)
        .into_iter()
        .map(|frame| Ok::<_, Infallible>(Frame::data(frame)));
    Body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

fn refused(message: String) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::InvalidRequest,
        "not_echoable",
        message.clone(),
    )
    .apisix_json(serde_json::json!({ "error_msg": message }))
}
