//! Connections to the proxy from within the process.

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Bytes that may be under way in each direction.
const BUFFER: usize = 64 << 10;

/// Opens connections that the proxy serves as if they came over loopback without TLS, whatever its listeners are.
#[derive(Clone)]
pub struct Dialer(mpsc::Sender<DuplexStream>);

impl Dialer {
    /// A dialer, and where its connections come out.
    pub(crate) fn new() -> (Self, mpsc::Receiver<DuplexStream>) {
        let (dialed, connections) = mpsc::channel(16);
        (Self(dialed), connections)
    }

    /// A new connection that speaks HTTP/1.1; none when the proxy has stopped.
    pub async fn dial(&self) -> Option<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        self.0.send(theirs).await.ok()?;
        Some(ours)
    }
}
