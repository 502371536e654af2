//! The file that tells who started the gateway where it listens.

use std::path::Path;

use anyhow::Context;

/// Writes the file at once and whole.
pub(crate) fn write(path: &Path, addresses: &serde_json::Value) -> anyhow::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, addresses.to_string())
        .with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}
