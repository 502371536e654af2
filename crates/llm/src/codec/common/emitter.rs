//! Tells what a provider's stream says as [`ChatEvent`]s in the order that they promise.

use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartStart, Signature, StopReason};
use crate::error::PublicError;
use crate::usage::Usage;

/// Opens and closes parts, one at a time per choice, and ends the stream once.
#[derive(Debug, Default)]
pub(in crate::codec) struct Emitter {
    has_begun: bool,
    is_over: bool,
    choices: Vec<Flow>,
}

/// One choice.
#[derive(Debug)]
struct Flow {
    choice: u32,
    /// Number of the next part.
    next: u32,
    open: Option<(u32, Kind)>,
    calls_tools: bool,
    has_stopped: bool,
}

/// The kinds of parts that grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Kind {
    /// Text.
    Text,
    /// Thoughts.
    Reasoning,
    /// A plan or a summary of thoughts.
    Plan,
    /// A call of a tool.
    Call,
}

impl Emitter {
    /// A number beyond it is nonsense, not a choice.
    const CHOICES_MAX: u32 = 1024;

    /// The answer begins; said once.
    pub(in crate::codec) fn start(
        &mut self,
        id: Option<String>,
        model: Option<String>,
        extension: Extension,
        out: &mut Vec<ChatEvent>,
    ) {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.push(ChatEvent::Start { id, model, extension });
        }
    }

    /// Whether [`start`](Self::start) was called.
    pub(in crate::codec) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the stream ended, well or not.
    pub(in crate::codec) fn is_over(&self) -> bool {
        self.is_over
    }

    /// More of a text, of thoughts or of a plan. Opens a part unless one of that kind is open. Nothing is said of an
    /// empty text.
    pub(in crate::codec) fn say(&mut self, choice: u32, kind: Kind, text: String, out: &mut Vec<ChatEvent>) {
        if text.is_empty() {
            return;
        }
        let Some(flow) = self.flow(choice) else { return };
        let part = match flow.open {
            Some((part, open)) if open == kind => part,
            _ => {
                let start = match kind {
                    Kind::Reasoning | Kind::Plan => PartStart::Reasoning {
                        is_summary: kind == Kind::Plan,
                        is_redacted: false,
                        id: None,
                    },
                    Kind::Text | Kind::Call => PartStart::Text,
                };
                flow.open(kind, start, out)
            }
        };
        out.push(ChatEvent::Delta {
            choice,
            part,
            delta: PartDelta::Text(text),
        });
    }

    /// The signature of the open thought, or of a hidden one. The thought ends with it.
    pub(in crate::codec) fn sign(
        &mut self,
        choice: u32,
        signature: Signature,
        is_redacted: bool,
        out: &mut Vec<ChatEvent>,
    ) {
        let Some(flow) = self.flow(choice) else { return };
        let part = match flow.open {
            Some((part, Kind::Reasoning)) => part,
            _ => {
                let start = PartStart::Reasoning {
                    is_summary: false,
                    is_redacted,
                    id: None,
                };
                flow.open(Kind::Reasoning, start, out)
            }
        };
        out.push(ChatEvent::Delta {
            choice,
            part,
            delta: PartDelta::Signature(signature),
        });
        flow.close(out);
    }

    /// A call begins.
    pub(in crate::codec) fn open_call(
        &mut self,
        choice: u32,
        id: String,
        name: String,
        out: &mut Vec<ChatEvent>,
    ) {
        let Some(flow) = self.flow(choice) else { return };
        flow.calls_tools = true;
        let start = PartStart::ToolCall {
            id,
            name,
            is_custom: false,
        };
        flow.open(Kind::Call, start, out);
    }

    /// Something of the open call, if one is open.
    pub(in crate::codec) fn call_delta(&mut self, choice: u32, delta: PartDelta, out: &mut Vec<ChatEvent>) {
        let Some(flow) = self.flow(choice) else { return };
        if let Some((part, Kind::Call)) = flow.open {
            out.push(ChatEvent::Delta { choice, part, delta });
        }
    }

    /// A part that only the provider's protocol has.
    pub(in crate::codec) fn foreign(&mut self, choice: u32, extension: Extension, out: &mut Vec<ChatEvent>) {
        let Some(flow) = self.flow(choice) else { return };
        flow.open(Kind::Call, PartStart::Foreign(extension), out);
        flow.close(out);
    }

    /// An annotation of the open text, if one is open.
    pub(in crate::codec) fn annotate(&mut self, choice: u32, extension: Extension, out: &mut Vec<ChatEvent>) {
        let Some(flow) = self.flow(choice) else { return };
        if let Some((part, Kind::Text)) = flow.open {
            out.push(ChatEvent::Delta {
                choice,
                part,
                delta: PartDelta::Annotation(extension),
            });
        }
    }

    /// Probabilities of tokens.
    pub(in crate::codec) fn logprobs(&mut self, choice: u32, logprobs: Json, out: &mut Vec<ChatEvent>) {
        if self.flow(choice).is_some() {
            out.push(ChatEvent::Logprobs { choice, logprobs });
        }
    }

    /// The open part of a choice ends.
    pub(in crate::codec) fn close(&mut self, choice: u32, out: &mut Vec<ChatEvent>) {
        if let Some(flow) = self.flow(choice) {
            flow.close(out);
        }
    }

    /// A choice ends; said once.
    pub(in crate::codec) fn stop(&mut self, choice: u32, reason: StopReason, out: &mut Vec<ChatEvent>) {
        let Some(flow) = self.flow(choice) else { return };
        flow.close(out);
        flow.has_stopped = true;
        out.push(ChatEvent::Stop {
            choice,
            reason: reason.with_tools(flow.calls_tools),
            stop_sequence: None,
        });
    }

    /// The answer is complete.
    pub(in crate::codec) fn end(&mut self, usage: Option<Usage>, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.is_over, true) {
            out.extend(usage.map(ChatEvent::Usage));
            out.push(ChatEvent::End);
        }
    }

    /// The answer broke off.
    pub(in crate::codec) fn fail(&mut self, error: PublicError, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.is_over, true) {
            out.push(ChatEvent::Error(error));
        }
    }

    /// A choice that still speaks.
    fn flow(&mut self, choice: u32) -> Option<&mut Flow> {
        if choice >= Self::CHOICES_MAX {
            return None;
        }
        let index = match self.choices.iter().position(|flow| flow.choice == choice) {
            Some(index) => index,
            None => {
                self.choices.push(Flow {
                    choice,
                    next: 0,
                    open: None,
                    calls_tools: false,
                    has_stopped: false,
                });
                self.choices.len() - 1
            }
        };
        self.choices.get_mut(index).filter(|flow| !flow.has_stopped)
    }
}

impl Flow {
    fn open(&mut self, kind: Kind, start: PartStart, out: &mut Vec<ChatEvent>) -> u32 {
        self.close(out);
        let part = self.next;
        self.next += 1;
        self.open = Some((part, kind));
        out.push(ChatEvent::PartStart {
            choice: self.choice,
            part,
            start,
        });
        part
    }

    fn close(&mut self, out: &mut Vec<ChatEvent>) {
        if let Some((part, _)) = self.open.take() {
            out.push(ChatEvent::PartEnd {
                choice: self.choice,
                part,
            });
        }
    }
}
