//! The edits that a target makes to every body that goes to it, compiled once and applied by splicing
//! (compat §4.1.3).

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sluice_wire::{JsonError, JsonView, Kind, ObjectView, Overlay, Splice};

use crate::protocol::{Operation, Protocol};
use crate::provider::{MaxTokens, Provider, StreamUsageAsk};

/// What a target's configuration says about bodies of one protocol.
#[derive(Clone, Copy, Debug)]
pub struct BodyEdits<'a> {
    /// How a chat stream is made to report its usage.
    pub stream_usage: StreamUsage,
    /// `options`: members that overwrite the body's.
    pub options: Option<&'a Map<String, Value>>,
    /// `override.llm_options.max_tokens`.
    pub max_tokens: Option<u64>,
    /// `override.request_body`, the member for the target's protocol.
    pub request_body: Option<&'a Map<String, Value>>,
    /// `override.request_body_force_override`.
    pub force: bool,
}

/// How a chat stream is made to report its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// `stream_options` is replaced, as APISIX does.
    Forced,
    /// `include_usage` is added to what the client sent, unless it asks for usage already.
    WhenMissing,
}

/// The edits for one target and protocol, in order.
///
/// ```
/// use serde_json::json;
/// use sluice_llm::{BodyEdits, BodyPlan, Protocol, Provider, RequestView, StreamUsage};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = json!({"model": "gpt-4o-mini"});
/// let edits = BodyEdits {
///     stream_usage: StreamUsage::WhenMissing,
///     options: options.as_object(),
///     max_tokens: None,
///     request_body: None,
///     force: false,
/// };
/// let plan = BodyPlan::compile(Provider::find("openai")?, Protocol::OpenAiChat, &edits);
/// let request = RequestView::parse(r#"{"model": "default", "messages": []}"#.into())?;
/// assert_eq!(plan.apply(request.json())?, r#"{"model": "gpt-4o-mini", "messages": []}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPlan {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    AskForUsage(StreamUsage),
    Set(Box<str>, Bytes),
    Remove(Box<str>),
    Merge { overlay: Overlay, force: bool },
}

impl BodyPlan {
    /// Compiles the edits for bodies of the protocol `target`, the one that the provider is called in.
    #[must_use]
    pub fn compile(provider: &'static Provider, target: Protocol, edits: &BodyEdits<'_>) -> Self {
        let mut steps = Vec::new();
        let is_native = edits.stream_usage == StreamUsage::WhenMissing;
        let quirks = provider.quirks();
        match target {
            // Where usage always comes, asking for it would be refused.
            Protocol::OpenAiChat if is_native && quirks.stream_usage == StreamUsageAsk::Unasked => {}
            Protocol::OpenAiChat | Protocol::OpenAiCompletions => {
                steps.push(Step::AskForUsage(edits.stream_usage));
            }
            Protocol::BedrockConverse => steps.push(Step::Remove("stream".into())),
            _ => {}
        }
        // Where nothing is generated, dials of generation are refused.
        let takes_model_only = matches!(target.operation(), Operation::CountTokens | Operation::Relay);
        let taken = |name: &str| !takes_model_only || name == "model";
        for (name, value) in edits
            .options
            .into_iter()
            .flatten()
            .filter(|(name, _)| taken(name))
        {
            steps.push(Step::Set(name.as_str().into(), value.to_string().into()));
        }
        if let (Some(limit), Some(endpoint)) = (edits.max_tokens, provider.endpoint(target)) {
            limit_tokens(endpoint.max_tokens(), limit, &mut steps);
        }
        if let Some(fragment) = edits.request_body.filter(|fragment| !fragment.is_empty()) {
            steps.push(Step::Merge {
                overlay: Overlay::new(fragment),
                force: edits.force,
            });
        }
        if provider.drops_model(target) {
            steps.push(Step::Remove("model".into()));
        }
        for (name, value) in provider.body_members().iter().filter(|_| is_native) {
            steps.push(Step::Set((*name).into(), json!(value).to_string().into()));
        }
        Self { steps }
    }

    /// Whether the edits may set a member.
    #[must_use]
    pub fn sets(&self, member: &str) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Set(name, _) => **name == *member,
            Step::Merge { overlay, .. } => overlay.names(member),
            Step::AskForUsage(_) | Step::Remove(_) => false,
        })
    }

    /// The body to send. The very bytes of `body` if nothing changes, or if it is not an object.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if an object inside the body that must be merged into names a member twice.
    pub fn apply(&self, body: &JsonView) -> Result<Bytes, JsonError> {
        let Some(object) = body.as_object() else {
            return Ok(body.bytes().clone());
        };
        let mut splice = Splice::new(object);
        for step in &self.steps {
            match step {
                Step::AskForUsage(manner) => ask_for_usage(object, *manner, &mut splice)?,
                Step::Set(name, value) => splice.set(name, value.clone()),
                Step::Remove(name) => splice.remove(name),
                Step::Merge { overlay, force } => overlay.apply(&mut splice, *force)?,
            }
        }
        Ok(splice.finish())
    }
}

fn limit_tokens(mapping: MaxTokens, limit: u64, steps: &mut Vec<Step>) {
    let value = || Bytes::from(limit.to_string());
    match mapping {
        MaxTokens::Unmapped => {}
        MaxTokens::Member(member) => steps.push(Step::Set(member.into(), value())),
        MaxTokens::Displacing { member, removed } => {
            steps.push(Step::Remove(removed.into()));
            steps.push(Step::Set(member.into(), value()));
        }
        MaxTokens::InferenceConfig => steps.push(nested("inferenceConfig", "maxTokens", limit)),
        MaxTokens::GenerationConfig => steps.push(nested("generationConfig", "maxOutputTokens", limit)),
        MaxTokens::Options => steps.push(nested("options", "num_predict", limit)),
    }
}

/// Sets a number within an object.
fn nested(object: &str, member: &str, limit: u64) -> Step {
    let mut fragment = Map::new();
    fragment.insert(object.to_owned(), json!({ member: limit }));
    Step::Merge {
        overlay: Overlay::new(&fragment),
        force: true,
    }
}

fn ask_for_usage<'a>(
    body: &ObjectView,
    manner: StreamUsage,
    splice: &mut Splice<'a>,
) -> Result<(), JsonError> {
    const OPTIONS: &str = "stream_options";
    const WITH_USAGE: Bytes = Bytes::from_static(br#"{"include_usage":true}"#);
    let Some(stream) = body.get("stream") else {
        return Ok(());
    };
    match manner {
        // APISIX takes anything but `false` for a stream here, unlike where it decides how to answer.
        StreamUsage::Forced if !matches!(stream.kind(), Kind::False | Kind::Null) => {
            splice.set(OPTIONS, WITH_USAGE)
        }
        StreamUsage::WhenMissing if stream.kind() == Kind::True => {
            let present = body.get(OPTIONS).filter(|options| options.kind() == Kind::Object);
            if let Some(options) = present {
                let options = ObjectView::parse(options.raw_bytes())?;
                let mut nested = Splice::new(&options);
                nested.set("include_usage", Bytes::from_static(b"true"));
                splice.set(OPTIONS, nested.finish());
            } else {
                splice.set(OPTIONS, WITH_USAGE);
            }
        }
        StreamUsage::Forced | StreamUsage::WhenMissing => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts from no edits in the manner of APISIX.
    const NONE: BodyEdits<'static> = BodyEdits {
        stream_usage: StreamUsage::Forced,
        options: None,
        max_tokens: None,
        request_body: None,
        force: false,
    };

    fn apply(provider: &str, target: Protocol, edits: &BodyEdits<'_>, body: &str) -> String {
        let plan = BodyPlan::compile(Provider::find(provider).unwrap(), target, edits);
        let body = JsonView::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        String::from_utf8(plan.apply(&body).unwrap().to_vec()).unwrap()
    }

    fn chat(edits: &BodyEdits<'_>, body: &str) -> String {
        apply("openai", Protocol::OpenAiChat, edits, body)
    }

    #[test]
    fn nothing_to_change_means_the_same_bytes() {
        let plan = BodyPlan::compile(Provider::find("openai").unwrap(), Protocol::OpenAiChat, &NONE);
        for body in [r#"{"model": "m", "stream":false}"#, "[1]"] {
            let body = JsonView::parse(Bytes::from_static(body.as_bytes())).unwrap();
            assert_eq!(plan.apply(&body).unwrap().as_ptr(), body.bytes().as_ptr());
        }
    }

    #[test]
    fn stream_options_are_replaced_when_forced() {
        assert_eq!(
            chat(
                &NONE,
                r#"{"stream":true,"stream_options":{"include_obfuscation":false},"n":1}"#
            ),
            r#"{"stream":true,"stream_options":{"include_usage":true},"n":1}"#
        );
        assert_eq!(
            chat(&NONE, r#"{"stream":"yes"}"#),
            r#"{"stream":"yes","stream_options":{"include_usage":true}}"#
        );
        assert_eq!(chat(&NONE, r#"{"stream":false}"#), r#"{"stream":false}"#);
        let other = r#"{"stream":true,"input":"x"}"#;
        assert_eq!(apply("openai", Protocol::OpenAiResponses, &NONE, other), other);
    }

    #[test]
    fn stream_options_are_completed_otherwise() {
        let edits = BodyEdits {
            stream_usage: StreamUsage::WhenMissing,
            ..NONE
        };
        assert_eq!(
            chat(
                &edits,
                r#"{"stream":true,"stream_options":{"include_obfuscation": false}}"#
            ),
            r#"{"stream":true,"stream_options":{"include_obfuscation": false,"include_usage":true}}"#
        );
        let asked = r#"{"stream":true,"stream_options":{ "include_usage" : true }}"#;
        assert_eq!(chat(&edits, asked), asked);
        assert_eq!(
            chat(&edits, r#"{"stream":true,"stream_options":null}"#),
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#
        );
        assert_eq!(chat(&edits, r#"{"stream":1}"#), r#"{"stream":1}"#);
    }

    #[test]
    fn options_overwrite_the_model_and_the_rest() {
        let options = json!({"model": "gpt-4", "temperature": 0.5, "stop": ["a"]});
        let edits = BodyEdits {
            options: options.as_object(),
            ..NONE
        };
        assert_eq!(
            chat(&edits, r#"{"temperature": 1, "model":"x"}"#),
            r#"{"temperature": 0.5, "model":"gpt-4","stop":["a"]}"#
        );
    }

    #[test]
    fn max_tokens_by_provider_and_protocol() {
        let edits = BodyEdits {
            max_tokens: Some(50),
            ..NONE
        };
        let map = |provider, target, body| apply(provider, target, &edits, body);
        let body = r#"{"max_tokens":9,"x":1}"#;
        assert_eq!(
            map("openai", Protocol::OpenAiChat, body),
            r#"{"x":1,"max_completion_tokens":50}"#
        );
        assert_eq!(
            map("gemini", Protocol::OpenAiChat, body),
            r#"{"max_tokens":9,"x":1,"max_completion_tokens":50}"#
        );
        assert_eq!(
            map("deepseek", Protocol::OpenAiChat, body),
            r#"{"max_tokens":50,"x":1}"#
        );
        assert_eq!(
            map("anthropic", Protocol::AnthropicMessages, body),
            r#"{"max_tokens":50,"x":1}"#
        );
        assert_eq!(
            map("openai", Protocol::OpenAiResponses, "{}"),
            r#"{"max_output_tokens":50}"#
        );
        assert_eq!(map("openai", Protocol::OpenAiEmbeddings, body), body);
        assert_eq!(map("openai", Protocol::Passthrough, body), body);
        assert_eq!(
            map(
                "bedrock",
                Protocol::BedrockConverse,
                r#"{"stream":true,"inferenceConfig":{"maxTokens":1,"topP":0.9}}"#
            ),
            r#"{"inferenceConfig":{"maxTokens":50,"topP":0.9}}"#
        );
    }

    #[test]
    fn the_steps_happen_in_order() {
        let options =
            json!({"model": "from-options", "max_completion_tokens": 1, "stream_options": {"a": 1}});
        let fragment =
            json!({"model": "from-override", "metadata": {"team": "t"}, "max_completion_tokens": 3});
        let mut edits = BodyEdits {
            options: options.as_object(),
            max_tokens: Some(2),
            request_body: fragment.as_object(),
            ..NONE
        };
        let body = r#"{"stream":true,"metadata":{"id":"7"}}"#;
        let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let expected = json!({
            "stream": true, "metadata": {"id": "7", "team": "t"}, "stream_options": {"a": 1},
            "model": "from-options", "max_completion_tokens": 2,
        });
        assert_eq!(parse(chat(&edits, body)), expected);
        edits.force = true;
        let forced = parse(chat(&edits, body));
        assert_eq!(
            (&forced["model"], &forced["max_completion_tokens"]),
            (&json!("from-override"), &json!(3))
        );
        let azure = parse(apply("azure-openai", Protocol::OpenAiChat, &edits, body));
        assert_eq!(azure.get("model"), None);
    }

    #[test]
    fn a_body_that_cannot_be_merged_into_is_refused() {
        let fragment = json!({"metadata": {"team": "t"}});
        let edits = BodyEdits {
            request_body: fragment.as_object(),
            ..NONE
        };
        let plan = BodyPlan::compile(Provider::find("openai").unwrap(), Protocol::OpenAiChat, &edits);
        let body = JsonView::parse(Bytes::from_static(br#"{"metadata":{"a":1,"a":2}}"#)).unwrap();
        assert!(matches!(
            plan.apply(&body),
            Err(JsonError::DuplicateMember { .. })
        ));
    }
}
