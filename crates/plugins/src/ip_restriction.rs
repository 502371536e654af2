//! `ip-restriction`: callers by address (compat §6.6).

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step};
use sluice_llm::ErrorKind;
use sluice_resource::{PluginInfo, SchemaCompileError, parse_ip_net};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let addresses = json!({
        "type": "array", "minItems": 1,
        "items": { "anyOf": [
            { "type": "string", "title": "IPv4", "format": "ipv4" },
            { "type": "string", "title": "IPv4/CIDR", "pattern": r"^([0-9]{1,3}\.){3}[0-9]{1,3}/([12]?[0-9]|3[0-2])$" },
            { "type": "string", "title": "IPv6", "format": "ipv6" },
            { "type": "string", "title": "IPv6/CIDR", "pattern": r"^([a-fA-F0-9]{0,4}:){1,8}(:[a-fA-F0-9]{0,4}){0,8}([a-fA-F0-9]{0,4})?/[0-9]{1,3}$" },
        ] },
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "message": {
                "type": "string", "minLength": 1, "maxLength": 1024, "default": "Your IP address is not allowed",
            },
            "response_code": { "type": "integer", "minimum": 403, "maximum": 404, "default": 403 },
            "whitelist": addresses,
            "blacklist": addresses,
        },
        "oneOf": [{ "required": ["whitelist"] }, { "required": ["blacklist"] }],
    });
    Ok(PluginDef {
        info: PluginInfo::new("ip-restriction", 3000, schema)?,
        compile: IpRestriction::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    message: String,
    response_code: u16,
    whitelist: Option<Vec<String>>,
    blacklist: Option<Vec<String>>,
}

struct IpRestriction {
    message: String,
    status: StatusCode,
    allowed: Option<Vec<IpNet>>,
    refused: Vec<IpNet>,
}

impl IpRestriction {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let status = StatusCode::from_u16(config.response_code).map_err(|e| CompileError(e.to_string()))?;
        Ok(Arc::new(Self {
            message: config.message,
            status,
            allowed: config.whitelist.map(networks).transpose()?,
            refused: networks(config.blacklist.unwrap_or_default())?,
        }))
    }

    fn admits(&self, peer: IpAddr) -> bool {
        let among = |list: &[IpNet]| list.iter().any(|net| net.contains(&peer));
        !among(&self.refused) && self.allowed.as_deref().is_none_or(among)
    }
}

fn networks(texts: Vec<String>) -> Result<Vec<IpNet>, CompileError> {
    let parse =
        |text: String| parse_ip_net(&text).ok_or_else(|| CompileError(format!("invalid ip address: {text}")));
    texts.into_iter().map(parse).collect()
}

impl Plugin for IpRestriction {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if self.admits(cx.request.peer.ip().to_canonical()) {
            return Step::CONTINUE;
        }
        Failure::new(
            self.status,
            ErrorKind::Permission,
            "address_not_allowed",
            self.message.clone(),
        )
        .apisix_json(json!({ "message": self.message }))
        .into()
    }
}
