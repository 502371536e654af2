//! What the gateway must know of a provider's whole answer, read without building a tree.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Choice, PartKind};
use crate::codec::codec;
use crate::convert::Prediction;
use crate::lenient::{BatchTier, NonEmpty, Text};
use crate::protocol::Protocol;
use crate::tap::tally_of;
use crate::usage::{AnthropicUsage, BedrockUsage, ChatUsage, Metered, ResponsesUsage, Tally};
use crate::{embed, media, rerank};

/// What is known of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFacts {
    /// Usage, if the answer has a usage object.
    pub usage: Option<Metered>,
    /// The model that the answer names.
    pub model: Option<String>,
    /// Whether it calls tools.
    pub has_tool_calls: bool,
    /// The text of all choices joined by a blank (`llm_response_text`), if asked for.
    pub text: Option<String>,
}

impl AnswerFacts {
    /// Reads an answer's body. `None` if it is not a JSON object. Passthrough answers tell nothing.
    ///
    /// ```
    /// use sluice_llm::{AnswerFacts, Protocol};
    ///
    /// let body = br#"{"object":"chat.completion","model":"m","choices":[],
    ///     "usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    /// let facts = AnswerFacts::read(Protocol::OpenAiChat, body, false);
    /// assert_eq!(facts.and_then(|facts| facts.usage).map(|usage| usage.counts.total), Some(10));
    /// ```
    #[must_use]
    pub fn read(protocol: Protocol, body: &[u8], keep_text: bool) -> Option<Self> {
        if !body.trim_ascii_start().starts_with(b"{") {
            // serde would take an array for an object whose names were left out.
            return None;
        }
        match protocol {
            Protocol::OpenAiChat | Protocol::OpenAiEmbeddings => read::<ChatAnswer<'_>>(body, keep_text),
            Protocol::OpenAiResponses => read::<ResponsesAnswer<'_>>(body, keep_text),
            Protocol::AnthropicMessages => read::<AnthropicAnswer<'_>>(body, keep_text),
            Protocol::BedrockConverse => read::<BedrockAnswer<'_>>(body, keep_text),
            Protocol::VertexPredict => read::<PredictAnswer<'_>>(body, keep_text),
            Protocol::CohereChat
            | Protocol::GeminiGenerate
            | Protocol::OllamaChat
            | Protocol::OllamaGenerate
            | Protocol::OpenAiCompletions => decoded(protocol, body, keep_text),
            Protocol::CohereEmbed
            | Protocol::GeminiBatchEmbed
            | Protocol::GeminiEmbed
            | Protocol::OllamaEmbed
            | Protocol::OllamaEmbeddings => is_object(body).then(|| Self {
                usage: embed::metered(protocol, body),
                ..Self::default()
            }),
            Protocol::CohereRerank | Protocol::JinaRerank => is_object(body).then(|| Self {
                usage: rerank::metered(body),
                ..Self::default()
            }),
            Protocol::OpenAiMedia => is_object(body).then(|| Self {
                usage: media::metered(body),
                ..Self::default()
            }),
            Protocol::AnthropicCountTokens
            | Protocol::GeminiCountTokens
            | Protocol::OpenAiInputTokens
            | Protocol::OpenAiObjects
            | Protocol::Passthrough => is_object(body).then(Self::default),
        }
    }
}

fn is_object(body: &[u8]) -> bool {
    serde_json::from_slice::<Bare<'_>>(body).is_ok()
}

/// Reads an answer through the codec of its protocol.
fn decoded(protocol: Protocol, body: &[u8], keep_text: bool) -> Option<AnswerFacts> {
    let answer = codec(protocol)?.decode_answer(body).ok()?;
    let parts = || answer.choices.iter().flat_map(|choice| &choice.parts);
    let texts = parts().filter_map(|part| match &part.kind {
        PartKind::Text(text) => Some(text.as_str()),
        _ => None,
    });
    Some(AnswerFacts {
        usage: answer.usage.map(|usage| tally_of(&usage).metered()),
        has_tool_calls: answer.choices.iter().any(Choice::calls_tools),
        text: keep_text.then(|| texts.collect::<Vec<_>>().join(" ")),
        model: answer.model,
    })
}

/// An answer's shape in one protocol.
trait Shape<'a>: Deserialize<'a> {
    type Usage: Deserialize<'a>;

    fn tally(usage: &Self::Usage) -> Tally;
    fn usage(&self) -> Option<&Self::Usage>;
    fn model(&self) -> Option<&str>;
    /// The tier that served it, where the answer says so beside its usage.
    fn tier(&self) -> BatchTier {
        BatchTier::default()
    }
    fn has_tool_calls(&self) -> bool;
    fn texts(&self) -> Vec<&'a RawValue>;
}

/// What is read of an answer whose other members are not what the protocol says.
#[derive(Deserialize)]
struct Bare<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

fn read<'a, S: Shape<'a>>(body: &'a [u8], keep_text: bool) -> Option<AnswerFacts> {
    if let Ok(answer) = serde_json::from_slice::<S>(body) {
        return Some(AnswerFacts {
            usage: answer
                .usage()
                .map(|usage| S::tally(usage).in_tier(answer.tier()).metered()),
            model: answer.model().map(str::to_owned),
            has_tool_calls: answer.has_tool_calls(),
            text: keep_text.then(|| join(&answer.texts())),
        });
    }
    let bare: Bare<'a> = serde_json::from_slice(body).ok()?;
    let usage = bare
        .usage
        .and_then(|usage| serde_json::from_str::<S::Usage>(usage.get()).ok());
    Some(AnswerFacts {
        usage: usage.map(|usage| S::tally(&usage).metered()),
        model: bare
            .model
            .and_then(|model| serde_json::from_str(model.get()).ok()),
        ..AnswerFacts::default()
    })
}

fn join(texts: &[&RawValue]) -> String {
    let texts: Vec<String> = texts
        .iter()
        .filter_map(|text| serde_json::from_str(text.get()).ok())
        .collect();
    texts.join(" ")
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ChatAnswer<'a> {
    #[serde(default)]
    model: Text<'a>,
    usage: Option<ChatUsage>,
    #[serde(default)]
    service_tier: BatchTier,
    choices: Option<Vec<ChatChoice<'a>>>,
}

#[derive(Deserialize)]
struct ChatChoice<'a> {
    #[serde(borrow)]
    message: Option<ChatMessage<'a>>,
}

#[derive(Deserialize)]
struct ChatMessage<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    tool_calls: NonEmpty,
    #[serde(default)]
    function_call: NonEmpty,
}

impl<'a> ChatAnswer<'a> {
    fn messages(&self) -> impl Iterator<Item = &ChatMessage<'a>> {
        self.choices
            .iter()
            .flatten()
            .filter_map(|choice| choice.message.as_ref())
    }
}

impl<'a> Shape<'a> for ChatAnswer<'a> {
    type Usage = ChatUsage;

    fn tally(usage: &ChatUsage) -> Tally {
        usage.tally()
    }

    fn usage(&self) -> Option<&ChatUsage> {
        self.usage.as_ref()
    }

    fn model(&self) -> Option<&str> {
        self.model.as_str()
    }

    fn tier(&self) -> BatchTier {
        self.service_tier
    }

    fn has_tool_calls(&self) -> bool {
        self.messages()
            .any(|message| message.tool_calls.0 || message.function_call.0)
    }

    fn texts(&self) -> Vec<&'a RawValue> {
        self.messages().filter_map(|message| message.content).collect()
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ResponsesAnswer<'a> {
    #[serde(default)]
    model: Text<'a>,
    usage: Option<ResponsesUsage>,
    #[serde(default)]
    service_tier: BatchTier,
    output: Option<Vec<OutputItem<'a>>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct OutputItem<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    content: Option<Vec<TypedText<'a>>>,
}

/// A part of an OpenAI message, or a block of an Anthropic one.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct TypedText<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    text: Option<&'a RawValue>,
}

impl<'a> Shape<'a> for ResponsesAnswer<'a> {
    type Usage = ResponsesUsage;

    fn tally(usage: &ResponsesUsage) -> Tally {
        usage.tally()
    }

    fn usage(&self) -> Option<&ResponsesUsage> {
        self.usage.as_ref()
    }

    fn model(&self) -> Option<&str> {
        self.model.as_str()
    }

    fn tier(&self) -> BatchTier {
        self.service_tier
    }

    fn has_tool_calls(&self) -> bool {
        let mut items = self.output.iter().flatten();
        items.any(|item| matches!(item.kind.as_str(), Some("function_call" | "custom_tool_call")))
    }

    fn texts(&self) -> Vec<&'a RawValue> {
        let parts = self
            .output
            .iter()
            .flatten()
            .flat_map(|item| item.content.iter().flatten());
        parts
            .filter(|part| part.kind.as_str() == Some("output_text"))
            .filter_map(|part| part.text)
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct AnthropicAnswer<'a> {
    #[serde(default)]
    model: Text<'a>,
    usage: Option<AnthropicUsage>,
    content: Option<Vec<TypedText<'a>>>,
}

impl<'a> Shape<'a> for AnthropicAnswer<'a> {
    type Usage = AnthropicUsage;

    fn tally(usage: &AnthropicUsage) -> Tally {
        usage.tally()
    }

    fn usage(&self) -> Option<&AnthropicUsage> {
        self.usage.as_ref()
    }

    fn model(&self) -> Option<&str> {
        self.model.as_str()
    }

    fn has_tool_calls(&self) -> bool {
        self.content
            .iter()
            .flatten()
            .any(|block| block.kind.as_str() == Some("tool_use"))
    }

    fn texts(&self) -> Vec<&'a RawValue> {
        let blocks = self.content.iter().flatten();
        blocks
            .filter(|block| block.kind.as_str() == Some("text"))
            .filter_map(|block| block.text)
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct BedrockAnswer<'a> {
    usage: Option<BedrockUsage<'a>>,
    output: Option<BedrockOutput<'a>>,
}

#[derive(Deserialize)]
struct BedrockOutput<'a> {
    #[serde(borrow)]
    message: Option<BedrockMessage<'a>>,
}

#[derive(Deserialize)]
struct BedrockMessage<'a> {
    #[serde(borrow)]
    content: Option<Vec<BedrockBlock<'a>>>,
}

#[derive(Deserialize)]
struct BedrockBlock<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(default, rename = "toolUse")]
    tool_use: NonEmpty,
}

impl<'a> BedrockAnswer<'a> {
    fn blocks(&self) -> impl Iterator<Item = &BedrockBlock<'a>> {
        let message = self.output.iter().filter_map(|output| output.message.as_ref());
        message.flat_map(|message| message.content.iter().flatten())
    }
}

impl<'a> Shape<'a> for BedrockAnswer<'a> {
    type Usage = BedrockUsage<'a>;

    fn tally(usage: &BedrockUsage<'a>) -> Tally {
        usage.tally()
    }

    fn usage(&self) -> Option<&BedrockUsage<'a>> {
        self.usage.as_ref()
    }

    fn model(&self) -> Option<&str> {
        None
    }

    fn has_tool_calls(&self) -> bool {
        self.blocks().any(|block| block.tool_use.0)
    }

    fn texts(&self) -> Vec<&'a RawValue> {
        self.blocks().filter_map(|block| block.text).collect()
    }
}

#[derive(Deserialize)]
struct PredictAnswer<'a> {
    #[serde(borrow)]
    predictions: Option<Predictions<'a>>,
}

/// Vertex reports usage with each prediction.
#[derive(Deserialize)]
struct Predictions<'a>(#[serde(borrow)] Vec<Prediction<'a>>);

impl<'a> Shape<'a> for PredictAnswer<'a> {
    type Usage = Predictions<'a>;

    fn tally(usage: &Predictions<'a>) -> Tally {
        let tokens = usage.0.iter().map(Prediction::tokens);
        ChatUsage::of_prompt(tokens.fold(0, u64::saturating_add)).tally()
    }

    fn usage(&self) -> Option<&Predictions<'a>> {
        self.predictions.as_ref()
    }

    fn model(&self) -> Option<&str> {
        None
    }

    fn has_tool_calls(&self) -> bool {
        false
    }

    fn texts(&self) -> Vec<&'a RawValue> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
