//! `sluice gateway setup`.

use anyhow::anyhow;
use serde_json::{Value, json};
use sluice_groups::{
    Action, Document, Flavour, KEY_BYTES, LEMONADE_URL, Mode, Options, Plan, Present, RATE_LIMIT, ROUTE,
    Redis, Settings, Step, TIME_WINDOW, TokenPrice, key_of,
};

use super::Failed;
use super::access::Admin;
use super::args::{Format, QuotaArgs, RedisArgs, SetupArgs};
use super::carry::carry_out;
use super::{files, names, probe, table, verify};
use crate::console::{complain, say};

/// Sets the gateway up, and shows who got what.
pub(super) async fn setup(args: SetupArgs) -> Result<(), Failed> {
    let document = args
        .groups
        .as_deref()
        .map(|path| names::read(path, args.group.as_deref()))
        .transpose()?;
    let folder = files::folder(args.output_dir.as_ref())?;
    let mut wanted = args.tools.clone();
    if args.generate_kilo {
        wanted.extend(files::kilo_tools(args.kilo_format));
    }
    let tools = files::tools(&wanted)?;
    let admin = Admin::new(&args.admin)?;
    let flavour = admin.flavour().await?;
    let present = admin.present().await?;
    let mut settings = settings(&args, &present, flavour);
    let probed = match &args.lemonade_url {
        Some(url) => probe::probe(url, args.lemonade_api_key.as_deref()).await,
        None => probe::find(args.lemonade_api_key.as_deref()).await,
    };
    settings.lemonade_url.clone_from(&probed.url);
    for concern in probe::concerns(&probed, &settings) {
        complain(format_args!("warning: {concern}"));
    }
    let plan = plan(&args, document.as_ref(), &settings, &present)?;
    let base = files::base_url(&args.proxy);
    for warning in &plan.warnings {
        complain(format_args!("warning: {warning}"));
    }
    let mut rows = table::rows(&plan, &settings, &base);
    if args.dry_run {
        return show_plan(&plan, &settings, args.format);
    }
    carry_out(&admin, &plan).await?;
    let seen = match (probed.reachable(), args.no_verify) {
        (true, false) => Some(verify::verify(&admin, &settings, args.proxy.proxy_port).await),
        _ => None,
    };
    let dimension = seen.as_ref().and_then(|seen| seen.dimension);
    files::write(&folder, &mut rows, &tools, |key| {
        files::access(&settings, &base, key, dimension)
    })?;
    say(table::shown(&rows, args.format)?);
    if args.format == Format::Text {
        summarize(&plan, &probed, seen.as_ref());
    }
    warn_of_small_quotas(&rows);
    match seen.and_then(|seen| seen.failure) {
        Some(failure) => {
            Err(anyhow!("everything is set up, but a call through the gateway failed: {failure}").into())
        }
        None => Ok(()),
    }
}

/// What the arguments mean; what they leave open is as it was set up before.
fn settings(args: &SetupArgs, present: &Present, flavour: Flavour) -> Settings {
    let stored = Stored::of(present);
    let mode = match (args.per_group, args.mode.as_deref().and_then(Mode::of_name)) {
        (true, _) => Mode::PerGroup,
        (false, Some(mode)) => mode,
        (false, None) => Mode::PerUser,
    };
    Settings {
        lemonade_url: args
            .lemonade_url
            .clone()
            .unwrap_or_else(|| LEMONADE_URL.to_owned()),
        lemonade_api_key: args.lemonade_api_key.clone(),
        model: args.lemonade_model.clone(),
        force_model: args.force_model,
        embedding_model: (!args.no_embedding).then(|| args.embedding_model.clone()),
        rate_limit: args.quota.rate_limit.or(stored.rate_limit).unwrap_or(RATE_LIMIT),
        time_window: args
            .quota
            .time_window
            .or(stored.time_window)
            .unwrap_or(TIME_WINDOW),
        concurrency: args.concurrency_limit,
        mode,
        redis: redis(&args.redis),
        price: args
            .price_input
            .zip(args.price_output)
            .map(|(input, output)| TokenPrice { input, output })
            .or(stored.price),
        flavour,
    }
}

/// What an earlier setup was made with.
pub(super) struct Stored {
    pub(super) rate_limit: Option<u64>,
    pub(super) time_window: Option<u64>,
    price: Option<TokenPrice>,
}

impl Stored {
    pub(super) fn of(present: &Present) -> Self {
        let route = present.routes.iter().find(|route| route["id"] == ROUTE);
        let number = |label: &str| route.and_then(|route| route["labels"][label].as_str()?.parse().ok());
        Self {
            rate_limit: number(sluice_groups::RATE_LIMIT_LABEL),
            time_window: number(sluice_groups::TIME_WINDOW_LABEL),
            price: route.and_then(|route| {
                let rates = &route["plugins"]["ai-proxy-multi"]["instances"][0]["prices"]["rates"];
                let (input, output) = (rates["input"].as_u64()?, rates["output"].as_u64()?);
                Some(TokenPrice { input, output })
            }),
        }
    }

    pub(super) fn or(&self, quota: &QuotaArgs) -> (u64, u64) {
        (
            quota.rate_limit.or(self.rate_limit).unwrap_or(RATE_LIMIT),
            quota.time_window.or(self.time_window).unwrap_or(TIME_WINDOW),
        )
    }
}

pub(super) fn redis(args: &RedisArgs) -> Option<Redis> {
    let host = args.redis_host.clone().filter(|host| !host.is_empty())?;
    Some(Redis {
        host,
        port: args.redis_port,
        password: args.redis_password.clone(),
        fails_open: args.redis_fail_open,
    })
}

/// A key that nobody can guess.
pub(super) fn new_key() -> String {
    key_of(rand::random::<[u8; KEY_BYTES]>())
}

fn plan(
    args: &SetupArgs,
    document: Option<&Document>,
    settings: &Settings,
    present: &Present,
) -> Result<Plan, Failed> {
    let options = Options {
        rotate_keys: args.rotate_keys,
        prune: args.prune,
        adopt: args.adopt,
    };
    sluice_groups::setup(document, settings, present, options, new_key).map_err(|problems| {
        let path = args.groups.clone().unwrap_or_else(|| "the setup".into());
        Failed::Unreachable(names::told(&path, &problems))
    })
}

fn show_plan(plan: &Plan, settings: &Settings, format: Format) -> Result<(), Failed> {
    if format == Format::Json {
        let shown = |step: &Step| {
            let Step { action, object } = step;
            json!({ "action": action.name(), "kind": object.kind, "id": object.id, "value": masked(&object.value) })
        };
        let steps = plan.steps.iter().map(shown).collect();
        say(format_args!("{:#}", Value::Array(steps)));
        return Ok(());
    }
    say(format_args!("LLM server: {}", settings.lemonade_url));
    for step in &plan.steps {
        let (limit, window) = table::quota(&step.object.value);
        let quota = if limit > 0 {
            format!("  {limit} tokens / {window}s")
        } else {
            String::new()
        };
        say(format_args!(
            "{:<7} {}/{}{quota}",
            step.action.name(),
            step.object.kind,
            step.object.id
        ));
    }
    say(format_args!(
        "{} changes; nothing was done (--dry-run)",
        plan.changes().count()
    ));
    Ok(())
}

/// Without what nobody should read off a screen: keys that are not in force yet mean nothing.
fn masked(value: &Value) -> Value {
    let mut shown = value.clone();
    for place in [
        "/plugins/key-auth/key",
        "/plugins/ai-rate-limiting/redis_password",
        "/plugins/ai-proxy-multi/instances/0/auth/header/Authorization",
    ] {
        if let Some(secret) = shown.pointer_mut(place) {
            *secret = json!("***");
        }
    }
    shown
}

fn summarize(plan: &Plan, probed: &probe::Probed, seen: Option<&verify::Seen>) {
    let count = |action| plan.steps.iter().filter(|step| step.action == action).count();
    say(format_args!(
        "\n{} created, {} changed, {} as they were, {} deleted",
        count(Action::Create),
        count(Action::Update),
        count(Action::Keep),
        count(Action::Delete)
    ));
    if probed.reachable() {
        let kind = probed.kind.unwrap_or("LLM server");
        let version = probed
            .version
            .as_deref()
            .map(|version| format!(" {version}"))
            .unwrap_or_default();
        say(format_args!(
            "{kind}{version} at {}: {} models, {} loaded",
            probed.url,
            probed.models.len(),
            probed.loaded.len()
        ));
    }
    for line in seen.iter().flat_map(|seen| &seen.lines) {
        say(line);
    }
}

/// A coding agent sends ten thousand tokens at once: with less per window it gets one answer and then waits.
fn warn_of_small_quotas(rows: &[table::Row]) {
    const TYPICAL: u64 = 10_000;
    if let Some(row) = rows
        .iter()
        .min_by_key(|row| row.limit)
        .filter(|row| row.limit < TYPICAL)
    {
        complain(format_args!(
            "note: {} tokens per {}s are less than one request of a coding agent (some {TYPICAL} tokens): it would get about one answer per window",
            row.limit, row.window
        ));
    }
}
