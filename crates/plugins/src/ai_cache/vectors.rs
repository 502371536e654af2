//! Answers by likeness in Redis: the commands of its search module (compat §4.13, "Vector index").

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sluice_cache::{Answer, AnswerFormat, Direction};
use sluice_core::Likeness;
use sluice_redis::{Arg, Client, RedisError, Reply, Script};
use sluice_wire::sha256_hex;

use super::store::seconds;

/// Writes a whole hash that expires, in one step.
const KEEP: &str = "redis.call('del', KEYS[1]) \
    redis.call('hset', KEYS[1], 'partition', ARGV[1], 'embedding', ARGV[2], 'response', ARGV[3], \
    'created_at', ARGV[4], 'format', ARGV[5]) \
    return redis.call('expire', KEYS[1], ARGV[6])";

/// The vector index of one embedding model.
pub(super) struct Vectors {
    client: Arc<Client>,
    /// Name of the index.
    index: String,
    /// Digest of the model, part of all names.
    model: String,
    top_k: i64,
    keep: Script,
    /// Number of components of the index that is known to exist; 0 for none.
    exists: AtomicUsize,
}

impl Vectors {
    pub(super) fn new(client: Arc<Client>, index: &str, model: &str, top_k: i64) -> Self {
        Self {
            client,
            index: index.to_owned(),
            model: model.to_owned(),
            top_k,
            keep: Script::new(KEEP),
            exists: AtomicUsize::new(0),
        }
    }

    /// The closest answer of a partition, with its similarity. None when there is no index yet.
    pub(super) async fn nearest(&self, likeness: &Likeness) -> Result<Option<(f32, Answer)>, RedisError> {
        let direction = &likeness.direction;
        let query = format!(
            "(@partition:{{{}}})=>[KNN {} @embedding $vector AS distance]",
            likeness.partition, self.top_k
        );
        let (index, vector) = (self.index_name(direction), blob(direction));
        let text = |text: &'static str| Arg::Bytes(text.as_bytes());
        let args = [
            Arg::Bytes(index.as_bytes()),
            Arg::Bytes(query.as_bytes()),
            text("PARAMS"),
            Arg::Int(2),
            text("vector"),
            Arg::Bytes(&vector),
            text("SORTBY"),
            text("distance"),
            text("RETURN"),
            Arg::Int(4),
            text("distance"),
            text("response"),
            text("created_at"),
            text("format"),
            text("LIMIT"),
            Arg::Int(0),
            Arg::Int(self.top_k),
            text("DIALECT"),
            Arg::Int(2),
        ];
        match self.client.call("FT.SEARCH", &args).await {
            Ok(reply) => Ok(closest(reply)),
            Err(RedisError::Refused(text)) if is_unknown_index(&text) => {
                self.exists.store(0, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps an answer.
    pub(super) async fn put(
        &self,
        likeness: &Likeness,
        answer: &Answer,
        ttl: Duration,
    ) -> Result<(), RedisError> {
        self.create(&likeness.direction).await?;
        let vector = blob(&likeness.direction);
        let id = sha256_hex(&[likeness.partition.as_bytes(), &vector].concat());
        let key = format!("{}{id}", self.prefix(&likeness.direction));
        let created_at = answer.created_at.to_string();
        let args = [
            Arg::Bytes(likeness.partition.as_bytes()),
            Arg::Bytes(&vector),
            Arg::Bytes(&answer.body),
            Arg::Bytes(created_at.as_bytes()),
            Arg::Bytes(answer.format.name().as_bytes()),
            Arg::Int(seconds(ttl)),
        ];
        self.client.run(&self.keep, &key, &args).await.map(drop)
    }

    /// Sees that there is an index.
    async fn create(&self, direction: &Direction) -> Result<(), RedisError> {
        let components = direction.components().len();
        if self.exists.load(Ordering::Relaxed) == components {
            return Ok(());
        }
        let (index, prefix) = (self.index_name(direction), self.prefix(direction));
        let components_text = components.to_string();
        let words = [
            index.as_str(),
            "ON",
            "HASH",
            "PREFIX",
            "1",
            &prefix,
            "SCHEMA",
            "partition",
            "TAG",
            "embedding",
            "VECTOR",
            "HNSW",
            "6",
            "TYPE",
            "FLOAT32",
            "DIM",
            &components_text,
            "DISTANCE_METRIC",
            "COSINE",
        ];
        let args = words.map(|word| Arg::Bytes(word.as_bytes()));
        match self.client.call("FT.CREATE", &args).await {
            Ok(_) => {}
            Err(RedisError::Refused(text)) if text.to_ascii_lowercase().contains("already exists") => {}
            Err(error) => return Err(error),
        }
        self.exists.store(components, Ordering::Relaxed);
        Ok(())
    }

    fn index_name(&self, direction: &Direction) -> String {
        format!(
            "{}:idx:{}:{}",
            self.index,
            self.model,
            direction.components().len()
        )
    }

    fn prefix(&self, direction: &Direction) -> String {
        format!(
            "{}:l2:{}:{}:",
            self.index,
            self.model,
            direction.components().len()
        )
    }
}

/// What servers of several versions say when nobody has created the index.
fn is_unknown_index(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("no such index") || text.contains("unknown index name")
}

/// Components as FLOAT32 fields hold them.
fn blob(direction: &Direction) -> Vec<u8> {
    let components = direction.components().iter();
    components.flat_map(|component| component.to_le_bytes()).collect()
}

/// The first of `[count, key, [field, value, …], …]`: answers are sorted by distance.
fn closest(reply: Reply) -> Option<(f32, Answer)> {
    let Reply::List(items) = reply else { return None };
    let Some(Reply::List(fields)) = items.into_iter().nth(2) else {
        return None;
    };
    let value = |name: &str| {
        let at = fields
            .iter()
            .step_by(2)
            .position(|field| matches!(field, Reply::Bytes(bytes) if bytes == name.as_bytes()))?;
        match fields.get(2 * at + 1)? {
            Reply::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        }
    };
    let text = |name: &str| std::str::from_utf8(value(name)?).ok();
    let distance: f32 = text("distance")?.parse().ok()?;
    let answer = Answer {
        body: value("response")?.to_vec().into(),
        created_at: text("created_at")?.parse().ok()?,
        format: AnswerFormat::from_name(text("format")?)?,
    };
    Some((1.0 - distance, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn search_results() {
        let fields = [
            "distance",
            "0.25",
            "response",
            "{}",
            "created_at",
            "7",
            "format",
            "json",
        ];
        let fields = Reply::List(fields.map(bytes).into());
        let found = Reply::List(vec![Reply::Int(1), bytes("key"), fields]);
        let answer = Answer {
            body: "{}".into(),
            created_at: 7,
            format: AnswerFormat::Json,
        };
        assert_eq!(closest(found), Some((0.75, answer)));
        assert_eq!(closest(Reply::List(vec![Reply::Int(0)])), None);
        let partial = Reply::List(vec![
            Reply::Int(1),
            bytes("key"),
            Reply::List(vec![bytes("distance")]),
        ]);
        assert_eq!(closest(partial), None);
        assert_eq!(closest(Reply::Nil), None);
    }

    #[test]
    fn components_are_little_endian_floats() {
        let direction = Direction::of(vec![2.0, 0.0]).unwrap();
        assert_eq!(blob(&direction), [0, 0, 0x80, 0x3f, 0, 0, 0, 0]);
    }
}
