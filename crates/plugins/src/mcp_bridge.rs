//! `mcp-bridge`: an MCP server that speaks over its standard streams, behind HTTP with server-sent events (compat
//! §4.14; the transport of MCP 2024-11-05).

mod events;

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, ReadBodyError, Reply,
    ReplyBody, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_net::Body;
use sluice_process::{LINE_MAX, SendError, StartError};
use sluice_resource::{AllowedCommands, PluginInfo, SchemaCompileError};
use uuid::Uuid;

use self::events::EventStream;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "base_uri": { "type": "string", "minLength": 1, "default": "" },
            "command": { "type": "string", "minLength": 1 },
            "args": { "type": "array", "items": { "type": "string" }, "minItems": 0 },
        },
        "required": ["command"],
    });
    let info = PluginInfo::new("mcp-bridge", 510, schema)?.with_command_check(check_command);
    Ok(PluginDef {
        info,
        compile: McpBridge::compile,
    })
}

fn check_command(conf: &Value, allowed: &AllowedCommands) -> Result<(), String> {
    let bridge = McpBridge::deserialize(conf).map_err(|error| error.to_string())?;
    allowed.check(&bridge.command, &bridge.args)
}

#[derive(Deserialize)]
struct McpBridge {
    command: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    base_uri: String,
}

impl McpBridge {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        Ok(Arc::new(Self::deserialize(conf)?))
    }

    /// Starts a server of the client's own, and answers with what it says.
    async fn open(&self, cx: &Context) -> Verdict {
        let started = cx.services.processes.start(&self.command, &self.args).await;
        let process = match started {
            Ok(process) => process,
            Err(error) => return not_started(error).into(),
        };
        let endpoint = format!("{}/message?sessionId={}", self.base_uri, process.id());
        let mut reply = Reply {
            body: ReplyBody::Raw(Body::boxed(EventStream::new(process, &endpoint))),
            ..Reply::status(StatusCode::OK)
        };
        let headers = &mut reply.headers;
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        reply.into()
    }

    /// Tells a server what its client says.
    async fn take(&self, cx: &mut Context) -> Verdict {
        let message = match cx.request.body.read(LINE_MAX as u64).await {
            Ok(message) if !message.is_empty() => message,
            Ok(_) => {
                let message = "the message is empty";
                return refused(StatusCode::BAD_REQUEST, "empty_body", message).into();
            }
            Err(error @ ReadBodyError::TooLarge { .. }) => {
                let message = "the message is too large";
                return refused(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
                    .caused_by(error)
                    .into();
            }
            Err(error) => {
                let message = "the message could not be read";
                return refused(StatusCode::BAD_REQUEST, "unreadable_body", message)
                    .caused_by(error)
                    .into();
            }
        };
        let session = cx.request.query_arg("sessionId").unwrap_or_default();
        let sent = match Uuid::try_parse(&session) {
            Ok(session) => cx.services.processes.send(session, message).await,
            Err(_) => Err(SendError::Unknown),
        };
        match sent {
            // The session of another node, or one that has ended: APISIX cannot tell either.
            Ok(()) | Err(SendError::Unknown) => Reply::status(StatusCode::ACCEPTED).into(),
            Err(error) => {
                let message = "the MCP server does not take the message";
                internal("message_not_taken", message).caused_by(error).into()
            }
        }
    }
}

fn refused(status: StatusCode, code: &'static str, message: &'static str) -> Failure {
    Failure::new(status, ErrorKind::InvalidRequest, code, message)
}

fn internal(code: &'static str, message: &'static str) -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        code,
        message,
    )
}

fn not_started(error: StartError) -> Failure {
    let code = match error {
        StartError::NotAllowed(_) => "command_not_allowed",
        _ => "command_not_started",
    };
    internal(code, "the MCP server could not be started").caused_by(error)
}

impl Plugin for McpBridge {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let action = cx.request.path.strip_prefix(&*self.base_uri);
        match (&cx.request.method, action) {
            (&Method::GET, Some("/sse")) => Step::wait(async move { self.open(cx).await }),
            (&Method::POST, Some("/message")) => Step::wait(self.take(cx)),
            _ => {
                let message = "an MCP bridge has the endpoints /sse and /message";
                Failure::new(
                    StatusCode::NOT_FOUND,
                    ErrorKind::NotFound,
                    "no_such_endpoint",
                    message,
                )
                .into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
