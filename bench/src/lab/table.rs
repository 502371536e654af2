//! The result as a table for people.

use std::fmt::Write as _;
use std::path::Path;

use super::figure::{Figure, Goal};
use super::result::RunResult;

/// Renders all figures, and where they are in full.
pub(super) fn render(result: &RunResult, path: &Path) -> String {
    let mut table = String::new();
    line(
        &mut table,
        ["", "", "direct", "nginx", "sluice", "ratio", "target", ""].map(str::to_owned),
    );
    for scenario in &result.scenarios {
        let _ = writeln!(table, "{}", scenario.name);
        for figure in &scenario.figures {
            line(&mut table, cells(figure));
        }
    }
    let _ = writeln!(
        table,
        "\nMedians of alternating rounds; ratio is sluice over nginx. µs of CPU per request are ms per 1,000.\n\
         Every round: {}",
        path.display()
    );
    table
}

fn cells(figure: &Figure) -> [String; 8] {
    let goal = match figure.goal {
        Some(Goal::TimesNginx(times)) => format!("≤ {times} × nginx"),
        Some(Goal::AtMost(most)) => format!("≤ {most} {}", figure.unit),
        Some(Goal::AtLeast(least)) => format!("≥ {least} {}", figure.unit),
        None => String::new(),
    };
    let met = match figure.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    };
    [
        format!("  {}", figure.name),
        figure.unit.to_owned(),
        number(figure.direct),
        number(figure.nginx),
        number(figure.gateway),
        figure
            .ratio
            .map(|ratio| format!("{ratio:.2}"))
            .unwrap_or_default(),
        goal,
        met.to_owned(),
    ]
}

/// Three digits or so.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return String::new() };
    let decimals = match value.abs() {
        large if large >= 100.0 => 0,
        small if small < 10.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$}")
}

fn line(table: &mut String, cells: [String; 8]) {
    let [name, unit, direct, nginx, gateway, ratio, goal, met] = cells;
    let row = format!("{name:<30}{unit:>4}{direct:>10}{nginx:>10}{gateway:>10}{ratio:>8}   {goal:<14} {met}");
    let _ = writeln!(table, "{}", row.trim_end());
}

#[cfg(test)]
mod tests {
    use super::super::figure::PerSide;
    use super::*;

    #[test]
    fn a_row_shows_medians_ratio_and_verdict() {
        let rounds = PerSide {
            direct: Vec::new(),
            nginx: vec![13.4],
            gateway: vec![26.8],
        };
        let figure = Figure::new("CPU per request", "µs", rounds).aim(Goal::TimesNginx(1.5));
        let mut row = String::new();
        line(&mut row, cells(&figure));
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "CPU", "per", "request", "µs", "13.4", "26.8", "2.00", "≤", "1.5", "×", "nginx", "missed"
            ]
        );
    }

    #[test]
    fn numbers_keep_about_three_digits() {
        assert_eq!(
            [Some(54_321.0), Some(54.32), Some(5.432), None].map(number),
            ["54321", "54.3", "5.43", ""]
        );
    }
}
