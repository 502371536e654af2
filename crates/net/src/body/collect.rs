//! Reading a body whole, within a limit.

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;

use super::{Body, BodyError};

impl Body {
    /// Reads the body to its end. A body of one frame is returned as it came, without a copy; trailers are dropped.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] as soon as the announced or received length passes `limit` bytes, otherwise what the
    /// body fails with.
    pub async fn collect_limited(mut self, limit: u64) -> Result<Bytes, BodyError> {
        if let Self::Full(bytes) = self {
            check(bytes.len() as u64, limit)?;
            return Ok(bytes);
        }
        let announced = self.size_hint().lower();
        check(announced, limit)?;
        let Some(first) = self.next_data().await? else {
            return Ok(Bytes::new());
        };
        check(first.len() as u64, limit)?;
        let Some(second) = self.next_data().await? else {
            return Ok(first);
        };

        let expected = usize::try_from(announced)
            .unwrap_or(0)
            .max(first.len() + second.len());
        let mut whole = BytesMut::with_capacity(expected);
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(frame) = next {
            check((whole.len() + frame.len()) as u64, limit)?;
            whole.extend_from_slice(&frame);
            next = self.next_data().await?;
        }
        Ok(whole.freeze())
    }

    /// The next frame with bytes in it. Does not wait for the end of a body that says it is there.
    async fn next_data(&mut self) -> Result<Option<Bytes>, BodyError> {
        while !self.is_end_stream() {
            match self.frame().await {
                None => break,
                Some(frame) => {
                    if let Ok(data) = frame?.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
        Ok(None)
    }
}

fn check(read: u64, limit: u64) -> Result<(), BodyError> {
    if read > limit {
        Err(BodyError::TooLarge { read, limit })
    } else {
        Ok(())
    }
}
