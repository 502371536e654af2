//! The run: starts mock, nginx and gateway, puts them under load in turn, and compares.

mod figure;
mod footprint;
mod gateway;
mod logs;
mod machine;
mod nginx;
mod options;
mod process;
mod result;
mod rounds;
mod scenario;
mod side;
mod table;
mod tools;
mod translated;
mod workbench;

use std::path::Path;

use anyhow::{Context as _, Result};

pub use self::options::{Options, Scenario};

use self::machine::Machine;
use self::result::RunResult;
use self::tools::Tools;
use self::workbench::Workbench;

/// Runs the scenarios that `options` choose, writes `result.json`, and returns the table to print.
///
/// # Errors
/// The machine lacks something, a process under test does not start, or an answer is wrong.
pub async fn run(options: Options) -> Result<String> {
    let tools = Tools::find(&options)?;
    let mut result = RunResult::new(Machine::examine(&tools), options.quick);
    progress(&result.machine.to_string());
    let bench = Workbench::open(&options, tools).await?;
    for scenario in options.scenarios() {
        progress(&format!("{} …", scenario.name()));
        let figures = scenario::measure(&bench, scenario)
            .await
            .with_context(|| format!("scenario {}", scenario.name()))?;
        result.add(scenario, figures);
    }
    let path = options.out.join("result.json");
    std::fs::write(&path, result.to_json()?).with_context(|| path.display().to_string())?;
    Ok(table::render(&result, &path))
}

/// Tells whoever waits what happens.
#[expect(
    clippy::print_stderr,
    reason = "progress of a command-line tool; its result goes to standard output"
)]
fn progress(line: &str) {
    eprintln!("{line}");
}

/// The last lines of a process's log, for an error message.
fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
