//! `ai-aliyun-content-moderation`: Aliyun's text moderation judges prompts and answers (compat §4.11).

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Plugin, PluginDef};
use sluice_net::{Body, Pool};
use sluice_resource::{PluginInfo, SchemaCompileError};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::callout::{Callout, CalloutConfig};
use crate::moderation::{
    Classifier, Direction, Judging, Moderation, Opinion, SchemaDefaults, Settings, Unjudged,
};
use crate::text_cut::cut_chars;

const NAME: &str = "ai-aliyun-content-moderation";
/// Risk levels, lowest first.
const LEVELS: [&str; 5] = ["none", "low", "medium", "high", "max"];
const OTHERWISE: &str = "Your request violate our content policy.";
/// What stays as it is in Aliyun's percent-encoding (RFC 3986).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let required = json!({ "type": "string", "minLength": 1 });
    let mut properties = Settings::properties(&SchemaDefaults {
        mode: "last",
        roles: &["user", "tool", "system"],
        default_roles: &["user"],
    });
    let own = json!({
        "endpoint": required,
        "region_id": required,
        "access_key_id": required,
        "access_key_secret": required,
        "request_check_service": { "type": "string", "minLength": 1, "default": "llm_query_moderation" },
        "response_check_service": { "type": "string", "minLength": 1, "default": "llm_response_moderation" },
        "request_check_length_limit": { "type": "integer", "minimum": 1, "default": 2000 },
        "response_check_length_limit": { "type": "integer", "minimum": 1, "default": 5000 },
        "risk_level_bar": { "type": "string", "enum": LEVELS, "default": "high" },
        "timeout": { "type": "integer", "minimum": 1, "default": 10_000 },
        "keepalive": { "type": "boolean", "default": true },
        "keepalive_timeout": { "type": "integer", "minimum": 1000, "default": 60_000 },
        "keepalive_pool": { "type": "integer", "minimum": 1, "default": 30 },
        "ssl_verify": { "type": "boolean", "default": true },
    });
    properties.extend(own.as_object().cloned().unwrap_or_default());
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": ["endpoint", "region_id", "access_key_id", "access_key_secret"],
    });
    let info = PluginInfo::new(NAME, 1029, schema)?.with_encrypted_fields(&["access_key_secret"]);
    Ok(PluginDef { info, compile })
}

#[derive(Deserialize)]
struct Config {
    endpoint: String,
    region_id: String,
    access_key_id: String,
    access_key_secret: String,
    request_check_service: String,
    response_check_service: String,
    request_check_length_limit: usize,
    response_check_length_limit: usize,
    risk_level_bar: String,
    timeout: u64,
    keepalive: bool,
    keepalive_timeout: u64,
    keepalive_pool: usize,
    ssl_verify: bool,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let callout = CalloutConfig {
        ssl_verify: config.ssl_verify,
        timeout: config.timeout,
        keepalive_pool: if config.keepalive {
            config.keepalive_pool
        } else {
            0
        },
        keepalive_timeout: config.keepalive_timeout,
        ..CalloutConfig::new(&config.endpoint)
    };
    let service = Aliyun {
        callout: Callout::compile(callout, env.services)?,
        // The signing key is the secret with an ampersand (Aliyun RPC signature 1.0).
        key: hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            format!("{}&", config.access_key_secret).as_bytes(),
        ),
        bar: rank(&config.risk_level_bar),
        config: Named {
            region_id: config.region_id,
            access_key_id: config.access_key_id,
            services: [config.request_check_service, config.response_check_service],
            lengths: [
                config.request_check_length_limit,
                config.response_check_length_limit,
            ],
        },
    };
    Ok(Arc::new(Moderation::new(NAME, service, conf, Unjudged::Pass)?))
}

struct Named {
    region_id: String,
    access_key_id: String,
    /// For requests, for answers.
    services: [String; 2],
    lengths: [usize; 2],
}

struct Aliyun {
    callout: Callout,
    key: hmac::Key,
    bar: usize,
    config: Named,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    risk_level: String,
    #[serde(default)]
    advice: Vec<Advice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Advice {
    answer: Option<String>,
}

/// What `sign` needs beside what is configured.
struct Call<'a> {
    service: &'a str,
    content: &'a str,
    session: &'a str,
    nonce: &'a str,
    timestamp: &'a str,
}

impl Aliyun {
    /// The form of a call, with its signature (Aliyun RPC signature 1.0, method POST).
    fn form(&self, call: &Call<'_>) -> String {
        let parameters = json!({ "sessionId": call.session, "content": call.content }).to_string();
        let mut fields = [
            ("AccessKeyId", &*self.config.access_key_id),
            ("Action", "TextModerationPlus"),
            ("Format", "JSON"),
            ("RegionId", &*self.config.region_id),
            ("Service", call.service),
            ("ServiceParameters", &*parameters),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", call.nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", call.timestamp),
            ("Version", "2022-03-02"),
        ];
        fields.sort_unstable();
        let pairs: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        let form = pairs.join("&");
        let signed = format!("POST&{}&{}", escape("/"), escape(&form));
        let signature = STANDARD.encode(hmac::sign(&self.key, signed.as_bytes()));
        format!("{form}&Signature={}", escape(&signature))
    }

    async fn moderate(
        &self,
        pool: &Pool,
        service: &str,
        content: &str,
        session: &str,
    ) -> Result<Data, String> {
        let timestamp = OffsetDateTime::now_utc()
            .format(format_description!(
                "[year]-[month]-[day]T[hour]:[minute]:[second]Z"
            ))
            .map_err(|error| error.to_string())?;
        let form = self.form(&Call {
            service,
            content,
            session,
            nonce: &uuid::Uuid::new_v4().to_string(),
            timestamp: &timestamp,
        });
        let mut request = Request::new(Body::from(Bytes::from(form)));
        *request.method_mut() = Method::POST;
        request
            .headers_mut()
            .insert(header::HOST, self.callout.authority().clone());
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let answer = self
            .callout
            .ask(pool, request)
            .await
            .map_err(|error| format!("aliyun {error}"))?;
        if answer.status != StatusCode::OK {
            return Err(format!("aliyun answered {}", answer.status));
        }
        let reply: Reply = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("aliyun answered what cannot be read: {error}"))?;
        reply
            .data
            .ok_or_else(|| "aliyun answered without a verdict".to_owned())
    }
}

impl Classifier for Aliyun {
    fn judge<'a>(&'a self, pool: &'a Pool, direction: Direction, text: &'a str) -> Judging<'a> {
        let side = usize::from(direction == Direction::Response);
        let (service, length) = (&self.config.services[side], self.config.lengths[side]);
        Box::pin(async move {
            let session = uuid::Uuid::new_v4().to_string();
            let mut level = "none".to_owned();
            for piece in cut_chars(text, length) {
                let data = self.moderate(pool, service, piece, &session).await?;
                if rank(&data.risk_level) >= self.bar {
                    let advice = data.advice.into_iter().find_map(|advice| advice.answer);
                    return Ok(Opinion {
                        risk_level: data.risk_level.into(),
                        denied: Some(advice.unwrap_or_else(|| OTHERWISE.to_owned())),
                    });
                }
                if rank(&data.risk_level) > rank(&level) {
                    level = data.risk_level;
                }
            }
            Ok(Opinion {
                risk_level: level.into(),
                denied: None,
            })
        })
    }
}

/// A level's place among the levels; what is unknown is lowest.
fn rank(level: &str) -> usize {
    LEVELS.iter().position(|known| *known == level).unwrap_or(0)
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
