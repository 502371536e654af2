//! `sluice run`: a gateway with its setup, in one go.

use std::process::ExitCode;

use futures_util::FutureExt;
use sluice_groups::EMBEDDING_MODEL;

use super::args::{
    AdminArgs, CleanupArgs, Format, KiloFormat, ProxyArgs, QuotaArgs, RedisArgs, RunArgs, SetupArgs,
};
use super::{Failed, cleanup, ended, names, setup};
use crate::commands::{self, Around, Started};
use crate::plugins::Plugins;

/// Starts the gateway and sets it up once it serves. A file of groups that is of no use stops it before.
pub(crate) fn run(args: RunArgs, plugins: Plugins) -> ExitCode {
    if let Some(path) = args.groups.as_deref().filter(|_| args.gateway)
        && let Err(failed) = names::read(path, args.group.as_deref())
    {
        return ended(Err(failed));
    }
    let around = args.gateway.then(|| around(&args));
    let served = commands::serve(args.serve, plugins, around);
    ended(served.map(|()| ExitCode::SUCCESS).map_err(Failed::Work))
}

/// What happens once the gateway serves, and before it stops.
fn around(args: &RunArgs) -> Around {
    let wanted = setup_args(args);
    let started = move |started: &Started| {
        let mut args = wanted;
        args.admin = admin_args(started);
        args.proxy.proxy_port = started.proxy_port;
        async move { setup::setup(args).await.map_err(Failed::into_error) }.boxed_local()
    };
    let stopping = |started: &Started| {
        let args = CleanupArgs {
            admin: admin_args(started),
            all: false,
            yes: true,
            dry_run: false,
        };
        async move { cleanup::cleanup(args).await.map_err(Failed::into_error) }.boxed_local()
    };
    Around {
        started: Box::new(started),
        stopping: args.ephemeral.then(|| Box::new(stopping) as commands::Work),
    }
}

fn admin_args(started: &Started) -> AdminArgs {
    AdminArgs {
        admin_url: Some(started.admin_url.clone()),
        admin_port: None,
        admin_key: std::env::var("GATEWAY_ADMIN_KEY").ok(),
        data_dir: Some(started.data_dir.clone()),
    }
}

/// The same arguments as `gateway setup` has them. Where the gateway is, is not known yet.
fn setup_args(args: &RunArgs) -> SetupArgs {
    let tools = match args.tools.is_empty() {
        true => vec!["kilo".to_owned()],
        false => args.tools.clone(),
    };
    SetupArgs {
        groups: args.groups.clone(),
        group: args.group.clone(),
        lemonade_url: args.lemonade_url.clone(),
        lemonade_api_key: std::env::var("LEMONADE_API_KEY").ok(),
        lemonade_model: args.lemonade_model.clone(),
        force_model: false,
        admin: AdminArgs::default(),
        proxy: ProxyArgs {
            proxy_port: 0,
            external_ip: args.external_ip.clone(),
        },
        redis: RedisArgs {
            redis_host: args.gateway_redis_host.clone(),
            redis_port: args.gateway_redis_port,
            redis_password: args.gateway_redis_password.clone(),
            redis_fail_open: false,
        },
        quota: QuotaArgs {
            rate_limit: args.gateway_rate_limit,
            time_window: args.gateway_time_window,
        },
        price_input: None,
        price_output: None,
        concurrency_limit: None,
        per_group: args.gateway_per_group,
        mode: std::env::var("GATEWAY_MODE").ok(),
        embedding_model: EMBEDDING_MODEL.to_owned(),
        no_embedding: args.no_embedding,
        generate_kilo: false,
        kilo_format: KiloFormat::Native,
        tools,
        output_dir: args.output_dir.clone(),
        dry_run: false,
        rotate_keys: false,
        prune: false,
        adopt: false,
        no_verify: false,
        format: Format::Text,
    }
}
