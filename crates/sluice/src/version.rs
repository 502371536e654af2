//! What this binary is.

/// Version, commit and build time on one line.
pub(crate) fn long() -> String {
    let built = env!("SLUICE_BUILT")
        .parse()
        .ok()
        .and_then(|at| time::OffsetDateTime::from_unix_timestamp(at).ok());
    let built = built.and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok());
    let built = built.unwrap_or_else(|| "unknown".to_owned());
    format!(
        "sluice {} (commit {}, built {built})",
        env!("CARGO_PKG_VERSION"),
        env!("SLUICE_COMMIT")
    )
}
