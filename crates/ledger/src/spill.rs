//! The file that takes rows while the database cannot.
//!
//! Eight bytes of magic, then frames: CRC-32 of what follows in the frame, length of the payload and number of rows,
//! four bytes each (little endian), then the rows as a JSON array. What a crash or a full disk leaves of a frame at
//! the end is cut off.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sluice_wire::crc32;

use crate::LedgerError;
use crate::row::Row;
use crate::seq::Seq;

const MAGIC: &[u8; 8] = b"SLSPILL1";
const START: u64 = MAGIC.len() as u64;
const HEADER: usize = 12;

/// Most rows of a frame. All rows of a frame are committed together.
const FRAME_ROWS: usize = 1024;

/// Longer than any frame can be: a longer one is damage, not to be allocated.
const MAX_PAYLOAD: usize = 64 << 20;

/// The spill file, held under an exclusive lock.
#[derive(Debug)]
pub(crate) struct Spill {
    file: File,
    max_bytes: u64,
    /// Where the first frame begins that has not been replayed.
    read: u64,
    /// Where the next frame goes.
    write: u64,
    /// Rows between the two.
    rows: u64,
}

/// A frame read back.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) rows: Vec<Row>,
    /// Rows that were written. More than there are in `rows` if this version cannot read them.
    pub(crate) count: u64,
    end: u64,
}

impl Spill {
    /// Opens or creates the file, cuts off a torn end, and finds the last place that its rows take.
    pub(crate) fn open(path: &Path, max_bytes: u64) -> Result<(Self, Option<Seq>), LedgerError> {
        let failed = |source| LedgerError::Spill {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut spill = Self {
            file,
            max_bytes,
            read: START,
            write: START,
            rows: 0,
        };
        let last = spill.recover().map_err(failed)?;
        Ok((spill, last))
    }

    /// Whether everything has been replayed.
    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.write
    }

    /// Rows that wait to be replayed.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends the rows and syncs them to disk: all of them, or none.
    pub(crate) fn append(&mut self, rows: &[Row]) -> io::Result<()> {
        let mut bytes = Vec::new();
        if self.write == START {
            bytes.extend_from_slice(MAGIC);
        }
        for rows in rows.chunks(FRAME_ROWS) {
            encode(rows, &mut bytes)?;
        }
        let start = if self.write == START { 0 } else { self.write };
        let end = start + bytes.len() as u64;
        if end > self.max_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Always at the same place: what a failed attempt has left is written over.
        self.file.write_all_at(&bytes, start)?;
        self.file.sync_data()?;
        self.write = end;
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// The oldest frames, of about that many rows together; at least one if there is any.
    pub(crate) fn peek(&self, rows: usize) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        let (mut at, mut count) = (self.read, 0);
        while at < self.write && count < rows as u64 {
            let raw = read_frame(&self.file, at, self.write)?
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame has changed on disk"))?;
            at = raw.end;
            count += u64::from(raw.count);
            frames.push(raw.decode());
        }
        Ok(frames)
    }

    /// Takes the frames, which are the oldest, off the file.
    pub(crate) fn consume(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.read = frame.end;
            self.rows = self.rows.saturating_sub(frame.count);
        }
        if self.is_empty() {
            self.reset();
        }
    }

    /// Gives the space back. When that fails the old frames stay: they are known as replayed by their rows.
    fn reset(&mut self) {
        match self.file.set_len(0) {
            Ok(()) => {
                self.read = START;
                self.write = START;
                self.rows = 0;
            }
            Err(error) => tracing::warn!(%error, "cannot truncate the ledger's spill file"),
        }
    }

    fn recover(&mut self) -> io::Result<Option<Seq>> {
        let length = self.file.metadata()?.len();
        if length < START {
            return Ok(None);
        }
        let mut magic = [0; MAGIC.len()];
        self.file.read_exact_at(&mut magic, 0)?;
        if magic != *MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a spill file"));
        }
        let mut last = None;
        while let Some(raw) = read_frame(&self.file, self.write, length)? {
            self.write = raw.end;
            self.rows += u64::from(raw.count);
            last = Some(raw);
        }
        if self.write < length {
            tracing::warn!(
                bytes = length - self.write,
                "cut a torn end off the ledger's spill file"
            );
            self.file.set_len(self.write)?;
        }
        Ok(last.and_then(|raw| raw.decode().rows.last().map(|row| row.seq)))
    }
}

struct RawFrame {
    payload: Vec<u8>,
    count: u32,
    end: u64,
}

impl RawFrame {
    fn decode(&self) -> Frame {
        let rows = serde_json::from_slice(&self.payload).unwrap_or_else(|error| {
            tracing::error!(%error, rows = self.count, "the ledger's spill file has rows of another version");
            Vec::new()
        });
        Frame {
            rows,
            count: self.count.into(),
            end: self.end,
        }
    }
}

fn encode(rows: &[Row], bytes: &mut Vec<u8>) -> io::Result<()> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEADER]);
    serde_json::to_writer(&mut *bytes, rows)?;
    let too_large = |_| io::Error::new(io::ErrorKind::InvalidInput, "frame too large");
    let length = u32::try_from(bytes.len() - start - HEADER).map_err(too_large)?;
    let count = u32::try_from(rows.len()).map_err(too_large)?;
    let frame = &mut bytes[start..];
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[8..HEADER].copy_from_slice(&count.to_le_bytes());
    let sum = crc32(&frame[4..]);
    frame[..4].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// Reads the frame at `at`; none if no whole and sound frame begins there.
fn read_frame(file: &File, at: u64, end: u64) -> io::Result<Option<RawFrame>> {
    let Some(room) = (end - at).checked_sub(HEADER as u64) else {
        return Ok(None);
    };
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, at)?;
    let [sum, length, count] = words(&header);
    let length = length as usize;
    if length > MAX_PAYLOAD || length as u64 > room {
        return Ok(None);
    }
    let mut frame = vec![0; HEADER + length];
    file.read_exact_at(&mut frame, at)?;
    if crc32(&frame[4..]) != sum {
        return Ok(None);
    }
    Ok(Some(RawFrame {
        payload: frame.split_off(HEADER),
        count,
        end: at + (HEADER + length) as u64,
    }))
}

fn words(header: &[u8; HEADER]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *header;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests;
