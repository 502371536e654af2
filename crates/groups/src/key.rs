//! Keys of consumers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random bytes of a key.
pub const KEY_BYTES: usize = 24;

/// A key from random bytes: 32 characters that need no quoting anywhere.
#[must_use]
pub fn key_of(random: [u8; KEY_BYTES]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}
