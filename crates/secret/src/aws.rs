//! AWS Secrets Manager: `GetSecretValue`
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>).

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_cloud::{AwsCredentials, AwsRequest, AwsSigner};
use sluice_net::Body;

use crate::http::{Http, Server, meaningless, unsendable};
use crate::manager::{Reading, SecretManager, SecretReadError};

/// A `secrets` resource of kind `aws` (compat §1.10).
#[derive(Deserialize)]
struct AwsConfig {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
}

/// AWS Secrets Manager in one region.
pub(crate) struct AwsSecrets {
    server: Server,
    signer: AwsSigner,
}

/// An answer that has the secret.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SecretString")]
    text: Option<String>,
    #[serde(rename = "SecretBinary")]
    binary: Option<String>,
}

/// An answer that says why it has not.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

impl AwsSecrets {
    pub(crate) fn new(http: &Arc<Http>, config: &Value) -> Result<Self, String> {
        let config = AwsConfig::deserialize(config).map_err(|error| error.to_string())?;
        let region = config.region.as_deref().unwrap_or("us-east-1");
        let usual = || format!("https://secretsmanager.{region}.amazonaws.com");
        let url = config.endpoint_url.unwrap_or_else(usual);
        let mut credentials = AwsCredentials::new(config.access_key_id, config.secret_access_key);
        if let Some(token) = config.session_token {
            credentials = credentials.with_session_token(token);
        }
        Ok(Self {
            server: Server::new(http, &url, true)?,
            signer: AwsSigner::new(credentials, region, "secretsmanager"),
        })
    }

    async fn get(&self, document: &str) -> Result<Value, SecretReadError> {
        let asked = json!({ "SecretId": document, "VersionStage": "AWSCURRENT" });
        let request = self.signed(Bytes::from(asked.to_string()))?;
        let (status, body) = self.server.ask(request).await?;
        if status == StatusCode::OK {
            let answer: Answer = serde_json::from_slice(&body).map_err(meaningless)?;
            return secret_of(answer).map(Value::String);
        }
        let kind = serde_json::from_slice::<Refusal>(&body)
            .ok()
            .map(|refusal| refusal.kind);
        let kind = kind.as_deref().and_then(error_code).unwrap_or_default();
        Err(match kind {
            "ResourceNotFoundException" => SecretReadError::Absent("it does not exist in AWS".to_owned()),
            _ => SecretReadError::Failed(format!("AWS answered {status} {kind}").trim_end().to_owned()),
        })
    }

    fn signed(&self, body: Bytes) -> Result<Request<Body>, SecretReadError> {
        let path = format!("{}/", self.server.path);
        let mut request = Request::post(&path)
            .body(Body::from(body.clone()))
            .map_err(unsendable)?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.server.host().clone());
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        headers.insert(
            "x-amz-target",
            HeaderValue::from_static("secretsmanager.GetSecretValue"),
        );
        let signed = AwsRequest {
            method: &Method::POST,
            path: &path,
            query: "",
            body: &body,
        };
        let signed = self.signer.sign(&signed, headers, SystemTime::now());
        signed.map_err(SecretReadError::failed)?;
        Ok(request)
    }
}

impl SecretManager for AwsSecrets {
    fn read<'a>(&'a self, document: &'a str) -> Reading<'a> {
        Box::pin(self.get(document))
    }
}

fn secret_of(answer: Answer) -> Result<String, SecretReadError> {
    if let Some(text) = answer.text {
        return Ok(text);
    }
    let binary = answer.binary.ok_or_else(|| meaningless(()))?;
    let bytes = STANDARD.decode(binary).map_err(meaningless)?;
    String::from_utf8(bytes).map_err(|_| SecretReadError::Failed("the secret is not text".to_owned()))
}

/// The name of an error, which may stand behind a namespace. Anything else is not repeated.
fn error_code(kind: &str) -> Option<&str> {
    let code = kind.rsplit('#').next()?;
    let is_code = code.len() <= 60 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_text_or_bytes_that_are_text() {
        let secret = |text: Option<&str>, binary: Option<&str>| {
            secret_of(Answer {
                text: text.map(str::to_owned),
                binary: binary.map(str::to_owned),
            })
        };
        assert_eq!(secret(Some("text"), None).unwrap(), "text");
        assert_eq!(secret(None, Some("dGV4dA==")).unwrap(), "text");
        for binary in [None, Some("no base64!"), Some("/w==")] {
            assert!(secret(None, binary).is_err(), "{binary:?}");
        }
    }

    #[test]
    fn only_codes_are_repeated() {
        assert_eq!(
            error_code("com.amazonaws#AccessDeniedException"),
            Some("AccessDeniedException")
        );
        assert_eq!(error_code("a token=secret"), None);
    }
}
