//! Results of tools.

use super::super::media_out;
use super::Messages;
use crate::chat::{Extension, Json, Object, Part, PartKind, ToolResult, Turn, Unsayable};
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

impl Messages<'_, '_, '_> {
    pub(super) fn results(&mut self, turn: &Turn) -> Result<(), Unsayable> {
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

    pub(super) fn result(
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
    pub(super) fn result_text(&mut self, result: &ToolResult) -> Result<String, Unsayable> {
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

    pub(super) fn flush_moved(&mut self) {
        if !self.moved.is_empty() {
            let parts = std::mem::take(&mut self.moved);
            self.list
                .push(Object::new().set("role", "user").set("content", &parts).finish());
        }
    }
}
