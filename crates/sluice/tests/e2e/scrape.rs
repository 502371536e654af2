//! Metrics as a scraper reads them.

use std::collections::BTreeSet;

use sluice_testkit::{Gateway, eventually};

/// One reading of all metrics.
#[derive(Debug)]
pub(crate) struct Scrape {
    text: String,
    samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.label(name) == Some(value))
    }
}

impl Scrape {
    pub(crate) fn parse(text: String) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            samples: lines.map(sample).collect(),
            text,
        }
    }

    /// The metrics on the admin listener.
    pub(crate) async fn of(gateway: &Gateway) -> Self {
        let answer = gateway.admin().client().get("/metrics").send().await;
        Self::parse(answer.expect_status(200).await.text().await)
    }

    /// The metrics on the admin listener, as soon as they fulfil a condition.
    pub(crate) async fn when(
        gateway: &Gateway,
        what: &str,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Self {
        eventually(what, async || {
            let scrape = Self::of(gateway).await;
            condition(&scrape).then_some(scrape)
        })
        .await
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The samples of that name with these labels, among others.
    pub(crate) fn samples<'a>(&'a self, name: &str, labels: &[(&str, &str)]) -> Vec<&'a Sample> {
        self.samples
            .iter()
            .filter(|sample| sample.name == name && sample.has(labels))
            .collect()
    }

    /// Their sum; 0 without any.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).iter().map(|sample| sample.value).sum()
    }

    /// The labels of all samples of that name, `le` left out.
    pub(crate) fn label_names(&self, name: &str) -> BTreeSet<Vec<&str>> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        let labels = samples.map(|sample| sample.labels.iter().map(|(name, _)| name.as_str()));
        labels
            .map(|names| names.filter(|name| *name != "le").collect())
            .collect()
    }

    /// What `# TYPE` says of a family.
    pub(crate) fn kind(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")))
    }
}

/// `name{label="value",…} number`, or without labels.
fn sample(line: &str) -> Sample {
    let (head, value) = line
        .rsplit_once(' ')
        .unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, mut rest) = match head.split_once('{') {
        Some((name, rest)) => (
            name,
            rest.strip_suffix('}')
                .unwrap_or_else(|| panic!("no end of labels: {line}")),
        ),
        None => (head, ""),
    };
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, after) = rest
            .split_once("=\"")
            .unwrap_or_else(|| panic!("no label: {line}"));
        let (value, length) = unquoted(after);
        labels.push((label.trim_start_matches(',').to_owned(), value));
        rest = &after[length..];
    }
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample {
        name: name.to_owned(),
        labels,
        value,
    }
}

/// A label's value up to its quote, and how many bytes that was.
fn unquoted(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, at + 1),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            other => value.push(other),
        }
    }
    panic!("no end of a label's value: {text}")
}
