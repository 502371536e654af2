//! Credentials that are made anew for a call: access tokens of Google, signatures of AWS (compat §4.1.4).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use secrecy::ExposeSecret;
use serde_json::json;
use sluice_cloud::{AwsRequest, AwsSigner, GcpError, GcpTokenConfig, GcpTokens, ServiceAccount};
use sluice_core::{Failure, Retry, Services};
use sluice_llm::{ErrorKind, Provider, ProviderConf};
use sluice_net::{Origin, Pool};

use crate::config::{AuthConfig, CallConfig, GcpAuthConfig};

/// The service that signatures for Bedrock are made for.
const BEDROCK: &str = "bedrock";

/// What a target's calls carry beside the configured headers.
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// The access token of a service account. One that cannot be used fails when it is called upon, as in APISIX.
    Gcp(Result<Box<GcpTokens>, GcpError>),
    /// A signature.
    Aws(AwsSigner),
}

/// A call that lacks its credential.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) body: &'a Bytes,
    pub(crate) origin: &'a Origin,
}

impl Credential {
    pub(crate) fn compile(
        provider: &Provider,
        auth: &AuthConfig,
        conf: &ProviderConf,
        call: &CallConfig,
        services: &Services,
    ) -> Self {
        if let Some(gcp) = &auth.gcp {
            return Self::Gcp(tokens(gcp, call, services).map(Box::new));
        }
        match (&auth.aws, &conf.region) {
            (Some(keys), Some(region)) if provider.takes_aws_keys() => {
                Self::Aws(AwsSigner::new(keys.clone(), region, BEDROCK))
            }
            _ => Self::None,
        }
    }

    /// The headers of a call, `make` being those without the credential. `None` where there is nothing to add.
    pub(crate) async fn headers(
        &self,
        pool: &Pool,
        call: Unsigned<'_>,
        make: impl FnOnce() -> HeaderMap,
    ) -> Result<Option<HeaderMap>, Box<Failure>> {
        match self {
            Self::None => Ok(None),
            Self::Gcp(tokens) => {
                let authorization = match tokens {
                    Ok(tokens) => tokens.authorization(pool).await,
                    Err(error) => Err(error.clone()),
                };
                let authorization = authorization.map_err(|error| {
                    tracing::warn!(%error, "no access token for the service account");
                    unbuilt(format!("failed to get gcp access token: {error}"))
                })?;
                let mut headers = make();
                headers.insert(header::AUTHORIZATION, authorization);
                Ok(Some(headers))
            }
            Self::Aws(signer) => {
                let mut headers = make();
                headers.insert(header::HOST, call.origin.host_header().clone());
                let request = AwsRequest {
                    method: call.method,
                    path: call.uri.path(),
                    query: call.uri.query().unwrap_or_default(),
                    body: call.body,
                };
                signer
                    .sign(&request, &mut headers, SystemTime::now())
                    .map_err(|error| unbuilt(format!("failed to sign request: {error}")))?;
                Ok(Some(headers))
            }
        }
    }
}

fn tokens(gcp: &GcpAuthConfig, call: &CallConfig, services: &Services) -> Result<GcpTokens, GcpError> {
    let account = match &gcp.service_account_json {
        Some(json) => ServiceAccount::from_json(json.expose_secret()),
        None => ServiceAccount::from_env(),
    };
    let config = GcpTokenConfig {
        max_ttl: gcp.max_ttl.map(Duration::from_secs),
        expire_early: Duration::from_secs(gcp.expire_early_secs),
        timeout: Duration::from_millis(call.timeout),
        verify_tls: call.ssl_verify,
        ..GcpTokenConfig::default()
    };
    GcpTokens::new(account?, config, &services.origins)
}

/// The failure of a call that could not be put together. Another target may have better credentials.
fn unbuilt(message: String) -> Box<Failure> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let failure = Failure::new(
        status,
        ErrorKind::Upstream,
        "upstream_auth",
        "the gateway has no credentials for the provider",
    );
    Box::new(
        failure
            .upstream(Retry::NextTarget)
            .apisix_json(json!({ "error_msg": message })),
    )
}
