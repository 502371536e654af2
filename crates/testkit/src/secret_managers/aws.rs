//! AWS Secrets Manager's `GetSecretValue`, which checks the signature
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::fake::{FakeProvider, Recorded, Reply, sigv4};

/// AWS Secrets Manager in one region, for the key pair of [`AWS_ACCESS_KEY_ID`](crate::AWS_ACCESS_KEY_ID).
pub struct FakeAwsSecrets {
    server: FakeProvider,
    kept: Arc<Mutex<HashMap<String, String>>>,
}

impl FakeAwsSecrets {
    /// One in this region.
    #[must_use]
    pub fn start(region: &str) -> Self {
        let kept: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let server = FakeProvider::start();
        let known = kept.clone();
        let scope = format!("/{region}/secretsmanager/aws4_request,");
        server.always(Reply::by(move |request| {
            let authorization = request.header("authorization").unwrap_or_default();
            match sigv4::verify(request) {
                Ok(()) if authorization.contains(&scope) => {
                    answer(&known.lock().unwrap_or_else(PoisonError::into_inner), request)
                }
                _ => Reply::json(400, &json!({"__type": "InvalidSignatureException"})),
            }
        }));
        Self { server, kept }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("")
    }

    /// Stores a secret.
    pub fn write(&self, name: &str, text: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.to_owned(), text.to_owned());
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }
}

fn answer(kept: &HashMap<String, String>, request: &Recorded) -> Reply {
    if request.header("x-amz-target") != Some("secretsmanager.GetSecretValue") {
        return Reply::json(400, &json!({"__type": "UnknownOperationException"}));
    }
    let asked: Value = request.json();
    let name = asked["SecretId"].as_str().unwrap_or_default();
    match kept.get(name) {
        Some(text) => Reply::json(
            200,
            &json!({"Name": name, "SecretString": text, "VersionStages": ["AWSCURRENT"]}),
        ),
        None => Reply::json(
            400,
            &json!({"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find it."}),
        ),
    }
}
