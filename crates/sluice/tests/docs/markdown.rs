//! As much of Markdown as these tests need: sections, tables, fenced blocks, links.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A page of the documentation, or a section of one.
pub(crate) struct Page {
    /// Path from the root of the repository, for messages.
    pub(crate) path: String,
    text: String,
}

/// A fenced block.
pub(crate) struct Block {
    /// What stands behind the fence: `sh`, `json`, `python`.
    pub(crate) language: String,
    pub(crate) text: String,
    /// The text of `<!-- test: … -->` on the line above.
    pub(crate) expects: Option<String>,
}

impl Page {
    /// Reads the page at a path from the root of the repository.
    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// All pages: those at the root and everything under `docs/`.
    pub(crate) fn all() -> Vec<Self> {
        let mut paths = vec![
            "README.md".to_owned(),
            "ARCHITECTURE.md".to_owned(),
            "CHANGELOG.md".to_owned(),
        ];
        for folder in ["docs", "docs/plugins"] {
            let names = file_names(folder)
                .into_iter()
                .filter(|name| name.ends_with(".md"));
            paths.extend(names.map(|name| format!("{folder}/{name}")));
        }
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// The section under the heading of that text, with the sections below it.
    pub(crate) fn section(&self, heading: &str) -> Option<Self> {
        let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
        let lines = self.lines();
        let start = lines.iter().position(|(line, fenced)| {
            !fenced && level(line) > 0 && line.trim_start_matches('#').trim() == heading
        })?;
        let own = level(lines[start].0);
        let rest = lines[start + 1..].iter();
        let section = rest.take_while(|(line, fenced)| *fenced || level(line) == 0 || level(line) > own);
        let text = section.map(|(line, _)| *line).collect::<Vec<_>>().join("\n");
        Some(Self {
            path: format!("{} ({heading})", self.path),
            text,
        })
    }

    /// The text as it stands.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The cells of all table rows, without heads and rules.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let lines: Vec<_> = self
            .lines()
            .into_iter()
            .filter(|(_, fenced)| !fenced)
            .map(|(line, _)| line)
            .collect();
        let is_rule = |line: &str| line.starts_with("|-");
        let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| is_rule(next));
        let rows = lines
            .iter()
            .enumerate()
            .filter(|(at, line)| line.starts_with('|') && !is_rule(line) && !is_head(*at));
        rows.map(|(_, line)| cells(line)).collect()
    }

    /// The fenced blocks in order.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut above = "";
        let mut open: Option<Block> = None;
        for line in self.text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, Some(language)) => {
                    let expects = above
                        .strip_prefix("<!-- test: ")
                        .and_then(|note| note.strip_suffix(" -->"));
                    let (language, expects) = (language.to_owned(), expects.map(str::to_owned));
                    open = Some(Block {
                        language,
                        text: String::new(),
                        expects,
                    });
                }
                (None, None) => {}
            }
            above = line;
        }
        assert!(open.is_none(), "{}: a fenced block does not end", self.path);
        blocks
    }

    /// The targets of all links.
    pub(crate) fn links(&self) -> Vec<String> {
        let lines = self.lines().into_iter().filter(|(_, fenced)| !fenced);
        let targets = lines.flat_map(|(line, _)| line.split("](").skip(1).collect::<Vec<_>>());
        targets
            .filter_map(|rest| rest.split_once(')'))
            .map(|(target, _)| target.to_owned())
            .collect()
    }

    /// The anchors of all headings.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self
            .lines()
            .into_iter()
            .filter(|(line, fenced)| !fenced && line.starts_with('#'));
        headings
            .map(|(line, _)| anchor(line.trim_start_matches('#').trim()))
            .collect()
    }

    /// Whether the text has `word` in it as code.
    pub(crate) fn has_code(&self, word: &str) -> bool {
        self.text.contains(&format!("`{word}`"))
    }

    /// The lines, and whether each is inside a fenced block or a fence itself.
    fn lines(&self) -> Vec<(&str, bool)> {
        let mut fenced = false;
        let mark = |line| {
            let is_fence = str::starts_with(line, "```");
            let inside = fenced || is_fence;
            fenced ^= is_fence;
            (line, inside)
        };
        self.text.lines().map(mark).collect()
    }
}

/// The names of the files in a folder, sorted.
pub(crate) fn file_names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The text of a cell that is one code span, or `None` if it is `-`.
pub(crate) fn code(cell: &str) -> Option<&str> {
    if cell == "-" {
        return None;
    }
    let inner = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    Some(inner.unwrap_or_else(|| panic!("{cell:?} is neither `code` nor -")))
}

/// Code in a cell of a table, whatever stands in it.
pub(crate) fn as_code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    let text = text.replace('|', "\\|");
    match text.is_empty() {
        true => "`\"\"`".to_owned(),
        false => format!("{fence}{text}{fence}"),
    }
}

/// A JSON value as the tables write it: text bare, everything else as JSON.
pub(crate) fn shown(value: &serde_json::Value) -> String {
    match value.as_str() {
        // Nothing between two backticks is no code.
        None | Some("") => value.to_string(),
        Some(text) => text.to_owned(),
    }
}

fn cells(line: &str) -> Vec<String> {
    let inner = line
        .trim()
        .trim_start_matches('|')
        .trim_end_matches('|')
        .replace("\\|", "\u{0}");
    inner
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// The anchor that a heading gets on the usual sites.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
