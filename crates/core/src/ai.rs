//! The state of an AI call, from picked target to settled usage.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use sluice_llm::{Price, Protocol, Provenance, ReportedCounts, RequestView, Usage};
use sluice_observe::LlmActiveGuard;
use sluice_record::{Ended, GuardHit, Text};
use sluice_upstream::TargetGuard;
use sluice_wire::FormView;

use crate::models::Model;
use crate::placeholders::Placeholders;

/// An AI call of a request: set when a terminal AI plugin has picked a target.
pub struct AiCall {
    /// Protocol that the client speaks.
    pub protocol: Protocol,
    /// Whether it asked for a stream.
    pub stream: bool,
    /// `model` of its body, empty without one.
    pub model_asked: Text,
    /// The client's body; absent when the request has none.
    pub request: Option<RequestView>,
    /// The client's body where that is a form.
    pub form: Option<FormView>,
    /// Length of `tools`.
    pub tool_count: u32,
    /// The end user that it named.
    pub end_user: Option<Text>,
    /// The model that is meant, once aliases are replaced: what goes upstream unless the target names another.
    pub model: Text,
    /// How the model registry routes the call, if it does.
    pub routing: Option<Box<Routing>>,
    /// The instance that was picked, of the plugin that owns the call.
    pub picked: Picked,
    /// Model that went upstream; `None` until something was sent.
    pub model_sent: Option<Text>,
    /// Whether somebody reads the provider's usage object as it stands.
    pub keeps_raw_usage: bool,
    /// What loggers write of the call.
    pub logging: AiLogging,
    /// Counts the attempt under way in `llm_active_connections`.
    pub active: Option<LlmActiveGuard>,
    /// What the relay has seen so far; shared with the body that is being sent.
    pub progress: Arc<Progress>,
    /// What stands in the request in place of what the provider must not see, once a guard has masked something.
    pub placeholders: Option<Arc<Placeholders>>,
}

/// What loggers write of an AI call: `logging` of ai-proxy (compat §4.1.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AiLogging {
    /// `llm_summary`: models, tokens and times.
    pub summaries: bool,
    /// `llm_request` and `llm_response_text`: what was said.
    pub payloads: bool,
}

/// A picked AI instance.
#[derive(Clone)]
pub struct Picked {
    /// Its position in the plugin's configuration.
    pub index: usize,
    /// `ai-proxy-<provider>`, or the instance's `name`.
    pub name: Text,
    /// Its provider.
    pub provider: &'static str,
    /// The plugin that picked it, and makes the call.
    pub owner: &'static str,
    /// Model that it is configured to ask for, whatever the client's body says.
    pub model: Option<Text>,
    /// What its tokens cost, where the configuration says so.
    pub price: Option<Arc<Price>>,
    /// Digest of the settings that decide what it answers to a body: provider, endpoint, options and overrides, and no
    /// credentials.
    pub settings: Text,
}

/// A model name that a plugin put in the place of the client's.
#[derive(Clone, Debug)]
pub struct RenamedModel {
    /// What the client asked for; empty where it named none.
    pub asked: Text,
    /// What is meant.
    pub to: Text,
}

/// How the model registry routes a call.
pub struct Routing {
    /// The model that the name led to.
    pub model: Arc<Model>,
    /// The rule that applies, as an index into the model's.
    pub rule: Option<usize>,
    /// The targets that alone can answer, as indexes: who made what the request goes on with. All where there is none.
    pub only: Option<Vec<usize>>,
    /// The targets that come before all others, as indexes: who made what the request brings back.
    pub preferred: Option<Vec<usize>>,
    /// Whether it is to be known who signed what the answer holds.
    pub keeps_signatures: bool,
    /// Whether all targets were cooling down when the first one was picked, so that this does not count.
    pub ignores_cool_down: bool,
    /// The text that consistent hashing goes by.
    pub hash_key: Option<String>,
    /// Why the target was picked, in few words.
    pub why: String,
    /// Targets that failed, with the class of the failure.
    pub failed: Vec<(Text, &'static str)>,
    /// Counts the attempt under way at its target.
    pub active: Option<TargetGuard>,
}

impl AiCall {
    /// What rules on content judge: the client's body, the file that it uploads, or the texts of its form as a body of
    /// OpenAI's media endpoints.
    #[must_use]
    pub fn judged_body(&self) -> Option<Bytes> {
        if let Some(request) = &self.request {
            return Some(request.bytes().clone());
        }
        let form = self.form.as_ref()?;
        if self.protocol == Protocol::OpenAiObjects {
            return form.file();
        }
        let texts: Vec<_> = form.texts().collect();
        Some(serde_json::json!({ "prompt": texts }).to_string().into())
    }

    /// Whether marks of what the answer's thoughts are signed with are kept.
    #[must_use]
    pub fn keeps_signatures(&self) -> bool {
        self.routing
            .as_ref()
            .is_some_and(|routing| routing.keeps_signatures)
    }
}

impl Routing {
    /// What the record says of it: the model, why its target was picked, and who failed before.
    #[must_use]
    pub fn summary(&self, target: &str) -> String {
        let mut summary = format!("model={} {} target={target}", self.model.id, self.why);
        for (index, (name, class)) in self.failed.iter().enumerate() {
            summary.push_str(if index == 0 { " failed=" } else { "," });
            summary.push_str(name);
            summary.push(':');
            summary.push_str(class);
        }
        summary
    }
}

/// Which models a caller may use, and under which names: what `ai-models` says.
pub trait ModelAccess: Send + Sync {
    /// Whether a caller may ask for a model of that name.
    fn allows(&self, model: &str) -> bool;

    /// Names that stand for others, with what they stand for.
    fn aliases(&self) -> &[(Text, Text)];
}

/// What is known of an answer while it passes.
#[derive(Default)]
pub struct Progress {
    state: Mutex<ProgressState>,
    finished: AtomicBool,
    passed: AtomicU64,
}

/// See [`Progress`].
#[derive(Clone, Debug, Default)]
pub struct ProgressState {
    /// Usage as APISIX counts it.
    pub counts: ReportedCounts,
    /// Usage in normal form.
    pub usage: Usage,
    /// Where the usage comes from.
    pub provenance: Provenance,
    /// Whether the provider reported usage at all.
    pub reported: bool,
    /// The provider's usage object as it stands, when something reads it.
    pub raw_usage: Option<Box<str>>,
    /// When the first token arrived.
    pub first_token: Option<Instant>,
    /// When the answer ended upstream.
    pub finished: Option<Instant>,
    /// Whether the answer calls tools.
    pub has_tool_calls: bool,
    /// Id of the answer, where later requests may refer to it.
    pub response_id: Option<Text>,
    /// Marks of what the answer's thoughts are signed with, where somebody asks who made them.
    pub signatures: Vec<String>,
    /// Model that the answer names.
    pub model_answered: Option<Text>,
    /// How the answer ended, when not whole.
    pub ended: Ended,
    /// Assembled text, when something reads it.
    pub response_text: Option<String>,
    /// What a moderator said of the content (`llm_content_risk_level`).
    pub risk_level: Option<Text>,
    /// What content rules found; none where no guard looked.
    pub guard: Option<Vec<GuardHit>>,
}

impl Progress {
    /// Changes the state.
    pub fn update(&self, change: impl FnOnce(&mut ProgressState)) {
        change(
            &mut self
                .state
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }

    /// Reads the state.
    pub fn read<T>(&self, look: impl FnOnce(&ProgressState) -> T) -> T {
        look(
            &self
                .state
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Says how many pieces of text of a stream have passed: a lower bound of its tokens.
    pub fn pass(&self, pieces: u64) {
        self.passed.store(pieces, Ordering::Relaxed);
    }

    /// What [`pass`](Self::pass) was told last.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Says that the answer is known to its end: what the last bytes bring is in the state.
    pub fn finish(&self) {
        self.update(|state| state.finished = Some(Instant::now()));
        self.finished.store(true, Ordering::Release);
    }

    /// Whether the answer is known to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }
}
