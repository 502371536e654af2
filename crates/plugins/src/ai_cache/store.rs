//! Where answers are kept under their exact key: in Redis, or in process.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sluice_cache::{Answer, AnswerFormat};
use sluice_core::Services;
use sluice_redis::{Arg, Client, RedisError, Reply};

/// A store of answers.
pub(super) enum Store {
    /// Shared by all gateways that use the same server.
    Redis(Arc<Client>),
    /// This gateway's own.
    Local(Arc<Services>),
}

/// An answer as Redis holds it (compat §4.13, "Value").
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    body: Cow<'a, str>,
    created_at: u64,
    format: Cow<'a, str>,
}

impl Store {
    /// The answer under a key. What cannot be read is none.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Answer>, RedisError> {
        match self {
            Self::Local(services) => Ok(services.answers.get(key, Instant::now())),
            Self::Redis(client) => Ok(match client.call("GET", &[Arg::Bytes(key.as_bytes())]).await? {
                Reply::Bytes(bytes) => decode(&bytes),
                _ => None,
            }),
        }
    }

    /// Keeps an answer, whose body must be UTF-8.
    pub(super) async fn put(&self, key: &str, answer: &Answer, ttl: Duration) -> Result<(), RedisError> {
        match self {
            Self::Local(services) => {
                services.answers.put(key, answer.clone(), ttl, Instant::now());
                Ok(())
            }
            Self::Redis(client) => {
                let value = encode(answer);
                let args = [
                    Arg::Bytes(key.as_bytes()),
                    Arg::Bytes(&value),
                    Arg::Bytes(b"EX"),
                    Arg::Int(seconds(ttl)),
                ];
                client.call("SET", &args).await.map(drop)
            }
        }
    }
}

/// A time to live as commands take it.
pub(super) fn seconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)
}

fn encode(answer: &Answer) -> Vec<u8> {
    let stored = Stored {
        body: String::from_utf8_lossy(&answer.body),
        created_at: answer.created_at,
        format: answer.format.name().into(),
    };
    // Texts and numbers can always be written.
    serde_json::to_vec(&stored).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Option<Answer> {
    let stored: Stored<'_> = serde_json::from_slice(bytes).ok()?;
    Some(Answer {
        format: AnswerFormat::from_name(&stored.format)?,
        body: stored.body.into_owned().into(),
        created_at: stored.created_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let answer = Answer {
            body: "data: \"é\"\n\n".into(),
            created_at: 1_795_190_400,
            format: AnswerFormat::Sse,
        };
        let value = encode(&answer);
        assert_eq!(
            std::str::from_utf8(&value).unwrap(),
            r#"{"body":"data: \"é\"\n\n","created_at":1795190400,"format":"sse"}"#
        );
        assert_eq!(decode(&value), Some(answer));
        for broken in ["", "{}", r#"{"body":"x","created_at":1,"format":"xml"}"#] {
            assert_eq!(decode(broken.as_bytes()), None, "{broken}");
        }
    }
}
