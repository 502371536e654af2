//! Google Vertex AI: the token endpoint of service accounts, and embeddings. Asks for a token that it gave out.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::contract::Contracted;
use super::record::Recorded;

/// What the tokens begin with.
const TOKEN: &str = "ya29.fake-";

/// Exchanges a grant for a token. Looks at its form and claims, not at its signature.
pub(super) fn token(request: &Recorded, number: usize) -> Contracted {
    match claims(&request.body) {
        Some(claims) if is_good(&claims, &request.path) => Contracted::json(
            200,
            &json!({"access_token": format!("{TOKEN}{number}"), "expires_in": 3600, "token_type": "Bearer"}),
        ),
        _ => Contracted::json(
            400,
            &json!({"error": "invalid_grant", "error_description": "Bad grant."}),
        ),
    }
}

fn claims(form: &[u8]) -> Option<Value> {
    let form = std::str::from_utf8(form).ok()?;
    let grant = form.split('&').find_map(|pair| pair.strip_prefix("assertion="))?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(grant.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

fn is_good(claims: &Value, path: &str) -> bool {
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    text("scope") == "https://www.googleapis.com/auth/cloud-platform"
        && text("iss").contains('@')
        && text("aud").ends_with(path)
        && claims["exp"].as_u64() > claims["iat"].as_u64()
}

/// Refuses a request without a token.
pub(super) fn check(request: &Recorded) -> Result<(), Contracted> {
    let given = request.header("authorization").unwrap_or_default();
    if given.starts_with(&format!("Bearer {TOKEN}")) {
        return Ok(());
    }
    let error = json!({"code": 401, "message": "no valid credentials", "status": "UNAUTHENTICATED"});
    Err(Contracted::json(401, &json!({"error": error})))
}

/// Embeds texts, as many tokens as they have bytes.
pub(super) fn predict(body: &Value) -> Contracted {
    let known = body.as_object().is_some_and(|body| {
        body.keys()
            .all(|name| name == "instances" || name == "parameters")
    });
    let Some(instances) = body["instances"].as_array().filter(|_| known) else {
        let error =
            json!({"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"});
        return Contracted::json(400, &json!({"error": error}));
    };
    let predictions: Vec<_> = instances
        .iter()
        .map(|instance| {
            let tokens = instance["content"].as_str().unwrap_or_default().len();
            let statistics = json!({"token_count": tokens, "truncated": false});
            json!({"embeddings": {"values": [0.25, -0.5], "statistics": statistics}})
        })
        .collect();
    Contracted::json(200, &json!({"predictions": predictions}))
}
