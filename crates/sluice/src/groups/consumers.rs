//! `create-consumer` and `delete-consumer`.

use anyhow::anyhow;
use serde_json::json;
use sluice_groups::{Settings, plain_consumer, wanted_consumer};

use super::Failed;
use super::access::Admin;
use super::args::{CreateArgs, DeleteArgs, Format};
use super::setup::{Stored, new_key, redis};
use crate::console::say;

/// Makes a consumer, or changes it; what others put on it stays.
pub(super) async fn create(args: CreateArgs) -> Result<(), Failed> {
    let admin = Admin::new(&args.admin)?;
    let settings = Settings {
        flavour: admin.flavour().await?,
        redis: redis(&args.redis),
        ..Settings::default()
    };
    let (limit, window) = Stored::of(&admin.present().await?).or(&args.quota);
    let there = admin.get("consumers", &args.username).await?;
    let kept = there.as_ref().and_then(sluice_groups::key).map(str::to_owned);
    let key = args.api_key.or(kept).unwrap_or_else(new_key);
    let object = plain_consumer(&args.username, &key, limit, window, &settings);
    let step = wanted_consumer(object, there.as_ref());
    admin.put(&step.object).await?;
    match args.format {
        Format::Json => say(
            json!({ "username": args.username, "api_key": key, "rate_limit": limit, "time_window": window }),
        ),
        Format::Csv => say(format_args!(
            "consumer,key,limit,window\n{},{key},{limit},{window}",
            args.username
        )),
        Format::Text => say(format_args!(
            "{}  {key}  {limit} tokens / {window}s",
            args.username
        )),
    }
    Ok(())
}

/// Deletes a consumer.
pub(super) async fn delete(args: DeleteArgs) -> Result<(), Failed> {
    let admin = Admin::new(&args.admin)?;
    if !admin.delete("consumers", &args.username).await? {
        return Err(anyhow!("there is no consumer `{}`", args.username).into());
    }
    say(format_args!("deleted {}", args.username));
    Ok(())
}
