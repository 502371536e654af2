//! `ai-cache`: answers that were given before (compat §4.13).

mod keeping;
mod question;
mod schema;
mod semantic;
mod store;
mod vectors;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use sluice_cache::{Answer, AnswerFormat};
use sluice_core::{
    AiCall, CacheCall, CompileEnv, CompileError, Context, Failure, KeepAnswer, Likeness, Phase, Phases,
    Plugin, PluginDef, Profile, Reply, ReplyBody, ResponseHead, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_net::Body;
use sluice_record::{CacheOutcome, CacheUse};
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::keeping::Keeping;
use self::question::Question;
use self::schema::{Config, KeyConfig, Layer};
use self::semantic::Semantic;
use self::store::Store;
use crate::fail_mode::FailMode;
use crate::redis_settings;

const NAME: &str = "ai-cache";

const STATUS: HeaderName = HeaderName::from_static("x-ai-cache-status");
const AGE: HeaderName = HeaderName::from_static("x-ai-cache-age");
const SIMILARITY: HeaderName = HeaderName::from_static("x-ai-cache-similarity");

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let info = PluginInfo::new(NAME, 1035, schema::schema())?
        .with_encrypted_fields(&[
            "redis_password",
            "semantic.embedding.openai.api_key",
            "semantic.embedding.azure_openai.api_key",
        ])
        .with_check(schema::check);
    Ok(PluginDef {
        info,
        compile: AiCache::compile,
    })
}

struct AiCache(Arc<Cache>);

/// What the plugin and the answers that it watches share.
struct Cache {
    store: Store,
    ttl: Duration,
    semantic: Option<Semantic>,
    key: KeyConfig,
    max_body: usize,
    shows_headers: bool,
    /// Headers that keep a request away from the cache.
    bypass_on: Vec<(HeaderName, String)>,
    fail_mode: FailMode,
}

/// An answer that was found.
struct Hit {
    answer: Answer,
    outcome: CacheOutcome,
    similarity: Option<f32>,
}

/// What came of a lookup.
struct Looked {
    hit: Option<Hit>,
    /// Where the answer is to be kept: that of the provider, or one that was found by its meaning.
    key: String,
    likeness: Option<Likeness>,
    embedding: Option<Duration>,
}

impl AiCache {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let client = redis_settings::parse(conf)?.map(|redis| env.services.redis.client(redis));
        let semantic = config
            .semantic
            .filter(|_| config.layers.contains(&Layer::Semantic))
            .map(|semantic| Semantic::compile(&semantic, client.clone(), env.services));
        let bypass_on = config.bypass_on.into_iter().map(|rule| {
            let header = rule.header.parse();
            let header =
                header.map_err(|_| CompileError(format!("bypass_on: `{}` is no header", rule.header)));
            header.map(|header| (header, rule.equals))
        });
        Ok(Arc::new(Self(Arc::new(Cache {
            store: client.map_or_else(|| Store::Local(env.services.clone()), Store::Redis),
            ttl: Duration::from_secs(config.exact.ttl),
            semantic: semantic.transpose()?,
            key: config.cache_key,
            max_body: config.max_cache_body_size,
            shows_headers: config.cache_headers,
            bypass_on: bypass_on.collect::<Result<_, CompileError>>()?,
            fail_mode: config.fail_mode,
        }))))
    }

    async fn serve(&self, cx: &mut Context) -> Verdict {
        let cache = &*self.0;
        let Some(ai) = cx.ai.as_deref() else {
            cache.note(cx, CacheOutcome::Bypass, None);
            return cache.fail_mode.verdict(NAME, NOT_PICKED, not_picked);
        };
        let question = match cache.bypasses(cx, ai) {
            true => None,
            false => Question::of(cx, ai),
        };
        let Some(question) = question else {
            cache.note(cx, CacheOutcome::Bypass, None);
            return Verdict::Continue;
        };
        let instance = ai.picked.index;
        let looked = cache.look_up(cx, ai, &question).await;
        if let Some(hit) = looked.hit {
            if hit.outcome == CacheOutcome::Semantic {
                self.keep_as_exact(cx, looked.key, hit.answer.clone());
            }
            cache.note(cx, hit.outcome, looked.embedding);
            return cache.reply(cx, hit).into();
        }
        cache.note(cx, CacheOutcome::Miss, looked.embedding);
        if let Some(call) = &mut cx.cache {
            call.keep = Some(Box::new(KeepAnswer {
                key: looked.key,
                likeness: looked.likeness,
                instance,
                format: None,
            }));
        }
        Verdict::Continue
    }

    /// Lets the next request that says the same find its answer at once.
    fn keep_as_exact(&self, cx: &Context, key: String, answer: Answer) {
        let Some(room) = cx.services.answer_backlog.enter(answer.body.len()) else {
            return;
        };
        let cache = self.0.clone();
        cx.services.background.spawn(async move {
            log_failure(cache.store.put(&key, &answer, cache.ttl).await);
            drop(room);
        });
    }
}

const NOT_PICKED: &str = "ai-cache must be used with the ai-proxy or ai-proxy-multi plugin";

fn not_picked(reason: &str) -> Failure {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Failure::new(status, ErrorKind::Internal, "no_ai_instance", reason.to_owned())
        .apisix_text(reason.to_owned())
}

fn log_failure(outcome: Result<(), sluice_redis::RedisError>) {
    if let Err(error) = outcome {
        tracing::debug!(plugin = NAME, %error, "an answer could not be kept");
    }
}

impl Cache {
    /// Whether a call is not to be looked up: for a header of it, or since its answer is a stream of another form.
    fn bypasses(&self, cx: &Context, ai: &AiCall) -> bool {
        let headers = &cx.request.headers;
        let has = |(name, value): &(HeaderName, String)| {
            headers
                .get_all(name)
                .iter()
                .any(|found| found.as_bytes() == value.as_bytes())
        };
        (ai.stream && ai.picked.provider == "bedrock") || self.bypass_on.iter().any(has)
    }

    /// Looks for an answer. Stores and services that fail have none.
    async fn look_up(&self, cx: &Context, ai: &AiCall, question: &Question) -> Looked {
        let scope = question::scope(&self.key, cx);
        let mut looked = Looked {
            hit: None,
            key: format!("ai-cache:l1:{scope}:{}", question.fingerprint()),
            likeness: None,
            embedding: None,
        };
        match self.store.get(&looked.key).await {
            Ok(None) => {}
            Ok(Some(answer)) => {
                looked.hit = Some(Hit {
                    answer,
                    outcome: CacheOutcome::Exact,
                    similarity: None,
                });
                return looked;
            }
            Err(error) => {
                tracing::debug!(plugin = NAME, %error, "the cache cannot be asked");
                return looked;
            }
        }
        let semantic = self.semantic.as_ref().filter(|semantic| !semantic.rests());
        let Some(semantic) = semantic else { return looked };
        let Some(prompt) = semantic.prompt(&scope, question, ai) else {
            return looked;
        };
        let started = Instant::now();
        looked.likeness = semantic.likeness(&cx.worker.pool, prompt).await;
        looked.embedding = looked.likeness.is_some().then(|| started.elapsed());
        if let Some(likeness) = &looked.likeness {
            let found = semantic.find(likeness).await;
            looked.hit = found.map(|(similarity, answer)| Hit {
                answer,
                outcome: CacheOutcome::Semantic,
                similarity: Some(similarity),
            });
        }
        looked
    }

    /// Writes down how the lookup ended, for the client and for those who measure.
    fn note(&self, cx: &mut Context, outcome: CacheOutcome, embedding: Option<Duration>) {
        let embedding_us = embedding.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        cx.cache = Some(CacheCall {
            found: CacheUse {
                outcome,
                embedding_us,
            },
            keep: None,
        });
        if self.shows_headers {
            let status = match outcome {
                CacheOutcome::Exact | CacheOutcome::Semantic => "HIT",
                CacheOutcome::Miss => "MISS",
                CacheOutcome::Bypass => "BYPASS",
            };
            cx.response_headers
                .insert(STATUS, HeaderValue::from_static(status));
        }
    }

    /// An answer from the cache.
    fn reply(&self, cx: &mut Context, hit: Hit) -> Reply {
        let Hit {
            answer, similarity, ..
        } = hit;
        if let Some(ai) = &cx.ai {
            cx.node = Some(ai.picked.name.clone());
        }
        if self.shows_headers {
            let age = keeping::unix_now().saturating_sub(answer.created_at);
            cx.response_headers.insert(AGE, HeaderValue::from(age));
            let similarity = similarity.and_then(|value| HeaderValue::from_str(&format!("{value:.4}")).ok());
            if let Some(similarity) = similarity {
                cx.response_headers.insert(SIMILARITY, similarity);
            }
        }
        let body = Body::from(answer.body);
        let body = match cx.profile {
            Profile::Apisix => body.into_chunked(),
            Profile::Native => body,
        };
        let content_type = match answer.format {
            AnswerFormat::Json => "application/json",
            AnswerFormat::Sse => "text/event-stream",
        };
        let mut reply = Reply::status(StatusCode::OK);
        reply.body = ReplyBody::Raw(body);
        reply.header(header::CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// Keeps a provider's answer.
    async fn keep(&self, keep: &KeepAnswer, answer: &Answer) {
        log_failure(self.store.put(&keep.key, answer, self.ttl).await);
        if let (Some(semantic), Some(likeness)) = (&self.semantic, &keep.likeness) {
            log_failure(semantic.put(likeness, answer).await);
        }
    }
}

impl Plugin for AiCache {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::ResponseHead, Phase::ResponseBody])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if cx.cache.is_some() {
            return Step::CONTINUE;
        }
        Step::wait(self.serve(cx))
    }

    fn response_head(&self, cx: &mut Context, head: &mut ResponseHead) {
        let format = keeping::format_of(cx, head);
        if let Some(keep) = cx.cache.as_mut().and_then(|cache| cache.keep.as_mut()) {
            keep.format = format;
        }
    }

    fn response_body(&self, cx: &mut Context, body: Body) -> Body {
        match Keeping::of(&self.0, cx) {
            Some(keeping) => keeping.watch(body),
            None => body,
        }
    }
}
