//! What the commands do.

mod admin;
mod serve;

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::Context;

pub(crate) use self::admin::admin;
pub(crate) use self::serve::{Around, Started, Work, serve};
use crate::cli::{InitArgs, ValidateArgs};
use crate::config;
use crate::console::say;

/// Writes the commented configuration.
pub(crate) fn init(args: &InitArgs) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .truncate(true)
        .create(args.force)
        .create_new(!args.force);
    let shown = args.file.display();
    let mut file = options
        .open(&args.file)
        .with_context(|| format!("cannot write {shown} (--force replaces it)"))?;
    file.write_all(config::TEMPLATE.as_bytes())
        .with_context(|| format!("cannot write {shown}"))?;
    say(format_args!(
        "wrote {shown}; start with `sluice serve --config {shown}`"
    ));
    Ok(())
}

/// Checks a configuration.
pub(crate) fn validate(args: &ValidateArgs) -> anyhow::Result<()> {
    if args.apisix {
        let (config, warnings) = config::from_apisix(&args.file, std::iter::empty())?;
        config::check(&config, &args.file)?;
        for warning in warnings {
            say(format_args!("warning: {warning}"));
        }
    } else {
        config::validate_file(&args.file)?;
    }
    say(format_args!("{} is valid", args.file.display()));
    Ok(())
}
