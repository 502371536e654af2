//! Levels, sizes and times as nginx writes them.

/// Our level for one of nginx.
pub(super) fn level_of(nginx: &str) -> &'static str {
    match nginx {
        "debug" => "debug",
        "info" | "notice" => "info",
        "error" | "crit" | "alert" | "emerg" => "error",
        _ => "warn",
    }
}

/// A size as nginx writes it: `0`, `8k`, `10m`, `1g`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.to_ascii_lowercase().chars().last() {
        Some('k') => (&text[..text.len() - 1], 1 << 10),
        Some('m') => (&text[..text.len() - 1], 1 << 20),
        Some('g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`nginx_config.http.client_max_body_size`: `{text}` is not a size"))
}

/// A time as nginx writes it: `60`, `60s`, `5m`, `1h`.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (digits, factor) = match text.chars().last()? {
        's' => (&text[..text.len() - 1], 1),
        'm' => (&text[..text.len() - 1], 60),
        'h' => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
