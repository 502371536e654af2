//! The text of one scrape: Prometheus exposition format 0.0.4.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// `Content-Type` of the text, as APISIX sends it (compat §7).
pub const CONTENT_TYPE: &str = "text/plain; charset=utf-8";

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by bucket.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number, printed exactly.
    Whole(i128),
    /// `units` × 10^-`decimals`, printed exactly.
    Fixed {
        /// The amount in its smallest unit.
        units: u64,
        /// How many decimals a unit stands for.
        decimals: u8,
    },
    /// A floating-point number, printed so that it reads back as the same.
    Float(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value.into())
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Whole(value.into())
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        // Lossless: no platform's usize has more than 64 bits.
        Self::Whole(value as i128)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// Collects families, from whoever has some, and orders them by name.
#[derive(Debug)]
pub struct Exposition {
    prefix: String,
    families: BTreeMap<Cow<'static, str>, Block>,
    errors: u64,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    help: String,
    samples: String,
}

/// Adds samples to one family.
#[derive(Debug)]
pub struct FamilyWriter<'a> {
    name: Cow<'static, str>,
    /// `None` when the family is invalid: its samples are counted as errors.
    samples: Option<&'a mut String>,
    errors: &'a mut u64,
}

impl Exposition {
    /// An empty text; `prefix` begins the names of the families that APISIX has, too.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            families: BTreeMap::new(),
            errors: 0,
        }
    }

    /// The family `name`. Asked for again it goes on; its samples come in the order in which they were added. A
    /// name that is none, or that has been used for another kind, makes every sample an error, which is counted and
    /// left out: one bad family must not spoil a scrape.
    pub fn family(&mut self, name: impl Into<Cow<'static, str>>, kind: Kind, help: &str) -> FamilyWriter<'_> {
        let name = name.into();
        if !is_metric_name(&name) {
            return FamilyWriter {
                name,
                samples: None,
                errors: &mut self.errors,
            };
        }
        let new = || Block {
            kind,
            help: help.to_owned(),
            samples: String::new(),
        };
        let block = self.families.entry(name.clone()).or_insert_with(new);
        let samples = (block.kind == kind).then_some(&mut block.samples);
        FamilyWriter {
            name,
            samples,
            errors: &mut self.errors,
        }
    }

    /// The family `name` behind the prefix of APISIX's metrics.
    pub fn apisix_family(&mut self, name: &str, kind: Kind, help: &str) -> FamilyWriter<'_> {
        let name = format!("{}{name}", self.prefix);
        self.family(name, kind, help)
    }

    /// Samples left out so far.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// The whole text: families by name, those without samples left out.
    #[must_use]
    pub fn finish(self) -> String {
        let size = self
            .families
            .iter()
            .map(|(name, block)| 2 * name.len() + block.help.len() + block.samples.len());
        let mut out = String::with_capacity(size.map(|size| size + 32).sum());
        for (name, block) in self.families {
            if block.samples.is_empty() {
                continue;
            }
            out.push_str("# HELP ");
            out.push_str(&name);
            out.push(' ');
            push_escaped(&block.help, false, &mut out);
            out.push_str("\n# TYPE ");
            out.push_str(&name);
            out.push(' ');
            out.push_str(block.kind.name());
            out.push('\n');
            out.push_str(&block.samples);
        }
        out
    }
}

impl FamilyWriter<'_> {
    /// Adds one sample of a counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) {
        if !labels.iter().all(|(name, _)| is_label_name(name)) {
            *self.errors += 1;
            return;
        }
        let mut text = String::new();
        for (name, value) in labels {
            push_label(name, value, &mut text);
        }
        self.line("", &text, None, value.into());
    }

    /// Adds one line whose labels are rendered already: `name="value"` joined by commas. `suffix` follows the
    /// family's name, `le` is the last label.
    pub(super) fn line(&mut self, suffix: &str, labels: &str, le: Option<&str>, value: Number) {
        let Some(out) = &mut self.samples else {
            *self.errors += 1;
            return;
        };
        out.push_str(&self.name);
        out.push_str(suffix);
        if !labels.is_empty() || le.is_some() {
            out.push('{');
            out.push_str(labels);
            if let Some(le) = le {
                out.push_str(if labels.is_empty() { "le=\"" } else { ",le=\"" });
                out.push_str(le);
                out.push('"');
            }
            out.push('}');
        }
        out.push(' ');
        push_number(value, out);
        out.push('\n');
    }
}

/// Appends `name="value"`, after a comma if something stands there.
pub(super) fn push_label(name: &str, value: &str, out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    push_escaped(value, true, out);
    out.push('"');
}

fn push_escaped(text: &str, quotes: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}

fn push_number(number: Number, out: &mut String) {
    match number {
        Number::Whole(value) => out.push_str(itoa::Buffer::new().format(value)),
        Number::Fixed { units, decimals } => push_fixed(units, decimals, out),
        Number::Float(f64::INFINITY) => out.push_str("+Inf"),
        Number::Float(f64::NEG_INFINITY) => out.push_str("-Inf"),
        Number::Float(value) => {
            // A String takes everything.
            let _ = write!(out, "{value}");
        }
    }
}

fn push_fixed(units: u64, decimals: u8, out: &mut String) {
    let one = 10_u64.pow(decimals.into());
    out.push_str(itoa::Buffer::new().format(units / one));
    let fraction = units % one;
    if fraction > 0 {
        let digits = format!(".{fraction:0width$}", width = usize::from(decimals));
        out.push_str(digits.trim_end_matches('0'));
    }
}

pub(super) fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

pub(crate) fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_ordered_and_samples_grouped() {
        let mut out = Exposition::new("apisix_");
        out.family("b_total", Kind::Counter, "B.")
            .sample(&[("x", "1")], 7_u64);
        out.apisix_family("up", Kind::Gauge, "Up\\\nhere \"q\".")
            .sample(&[], -1_i64);
        out.family("b_total", Kind::Counter, "B.")
            .sample(&[("x", "2"), ("y", "a\"\\\n")], 0.5);
        let _ = out.family("unused", Kind::Gauge, "Nothing.");
        assert_eq!(
            out.finish(),
            "# HELP apisix_up Up\\\\\\nhere \"q\".\n# TYPE apisix_up gauge\napisix_up -1\n\
             # HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\"} 7\nb_total{x=\"2\",y=\"a\\\"\\\\\\n\"} 0.5\n"
        );
    }

    #[test]
    fn numbers_are_exact() {
        let text = |number: Number| {
            let mut out = String::new();
            push_number(number, &mut out);
            out
        };
        assert_eq!(text(u64::MAX.into()), "18446744073709551615");
        assert_eq!(text(i64::MIN.into()), "-9223372036854775808");
        assert_eq!(
            text(Number::Fixed {
                units: 1_234_500,
                decimals: 3
            }),
            "1234.5"
        );
        assert_eq!(
            text(Number::Fixed {
                units: 50,
                decimals: 6
            }),
            "0.00005"
        );
        assert_eq!(
            text(Number::Fixed {
                units: 3_000,
                decimals: 3
            }),
            "3"
        );
        assert_eq!(text(0.1.into()), "0.1");
        assert_eq!(text(f64::INFINITY.into()), "+Inf");
        assert_eq!(text(f64::NAN.into()), "NaN");
    }

    #[test]
    fn invalid_samples_are_counted_and_left_out() {
        let mut out = Exposition::new("");
        out.family("ok", Kind::Gauge, "Ok.").sample(&[], 1_u64);
        out.family("ok", Kind::Counter, "Ok.").sample(&[], 2_u64);
        out.family("not ok", Kind::Counter, "No.").sample(&[], 2_u64);
        out.family("ok", Kind::Gauge, "Ok.").sample(&[("a:b", "")], 2_u64);
        assert_eq!(out.errors(), 3);
        assert_eq!(out.finish(), "# HELP ok Ok.\n# TYPE ok gauge\nok 1\n");
    }
}
