use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::fixture::{record, rows};

const ROOM: u64 = 1 << 20;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.spill");
    (folder, path)
}

fn some(from: i64, count: u128) -> Vec<Row> {
    let records: Vec<_> = (0..count).map(record).collect();
    rows(Seq(from), &records)
}

fn open(path: &Path) -> (Spill, Option<Seq>) {
    Spill::open(path, ROOM).unwrap()
}

fn all(spill: &Spill) -> Vec<Row> {
    let frames = spill.peek(usize::MAX).unwrap();
    frames.into_iter().flat_map(|frame| frame.rows).collect()
}

#[test]
fn rows_come_back_in_order_after_reopening() {
    let (_folder, path) = folder();
    let (mut spill, last) = open(&path);
    assert!(spill.is_empty());
    assert_eq!(last, None);
    spill.append(&some(1, 3)).unwrap();
    spill.append(&some(10, FRAME_ROWS as u128 + 5)).unwrap();
    drop(spill);

    let (spill, last) = open(&path);
    assert_eq!(spill.rows(), 3 + FRAME_ROWS as u64 + 5);
    assert_eq!(last, Some(Seq(10 + FRAME_ROWS as i64 + 4)));
    let mut expected = some(1, 3);
    expected.extend(some(10, FRAME_ROWS as u128 + 5));
    assert_eq!(all(&spill), expected);
}

#[test]
fn what_is_consumed_is_gone_and_the_space_given_back() {
    let (_folder, path) = folder();
    let (mut spill, _) = open(&path);
    spill.append(&some(1, 2)).unwrap();
    spill.append(&some(5, 2)).unwrap();

    let first = spill.peek(1).unwrap();
    assert_eq!(first.len(), 1);
    spill.consume(&first);
    assert_eq!(spill.rows(), 2);
    assert_eq!(all(&spill), some(5, 2));
    assert_ne!(path.metadata().unwrap().len(), 0);

    let second = spill.peek(1).unwrap();
    spill.consume(&second);
    assert!(spill.is_empty());
    assert_eq!(path.metadata().unwrap().len(), 0);

    spill.append(&some(9, 1)).unwrap();
    drop(spill);
    assert_eq!(all(&open(&path).0), some(9, 1));
}

#[test]
fn a_torn_end_is_cut_off_wherever_it_is_torn() {
    let (_folder, path) = folder();
    let (mut spill, _) = open(&path);
    spill.append(&some(1, 2)).unwrap();
    let whole = spill.write;
    spill.append(&some(5, 1)).unwrap();
    drop(spill);
    let bytes = std::fs::read(&path).unwrap();

    let header = whole as usize..whole as usize + HEADER;
    for length in header.clone().chain((header.end..bytes.len()).step_by(29)) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let (mut spill, _) = open(&path);
        assert_eq!(all(&spill), some(1, 2), "{length}");
        assert_eq!(path.metadata().unwrap().len(), whole);
        spill.append(&some(7, 1)).unwrap();
        drop(spill);
        assert_eq!(open(&path).1, Some(Seq(7)), "{length}");
    }
    for length in 0..START as usize {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let (mut spill, _) = open(&path);
        assert!(spill.is_empty());
        spill.append(&some(7, 1)).unwrap();
        drop(spill);
        assert_eq!(open(&path).1, Some(Seq(7)), "{length}");
    }
}

#[test]
fn a_frame_with_any_changed_byte_is_not_believed() {
    let (_folder, path) = folder();
    let (mut spill, _) = open(&path);
    spill.append(&some(1, 1)).unwrap();
    drop(spill);
    let bytes = std::fs::read(&path).unwrap();
    let header = START as usize..START as usize + HEADER;
    for index in header.clone().chain((header.end..bytes.len()).step_by(17)) {
        let mut changed = bytes.clone();
        changed[index] ^= 0x10;
        std::fs::write(&path, &changed).unwrap();
        assert!(open(&path).0.is_empty(), "{index}");
    }
    let mut zeros = bytes;
    let end = zeros.len();
    zeros.resize(end + 100, 0);
    std::fs::write(&path, &zeros).unwrap();
    assert_eq!(open(&path).0.write, end as u64);
}

#[test]
fn a_full_file_takes_nothing_and_keeps_what_it_has() {
    let (_folder, path) = folder();
    let room = {
        let (mut spill, _) = open(&path);
        spill.append(&some(1, 2)).unwrap();
        spill.write
    };
    let (mut spill, _) = Spill::open(&path, room).unwrap();
    let error = spill.append(&some(5, 1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(all(&spill), some(1, 2));
    spill.consume(&spill.peek(2).unwrap());
    spill.append(&some(5, 1)).unwrap();
}

#[test]
fn a_full_disk_is_an_error() {
    let (_folder, path) = folder();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (mut spill, _) = open(&path);
    let error = spill.append(&some(1, 1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(spill.is_empty());
}

#[test]
fn one_ledger_at_a_time() {
    let (_folder, path) = folder();
    let (first, _) = open(&path);
    let error = Spill::open(&path, ROOM).unwrap_err();
    assert!(matches!(error, LedgerError::InUse { .. }), "{error}");
    drop(first);
    open(&path);
}

#[test]
fn another_file_is_left_alone() {
    let (_folder, path) = folder();
    std::fs::write(&path, "a text of more than eight bytes").unwrap();
    let error = Spill::open(&path, ROOM).unwrap_err();
    assert!(matches!(error, LedgerError::Spill { .. }), "{error}");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "a text of more than eight bytes"
    );
}

#[test]
fn rows_of_another_version_are_counted() {
    let (_folder, path) = folder();
    let (mut spill, _) = open(&path);
    spill.append(&some(1, 2)).unwrap();
    drop(spill);
    let mut bytes = std::fs::read(&path).unwrap();
    let payload = START as usize + HEADER;
    let text = String::from_utf8(bytes.split_off(payload)).unwrap();
    bytes.extend_from_slice(text.replace("\"status\"", "\"stakes\"").as_bytes());
    let frame = &mut bytes[START as usize..];
    let sum = crc32(&frame[4..]);
    frame[..4].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();

    let frames = open(&path).0.peek(10).unwrap();
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].rows.len(), frames[0].count), (0, 2));
}

#[test]
fn the_file_is_private() {
    let (_folder, path) = folder();
    drop(open(&path));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
