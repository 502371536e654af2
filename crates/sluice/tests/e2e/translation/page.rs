//! The page that the matrix makes.

use std::fmt::Write as _;
use std::path::Path;

use super::clients::CLIENTS;
use super::features::Feature;
use super::matrix::Cell;
use super::providers::PROVIDERS;

const PAGE: &str = "docs/translation.md";

/// Tells the test to write the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

const INTRODUCTION: &str = "\
# Translation

What reaches the model, and comes back, for each protocol that a client speaks on each kind of provider, on
[native routes](providers.md#native-routes). A test makes this page: it has each of these conversations through the
gateway, whole and as a stream that arrives byte by byte, with providers that refuse what the real ones refuse. `make
docs` writes it, and the test fails where it is not what is seen.

- **yes**: it reaches the model, and the answer the client.
- **without** a name: the provider's protocol has no word for it. It is left out, the rest goes on, and the header
  `x-sluice-dropped` of the answer names it.
- **unsigned**: thoughts reach the client, and the provider does not get their signature back, since the client's
  protocol has no place for it. What else is left out the header names.
- **refused**: leaving it out would change the meaning. The client gets 400 in its own dialect, with the message below
  the table, and the provider is not called.
- **-**: the client's protocol has no word for it.
";

/// Compares the page with the one that these tables make, or writes it.
///
/// # Panics
/// When it is stale.
pub(super) fn check(tables: &[Vec<Vec<Cell>>]) {
    let expected = page(tables);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file, expected).unwrap();
        return;
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = written.lines().zip(expected.lines());
    let differing = lines.find(|(written, expected)| written != expected);
    assert!(
        written == expected,
        "{PAGE} is stale, `make docs` writes it; first difference: {differing:?}"
    );
}

fn page(tables: &[Vec<Vec<Cell>>]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for (feature, rows) in Feature::ALL.into_iter().zip(tables) {
        let (title, what) = feature.about();
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n\n{what}\n\n| Client |");
        for provider in &PROVIDERS {
            let _ = write!(page, " {} |", provider.title);
        }
        let _ = writeln!(page, "\n|---|{}", "---|".repeat(PROVIDERS.len()));
        let mut notes: Vec<&str> = Vec::new();
        for (client, cells) in CLIENTS.iter().zip(rows) {
            let _ = write!(page, "| {} |", client.name());
            for cell in cells {
                let _ = match cell {
                    Cell::Supported => write!(page, " yes |"),
                    Cell::Without(names) => write!(page, " without `{}` |", names.replace(", ", "`, `")),
                    Cell::Unsigned => write!(page, " unsigned |"),
                    Cell::Unsaid => write!(page, " - |"),
                    Cell::Refused(message) => {
                        let at = notes.iter().position(|note| note == message).unwrap_or_else(|| {
                            notes.push(message);
                            notes.len() - 1
                        });
                        write!(page, " refused ({}) |", at + 1)
                    }
                };
            }
            page.push('\n');
        }
        if !notes.is_empty() {
            page.push('\n');
        }
        for (number, note) in (1..).zip(notes) {
            let _ = writeln!(page, "{number}. {note}");
        }
    }
    page
}
