//! What the figures were taken on.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde::Serialize;

use super::tools::Tools;

/// Above this, other work on the machine spoils the figures.
const BUSY: f64 = 0.5;

/// The machine and the programs on it, for whoever reads the result.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    /// Runnable processes, mean of the minute before the run.
    load_before: f64,
    nginx: String,
    gateway: Option<String>,
}

impl Machine {
    /// Asks the machine; what it does not tell is left empty.
    pub(super) fn examine(tools: &Tools) -> Self {
        Self {
            cpu: read("/proc/cpuinfo")
                .lines()
                .find_map(cpu_model)
                .unwrap_or_default(),
            cores: thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
            nginx: says(&tools.nginx, "-v"),
            gateway: tools.gateway.as_ref().map(|gateway| says(gateway, "version")),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, Linux {}; {}",
            self.cpu, self.cores, self.kernel, self.nginx
        )?;
        if let Some(gateway) = &self.gateway {
            write!(f, "; {gateway}")?;
        }
        if self.load_before > BUSY {
            write!(
                f,
                "\nOther work runs here (load {:.1}): figures will be worse than they are.",
                self.load_before
            )?;
        }
        Ok(())
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn cpu_model(line: &str) -> Option<String> {
    let (name, model) = line.split_once(':')?;
    (name.trim() == "model name").then(|| model.trim().to_owned())
}

/// The first line that a program prints, wherever it prints it.
fn says(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    output
        .map(|output| [output.stdout, output.stderr].concat())
        .ok()
        .and_then(|text| String::from_utf8_lossy(&text).lines().next().map(str::to_owned))
        .unwrap_or_default()
}
