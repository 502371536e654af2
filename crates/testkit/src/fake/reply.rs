//! Scripted answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::contract::{self, Content};
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
}

#[derive(Clone, Debug)]
enum What {
    /// By the prompt contract.
    Contract,
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
        }
    }

    /// The usual answer by the prompt contract, to deliver it in an unusual way.
    #[must_use]
    pub fn contract() -> Self {
        Self::new(What::Contract)
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
    pub(super) fn prepare(&self, request: &Recorded, number: usize) -> Result<Prepared, Bytes> {
        let mut prepared = Prepared {
            status: self.status.unwrap_or(200),
            headers: Vec::new(),
            length: None,
            playback: Playback::default(),
        };
        let mut ending = self.ending;
        let (content, content_type) = match &self.what {
            What::Raw(bytes) => return Err(bytes.clone()),
            What::Whole { content_type, body } => (Content::Whole(body.clone()), Some(*content_type)),
            What::Frames { content_type, frames } => (Content::Frames(frames.clone()), Some(*content_type)),
            What::Contract | What::By(_) => {
                let answer = contract::answer(request, number);
                prepared.status = self.status.unwrap_or(answer.status);
                for (name, value) in answer.headers {
                    prepared.headers.push((
                        HeaderName::from_static(name),
                        HeaderValue::try_from(value).expect("a header value"),
                    ));
                }
                ending = ending.or(answer.cut_after.map(Ending::Cut));
                (answer.content, None)
            }
        };
        if let Some(content_type) = content_type {
            prepared
                .headers
                .push((http::header::CONTENT_TYPE, HeaderValue::from_static(content_type)));
        }
        prepared.headers.extend(self.headers.iter().cloned());
        let frames = match content {
            Content::Frames(frames) => frames,
            Content::Whole(mut body) => {
                prepared.length = Some(body.len());
                ending = ending.map(Ending::of_whole);
                let half = body.split_to(body.len() / 2);
                vec![half, body]
            }
        };
        prepared.playback = Playback::new(frames, self.pace.clone(), ending.unwrap_or(Ending::Complete));
        Ok(prepared)
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
}
