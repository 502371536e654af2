//! The standard streams of a process, within bounds.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;

/// Most bytes of one line, in either direction.
pub const LINE_MAX: usize = 4 << 20;

/// Where a longer line on standard error is cut.
const ERROR_LINE_MAX: usize = 64 << 10;

/// Bytes that are read at once.
const READ: usize = 16 << 10;

/// Which of its streams a process wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where to.
    pub stream: Stream,
    /// Whole lines, each with its newline but perhaps the last.
    pub lines: Bytes,
}

/// Passes on what comes out of a pipe until it ends, nobody wants it any more, or a line on standard output is too
/// long. A receiver that is slow makes the process wait.
pub(crate) async fn relay(
    mut pipe: impl AsyncRead + Unpin,
    stream: Stream,
    output: mpsc::Sender<Output>,
) -> Stream {
    let mut read = BytesMut::new();
    loop {
        read.reserve(READ);
        let known = read.len();
        // A pipe that cannot be read has nothing more to say.
        let ended = !matches!(pipe.read_buf(&mut read).await, Ok(1..));
        let newline = memchr::memrchr(b'\n', &read[known..]).map(|at| known + at);
        let lines = match newline {
            _ if ended => read.split(),
            Some(newline) => read.split_to(newline + 1),
            None if stream == Stream::Stderr && read.len() >= ERROR_LINE_MAX => read.split(),
            None => BytesMut::new(),
        };
        if !lines.is_empty() {
            let lines = lines.freeze();
            if output.send(Output { stream, lines }).await.is_err() {
                return stream;
            }
        }
        if ended {
            return stream;
        }
        if read.len() > LINE_MAX {
            tracing::warn!(limit = LINE_MAX, "a process writes too long a line and is ended");
            return stream;
        }
    }
}

/// Tells a process what there is to tell, until it stops listening.
pub(crate) async fn feed(mut stdin: ChildStdin, mut input: mpsc::Receiver<Bytes>) {
    while let Some(line) = input.recv().await {
        let written = async {
            stdin.write_all(&one_line(&line)).await?;
            stdin.write_all(b"\n").await?;
            stdin.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}

/// The same text without line breaks. What is said in lines has none inside, or they mean no more than a blank, as in
/// JSON.
fn one_line(text: &Bytes) -> Bytes {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !text.iter().any(is_break) {
        return text.clone();
    }
    let blank = |byte: &u8| if is_break(byte) { b' ' } else { *byte };
    text.iter().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn relayed(written: Vec<u8>, stream: Stream) -> Vec<Bytes> {
        let (sender, mut receiver) = mpsc::channel(1);
        let reading = tokio::spawn(async move { relay(&written[..], stream, sender).await });
        let mut chunks = Vec::new();
        while let Some(output) = receiver.recv().await {
            assert_eq!(output.stream, stream);
            chunks.push(output.lines);
        }
        assert_eq!(reading.await.unwrap(), stream);
        chunks
    }

    #[tokio::test]
    async fn lines_stay_whole() {
        let long = "x".repeat(3 * READ);
        let text = format!("a\n\nb\n{long}\nlast");
        let chunks = relayed(text.clone().into_bytes(), Stream::Stdout).await;
        assert_eq!(chunks.concat(), text.as_bytes());
        let (last, whole) = chunks.split_last().unwrap();
        assert!(whole.iter().all(|lines| lines.ends_with(b"\n")));
        assert_eq!(last, "last");
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_kept() {
        let flood = vec![b'x'; 2 * LINE_MAX];
        assert_eq!(relayed(flood.clone(), Stream::Stdout).await, Vec::<Bytes>::new());

        let chunks = relayed(flood.clone(), Stream::Stderr).await;
        assert_eq!(chunks.concat(), flood);
        assert!(chunks.iter().all(|chunk| chunk.len() <= ERROR_LINE_MAX + READ));
    }

    #[test]
    fn breaks_inside_a_message_become_blanks() {
        assert_eq!(one_line(&Bytes::from_static(b"{\"a\": 1}")), "{\"a\": 1}");
        assert_eq!(
            one_line(&Bytes::from_static(b"{\r\n  \"a\": 1\n}\n")),
            "{    \"a\": 1 } "
        );
    }
}
