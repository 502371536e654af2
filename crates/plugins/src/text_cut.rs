//! Cutting texts to the sizes that services take.

/// Pieces of at most `limit` bytes, which end between characters. A character is never split, however small `limit`.
pub(crate) fn cut_bytes(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.floor_char_boundary(limit);
        if end == 0 {
            end = rest.ceil_char_boundary(1);
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Pieces of at most `limit` characters.
pub(crate) fn cut_chars(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(limit.max(1))
            .map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        assert_eq!(cut_bytes("aäöb", 3), ["aä", "öb"]);
        assert_eq!(cut_bytes("äö", 1), ["ä", "ö"]);
        assert_eq!(cut_chars("aäöb", 3), ["aäö", "b"]);
        assert!(cut_bytes("", 3).is_empty());
        assert!(cut_chars("", 3).is_empty());
    }
}
