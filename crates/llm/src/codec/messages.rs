//! Turns run together to messages that alternate, for protocols whose tool results stand in the user's messages.

use crate::chat::{Extension, Json, Part, PartKind, Role, Turn, Unsayable};

/// A message being put together.
pub(super) struct Message<'a> {
    /// `user`, `assistant` or `system`.
    pub(super) role: &'static str,
    results: Vec<Json>,
    blocks: Vec<Json>,
    /// The turn that it is, if it is one as it stands.
    pub(super) only: Option<&'a Turn>,
    /// Whether a user's message behind it joins it even if the client speaks the protocol: it holds results.
    is_open: bool,
    /// What only the client's protocol says.
    pub(super) extension: &'a Extension,
}

impl<'a> Message<'a> {
    fn of(
        turn: &'a Turn,
        is_last: bool,
        is_native: bool,
        write: &mut impl FnMut(&Part) -> Result<Vec<Json>, Unsayable>,
    ) -> Result<Self, Unsayable> {
        let role = match turn.role {
            Role::Assistant => "assistant",
            Role::System | Role::Developer if is_native => "system",
            _ => "user",
        };
        let mut message = Self {
            role,
            results: Vec::new(),
            blocks: Vec::new(),
            only: Some(turn),
            is_open: turn.role == Role::Tool,
            extension: &turn.extension,
        };
        for (index, part) in turn.parts.iter().enumerate() {
            let ends_all = is_last && role == "assistant" && index + 1 == turn.parts.len();
            let blocks = match &part.kind {
                // What the answer is to begin with must not end with white space.
                PartKind::Text(text) if ends_all && !is_native && text.ends_with(char::is_whitespace) => {
                    message.only = None;
                    let mut part = part.clone();
                    part.kind = PartKind::Text(text.trim_end().to_owned());
                    write(&part)?
                }
                _ => write(part)?,
            };
            match part.kind {
                PartKind::ToolResult(_) => message.results.extend(blocks),
                _ => message.blocks.extend(blocks),
            }
        }
        Ok(message)
    }

    /// Its blocks, tool results first.
    pub(super) fn into_blocks(self) -> Vec<Json> {
        let mut blocks = self.results;
        blocks.extend(self.blocks);
        blocks
    }
}

/// The messages of turns, blocks written by `write`. Empty ones are left out. Of a client that speaks the protocol
/// (`is_native`) only tool results and what was said with them are run together, since they were one message.
pub(super) fn run_together<'a>(
    turns: &'a [Turn],
    is_native: bool,
    mut write: impl FnMut(&Part) -> Result<Vec<Json>, Unsayable>,
) -> Result<Vec<Message<'a>>, Unsayable> {
    let mut messages: Vec<Message<'a>> = Vec::new();
    for (index, turn) in turns.iter().enumerate() {
        let message = Message::of(turn, index + 1 == turns.len(), is_native, &mut write)?;
        if message.results.is_empty() && message.blocks.is_empty() {
            continue;
        }
        match messages.last_mut() {
            Some(last) if last.role == message.role && (last.is_open || !is_native) => {
                last.results.extend(message.results);
                last.blocks.extend(message.blocks);
                last.only = None;
                last.is_open = false;
                last.extension = message.extension;
            }
            _ => messages.push(message),
        }
    }
    Ok(messages)
}
