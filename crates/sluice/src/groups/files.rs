//! Config files for tools.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use sluice_groups::{Access, CONTEXT, OUTPUT, ROUTE, Settings, Tool};

use super::Failed;
use super::access::Admin;
use super::args::{ConnectArgs, KiloArgs, KiloFormat, ProxyArgs};
use super::table::Row;
use crate::console::say;

/// Address of the proxy as clients write it.
pub(super) fn base_url(proxy: &ProxyArgs) -> String {
    let host = proxy.external_ip.trim();
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    format!("http://{host}:{}", proxy.proxy_port)
}

/// The tools of that name; `all` means all that are of use today.
pub(super) fn tools(names: &[String]) -> anyhow::Result<Vec<Tool>> {
    let mut tools: Vec<Tool> = Vec::new();
    for name in names
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
    {
        let more = match name {
            "all" => Tool::ALL
                .into_iter()
                .filter(|tool| tool.name != "kilo-seed")
                .collect(),
            _ => vec![tool(name)?],
        };
        for tool in more {
            if tools.iter().all(|there| there.name != tool.name) {
                tools.push(tool);
            }
        }
    }
    Ok(tools)
}

fn tool(name: &str) -> anyhow::Result<Tool> {
    Tool::find(name).ok_or_else(|| {
        let names: Vec<_> = Tool::ALL.iter().map(|tool| tool.name).collect();
        anyhow!(
            "`{name}` is no tool that is known; there are {}",
            names.join(", ")
        )
    })
}

/// What a setup's files say for one key.
pub(super) fn access(settings: &Settings, base: &str, key: &str, dimension: Option<u64>) -> Access {
    Access {
        base_url: base.to_owned(),
        key: key.to_owned(),
        model: settings.model.clone(),
        context: CONTEXT,
        output: OUTPUT,
        embedding_model: settings.embedding_model.clone(),
        dimension,
    }
}

/// Writes the files of every row: `<folder>/<consumer>/<file>`, and for the older form of Kilo Code
/// `<folder>/kilo-<consumer>.json`, so that the two never lie in one folder.
pub(super) fn write(
    folder: &Path,
    rows: &mut [Row],
    tools: &[Tool],
    access: impl Fn(&str) -> Access,
) -> anyhow::Result<()> {
    for row in rows {
        let facts = access(&row.key);
        for tool in tools {
            let path = match tool.name {
                "kilo-seed" => folder.join(format!("kilo-{}.json", row.name)),
                _ => folder.join(&row.name).join(tool.file),
            };
            put(&path, &tool.render(&facts))?;
            row.files.push(path.display().to_string());
        }
    }
    Ok(())
}

/// Writes a file that holds a key: readable by its owner alone, and whole or not at all.
fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let shown = path.display();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let partial = PathBuf::from(format!("{shown}.partial"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&partial)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("cannot write {shown}"))
}

/// `generate-kilo`: prints the file.
pub(super) fn generate_kilo(args: &KiloArgs) -> Result<(), Failed> {
    let settings = Settings {
        model: args.model.clone(),
        embedding_model: (!args.no_embedding).then(|| args.embedding_model.clone()),
        ..Settings::default()
    };
    let facts = access(&settings, &base_url(&args.proxy), &args.api_key, None);
    let name = match args.kilo_format {
        KiloFormat::Native => "kilo",
        KiloFormat::Seed => "kilo-seed",
        KiloFormat::Both => return Err(anyhow!("one file is printed: --kilo-format native or seed").into()),
    };
    say(tool(name)?.render(&facts).trim_end());
    Ok(())
}

/// `connect`: shows or installs a tool's file for a consumer.
pub(super) async fn connect(args: &ConnectArgs) -> Result<(), Failed> {
    let tool = tool(&args.tool)?;
    let admin = Admin::new(&args.admin)?;
    let consumer = admin.get("consumers", &args.client).await?;
    let consumer = consumer.ok_or_else(|| anyhow!("there is no consumer `{}`", args.client))?;
    let known = args.api_key.as_deref().or_else(|| sluice_groups::key(&consumer));
    let key = known.ok_or_else(|| {
        anyhow!(
            "the gateway cannot show the key of `{}`: give it with --api-key",
            args.client
        )
    })?;
    let mut settings = Settings::default();
    let route = admin.get("routes", ROUTE).await?.unwrap_or_default();
    if let Some(model) = route
        .pointer("/plugins/ai-proxy-multi/instances/0/options/model")
        .and_then(|model| model.as_str())
    {
        model.clone_into(&mut settings.model);
    }
    if let Some(model) = &args.model {
        settings.model.clone_from(model);
    }
    let embedding = admin
        .get("routes", sluice_groups::EMBEDDING_ROUTE)
        .await?
        .unwrap_or_default();
    let embedding = embedding
        .pointer("/plugins/ai-proxy-multi/instances/0/options/model")
        .and_then(|model| model.as_str());
    settings.embedding_model = embedding.map(str::to_owned);
    let text = tool.render(&access(&settings, &base_url(&args.proxy), key, None));
    let Some(folder) = &args.install else {
        say(text.trim_end());
        return Ok(());
    };
    let path = folder.join(tool.file);
    if path.exists() && !args.force {
        return Err(anyhow!("{} is there already (--force replaces it)", path.display()).into());
    }
    put(&path, &text)?;
    say(format_args!(
        "wrote {} for {}; it belongs into {}",
        path.display(),
        tool.title,
        tool.place
    ));
    Ok(())
}

/// Refuses what would put both forms of Kilo Code's file into one folder.
pub(super) fn kilo_tools(format: KiloFormat) -> Vec<String> {
    match format {
        KiloFormat::Native => vec!["kilo".to_owned()],
        KiloFormat::Seed => vec!["kilo-seed".to_owned()],
        KiloFormat::Both => vec!["kilo".to_owned(), "kilo-seed".to_owned()],
    }
}

/// A folder for files, checked before anything is changed.
pub(super) fn folder(wanted: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    let folder = wanted.cloned().unwrap_or_else(|| PathBuf::from("."));
    if folder.exists() && !folder.is_dir() {
        bail!("{} is no folder", folder.display());
    }
    Ok(folder)
}
