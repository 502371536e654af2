//! `sluice import aigateway`: clients of an aigateway (DatanoiseTV) with their keys, limits and prompts.
//!
//! What becomes of them is decided in `plan`, without touching anything; then all of it is stored at once, or nothing.

mod plan;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluice_resource::{Checker, Key, Kind, Schemas, Target, UnknownPlugins};
use sluice_store::{Database, KeySource, NewAuditEntry, Store, Vault, Write};

use self::plan::{Plan, plan};
use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::console::say;
use crate::gateway;
use crate::plugins::Plugins;

/// What `import` takes.
#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Take over clients, keys, limits and prompts of an aigateway; the gateway here must not run
    Aigateway(AigatewayArgs),
}

#[derive(Args)]
struct AigatewayArgs {
    /// Its database [default of aigateway: ./data/gateway.db]
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// Its config.yaml: providers and their keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder of the gateway here [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Runs `import`.
pub(crate) fn import(args: ImportArgs, plugins: Plugins) -> anyhow::Result<()> {
    let ImportCommand::Aigateway(args) = args.command;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(args, plugins))
}

async fn run(args: AigatewayArgs, plugins: Plugins) -> anyhow::Result<()> {
    let ours = ConfigArgs {
        config: None,
        apisix_config: None,
    };
    // A folder that is named needs no configuration: the `config.yaml` here may be aigateway's own.
    let config = match args.data_dir {
        Some(data_dir) => Config {
            data_dir,
            ..Config::default()
        },
        None => ours.read()?.0,
    };
    let clients = source::clients(&args.db).await?;
    let providers = match &args.config {
        Some(path) => source::providers(path)?,
        None => Vec::new(),
    };
    let plan = plan(&clients, &providers);
    let lock = gateway::open_folder(&config.data_dir)?;
    let database = gateway::open_database(&config.data_dir).await?;
    let done = apply(&config, &database, plugins, plan, args.dry_run).await;
    database.close().await;
    drop(lock);
    done
}

async fn apply(
    config: &Config,
    database: &Database,
    plugins: Plugins,
    plan: Plan,
    dry_run: bool,
) -> anyhow::Result<()> {
    let vault = Vault::unlock(database, KeySource::File(config.data_dir.join("secret.key"))).await?;
    let registry = gateway::registry(plugins, config)?;
    let catalogue = registry.catalogue().clone();
    let store = Store::open(database, vault, sluice_admin::SecretPaths::new(catalogue.clone())).await?;
    let checker = Checker::new(Arc::new(Schemas::compile()?), catalogue, UnknownPlugins::Refuse);
    let mut writes = Vec::new();
    for (key, value) in &plan.resources {
        let target = match (key.kind(), key.parent()) {
            (Kind::Consumer, _) => Target::new(Kind::Consumer, None),
            (kind, parent) => Target {
                parent,
                ..Target::new(kind, Some(key.own_id()))
            },
        };
        checker
            .check(&target, value)
            .map_err(|error| anyhow::anyhow!("{key} cannot be taken over: {}", error.message))?;
        match store.get(&key.to_string()).await? {
            Some(item) if same(&item.value, value) => say(format_args!("as it is  {key}")),
            Some(_) => say(format_args!("kept      {key}: it is here already, and differs")),
            None => {
                say(format_args!(
                    "{}  {key}",
                    if dry_run { "would add" } else { "added    " }
                ));
                writes.push(Write::Put {
                    key: key.to_string(),
                    value: stamped(value.clone()),
                    ttl: None,
                    expected: Some(0),
                });
            }
        }
    }
    for note in &plan.notes {
        say(format_args!("note      {note}"));
    }
    let count = writes.len();
    if dry_run || writes.is_empty() {
        say(format_args!(
            "{count} resources would be added; nothing was changed"
        ));
        store.close().await;
        return Ok(());
    }
    let keys: Vec<Value> = plan
        .resources
        .iter()
        .map(|(key, _)| key.to_string().into())
        .collect();
    let committed = store.batch(writes).await.context("nothing was imported")?;
    let entry = NewAuditEntry {
        caller: "command line".to_owned(),
        peer: None,
        action: "import".to_owned(),
        key: "/consumers".to_owned(),
        revision: Some(committed.revision),
        changes: json!([{ "path": "", "to": keys }]),
    };
    database.audit_log().append(&[entry]).await?;
    store.close().await;
    say(format_args!("{count} resources added"));
    Ok(())
}

/// Equal but for the times.
fn same(stored: &Value, planned: &Value) -> bool {
    let bare = |value: &Value| {
        let mut members = value.as_object().cloned().unwrap_or_default();
        members.retain(|name, _| name != "create_time" && name != "update_time");
        members
    };
    bare(stored) == bare(planned)
}

fn stamped(mut value: Value) -> Value {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    value["create_time"] = now.into();
    value["update_time"] = now.into();
    value
}

/// A key of the configuration with what it is to hold.
type Resource = (Key, Value);

/// Refuses what could only be half of a gateway's data.
fn wrong(path: &std::path::Path, what: &str) -> anyhow::Error {
    anyhow::anyhow!("{} is not what is wanted: {what}", path.display())
}

/// Bounds of what is read.
fn not_too_many(count: usize) -> anyhow::Result<()> {
    if count > 100_000 {
        bail!("{count} clients are more than can be taken over at once (100000)");
    }
    Ok(())
}
