//! `sluice serve`.

use std::path::PathBuf;

use anyhow::Context;
use futures_util::future::LocalBoxFuture;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::console::say;
use crate::gateway::{Gateway, GatewayOptions, reachable};
use crate::plugins::Plugins;
use crate::{logging, ready, version};

/// Exit status after a second signal: that of a shell whose command was interrupted.
const STOPPED_AT_ONCE: i32 = 130;

/// Where a gateway is that has started.
pub(crate) struct Started {
    /// Its Admin API.
    pub(crate) admin_url: String,
    /// Port of its first proxy listener.
    pub(crate) proxy_port: u16,
    /// Its data folder.
    pub(crate) data_dir: PathBuf,
}

/// Something to do with a gateway that serves. It is driven by the thread that waits for signals.
pub(crate) type Work = Box<dyn FnOnce(&Started) -> LocalBoxFuture<'static, anyhow::Result<()>>>;

/// What is done around serving.
pub(crate) struct Around {
    /// Once the gateway serves. A failure stops it.
    pub(crate) started: Work,
    /// Before it stops.
    pub(crate) stopping: Option<Work>,
}

/// Serves until told to stop.
pub(crate) fn serve(args: ServeArgs, plugins: Plugins, around: Option<Around>) -> anyhow::Result<()> {
    let (config, warnings) = configuration(&args)?;
    logging::start(&config.log)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // The control side: Admin API, compilation, background work. The data plane has threads of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("sluice-control")
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(run(config, &args, plugins, around))
}

async fn run(
    config: Config,
    args: &ServeArgs,
    plugins: Plugins,
    around: Option<Around>,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let data_dir = config.data_dir.clone();
    let gateway = Gateway::start(GatewayOptions {
        config,
        plugins,
        demo: args.demo,
    })
    .await?;
    greet(&gateway);
    if let Some(path) = &args.ready_file {
        let addresses = gateway.addresses();
        ready::write(
            path,
            &serde_json::json!({
                "proxy": addresses.proxy.first().map(|(addr, _)| addr),
                "proxies": addresses.proxy.iter().map(|(addr, _)| addr).collect::<Vec<_>>(),
                "admin": addresses.admin.0,
                "control": addresses.control,
                "metrics": addresses.metrics,
                "status": addresses.status,
            }),
        )?;
    }
    let served = match around {
        Some(around) => serve_with(&gateway, &mut signals, around, data_dir).await,
        None => {
            signals.wait_for_stop(&gateway).await;
            Ok(())
        }
    };
    tracing::info!("stopping: running requests may finish; a second signal stops at once");
    tokio::select! {
        () = gateway.shutdown() => tracing::info!("stopped"),
        () = signals.stopped() => {
            tracing::warn!("stopped at once");
            // Going back would wait for threads that are busy with what nobody wants any more.
            std::process::exit(STOPPED_AT_ONCE);
        }
    }
    served
}

/// Waits for a signal, with what is done before and after.
async fn serve_with(
    gateway: &Gateway,
    signals: &mut Signals,
    around: Around,
    data_dir: PathBuf,
) -> anyhow::Result<()> {
    let (admin, scheme) = gateway.addresses().admin;
    let proxy = gateway.addresses().proxy.first();
    let started = Started {
        admin_url: format!("{scheme}://{}", reachable(admin)),
        proxy_port: proxy.map(|(addr, _)| addr.port()).unwrap_or_default(),
        data_dir,
    };
    tokio::select! {
        done = (around.started)(&started) => done?,
        () = signals.wait_for_stop(gateway) => return Ok(()),
    }
    signals.wait_for_stop(gateway).await;
    match around.stopping {
        Some(stopping) => stopping(&started).await,
        None => Ok(()),
    }
}

/// The configuration from file, environment and options, with what has to be said about it.
fn configuration(args: &ServeArgs) -> anyhow::Result<(Config, Vec<String>)> {
    let (mut config, warnings) = args.files.read()?;
    if let Some(folder) = &args.data_dir {
        config.data_dir.clone_from(folder);
    }
    if args.listen.is_some() {
        config.listen = args.listen;
    }
    if args.proxy_listen.is_some() || args.admin_listen.is_some() {
        config.listen = None;
    }
    if let Some(addr) = args.proxy_listen {
        config.proxy.listen = addr;
    }
    if let Some(addr) = args.admin_listen {
        config.admin.listen = addr;
    }
    if let Some(addr) = args.control_listen {
        config.control.listen = addr;
    }
    if let Some(level) = &args.log_level {
        config.log.level.clone_from(level);
    }
    config.admin.allow_default_key |= args.allow_default_admin_key;
    Ok((config, warnings))
}

/// Tells the person at the terminal where everything is.
fn greet(gateway: &Gateway) {
    let addresses = gateway.addresses();
    say(version::long());
    for (addr, scheme) in &addresses.proxy {
        say(format_args!("  proxy     {scheme}://{addr}"));
    }
    say(format_args!(
        "  dashboard {}://{}/admin/",
        addresses.admin.1,
        reachable(addresses.admin.0)
    ));
    say(format_args!(
        "  admin     {}://{}/apisix/admin",
        addresses.admin.1, addresses.admin.0
    ));
    let metrics = addresses
        .metrics
        .map(|addr| (addr, "http"))
        .unwrap_or(addresses.admin);
    say(format_args!("  metrics   {}://{}/metrics", metrics.1, metrics.0));
    if let Some(control) = addresses.control {
        say(format_args!("  control   http://{control}"));
    }
    if let Some(credentials) = gateway.credentials() {
        say("\nFirst run. These are shown once:");
        say(format_args!("  admin user      {}", crate::first_run::USER));
        let shown = |made: &Option<String>| made.clone().unwrap_or_else(|| "as given".to_owned());
        say(format_args!("  admin password  {}", shown(&credentials.password)));
        say(format_args!("  admin key       {}", shown(&credentials.key)));
        say("\nOr make yourself the owner in the dashboard; this link works once, for a day:");
        say(format_args!(
            "  {}://{}/admin/setup?token={}",
            addresses.admin.1,
            reachable(addresses.admin.0),
            credentials.setup_token
        ));
    }
    if let Some(key) = gateway.demo_key() {
        let (addr, scheme) = addresses
            .proxy
            .first()
            .copied()
            .unwrap_or((addresses.admin.0, "http"));
        let addr = reachable(addr);
        say("\nDemo client. Paste this:");
        say(format_args!(
            "  curl {scheme}://{addr}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n    \
             -H 'Content-Type: application/json' \\\n    \
             -d '{{\"model\":\"echo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello, Sluice\"}}]}}'"
        ));
    }
}

/// The signals that a gateway listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reopen: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            reopen: listen(SignalKind::user_defined1())?,
        })
    }

    async fn wait_for_stop(&mut self, gateway: &Gateway) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => gateway.reopen_logs(),
                _ = self.reopen.recv() => gateway.reopen_logs(),
            }
        }
    }

    async fn stopped(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
