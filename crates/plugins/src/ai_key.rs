//! `ai-key`: a credential that is kept as a digest only (DESIGN §1). `key-auth` accepts it wherever it takes keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sluice_core::{Caller, CompileEnv, CompileError, Context, Identity, Phases, Plugin, PluginDef};
use sluice_resource::{PluginInfo, SchemaCompileError};
use sluice_wire::sha256_hex;

use crate::auth::{self, Refusal};

pub(crate) const NAME: &str = "ai-key";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let consumer_schema = json!({
        "type": "object",
        "properties": {
            "digest": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "hint": { "type": "string", "maxLength": 64 },
            "created_at": { "type": "integer", "minimum": 0 },
            "expires_at": { "type": "integer", "minimum": 1 },
            "active": { "type": "boolean", "default": true },
            "key": { "type": "string", "minLength": 1, "maxLength": 4096 },
            "rotated_to": { "type": "string", "maxLength": 100 },
        },
        "required": ["digest"],
        "additionalProperties": false,
    });
    let info = PluginInfo::new(
        NAME,
        2499,
        json!({ "type": "object", "additionalProperties": false }),
    )?
    .with_consumer_schema(consumer_schema)?
    .with_consumer_encrypted_fields(&["key"])
    .as_auth("digest");
    Ok(PluginDef {
        info,
        compile: AiKey::compile,
    })
}

/// Nothing by itself: it only stands on consumers and credentials.
struct AiKey;

impl AiKey {
    fn compile(_conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        Ok(Arc::new(Self))
    }
}

impl Plugin for AiKey {
    fn phases(&self) -> Phases {
        Phases::of(&[])
    }
}

const INACTIVE: Refusal = Refusal {
    code: "api_key_inactive",
    message: "This API key is switched off",
};
const EXPIRED: Refusal = Refusal {
    code: "api_key_expired",
    message: "This API key has expired",
};

/// Whose key it is.
pub(crate) enum Found {
    /// Somebody's.
    Caller(Caller),
    /// Somebody's, who may not use it any more, and why.
    Ended(Refusal),
    /// Nobody's.
    Nobody,
}

/// Whose key it is, by its digest.
pub(crate) fn find(cx: &Context, key: &str) -> Found {
    match auth::find(cx, NAME, &sha256_hex(key.as_bytes())) {
        Some((caller, identity)) => match end(&identity) {
            Some(refusal) => Found::Ended(refusal),
            None => Found::Caller(caller),
        },
        None => Found::Nobody,
    }
}

/// Why a key does not work any more, if it does not.
fn end(identity: &Identity) -> Option<Refusal> {
    let conf = &identity.conf;
    if conf.get("active").and_then(Value::as_bool) == Some(false) {
        return Some(INACTIVE);
    }
    let expires_at = conf.get("expires_at").and_then(Value::as_u64)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    (now >= u128::from(expires_at)).then_some(EXPIRED)
}
