//! What a process has cost, as `/proc` tells it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// CPU time of `pid` in user and kernel mode, all its threads, the ended ones too. The kernel counts in steps of
/// 10 ms (proc(5), `/proc/pid/stat`).
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    let ticks = cpu_ticks(&stat).with_context(|| format!("{path} has no utime and stime"))?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
    ))
}

/// `utime + stime`. The fields are counted from behind the command, which may hold blanks and parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

/// Resident memory of `pid` in bytes, with shared pages divided among those who share them (PSS).
///
/// # Errors
/// There is no such process, or it may not be looked into.
pub fn memory(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&path).with_context(|| path.clone())?;
    pss(&rollup).with_context(|| format!("{path} has no Pss"))
}

fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The processes that `pid`'s first thread has started and that still run.
///
/// # Errors
/// There is no such process.
pub fn children(pid: u32) -> Result<Vec<u32>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let list = fs::read_to_string(&path).with_context(|| path.clone())?;
    list.split_ascii_whitespace()
        .map(|child| child.parse().with_context(|| path.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_are_found_behind_an_odd_command() {
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194560 100 200 0 0 12 30 5 6 20 0 1 0 99 0 0";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("17 (a"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let rollup = "5581 [rollup]\nRss:    1200 kB\nPss:     884 kB\nPss_Dirty:  4 kB\n";
        assert_eq!(pss(rollup), Some(884 * 1024));
        assert_eq!(pss("Rss: 12 kB\n"), None);
    }

    #[test]
    fn this_process_has_used_cpu_and_memory() {
        let own = std::process::id();
        assert!(cpu_time(own).unwrap() < Duration::from_secs(3_600));
        assert!(memory(own).unwrap() > 100_000);
    }
}
