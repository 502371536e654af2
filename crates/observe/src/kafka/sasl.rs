//! Saying who we are: PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677).

mod scram;

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use secrecy::{ExposeSecret, SecretString};

use self::scram::{Digest, Scram};
use super::KafkaError;
use super::connection::Connection;

/// Credentials for a broker.
#[derive(Clone, Debug)]
pub struct SaslConfig {
    /// How they are shown.
    pub mechanism: SaslMechanism,
    /// Who we are.
    pub user: String,
    /// What proves it.
    pub password: SecretString,
}

/// How credentials are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// As they are; for connections with TLS.
    Plain,
    /// By a proof over SHA-256.
    ScramSha256,
    /// By a proof over SHA-512.
    ScramSha512,
}

impl SaslMechanism {
    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Authenticates a connection.
pub(super) async fn authenticate(
    connection: &mut Connection,
    sasl: &SaslConfig,
    limit: Duration,
) -> Result<(), KafkaError> {
    let mechanism = StrBytes::from_static_str(sasl.mechanism.name());
    let handshake = SaslHandshakeRequest::default().with_mechanism(mechanism);
    let answer = connection.call(&handshake, limit).await?;
    if let Some(error) = ResponseError::try_from_code(answer.error_code) {
        return Err(KafkaError::Auth(error.to_string()));
    }
    let password = sasl.password.expose_secret();
    let digest = match sasl.mechanism {
        SaslMechanism::Plain => {
            let words = format!("\0{}\0{password}", sasl.user);
            return say(connection, words, limit).await.map(drop);
        }
        SaslMechanism::ScramSha256 => Digest::Sha256,
        SaslMechanism::ScramSha512 => Digest::Sha512,
    };
    let scram = Scram::new(digest, &sasl.user, &nonce());
    let challenge = text(say(connection, scram.first(), limit).await?)?;
    let proof = scram.prove(password, &challenge).map_err(KafkaError::Auth)?;
    let verdict = text(say(connection, proof.message.clone(), limit).await?)?;
    proof.check(&verdict).map_err(KafkaError::Auth)
}

async fn say(connection: &mut Connection, words: String, limit: Duration) -> Result<Bytes, KafkaError> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(words));
    let answer = connection.call(&request, limit).await?;
    match ResponseError::try_from_code(answer.error_code) {
        None => Ok(answer.auth_bytes),
        Some(error) => {
            let said = answer.error_message.as_deref().map(str::to_owned);
            Err(KafkaError::Auth(said.unwrap_or_else(|| error.to_string())))
        }
    }
}

fn text(bytes: Bytes) -> Result<String, KafkaError> {
    String::from_utf8(bytes.into()).map_err(|_| KafkaError::Auth("challenge is not text".to_owned()))
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
