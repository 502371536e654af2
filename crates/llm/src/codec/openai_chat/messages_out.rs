//! Messages for a provider.

use super::answer_out::{APART, tool_call};
use super::request_out::Body;
use super::{details, format, media_out};
use crate::chat::{
    ChatRequest, Extension, Json, Object, Part, PartKind, Role, ToolCall, ToolResult, Turn, Unsayable,
};
use crate::protocol::Protocol;
use crate::provider::ReasoningBack;

const HERE: Protocol = Protocol::OpenAiChat;

/// Writes the messages. Those of an OpenAI chat client stay apart as they are; of others, turns of the model that follow
/// each other are one message, because the results of calls must follow the message that makes all of them.
pub(super) fn encode(request: &ChatRequest, body: &mut Body<'_, '_>) -> Result<Vec<Json>, Unsayable> {
    let mut out = Messages {
        body,
        list: Vec::new(),
        moved: Vec::new(),
    };
    let leading = request.leading_system().len();
    let takes_schema = out.body.quirks.json_schema;
    let instruction = format::instruction(request, takes_schema);
    let mut turns = request.turns.iter().enumerate().peekable();
    while let Some((index, turn)) = turns.next() {
        let within = |error: Unsayable| error.within(&format!("messages[{index}]"));
        if index == leading {
            out.instruct(instruction.as_deref());
        }
        if turn.role != Role::Tool {
            out.flush_moved();
        }
        match turn.role {
            Role::System | Role::Developer | Role::User => out.said(turn).map_err(within)?,
            Role::Tool => out.results(turn).map_err(within)?,
            Role::Assistant => {
                let mut parts: Vec<&Part> = turn.parts.iter().collect();
                let joins = |next: &Turn| next.role == Role::Assistant && next.extension.protocol() != HERE;
                while turn.extension.protocol() != HERE
                    && let Some((_, next)) = turns.next_if(|(_, next)| joins(next))
                {
                    parts.extend(&next.parts);
                }
                out.assistant(turn, &parts).map_err(within)?;
            }
        }
    }
    if leading == request.turns.len() {
        out.instruct(instruction.as_deref());
    }
    out.flush_moved();
    Ok(out.list)
}

struct Messages<'b, 'a, 'd> {
    body: &'b mut Body<'a, 'd>,
    list: Vec<Json>,
    /// Media out of results, which a tool's message cannot hold: they follow behind the last result.
    moved: Vec<Json>,
}

impl Messages<'_, '_, '_> {
    fn instruct(&mut self, instruction: Option<&str>) {
        if let Some(text) = instruction {
            self.list
                .push(Object::new().set("role", "system").set("content", text).finish());
        }
    }

    fn finish(&mut self, message: Object, turn: &Turn) {
        turn.extension.drop_unless(HERE, "messages.", self.body.drops);
        let message = message.set_some("name", turn.name.as_ref());
        self.list.push(message.extend(&turn.extension, HERE).finish());
    }

    fn said(&mut self, turn: &Turn) -> Result<(), Unsayable> {
        let role = match turn.role {
            Role::Developer if self.body.quirks.developer_role => "developer",
            Role::System | Role::Developer => "system",
            _ => "user",
        };
        let mut parts: Vec<&Part> = Vec::new();
        for part in &turn.parts {
            match &part.kind {
                PartKind::ToolResult(result) => self.result(part, result, &Extension::of(HERE), None)?,
                _ => parts.push(part),
            }
        }
        if parts.is_empty() && !turn.parts.is_empty() {
            return Ok(());
        }
        let content = self.content(&parts)?;
        if let Some(content) = content.or_else(|| turn.parts.is_empty().then(|| Json::of(""))) {
            self.finish(Object::new().set("role", role).set("content", &content), turn);
        }
        Ok(())
    }

    /// `content`: a string for text alone where that keeps what was said, else a list; `None` if nothing is left.
    /// Compatible servers often take no lists of texts.
    fn content(&mut self, parts: &[&Part]) -> Result<Option<Json>, Unsayable> {
        let is_plain = |part: &&Part| {
            matches!(part.kind, PartKind::Text(_))
                && part.cache.is_none()
                && part.extension.members(HERE).is_empty()
        };
        let joins = parts.len() == 1 || !self.body.is_openai();
        if joins && !parts.is_empty() && parts.iter().all(is_plain) {
            let texts = parts.iter().filter_map(|part| match &part.kind {
                PartKind::Text(text) => Some(text.as_str()),
                _ => None,
            });
            let texts: Vec<&str> = texts.collect();
            for part in parts {
                part.extension
                    .drop_unless(HERE, "messages.content.", self.body.drops);
            }
            return Ok(Some(Json::of(&texts.join(APART))));
        }
        let mut list = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let encoded = self
                .part(part)
                .map_err(|error| error.within(&format!("content[{index}]")))?;
            list.extend(encoded);
        }
        Ok((!list.is_empty()).then(|| Json::of(&list)))
    }

    fn part(&mut self, part: &Part) -> Result<Option<Json>, Unsayable> {
        let is_own = part.extension.protocol() == HERE;
        let text = |text: &str| Object::new().set("type", "text").set("text", text);
        let (member, object) = match &part.kind {
            // An empty text says nothing, and some servers refuse it.
            PartKind::Text(said) if said.is_empty() && !is_own => return Ok(None),
            PartKind::Text(said) => ("", text(said)),
            PartKind::Refusal(said) => ("", Object::new().set("type", "refusal").set("refusal", said)),
            PartKind::Media(media) => match media_out::plain_text(media) {
                Some(said) => ("", text(&said)),
                None => {
                    let (member, inner) = media_out::encode(part, media, self.body.is_openai())?;
                    (member, Object::new().set("type", member).set(member, &inner))
                }
            },
            PartKind::Foreign if is_own => {
                return Ok(Some(Object::new().extend(&part.extension, HERE).finish()));
            }
            _ => {
                part.extension
                    .drop_unless(HERE, "messages.content.", self.body.drops);
                return Ok(None);
            }
        };
        part.extension
            .drop_unless(HERE, "messages.content.", self.body.drops);
        let mut object = self.marked(object, part);
        for (name, value) in part.extension.members(HERE) {
            if name != member {
                object.put(name, value);
            }
        }
        Ok(Some(object.finish()))
    }

    /// Adds the mark up to which the prompt is to be cached: OpenRouter takes Anthropic's; OpenAI has one of its own,
    /// which only its newest models take, so that it is sent only for those who asked for it in that form.
    fn marked(&mut self, object: Object, part: &Part) -> Object {
        let Some(mark) = part.cache else { return object };
        if self.body.quirks.reasoning_back == ReasoningBack::Details {
            let ttl = mark.ttl.filter(|ttl| *ttl >= 3600).map(|_| "1h");
            let control = Object::new()
                .set("type", "ephemeral")
                .set_some("ttl", ttl)
                .finish();
            return object.set("cache_control", &control);
        }
        let origin = part.extension.protocol();
        if self.body.is_openai() && matches!(origin, Protocol::OpenAiChat | Protocol::OpenAiResponses) {
            let ttl = mark.ttl.map(lifetime);
            let point = Object::new()
                .set("mode", "explicit")
                .set_some("ttl", ttl)
                .finish();
            return object.set("prompt_cache_breakpoint", &point);
        }
        self.body.drops.note(match origin {
            Protocol::AnthropicMessages => "cache_control",
            Protocol::BedrockConverse => "cachePoint",
            _ => "prompt_cache_breakpoint",
        });
        object
    }

    fn assistant(&mut self, turn: &Turn, parts: &[&Part]) -> Result<(), Unsayable> {
        let is_own = turn.extension.protocol() == HERE;
        let mut said: Vec<&Part> = Vec::new();
        let mut refusals: Vec<&Part> = Vec::new();
        let mut calls = Vec::new();
        for part in parts {
            match &part.kind {
                PartKind::Text(text) if text.is_empty() && !is_own => {}
                PartKind::Text(_) => said.push(part),
                PartKind::Refusal(_) => refusals.push(part),
                PartKind::ToolCall(call) => calls.extend(self.call(part, call)),
                PartKind::Media(_) if !is_own => {
                    return Err(Unsayable::new(
                        "the provider takes no media in what the model said before",
                    ));
                }
                PartKind::Media(_) => said.push(part),
                PartKind::Foreign if !details::is_detail(&part.extension) => said.push(part),
                PartKind::Foreign | PartKind::Reasoning(_) | PartKind::ToolResult(_) => {}
            }
        }
        // A refusal stands beside the text, unless there are several pieces in the client's own list.
        let refusal = match (refusals.as_slice(), said.is_empty() || !is_own) {
            ([], _) => None,
            (_, true) => Some(
                refusals
                    .iter()
                    .filter_map(|part| refusal(part))
                    .collect::<Vec<_>>()
                    .concat(),
            ),
            (_, false) => {
                said.extend(&refusals);
                None
            }
        };
        let content = self.content(&said)?;
        let is_empty = content.is_none() && refusal.is_none() && calls.is_empty();
        if is_empty && turn.extension.members(HERE).is_empty() {
            return Ok(());
        }
        let mut message = Object::new()
            .set("role", "assistant")
            .set("content", &content)
            .set_some("refusal", refusal);
        message = self.thoughts(message, parts);
        if !calls.is_empty() {
            message.put("tool_calls", &calls);
        }
        self.finish(message, turn);
        Ok(())
    }

    fn call(&mut self, part: &Part, call: &ToolCall) -> Option<Json> {
        part.extension
            .drop_unless(HERE, "messages.tool_calls.", self.body.drops);
        let is_wrapped = call.is_custom && !self.body.quirks.custom_tools;
        let mut sent = part.clone();
        if let PartKind::ToolCall(sent) = &mut sent.kind {
            if is_wrapped {
                sent.arguments = call.object().text().to_owned();
                sent.is_custom = false;
            }
            // Only the provider's own signatures are of use to it, and OpenAI refuses the member.
            if self.body.is_openai() {
                sent.signature = None;
            }
        }
        tool_call(&sent)
    }

    /// The thoughts of earlier turns, where the provider wants them back.
    fn thoughts(&self, mut message: Object, parts: &[&Part]) -> Object {
        match self.body.quirks.reasoning_back {
            ReasoningBack::Never => message,
            ReasoningBack::Content => {
                let texts: Vec<&str> = parts
                    .iter()
                    .filter_map(|part| match &part.kind {
                        PartKind::Reasoning(thought) => Some(thought.text.as_str()),
                        _ => None,
                    })
                    .filter(|text| !text.is_empty())
                    .collect();
                if !texts.is_empty() {
                    message.put("reasoning_content", &texts.join(APART));
                }
                message
            }
            ReasoningBack::Details => {
                let mut written = Vec::new();
                let mut number = 0;
                for part in parts {
                    match &part.kind {
                        PartKind::Reasoning(thought) => details::write(thought, number, &mut written),
                        PartKind::Foreign if details::is_detail(&part.extension) => {
                            written.push(Object::new().extend(&part.extension, HERE).finish());
                        }
                        _ => continue,
                    }
                    number += 1;
                }
                if !written.is_empty() {
                    message.put("reasoning_details", &written);
                }
                message
            }
        }
    }

    fn results(&mut self, turn: &Turn) -> Result<(), Unsayable> {
        let nothing = Extension::of(turn.extension.protocol());
        turn.extension.drop_unless(HERE, "messages.", self.body.drops);
        for (index, part) in turn.parts.iter().enumerate() {
            if let PartKind::ToolResult(result) = &part.kind {
                let beside = if index == 0 { &turn.extension } else { &nothing };
                self.result(part, result, beside, turn.name.as_deref())?;
            }
        }
        Ok(())
    }

    fn result(
        &mut self,
        part: &Part,
        result: &ToolResult,
        beside: &Extension,
        name: Option<&str>,
    ) -> Result<(), Unsayable> {
        part.extension
            .drop_unless(HERE, "messages.content.", self.body.drops);
        let is_own = part.extension.protocol() == HERE && result.is_error.is_none();
        let content = if is_own {
            let parts: Vec<&Part> = result.content.iter().collect();
            self.content(&parts)?.unwrap_or_else(|| Json::of(""))
        } else {
            Json::of(&self.result_text(result)?)
        };
        let mut message = Object::new()
            .set("role", "tool")
            .set("tool_call_id", &result.call_id)
            .set("content", &content)
            .set_some("name", name);
        message = self.marked(message, part);
        self.list.push(message.extend(beside, HERE).finish());
        Ok(())
    }

    /// A result as text: failure is told in words, and media are moved behind the results.
    fn result_text(&mut self, result: &ToolResult) -> Result<String, Unsayable> {
        let mut texts: Vec<String> = Vec::new();
        let mut media = Vec::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Text(text) if text.is_empty() => {}
                PartKind::Text(text) => texts.push(text.clone()),
                PartKind::Media(it) if media_out::plain_text(it).is_some() => {
                    texts.extend(media_out::plain_text(it))
                }
                PartKind::Media(_) => media.extend(self.part(part)?),
                _ => part
                    .extension
                    .drop_unless(HERE, "messages.content.", self.body.drops),
            }
        }
        if !media.is_empty() {
            let intro = format!("Output of the tool call {}:", result.call_id);
            self.moved
                .push(Object::new().set("type", "text").set("text", &intro).finish());
            self.moved.append(&mut media);
            if texts.is_empty() {
                texts.push("The output follows in the next message.".to_owned());
            }
        }
        let text = texts.join("\n");
        let told = text
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("error"));
        Ok(if result.is_error == Some(true) && !told {
            format!("ERROR: {text}")
        } else {
            text
        })
    }

    fn flush_moved(&mut self) {
        if !self.moved.is_empty() {
            let parts = std::mem::take(&mut self.moved);
            self.list
                .push(Object::new().set("role", "user").set("content", &parts).finish());
        }
    }
}

fn refusal(part: &Part) -> Option<&str> {
    match &part.kind {
        PartKind::Refusal(text) => Some(text),
        _ => None,
    }
}

/// Seconds as `12h` or `30m`.
fn lifetime(seconds: u32) -> String {
    if seconds.is_multiple_of(3600) {
        format!("{}h", seconds / 3600)
    } else {
        format!("{}m", seconds / 60)
    }
}
