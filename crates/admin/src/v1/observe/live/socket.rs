//! One page that looks on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::messages::{Messages, Topic};
use crate::api::Api;
use crate::v1::{Call, Least, session};

/// How often a page gets what is new.
const TICK: Duration = Duration::from_millis(500);

/// How often is looked whether its session still holds.
const CHECK: Duration = Duration::from_secs(2);

/// How long a page may take nothing.
const STALLED: Duration = Duration::from_secs(30);

/// Most topics of a page.
const MAX_TOPICS: usize = 32;

pub(super) struct Socket {
    api: Arc<Api>,
    /// What it signed in with.
    headers: HeaderMap,
    peer: Option<std::net::IpAddr>,
    stream: WebSocketStream<TokioIo<Upgraded>>,
    messages: Messages,
}

/// What a page says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Subscribe { topics: Vec<String> },
}

/// Why a socket ends.
enum End {
    /// The page is gone, or takes nothing.
    Gone,
    /// The page says what nobody understands.
    Nonsense,
    SignedOut,
}

impl Socket {
    pub(super) fn new(api: Arc<Api>, call: Call, stream: WebSocketStream<TokioIo<Upgraded>>) -> Self {
        Self {
            messages: Messages::new(&api),
            headers: call.parts.headers,
            peer: call.peer,
            api,
            stream,
        }
    }

    pub(super) async fn run(mut self) {
        let frame = match self.serve().await {
            Ok(()) | Err(End::Gone) => return,
            Err(End::Nonsense) => close(CloseCode::Policy, "this message is not understood"),
            Err(End::SignedOut) => close(CloseCode::Library(4401), "signed out"),
        };
        // A page that is gone does not care.
        let _ = timeout(STALLED, self.stream.close(Some(frame))).await;
    }

    async fn serve(&mut self) -> Result<(), End> {
        let hello = Messages::hello(&self.api);
        self.send(vec![hello]).await?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = Instant::now();
        loop {
            tokio::select! {
                said = self.stream.next() => match said {
                    Some(Ok(Message::Text(text))) => self.hear(&text)?,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(Message::Binary(_))) => return Err(End::Nonsense),
                    // Pings are answered by the next send.
                    Some(Ok(_)) => {}
                },
                _ = tick.tick() => {
                    if checked.elapsed() >= CHECK {
                        checked = Instant::now();
                        self.check().await?;
                    }
                    let messages = self.messages.fresh(&self.api).await;
                    self.send(messages).await?;
                }
            }
        }
    }

    fn hear(&mut self, text: &str) -> Result<(), End> {
        let Ok(Said::Subscribe { topics }) = serde_json::from_str(text) else {
            return Err(End::Nonsense);
        };
        if topics.len() > MAX_TOPICS {
            return Err(End::Nonsense);
        }
        let mut known: Vec<Topic> = Vec::new();
        for topic in topics.iter().filter_map(|topic| Topic::from_name(topic)) {
            if !known.contains(&topic) {
                known.push(topic);
            }
        }
        self.messages.subscribe(known);
        Ok(())
    }

    /// Ends what is signed out, or may no longer look on.
    async fn check(&mut self) -> Result<(), End> {
        match session::signed(&self.api, &self.headers, self.peer).await {
            Ok(Some(signed)) if signed.may(Least::Viewer) => Ok(()),
            Ok(_) => Err(End::SignedOut),
            // The store is away: nobody is thrown out for that.
            Err(error) if error.is_unavailable() => Ok(()),
            Err(_) => Err(End::SignedOut),
        }
    }

    async fn send(&mut self, messages: Vec<String>) -> Result<(), End> {
        let send = async {
            for message in messages {
                self.stream.feed(Message::text(message)).await?;
            }
            self.stream.flush().await
        };
        match timeout(STALLED, send).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}

fn close(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code,
        reason: reason.into(),
    }
}
