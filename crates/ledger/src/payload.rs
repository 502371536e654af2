//! Payloads as they are stored: JSON, deflated.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use sluice_record::Payload;

/// Most bytes that are unpacked: more than anybody has packed.
const MAX_BYTES: u64 = 64 << 20;

pub(crate) fn packed(payload: &Payload) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&serde_json::to_vec(payload)?)?;
    encoder.finish()
}

/// None for what cannot be read.
pub(crate) fn unpacked(bytes: &[u8]) -> Option<Payload> {
    let mut json = Vec::new();
    let decoder = DeflateDecoder::new(bytes);
    decoder.take(MAX_BYTES).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use sluice_record::PayloadPart;

    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_takes_less() {
        let payload = Payload {
            client_request: PayloadPart {
                headers: vec![("content-type".into(), "application/json".into())],
                body: "{\"role\": \"user\"}".repeat(1000),
                truncated: true,
                ..PayloadPart::default()
            },
            upstream_request: None,
            response: Some(PayloadPart::default()),
        };
        let packed = packed(&payload).unwrap();
        assert!(packed.len() * 20 < payload.size());
        assert_eq!(unpacked(&packed), Some(payload));
        assert_eq!(unpacked(b"nonsense"), None);
    }
}
