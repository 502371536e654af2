//! Counting the tokens of a conversation here, for providers that do not (llm-protocols §4, §6, §7).

use bytes::Bytes;

use crate::chat::{ChatRequest, Fields, Json, Object, Part, PartKind, Tool, ToolKind, Unsayable};
use crate::codec::{Ask, codec};
use crate::protocol::Protocol;
use crate::tokens::TokenCounter;

/// What a turn costs beside its texts: who speaks, and where it begins and ends.
const PER_TURN: u64 = 3;
/// What the beginning of the answer costs.
const PRIMING: u64 = 3;
/// What a picture, a document or a recording is taken for: its true size is known to its model only.
const PER_MEDIA: u64 = 1000;

/// A conversation whose tokens are to be counted.
#[derive(Debug)]
pub struct TokenQuestion {
    protocol: Protocol,
    request: ChatRequest,
}

impl TokenQuestion {
    /// Reads a client's request in one of the protocols that count tokens.
    ///
    /// # Errors
    /// [`Unsayable`] if it is not what the protocol says.
    pub fn read(protocol: Protocol, body: &[u8]) -> Result<Self, Unsayable> {
        let none = || Unsayable::new(format!("{protocol} counts no tokens"));
        let (conversation, nested) = match protocol {
            Protocol::AnthropicCountTokens => (Protocol::AnthropicMessages, None),
            Protocol::OpenAiInputTokens => (Protocol::OpenAiResponses, None),
            Protocol::GeminiCountTokens => {
                let mut fields = Fields::from_slice(body)?.in_camel_case();
                (Protocol::GeminiGenerate, fields.raw("generateContentRequest"))
            }
            _ => return Err(none()),
        };
        let codec = codec(conversation).ok_or_else(none)?;
        let body = nested.map_or(body, |request| request.get().as_bytes());
        let request = codec.decode_request(body, &Ask::default())?;
        Ok(Self { protocol, request })
    }

    /// Its tokens, by the vocabulary of a model. Loads it if need be: not for threads that serve requests.
    #[must_use]
    pub fn count(&self, counter: &TokenCounter, model: &str) -> u64 {
        let count = |text: &str| counter.count(model, text);
        let turns = self.request.turns.iter();
        let turns = turns.map(|turn| PER_TURN + parts(&turn.parts, &count));
        let tools = self.request.tools.iter().map(|tool| tool_tokens(tool, &count));
        turns.chain(tools).fold(PRIMING, u64::saturating_add)
    }

    /// The answer in the client's protocol.
    #[must_use]
    pub fn answer(&self, tokens: u64) -> Bytes {
        let answer = match self.protocol {
            Protocol::GeminiCountTokens => Object::new().set("totalTokens", &tokens),
            Protocol::OpenAiInputTokens => Object::new()
                .set("object", "response.input_tokens")
                .set("input_tokens", &tokens),
            _ => Object::new().set("input_tokens", &tokens),
        };
        Bytes::copy_from_slice(answer.finish().text().as_bytes())
    }
}

fn parts(parts: &[Part], count: &dyn Fn(&str) -> u64) -> u64 {
    let tokens = parts.iter().map(|part| match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => count(text),
        PartKind::Reasoning(reasoning) => count(&reasoning.text),
        PartKind::ToolCall(call) => count(&call.name) + count(&call.arguments),
        PartKind::ToolResult(result) => self::parts(&result.content, count),
        PartKind::Media(_) | PartKind::Foreign => PER_MEDIA,
    });
    tokens.fold(0, u64::saturating_add)
}

fn tool_tokens(tool: &Tool, count: &dyn Fn(&str) -> u64) -> u64 {
    let texts = match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters: schema,
            ..
        }
        | ToolKind::Custom {
            name,
            description,
            format: schema,
        } => [
            Some(name.as_str()),
            description.as_deref(),
            schema.as_ref().map(Json::text),
        ],
        ToolKind::BuiltIn { kind } => [Some(kind.as_str()), None, None],
    };
    PER_TURN + texts.into_iter().flatten().map(count).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(protocol: Protocol, body: &str) -> TokenQuestion {
        TokenQuestion::read(protocol, body.as_bytes()).unwrap()
    }

    /// One test for everything that needs a vocabulary: loading it costs seconds in a debug build.
    #[test]
    fn a_conversation_counts_the_same_in_every_protocol() {
        let counter = TokenCounter::default();
        let count = |protocol, body| question(protocol, body).count(&counter, "gpt-4o");
        let anthropic = count(
            Protocol::AnthropicCountTokens,
            r#"{"model":"m","system":"Be brief.","messages":[{"role":"user","content":"hello world"}]}"#,
        );
        // Three tokens and two, two turns, the beginning of an answer.
        assert_eq!(anthropic, 3 + 2 + 2 * PER_TURN + PRIMING);
        for body in [
            r#"{"contents":[{"role":"user","parts":[{"text":"hello world"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]}}"#,
            r#"{"generateContentRequest":{"model":"models/m","contents":[{"role":"user","parts":[{"text":"hello world"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]}}}"#,
        ] {
            assert_eq!(count(Protocol::GeminiCountTokens, body), anthropic, "{body}");
        }
        let responses = r#"{"model":"m","instructions":"Be brief.","input":"hello world"}"#;
        assert_eq!(count(Protocol::OpenAiInputTokens, responses), anthropic);
        let with_tool = count(
            Protocol::AnthropicCountTokens,
            r#"{"model":"m","system":"Be brief.","messages":[{"role":"user","content":"hello world"}],
                "tools":[{"name":"get_weather","description":"The weather.","input_schema":{"type":"object"}}]}"#,
        );
        assert!(
            (anthropic + 8..anthropic + 40).contains(&with_tool),
            "{with_tool}"
        );
    }

    #[test]
    fn answers() {
        let anthropic = question(Protocol::AnthropicCountTokens, r#"{"messages":[]}"#);
        assert_eq!(anthropic.answer(7), r#"{"input_tokens":7}"#);
        let gemini = question(Protocol::GeminiCountTokens, r#"{"contents":[]}"#);
        assert_eq!(gemini.answer(7), r#"{"totalTokens":7}"#);
        let openai = question(Protocol::OpenAiInputTokens, r#"{"input":"x"}"#);
        assert_eq!(
            openai.answer(7),
            r#"{"object":"response.input_tokens","input_tokens":7}"#
        );
        assert!(TokenQuestion::read(Protocol::AnthropicCountTokens, b"[]").is_err());
        assert!(TokenQuestion::read(Protocol::OpenAiChat, b"{}").is_err());
    }
}
