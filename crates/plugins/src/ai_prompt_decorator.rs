//! `ai-prompt-decorator`: messages before and after the client's (compat §4.5).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Profile, Step, Verdict,
};
use sluice_llm::PromptEdits;
use sluice_resource::{PluginInfo, SchemaCompileError};

use crate::json_body::{self, MAX_BODY};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let messages = json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "role": { "type": "string", "enum": ["system", "user", "assistant"] },
                "content": { "type": "string", "minLength": 1 },
            },
            "required": ["role", "content"],
        },
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "prepend": messages,
            "append": messages,
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": MAX_BODY },
        },
        "anyOf": [
            { "required": ["prepend"] },
            { "required": ["append"] },
            { "required": ["append", "prepend"] },
        ],
    });
    Ok(PluginDef {
        info: PluginInfo::new("ai-prompt-decorator", 1070, schema)?,
        compile: |conf: &Value, _: &CompileEnv<'_>| -> Result<Arc<dyn Plugin>, CompileError> {
            Ok(Arc::new(Decorator::deserialize(conf)?))
        },
    })
}

#[derive(Deserialize)]
struct Decorator {
    #[serde(flatten)]
    edits: PromptEdits,
    max_req_body_size: u64,
}

impl Plugin for Decorator {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if !json_body::may_hold_prompt(cx) {
            return Step::CONTINUE;
        }
        Step::wait(async move {
            let request = match json_body::read(cx, self.max_req_body_size).await {
                Ok(request) => request,
                Err(failure) => return failure.into(),
            };
            let protocol = sluice_exchange::protocol_of(cx, &request);
            let decorated = match cx.profile {
                Profile::Apisix => self.edits.apply(protocol, &request),
                Profile::Native => self.edits.apply_natively(protocol, &request),
            };
            cx.request.body.replace(decorated);
            Verdict::Continue
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sluice_net::Body;

    use super::*;
    use crate::fixture::Fixture;

    async fn decorate(path: &str, body: &'static str) -> (Verdict, Option<Bytes>) {
        let fixture = Fixture::new();
        let conf = json!({ "prepend": [{ "role": "system", "content": "s" }] });
        let plugin = fixture.compile(definition, &conf).unwrap();
        let mut cx = fixture.context("POST", path);
        cx.request.body = sluice_core::RequestBody::new(Body::from(Bytes::from(body)));
        let verdict = match plugin.rewrite(&mut cx) {
            Step::Wait(verdict) => verdict.await,
            Step::Done(verdict) => verdict,
        };
        (verdict, cx.request.body.bytes().cloned())
    }

    #[tokio::test]
    async fn the_protocol_is_that_of_path_and_body() {
        let (_, body) = decorate("/v1/responses", r#"{"input":"q"}"#).await;
        assert_eq!(body.unwrap(), r#"{"input":"q","instructions":"s"}"#);
        let (_, body) = decorate("/anything", r#"{"messages":[]}"#).await;
        assert_eq!(body.unwrap(), r#"{"messages":[{"role":"system","content":"s"}]}"#);
    }

    #[tokio::test]
    async fn what_is_no_json_is_refused() {
        for body in ["", "{"] {
            let (verdict, _) = decorate("/", body).await;
            assert!(matches!(verdict, Verdict::Fail(_)), "{body}");
        }
    }

    #[tokio::test]
    async fn one_of_both_is_needed() {
        let fixture = Fixture::new();
        assert!(fixture.compile(definition, &json!({})).is_err());
        let empty = json!({ "append": [{ "role": "user", "content": "" }] });
        assert!(fixture.compile(definition, &empty).is_err());
    }
}
