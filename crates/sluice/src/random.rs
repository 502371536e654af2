//! Generated secrets.

use rand::RngExt;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A secret of `length` letters and digits: just under six bits each.
pub(crate) fn secret(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect()
}
