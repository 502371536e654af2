//! What goes wrong with the frames of an answer on their way.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::endpoint::{Dialect, Endpoint};
use super::fault::Fault;
use super::gemini;
use super::playback::Ending;
use super::record::Recorded;

/// Changes to the frames of an answer, in the order of the members.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage {
    pub(super) json: Option<EditJson>,
    pub(super) edit: Option<Edit>,
    /// An error in the place of everything after so many frames.
    pub(super) error: Option<(usize, Fault)>,
    /// So many frames are followed by half of one.
    pub(super) half_after: Option<usize>,
    /// Every piece has this many bytes.
    pub(super) split: Option<usize>,
}

/// Changes the JSON of an answer: that of each of its frames, or all of it.
#[derive(Clone)]
pub(super) struct EditJson(pub(super) Arc<dyn Fn(&mut Value) + Send + Sync>);

impl fmt::Debug for EditJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EditJson")
    }
}

impl EditJson {
    /// The frame with its JSON changed; frames without any stay as they are.
    fn apply(&self, frame: &Bytes) -> Bytes {
        let Some(start) = frame.iter().position(|byte| *byte == b'{') else {
            return frame.clone();
        };
        let mut values = serde_json::Deserializer::from_slice(&frame[start..]).into_iter::<Value>();
        let Some(Ok(mut value)) = values.next() else {
            return frame.clone();
        };
        let end = start + values.byte_offset();
        self.0(&mut value);
        [&frame[..start], value.to_string().as_bytes(), &frame[end..]]
            .concat()
            .into()
    }
}

/// Makes other frames of those of an answer.
#[derive(Clone)]
pub(super) struct Edit(pub(super) Arc<dyn Fn(Vec<Bytes>) -> Vec<Bytes> + Send + Sync>);

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

impl Damage {
    /// What is sent in the place of a body, or of a frame.
    pub(super) fn of_whole(&self, body: Bytes) -> Bytes {
        match &self.json {
            Some(edit) => edit.apply(&body),
            None => body,
        }
    }

    /// The frames that are sent in the place of `frames`, those of a stream.
    pub(super) fn of_stream(
        &self,
        mut frames: Vec<Bytes>,
        request: &Recorded,
        endpoint: &Endpoint,
    ) -> Vec<Bytes> {
        // Their frames have a checksum.
        if endpoint.dialect(request) != Dialect::Bedrock {
            frames = frames.into_iter().map(|frame| self.of_whole(frame)).collect();
        }
        if let Some(edit) = &self.edit {
            frames = edit.0(frames);
        }
        if let Some((after, fault)) = &self.error {
            frames.truncate(*after);
            let sent = frames.len();
            let is_array = matches!(endpoint, Endpoint::Generate { stream: true })
                && gemini::is_array(request.query.as_deref());
            frames.push(if is_array {
                fault.element(sent)
            } else {
                fault.event(endpoint.dialect(request), sent)
            });
        }
        if let Some(after) = self.half_after {
            frames.truncate(after + 1);
            if frames.len() > after
                && let Some(last) = frames.last_mut()
            {
                last.truncate(last.len() / 2);
            }
        }
        frames
    }

    /// The pieces of `frames` that are written on their own, and the ending counted in them.
    pub(super) fn split(&self, frames: Vec<Bytes>, ending: Ending) -> (Vec<Bytes>, Ending) {
        let Some(length) = self.split else {
            return (frames, ending);
        };
        let (mut pieces, mut ends) = (Vec::new(), vec![0]);
        for mut frame in frames {
            while frame.len() > length {
                pieces.push(frame.split_to(length));
            }
            if !frame.is_empty() {
                pieces.push(frame);
            }
            ends.push(pieces.len());
        }
        let end = |frames: usize| ends.get(frames).copied().unwrap_or(usize::MAX);
        let ending = match ending {
            Ending::Complete => Ending::Complete,
            Ending::Cut(after) => Ending::Cut(end(after)),
            Ending::Stall(after) => Ending::Stall(end(after)),
        };
        (pieces, ending)
    }
}
