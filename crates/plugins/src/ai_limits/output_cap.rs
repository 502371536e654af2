//! `max_output_tokens`: a request that asks for more, or says nothing, asks for that much.

use bytes::Bytes;
use sluice_llm::{Protocol, Provider, RequestView};
use sluice_wire::{Kind, Member, ObjectView, Splice};

/// Where a protocol says how long an answer may be: spellings of the object that holds it, and of the member.
type Place = (&'static [&'static str], &'static [&'static str]);

/// The first spelling is the one that is added.
fn place(protocol: Protocol, provider: &str) -> Option<Place> {
    const TOP: &[&str] = &[];
    Some(match protocol {
        Protocol::OpenAiChat => {
            let own = Provider::find(provider).map_or("max_tokens", |known| known.quirks().max_tokens);
            match own {
                "max_completion_tokens" => (TOP, &["max_completion_tokens", "max_tokens"]),
                _ => (TOP, &["max_tokens", "max_completion_tokens"]),
            }
        }
        Protocol::OpenAiCompletions | Protocol::AnthropicMessages | Protocol::CohereChat => {
            (TOP, &["max_tokens"])
        }
        Protocol::OpenAiResponses => (TOP, &["max_output_tokens"]),
        Protocol::GeminiGenerate => (
            &["generationConfig", "generation_config"],
            &["maxOutputTokens", "max_output_tokens"],
        ),
        Protocol::BedrockConverse => (&["inferenceConfig"], &["maxTokens"]),
        Protocol::OllamaChat | Protocol::OllamaGenerate => (&["options"], &["num_predict"]),
        _ => return None,
    })
}

/// How long the answer may be, as the request says it.
pub(super) fn asked(request: &RequestView, protocol: Protocol, provider: &str) -> Option<u64> {
    let (holders, members) = place(protocol, provider)?;
    let object = request.object()?;
    let read = |object: &ObjectView| {
        let found = members.iter().filter_map(|member| number(&object.get(member)?));
        found.min()
    };
    if holders.is_empty() {
        return read(object);
    }
    let inner = holders.iter().find_map(|holder| object.get(holder))?;
    read(&ObjectView::parse(inner.raw_bytes()).ok()?)
}

/// The body with at most that much asked for; `None` where it needs no change.
pub(super) fn capped(request: &RequestView, protocol: Protocol, provider: &str, most: u64) -> Option<Bytes> {
    let (holders, members) = place(protocol, provider)?;
    let object = request.object()?;
    let Some(first) = holders.first() else {
        return lowered(object, members, most);
    };
    let holder = holders.iter().find(|holder| object.get(holder).is_some());
    let (name, inner) = match holder.and_then(|name| Some((name, object.get(name)?))) {
        Some((name, inner)) if inner.kind() == Kind::Object => {
            let view = ObjectView::parse(inner.raw_bytes()).ok()?;
            (name, lowered(&view, members, most)?)
        }
        // What is no object is the provider's to refuse; `null` says nothing.
        Some((_, inner)) if inner.kind() != Kind::Null => return None,
        _ => {
            let member = members.first()?;
            (first, format!("{{\"{member}\":{most}}}").into())
        }
    };
    let mut splice = Splice::new(object);
    splice.set(name, inner);
    Some(splice.finish())
}

fn lowered(object: &ObjectView, members: &'static [&'static str], most: u64) -> Option<Bytes> {
    let mut splice = Splice::new(object);
    let mut said = false;
    for member in members {
        let Some(value) = object.get(member).filter(|value| value.kind() != Kind::Null) else {
            continue;
        };
        said = true;
        if number(&value).is_none_or(|wanted| wanted > most) {
            splice.set(member, most.to_string().into());
        }
    }
    if !said {
        splice.set(members.first()?, most.to_string().into());
    }
    (!splice.is_unchanged()).then(|| splice.finish())
}

/// A number of tokens; `None` for what is none, such as Ollama's -1 for "without end".
fn number(value: &Member<'_>) -> Option<u64> {
    let text = std::str::from_utf8(value.raw()).ok()?;
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        // Numbers of that size are exact, and larger ones are above every limit.
        (number >= 0.0).then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cap(protocol: Protocol, provider: &str, body: &Value) -> Value {
        let bytes = Bytes::from(body.to_string());
        let request = RequestView::parse(bytes.clone()).unwrap();
        let capped = capped(&request, protocol, provider, 100).unwrap_or(bytes);
        serde_json::from_slice(&capped).unwrap()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn more_is_lowered_less_stays_and_nothing_is_filled_in() {
        use Protocol as P;
        for (protocol, provider, body, expected) in [
            (
                P::OpenAiChat,
                "openai",
                json!({}),
                json!({"max_completion_tokens": 100}),
            ),
            (P::OpenAiChat, "ollama", json!({}), json!({"max_tokens": 100})),
            (
                P::OpenAiChat,
                "openai",
                json!({"max_tokens": 500}),
                json!({"max_tokens": 100}),
            ),
            (
                P::OpenAiChat,
                "openai",
                json!({"max_tokens": 5}),
                json!({"max_tokens": 5}),
            ),
            (
                P::OpenAiChat,
                "openai",
                json!({"max_tokens": 1e9}),
                json!({"max_tokens": 100}),
            ),
            (
                P::OpenAiChat,
                "ollama",
                json!({"max_tokens": null}),
                json!({"max_tokens": 100}),
            ),
            (
                P::OpenAiResponses,
                "openai",
                json!({}),
                json!({"max_output_tokens": 100}),
            ),
            (
                P::AnthropicMessages,
                "anthropic",
                json!({"max_tokens": 101}),
                json!({"max_tokens": 100}),
            ),
            (P::CohereChat, "cohere", json!({}), json!({"max_tokens": 100})),
            (
                P::GeminiGenerate,
                "gemini",
                json!({"generationConfig": {"temperature": 1}}),
                json!({"generationConfig": {"temperature": 1, "maxOutputTokens": 100}}),
            ),
            (
                P::GeminiGenerate,
                "gemini",
                json!({"generation_config": {"max_output_tokens": 200}}),
                json!({"generation_config": {"max_output_tokens": 100}}),
            ),
            (
                P::GeminiGenerate,
                "gemini",
                json!({}),
                json!({"generationConfig": {"maxOutputTokens": 100}}),
            ),
            (
                P::BedrockConverse,
                "bedrock",
                json!({}),
                json!({"inferenceConfig": {"maxTokens": 100}}),
            ),
            (
                P::OllamaChat,
                "ollama",
                json!({"options": {"num_predict": -1}}),
                json!({"options": {"num_predict": 100}}),
            ),
            (
                P::OpenAiEmbeddings,
                "openai",
                json!({"input": "x"}),
                json!({"input": "x"}),
            ),
        ] {
            assert_eq!(cap(protocol, provider, &body), expected, "{protocol}: {body}");
        }
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let read = |protocol, body: Value| {
            let request = RequestView::parse(body.to_string().into()).unwrap();
            asked(&request, protocol, "openai")
        };
        assert_eq!(read(Protocol::OpenAiChat, json!({"max_tokens": 7})), Some(7));
        assert_eq!(
            read(
                Protocol::GeminiGenerate,
                json!({"generationConfig": {"maxOutputTokens": 9}})
            ),
            Some(9)
        );
        assert_eq!(
            read(Protocol::OllamaChat, json!({"options": {"num_predict": -1}})),
            None
        );
        assert_eq!(read(Protocol::OpenAiEmbeddings, json!({"max_tokens": 7})), None);
    }
}
