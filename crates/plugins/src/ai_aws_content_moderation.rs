//! `ai-aws-content-moderation`: Amazon Comprehend judges prompts and answers (compat §4.10).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_cloud::{AwsCredentials, AwsRequest, AwsSigner};
use sluice_core::{CompileEnv, CompileError, Plugin, PluginDef};
use sluice_net::{Body, Pool};
use sluice_resource::{PluginInfo, SchemaCompileError};

use crate::callout::{Callout, CalloutConfig};
use crate::moderation::{
    Classifier, Direction, Judging, Moderation, Opinion, SchemaDefaults, Settings, Unjudged,
};
use crate::text_cut::cut_bytes;

const NAME: &str = "ai-aws-content-moderation";
const ROLES: &[&str] = &["user", "tool", "system", "assistant"];
const CATEGORIES: [&str; 6] = [
    "PROFANITY",
    "HATE_SPEECH",
    "INSULT",
    "HARASSMENT_OR_ABUSE",
    "SEXUAL",
    "VIOLENCE_OR_THREAT",
];
/// What one call takes, by the service's quotas.
const SEGMENTS_PER_CALL: usize = 10;
const BYTES_PER_CALL: usize = 10_000;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let score = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    let categories: serde_json::Map<_, _> = CATEGORIES
        .iter()
        .map(|name| ((*name).to_owned(), score.clone()))
        .collect();
    let length = json!({ "type": "integer", "minimum": 4, "maximum": 1024, "default": 1000 });
    let mut properties = Settings::properties(&SchemaDefaults {
        mode: "all",
        roles: ROLES,
        default_roles: ROLES,
    });
    let own = json!({
        "comprehend": {
            "type": "object",
            "properties": {
                "access_key_id": { "type": "string" },
                "secret_access_key": { "type": "string" },
                "region": { "type": "string" },
                "endpoint": { "type": "string", "pattern": "^https?://" },
                "ssl_verify": { "type": "boolean", "default": true },
            },
            "required": ["access_key_id", "secret_access_key", "region"],
        },
        "moderation_categories": {
            "type": "object", "properties": categories, "additionalProperties": false,
        },
        "moderation_threshold": { "type": "number", "minimum": 0, "maximum": 1, "default": 0.5 },
        "request_check_length_limit": length,
        "response_check_length_limit": length,
        "timeout": { "type": "integer", "minimum": 1, "default": 10_000 },
        "keepalive": { "type": "boolean", "default": true },
        "keepalive_timeout": { "type": "integer", "minimum": 1000, "default": 60_000 },
    });
    properties.extend(own.as_object().cloned().unwrap_or_default());
    let schema = json!({ "type": "object", "properties": properties, "required": ["comprehend"] });
    let info = PluginInfo::new(NAME, 1031, schema)?.with_encrypted_fields(&["comprehend.secret_access_key"]);
    Ok(PluginDef { info, compile })
}

#[derive(Deserialize)]
struct Config {
    comprehend: ComprehendConfig,
    #[serde(default)]
    moderation_categories: BTreeMap<String, f64>,
    moderation_threshold: f64,
    request_check_length_limit: usize,
    response_check_length_limit: usize,
    timeout: u64,
    keepalive: bool,
    keepalive_timeout: u64,
}

#[derive(Deserialize)]
struct ComprehendConfig {
    #[serde(flatten)]
    credentials: AwsCredentials,
    region: String,
    endpoint: Option<String>,
    ssl_verify: bool,
}

fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
    let config = Config::deserialize(conf)?;
    let service = config.comprehend;
    let endpoint = service
        .endpoint
        .unwrap_or_else(|| format!("https://comprehend.{}.amazonaws.com", service.region));
    let callout = CalloutConfig {
        ssl_verify: service.ssl_verify,
        timeout: config.timeout,
        keepalive_pool: if config.keepalive { 30 } else { 0 },
        keepalive_timeout: config.keepalive_timeout,
        ..CalloutConfig::new(&endpoint)
    };
    let comprehend = Comprehend {
        callout: Callout::compile(callout, env.services)?,
        signer: AwsSigner::new(service.credentials, &service.region, "comprehend"),
        categories: config.moderation_categories,
        threshold: config.moderation_threshold,
        request_length: config.request_check_length_limit,
        response_length: config.response_check_length_limit,
    };
    Ok(Arc::new(Moderation::new(
        NAME,
        comprehend,
        conf,
        Unjudged::RefuseWhole,
    )?))
}

struct Comprehend {
    callout: Callout,
    signer: AwsSigner,
    categories: BTreeMap<String, f64>,
    threshold: f64,
    request_length: usize,
    response_length: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Toxicity {
    result_list: Vec<SegmentResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SegmentResult {
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    toxicity: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Label {
    name: String,
    score: f64,
}

impl Comprehend {
    async fn detect(&self, pool: &Pool, segments: &[&str]) -> Result<Toxicity, String> {
        let segments: Vec<_> = segments.iter().map(|text| json!({ "Text": text })).collect();
        let body = Bytes::from(json!({ "LanguageCode": "en", "TextSegments": segments }).to_string());
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, self.callout.authority().clone());
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        headers.insert(
            HeaderName::from_static("x-amz-target"),
            HeaderValue::from_static("Comprehend_20171127.DetectToxicContent"),
        );
        let signed = AwsRequest {
            method: &Method::POST,
            path: self.callout.target().path(),
            query: "",
            body: &body,
        };
        self.signer
            .sign(&signed, &mut headers, SystemTime::now())
            .map_err(|error| error.to_string())?;
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        let answer = self
            .callout
            .ask(pool, request)
            .await
            .map_err(|error| format!("comprehend {error}"))?;
        if answer.status != StatusCode::OK {
            return Err(format!("comprehend answered {}", answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("comprehend answered what cannot be read: {error}"))
    }

    /// What is wrong with the text, in the words of the refusal.
    fn excess(&self, results: &[SegmentResult]) -> Option<String> {
        for result in results {
            let above = |label: &&Label| {
                self.categories
                    .get(&label.name)
                    .is_some_and(|limit| label.score > *limit)
            };
            if let Some(label) = result.labels.iter().find(above) {
                return Some(label.name.clone());
            }
            if result.toxicity > self.threshold {
                return Some("toxicity".to_owned());
            }
        }
        None
    }
}

impl Classifier for Comprehend {
    fn judge<'a>(&'a self, pool: &'a Pool, direction: Direction, text: &'a str) -> Judging<'a> {
        let limit = match direction {
            Direction::Request => self.request_length,
            Direction::Response => self.response_length,
        };
        Box::pin(async move {
            let segments = cut_bytes(text, limit);
            let per_call = SEGMENTS_PER_CALL.min(BYTES_PER_CALL / limit).max(1);
            for batch in segments.chunks(per_call) {
                let found = self.detect(pool, batch).await?;
                if let Some(what) = self.excess(&found.result_list) {
                    return Ok(Opinion {
                        risk_level: "high".into(),
                        denied: Some(format!("{} body exceeds {what} threshold", direction.name())),
                    });
                }
            }
            Ok(Opinion {
                risk_level: "none".into(),
                denied: None,
            })
        })
    }
}
