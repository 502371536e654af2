//! Messages for a provider.

mod content;
mod results;

use self::content::is_said;
use super::answer_out::{APART, tool_call};
use super::request_out::Body;
use super::{details, format};
use crate::chat::{ChatRequest, Extension, Json, Object, Part, PartKind, Role, ToolCall, Turn, Unsayable};
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

    fn assistant(&mut self, turn: &Turn, parts: &[&Part]) -> Result<(), Unsayable> {
        let is_own = turn.extension.protocol() == HERE;
        let mut said: Vec<&Part> = Vec::new();
        let mut refusals: Vec<&Part> = Vec::new();
        let mut calls = Vec::new();
        for part in parts {
            match &part.kind {
                PartKind::Text(text) if is_said(text, part) => said.push(part),
                PartKind::Text(_) => {}
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
}

fn refusal(part: &Part) -> Option<&str> {
    match &part.kind {
        PartKind::Refusal(text) => Some(text),
        _ => None,
    }
}
