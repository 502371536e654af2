//! How the frames of an answer are delivered.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::Frame;
use tokio::sync::Semaphore;

/// Lets things through one by one, as the test says: what makes waiting in tests unnecessary.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets `count` things through, now or when they come.
    pub fn open(&self, count: usize) {
        self.0.add_permits(count);
    }

    /// Lets everything through from now on.
    pub fn open_for_good(&self) {
        self.0.close();
    }

    /// Waits to be let through.
    pub async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gate({} may pass)", self.0.available_permits())
    }
}

/// When the next frame goes out.
#[derive(Clone, Debug, Default)]
pub(super) enum Pace {
    #[default]
    Free,
    Every(Duration),
    Gated(Gate),
}

/// How it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Ending {
    #[default]
    Complete,
    /// The connection breaks after so many frames.
    Cut(usize),
    /// Silence after so many frames.
    Stall(usize),
}

impl Ending {
    /// For a body of known length, which is sent in two halves: the first half is all that comes.
    pub(super) fn of_whole(self) -> Self {
        match self {
            Self::Complete => Self::Complete,
            Self::Cut(_) => Self::Cut(1),
            Self::Stall(_) => Self::Stall(1),
        }
    }
}

#[derive(Default)]
pub(super) struct Playback {
    frames: VecDeque<Bytes>,
    sent: usize,
    pace: Pace,
    ending: Ending,
    /// Whether frames that nothing else holds back are written each on its own.
    apart: bool,
}

impl Playback {
    pub(super) fn new(frames: Vec<Bytes>, pace: Pace, ending: Ending) -> Self {
        let frames = frames.into_iter().filter(|frame| !frame.is_empty()).collect();
        Self {
            frames,
            sent: 0,
            pace,
            ending,
            apart: false,
        }
    }

    /// Writes each frame on its own.
    pub(super) fn apart(mut self, apart: bool) -> Self {
        self.apart = apart;
        self
    }

    /// The frames in their time. `watch` is told when the end, be it a cut, was reached.
    pub(super) fn play(self, watch: Watch) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
        futures_util::stream::unfold((self, watch), |(mut playback, mut watch)| async {
            let frame = playback.next(&mut watch).await?;
            Some((frame, (playback, watch)))
        })
    }

    async fn next(&mut self, watch: &mut Watch) -> Option<io::Result<Frame<Bytes>>> {
        match self.ending {
            Ending::Cut(after) if self.sent == after => {
                watch.complete();
                // hyper sends what it has only when the body makes it wait.
                tokio::task::yield_now().await;
                return Some(Err(io::Error::other("cut by the script")));
            }
            Ending::Stall(after) if self.sent == after => std::future::pending().await,
            _ => {}
        }
        let Some(frame) = self.frames.pop_front() else {
            watch.complete();
            return None;
        };
        match &self.pace {
            // See above: hyper is made to send what it has.
            Pace::Free if self.apart => tokio::task::yield_now().await,
            Pace::Free => {}
            Pace::Every(_) if self.sent == 0 => {}
            Pace::Every(interval) => tokio::time::sleep(*interval).await,
            Pace::Gated(gate) => gate.pass().await,
        }
        self.sent += 1;
        if self.frames.is_empty() && matches!(self.ending, Ending::Complete) {
            watch.complete();
        }
        Some(Ok(Frame::data(frame)))
    }
}

/// Tells of a client that left before its answer was complete.
pub(super) struct Watch {
    disconnected: Arc<Semaphore>,
    complete: bool,
}

impl Watch {
    pub(super) fn new(disconnected: Arc<Semaphore>) -> Self {
        Self {
            disconnected,
            complete: false,
        }
    }

    pub(super) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.complete {
            self.disconnected.add_permits(1);
        }
    }
}
