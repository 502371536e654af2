//! `request-id`: an id per request, for upstream, client and logs (compat §6.7).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, ResponseHead, Step};
use sluice_record::Text;
use sluice_resource::{PluginInfo, SchemaCompileError};

/// The `G` in the place of `J` is APISIX's.
const LETTERS_AND_DIGITS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "header_name": { "type": "string", "default": "X-Request-Id" },
            "include_in_response": { "type": "boolean", "default": true },
            "algorithm": {
                "type": "string", "enum": ["uuid", "nanoid", "range_id", "ksuid", "uuidv7"], "default": "uuid",
            },
            "range_id": {
                "type": "object",
                "properties": {
                    "length": { "type": "integer", "minimum": 6, "default": 16 },
                    "char_set": {
                        "type": "string", "minLength": 6,
                        "default": LETTERS_AND_DIGITS,
                    },
                },
                "default": {},
            },
        },
    });
    Ok(PluginDef {
        info: PluginInfo::new("request-id", 12015, schema)?,
        compile: RequestIds::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    header_name: String,
    include_in_response: bool,
    algorithm: Algorithm,
    range_id: Range,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Algorithm {
    Uuid,
    Nanoid,
    RangeId,
    Ksuid,
    Uuidv7,
}

/// The schema fills in the object, not what is in it.
#[derive(Deserialize)]
#[serde(default)]
struct Range {
    length: usize,
    char_set: String,
}

impl Default for Range {
    fn default() -> Self {
        Self {
            length: 16,
            char_set: LETTERS_AND_DIGITS.to_owned(),
        }
    }
}

struct RequestIds {
    header: HeaderName,
    include_in_response: bool,
    algorithm: Algorithm,
    length: usize,
    alphabet: Vec<char>,
}

const URL_SAFE: &str = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NANOID_LENGTH: usize = 21;

impl RequestIds {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let header = config
            .header_name
            .parse()
            .map_err(|_| CompileError("header_name is not a header name".to_owned()))?;
        Ok(Arc::new(Self {
            header,
            include_in_response: config.include_in_response,
            algorithm: config.algorithm,
            length: config.range_id.length,
            alphabet: config.range_id.char_set.chars().collect(),
        }))
    }

    fn generate(&self) -> String {
        match self.algorithm {
            Algorithm::Uuid => uuid::Uuid::new_v4().to_string(),
            Algorithm::Uuidv7 => uuid::Uuid::now_v7().to_string(),
            Algorithm::Nanoid => random(NANOID_LENGTH, &URL_SAFE.chars().collect::<Vec<_>>()),
            Algorithm::RangeId => random(self.length, &self.alphabet),
            Algorithm::Ksuid => ksuid(),
        }
    }
}

impl Plugin for RequestIds {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite, Phase::ResponseHead])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let sent = cx
            .request
            .headers
            .get(&self.header)
            .and_then(|v| v.to_str().ok())
            .filter(|v| !v.is_empty());
        let id = sent.map_or_else(|| self.generate(), str::to_owned);
        if let Ok(value) = HeaderValue::from_str(&id) {
            cx.request.headers.insert(&self.header, value);
        }
        cx.request_id = Some(Text::from(id));
        Step::CONTINUE
    }

    fn response_head(&self, cx: &mut Context, head: &mut ResponseHead) {
        if self.include_in_response
            && let Some(id) = cx.request.headers.get(&self.header)
        {
            head.headers.entry(&self.header).or_insert_with(|| id.clone());
        }
    }
}

fn random(length: usize, alphabet: &[char]) -> String {
    let mut rng = rand::rng();
    (0..length)
        .map(|_| alphabet[rng.random_range(0..alphabet.len())])
        .collect()
}

/// Seconds since 2014-05-13 and 16 random bytes, as 27 base-62 digits.
fn ksuid() -> String {
    const EPOCH: u64 = 1_400_000_000;
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
        .saturating_sub(EPOCH);
    let mut bytes = [0_u8; 20];
    bytes[..4].copy_from_slice(&u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes());
    rand::rng().fill(&mut bytes[4..]);
    let mut digits = [b'0'; 27];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut bytes {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or_default();
            remainder = value % 62;
        }
        *digit = DIGITS[remainder as usize];
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}
