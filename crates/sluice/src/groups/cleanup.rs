//! `sluice gateway cleanup`.

use std::io::{IsTerminal, Write};

use super::Failed;
use super::access::Admin;
use super::args::CleanupArgs;
use super::carry::carry_out;
use crate::console::say;

/// Deletes what setup made, after showing it and, at a terminal, asking.
pub(super) async fn cleanup(args: CleanupArgs) -> Result<(), Failed> {
    let admin = Admin::new(&args.admin)?;
    let plan = sluice_groups::cleanup(&admin.present().await?, args.all);
    if plan.steps.is_empty() {
        say("nothing to delete");
        return Ok(());
    }
    for step in &plan.steps {
        say(format_args!("delete  {}/{}", step.object.kind, step.object.id));
    }
    if args.dry_run {
        say(format_args!(
            "{} resources; nothing was done (--dry-run)",
            plan.steps.len()
        ));
        return Ok(());
    }
    if !args.yes && std::io::stdin().is_terminal() && !agreed() {
        say("nothing was done");
        return Ok(());
    }
    carry_out(&admin, &plan).await?;
    say(format_args!("deleted {} resources", plan.steps.len()));
    Ok(())
}

fn agreed() -> bool {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "Delete them? [y/N] ");
    let _ = out.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
