//! Scripted answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::completion::Completion;
use super::contract::{self, Content, Contracted, Rules, Script};
use super::damage::{Damage, Edit, EditJson};
use super::endpoint::Endpoint;
use super::fault::Fault;
use super::playback::{Ending, Gate, Pace, Playback};
use super::record::Recorded;

/// How a fake provider answers one request.
///
/// What is answered comes first ([`contract`](Self::contract), [`json`](Self::json), [`frames`](Self::frames)…), how
/// it is delivered is chained to it.
#[derive(Clone, Debug)]
pub struct Reply {
    what: What,
    status: Option<u16>,
    headers: Vec<(HeaderName, HeaderValue)>,
    head_after: Option<Duration>,
    head_gate: Option<Gate>,
    pace: Pace,
    ending: Option<Ending>,
    damage: Damage,
}

#[derive(Clone, Debug)]
enum What {
    /// By the prompt contract.
    Contract,
    /// This, as the endpoint says it.
    Completion(Box<Completion>),
    /// This error, as the provider words it.
    Fault(Fault),
    /// These bytes, with their length.
    Whole { content_type: &'static str, body: Bytes },
    /// These frames, chunked.
    Frames {
        content_type: &'static str,
        frames: Vec<Bytes>,
    },
    /// No HTTP at all: these bytes, then the end of the connection.
    Raw(Bytes),
    /// As the request asks for.
    By(Choice),
}

/// Decides how a request is answered.
#[derive(Clone)]
struct Choice(Arc<dyn Fn(&Recorded) -> Reply + Send + Sync>);

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Choice")
    }
}

impl Reply {
    fn new(what: What) -> Self {
        Self {
            what,
            status: None,
            headers: Vec::new(),
            head_after: None,
            head_gate: None,
            pace: Pace::Free,
            ending: None,
            damage: Damage::default(),
        }
    }

    /// The usual answer by the prompt contract, to deliver it in an unusual way.
    #[must_use]
    pub fn contract() -> Self {
        Self::new(What::Contract)
    }

    /// What the model answers, as the endpoint that is asked renders it, whole or streamed. Endpoints where no model
    /// speaks answer as usual.
    #[must_use]
    pub fn completion(completion: Completion) -> Self {
        Self::new(What::Completion(Box::new(completion)))
    }

    /// The error that the provider answers with this status, in the dialect of the endpoint that is asked.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::new(What::Fault(Fault::new(status, message)))
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// Any answer of known length.
    #[must_use]
    pub fn body(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: Some(status),
            ..Self::new(What::Whole {
                content_type,
                body: body.into(),
            })
        }
    }

    /// A stream of server-sent events, one `data:` line each.
    #[must_use]
    pub fn events<D: AsRef<str>>(data: impl IntoIterator<Item = D>) -> Self {
        Self::frames(
            "text/event-stream",
            data.into_iter()
                .map(|data| Bytes::from(format!("data: {}\n\n", data.as_ref()))),
        )
    }

    /// Any answer of unknown length; every frame is written on its own where it is paced.
    #[must_use]
    pub fn frames(content_type: &'static str, frames: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self::new(What::Frames {
            content_type,
            frames: frames.into_iter().map(Into::into).collect(),
        })
    }

    /// An answer of this many bytes.
    #[must_use]
    pub fn huge(bytes: usize) -> Self {
        const FRAME: usize = 64 * 1024;
        let frame = Bytes::from(vec![b'x'; FRAME]);
        let mut frames = vec![frame.clone(); bytes / FRAME];
        frames.push(frame.slice(..bytes % FRAME));
        Self::frames("application/octet-stream", frames)
    }

    /// Bytes that need not be HTTP, after which the connection is closed.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new(What::Raw(bytes.into()))
    }

    /// The answer that `choose` makes of the request.
    pub fn by(choose: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(What::By(Choice(Arc::new(choose))))
    }

    /// No answer: the connection is closed.
    #[must_use]
    pub fn hang_up() -> Self {
        Self::raw("")
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// One header more; takes the place of one that the answer would have of its own.
    ///
    /// # Panics
    /// When it is not a valid header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = name.parse().expect("a header name");
        self.headers.push((name, value.parse().expect("a header value")));
        self
    }

    /// Sends the head this much later.
    #[must_use]
    pub fn head_after(mut self, delay: Duration) -> Self {
        self.head_after = Some(delay);
        self
    }

    /// Sends the head once the gate has let it through.
    #[must_use]
    pub fn head_gated(mut self, gate: &Gate) -> Self {
        self.head_gate = Some(gate.clone());
        self
    }

    /// Lets this much time pass before each frame but the first.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.pace = Pace::Every(interval);
        self
    }

    /// Sends each frame once the gate has let it through.
    #[must_use]
    pub fn gated(mut self, gate: &Gate) -> Self {
        self.pace = Pace::Gated(gate.clone());
        self
    }

    /// Closes the connection after this many frames, without the chunk that ends a body. A body of known length breaks
    /// off in its middle.
    #[must_use]
    pub fn cut_after(mut self, frames: usize) -> Self {
        self.ending = Some(Ending::Cut(frames));
        self
    }

    /// Falls silent after this many frames, with the connection open.
    #[must_use]
    pub fn stall_after(mut self, frames: usize) -> Self {
        self.ending = Some(Ending::Stall(frames));
        self
    }

    /// Ends the stream after this many frames with the dialect's error event; `status` is that of the answer that it
    /// stands for. Whole answers stay as they are.
    #[must_use]
    pub fn error_after(mut self, frames: usize, status: u16, message: &str) -> Self {
        self.damage.error = Some((frames, Fault::new(status, message)));
        self
    }

    /// Sends half of the frame that comes after this many, and ends the body as if that were all. Of a whole answer
    /// the first half is sent.
    #[must_use]
    pub fn truncate_after(mut self, frames: usize) -> Self {
        self.damage.half_after = Some(frames);
        self
    }

    /// Sends half of the frame that comes after this many, and closes the connection.
    #[must_use]
    pub fn cut_within(self, frames: usize) -> Self {
        self.truncate_after(frames).cut_after(frames + 1)
    }

    /// Writes the body in pieces of this many bytes, whatever its frames are. Where it breaks is counted in frames all
    /// the same.
    ///
    /// # Panics
    /// When it is zero.
    #[must_use]
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a piece has a byte at least");
        self.damage.split = Some(bytes);
        self
    }

    /// Changes the JSON of a whole answer, or of each frame of a stream, Bedrock's excepted: for the fields that
    /// compatible providers have in other places.
    #[must_use]
    pub fn edit_json(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.damage.json = Some(EditJson(Arc::new(edit)));
        self
    }

    /// Sends other frames in the place of those of a stream: with comments between them, other line ends, twice…
    #[must_use]
    pub fn edit_frames(mut self, edit: impl Fn(Vec<Bytes>) -> Vec<Bytes> + Send + Sync + 'static) -> Self {
        self.damage.edit = Some(Edit(Arc::new(edit)));
        self
    }

    /// The answer to this very request.
    pub(super) fn chosen(self, request: &Recorded) -> Self {
        match &self.what {
            What::By(choice) => choice.0(request),
            _ => self,
        }
    }

    /// Waits for what the head waits for.
    pub(super) async fn before_head(&self) {
        if let Some(delay) = self.head_after {
            tokio::time::sleep(delay).await;
        }
        if let Some(gate) = &self.head_gate {
            gate.pass().await;
        }
    }

    /// The answer to one request: as HTTP, or the bytes to put on the wire instead.
    pub(super) fn prepare(
        &self,
        request: &Recorded,
        number: usize,
        rules: &Rules,
    ) -> Result<Prepared, Bytes> {
        let endpoint = Endpoint::of(request);
        let script = match &self.what {
            What::Raw(bytes) => return Err(bytes.clone()),
            What::Completion(completion) => Script::Completion(completion),
            What::Fault(fault) => Script::Fault(fault),
            What::Whole { .. } | What::Frames { .. } | What::Contract | What::By(_) => Script::Contract,
        };
        if let Some((fault, refusal)) = contract::refusal(request, &endpoint, number, rules) {
            // Nothing that was scripted applies to a request that is no good.
            return Ok(Prepared {
                refused: Some(fault.message),
                ..Self::contract().deliver(request, &endpoint, refusal)
            });
        }
        let answer = match &self.what {
            What::Whole { content_type, body } => Contracted::whole(200, content_type, body.clone()),
            What::Frames { content_type, frames } => Contracted::frames(content_type, frames.clone(), None),
            _ => contract::answer(request, &endpoint, &script, number, rules),
        };
        Ok(self.deliver(request, &endpoint, answer))
    }

    fn deliver(&self, request: &Recorded, endpoint: &Endpoint, answer: Contracted) -> Prepared {
        let headers = answer.headers.into_iter().map(|(name, value)| {
            let value = HeaderValue::try_from(value).expect("a header value");
            (HeaderName::from_static(name), value)
        });
        let headers = headers.chain(self.headers.iter().cloned()).collect();
        let ending = self.ending.or(answer.cut_after.map(Ending::Cut));
        let mut ending = ending.unwrap_or_default();
        let mut length = None;
        let content = match answer.content {
            Content::Whole(body) => Content::Whole(self.damage.of_whole(body)),
            content => content,
        };
        let frames = match content {
            Content::Frames(frames) => self.damage.of_stream(frames, request, endpoint),
            Content::Whole(mut body) if self.damage.half_after.is_some() => {
                ending = ending.of_whole();
                body.truncate(body.len() / 2);
                vec![body]
            }
            Content::Whole(mut body) => {
                length = Some(body.len());
                ending = ending.of_whole();
                let half = body.split_to(body.len() / 2);
                vec![half, body]
            }
        };
        let (frames, ending) = self.damage.split(frames, ending);
        let playback = Playback::new(frames, self.pace.clone(), ending);
        Prepared {
            status: self.status.unwrap_or(answer.status),
            headers,
            length,
            playback: playback.apart(self.damage.split.is_some()),
            refused: None,
        }
    }
}

/// An answer that is ready to be sent.
pub(super) struct Prepared {
    pub(super) status: u16,
    /// Later ones replace earlier ones of the same name.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Length of the body; `None` sends it chunked.
    pub(super) length: Option<usize>,
    pub(super) playback: Playback,
    /// Why a strict provider refuses the request.
    pub(super) refused: Option<String>,
}
