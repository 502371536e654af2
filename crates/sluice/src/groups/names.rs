//! Reading who shares the gateway.

use std::path::Path;

use anyhow::{Context, anyhow};
use sluice_groups::{Document, Problem};

use super::Failed;
use crate::console::complain;

/// Reads groups.yaml or a CSV table, tells what is odd in it, and takes only one group out of it if one is named.
pub(super) fn read(path: &Path, only: Option<&str>) -> Result<Document, Failed> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"));
    let bytes = bytes.map_err(Failed::Unreachable)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failed::Unreachable(anyhow!("{shown} is no text in UTF-8")))?;
    let is_csv = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let parsed = if is_csv {
        Document::from_csv(&text)
    } else {
        Document::from_yaml(&text)
    };
    let parsed = parsed.map_err(|problems| Failed::Unreachable(told(path, &problems)))?;
    for warning in &parsed.warnings {
        complain(format_args!("warning: {shown}: {warning}"));
    }
    let known: Vec<String> = parsed
        .document
        .groups
        .iter()
        .map(|group| group.name.clone())
        .collect();
    match only {
        None => Ok(parsed.document),
        Some(group) => parsed.document.only(group).ok_or_else(|| {
            Failed::Unreachable(anyhow!(
                "{shown} has no group `{group}`; it has {}",
                known.join(", ")
            ))
        }),
    }
}

/// Everything that is wrong with a file, a line each.
pub(super) fn told(path: &Path, problems: &[Problem]) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    anyhow!(
        "{} cannot be used; nothing was changed\n{}",
        path.display(),
        lines.join("\n")
    )
}
