//! `ai-client`: what the gateway knows of a client beyond its key (DESIGN §1): who it is for, until when it works, and
//! from where it may call what.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    BodyCopy, CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step,
};
use sluice_llm::{ClientCall, ErrorKind};
use sluice_net::Body;
use sluice_resource::{CheckScope, Glob, PluginInfo, SchemaCompileError, parse_ip_net};

pub(crate) const NAME: &str = "ai-client";

/// Bytes of an answer that are kept where payloads are logged.
const PAYLOAD_MAX: usize = sluice_record::PAYLOAD_BODY_MAX;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 2600, schema())?.with_check(check),
        compile: AiClient::compile,
    })
}

fn schema() -> Value {
    let text = |most: u32| json!({ "type": "string", "maxLength": most });
    let list = |most: u32| json!({ "type": "array", "maxItems": most, "items": { "type": "string", "minLength": 1, "maxLength": 256 } });
    json!({
        "type": "object",
        "properties": {
            "name": text(200),
            "description": text(2000),
            "owner": text(200),
            "tags": list(100),
            "active": { "type": "boolean", "default": true },
            "expires_at": { "type": "integer", "minimum": 1 },
            "allowed_endpoints": list(100),
            "allowed_addresses": list(100),
            "log_payloads": { "type": "boolean", "default": false },
            "tool_mode": { "type": "string", "enum": ["pass-through"], "default": "pass-through" },
        },
        "additionalProperties": false,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope == CheckScope::Metadata {
        return Ok(());
    }
    Config::deserialize(conf)
        .map_err(|error| error.to_string())
        .and_then(|config| networks(&config).map(|_| ()))
}

fn networks(config: &Config) -> Result<Vec<IpNet>, String> {
    let parse = |text: &String| {
        parse_ip_net(text).ok_or_else(|| format!("allowed_addresses: \"{text}\" is no address or network"))
    };
    config.allowed_addresses.iter().map(parse).collect()
}

#[derive(Deserialize)]
struct Config {
    #[serde(default = "yes")]
    active: bool,
    expires_at: Option<u64>,
    #[serde(default)]
    allowed_endpoints: Vec<String>,
    #[serde(default)]
    allowed_addresses: Vec<String>,
    #[serde(default)]
    log_payloads: bool,
}

fn yes() -> bool {
    true
}

struct AiClient {
    active: bool,
    /// Unix milliseconds.
    expires_at: Option<u64>,
    endpoints: Vec<Glob>,
    addresses: Vec<IpNet>,
    logs_payloads: bool,
}

impl AiClient {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        Ok(Arc::new(Self {
            addresses: networks(&config).map_err(CompileError)?,
            active: config.active,
            logs_payloads: config.log_payloads,
            expires_at: config.expires_at,
            endpoints: config
                .allowed_endpoints
                .iter()
                .map(|pattern| Glob::new(pattern))
                .collect(),
        }))
    }

    /// Whether a pattern matches the path, or the name of the protocol that is spoken there.
    fn may_use(&self, path: &str) -> bool {
        let protocol = ClientCall::of(path, None).protocol.name();
        let mut patterns = self.endpoints.iter();
        patterns.any(|pattern| pattern.matches(path) || pattern.matches(protocol))
    }

    fn refusal(&self, cx: &Context) -> Option<Failure> {
        let expired = |at: u64| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .is_ok_and(|now| now.as_millis() >= u128::from(at))
        };
        if !self.active {
            return Some(refused("client_inactive", "this client is switched off"));
        }
        if self.expires_at.is_some_and(expired) {
            return Some(refused("client_expired", "this client has expired"));
        }
        let address: IpAddr = cx.request.peer.ip().to_canonical();
        if !self.addresses.is_empty() && !self.addresses.iter().any(|network| network.contains(&address)) {
            return Some(refused(
                "address_not_allowed",
                "this client may not call from this address",
            ));
        }
        if !self.endpoints.is_empty() && !self.may_use(&cx.request.path) {
            return Some(refused(
                "endpoint_not_allowed",
                "this client may not use this endpoint",
            ));
        }
        None
    }
}

fn refused(code: &'static str, message: &'static str) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, ErrorKind::Permission, code, message)
        .apisix_json(json!({ "message": message }))
}

impl Plugin for AiClient {
    fn phases(&self) -> Phases {
        match self.logs_payloads {
            true => Phases::of(&[Phase::Access, Phase::ResponseBody]),
            false => Phases::of(&[Phase::Access]),
        }
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match self.refusal(cx) {
            Some(failure) => failure.into(),
            None => {
                cx.keeps_payload |= self.logs_payloads;
                cx.keeps_answer_headers |= self.logs_payloads;
                Step::CONTINUE
            }
        }
    }

    fn response_body(&self, cx: &mut Context, body: Body) -> Body {
        if let Some(copy) = &cx.captured.response {
            copy.raise_limit(PAYLOAD_MAX);
            return body;
        }
        let (copy, body) = BodyCopy::of(body, PAYLOAD_MAX);
        cx.captured.response = Some(copy);
        body
    }
}
