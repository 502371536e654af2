//! The control side: Admin API, control API, status and metrics on their listeners.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::HeaderValue;
use serde_json::json;
use sluice_admin::{
    AdminOptions, AdminServer, AdminState, ApiVersion, BasicAuth, ConfiguredKey, DryRunHook, Health,
    ProcessInfo, StatusServer,
};
use sluice_core::{CompilerOptions, DryRun, Registry, Services, SnapshotCell};
use sluice_limit::QueueView;
use sluice_proxy::{Beside, Dialer};
use sluice_resource::{Schemas, parse_ip_net};
use sluice_store::{Database, Keyring, Role, Store};
use sluice_upstream::CheckerReport;

use crate::answers::LocalAnswers;
use crate::config::{Config, effective};
use crate::data_path::Loopback;
use crate::gateway::{Addresses, reachable};
use crate::keys::Keys;
use crate::limits::Standings;
use crate::measuring::Measuring;
use crate::one_port::OnePort;
use crate::providers::Calls;
use crate::readiness::Readiness;
use crate::tls;

/// Calls that are running when the gateway stops get this long.
const DRAIN: Duration = Duration::from_secs(5);

/// Bound sockets of the control side.
pub(crate) struct Sockets {
    /// None where the proxy's address is everybody's.
    admin: Option<TcpListener>,
    tls: Option<Arc<rustls::ServerConfig>>,
    control: Option<TcpListener>,
    metrics: Option<TcpListener>,
    status: Option<TcpListener>,
}

/// Binds the addresses of the control side.
pub(crate) fn bind(config: &Config) -> anyhow::Result<Sockets> {
    let listen =
        |addr: SocketAddr| TcpListener::bind(addr).with_context(|| format!("cannot listen on {addr}"));
    let tls = tls::server(config.admin.tls_cert.as_deref(), config.admin.tls_key.as_deref())?;
    Ok(Sockets {
        admin: match config.listen {
            None => Some(listen(config.admin.listen)?),
            Some(_) => None,
        },
        tls,
        control: config
            .control
            .enabled
            .then(|| listen(config.control.listen))
            .transpose()?,
        metrics: config.metrics.listen.map(listen).transpose()?,
        status: config.status.listen.map(listen).transpose()?,
    })
}

impl Sockets {
    /// Address and scheme of the Admin API, if it has an address of its own.
    pub(crate) fn admin_addr(&self) -> anyhow::Result<Option<(SocketAddr, &'static str)>> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let addr = self.admin.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(addr.map(|addr| (addr, scheme)))
    }

    /// Address of the control API.
    pub(crate) fn control_addr(&self) -> anyhow::Result<Option<SocketAddr>> {
        Ok(self.control.as_ref().map(TcpListener::local_addr).transpose()?)
    }

    /// Address of the listener for metrics alone.
    pub(crate) fn metrics_addr(&self) -> anyhow::Result<Option<SocketAddr>> {
        Ok(self.metrics.as_ref().map(TcpListener::local_addr).transpose()?)
    }

    /// Address of the listener for status alone.
    pub(crate) fn status_addr(&self) -> anyhow::Result<Option<SocketAddr>> {
        Ok(self.status.as_ref().map(TcpListener::local_addr).transpose()?)
    }

    /// Answers probes, which do not wait for the rest.
    pub(crate) fn serve_status(
        &mut self,
        config: &Config,
        readiness: &Readiness,
    ) -> anyhow::Result<Option<StatusServer>> {
        let Some(socket) = self.status.take() else {
            return Ok(None);
        };
        let readiness = readiness.clone();
        let served = StatusServer::serve(socket, server_name(config), move || readiness.health().unready);
        served.map(Some).context("cannot serve the status")
    }
}

/// What the control side works with.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) database: &'a Database,
    pub(crate) store: &'a Store,
    pub(crate) snapshots: &'a Arc<SnapshotCell>,
    pub(crate) measuring: &'a Measuring,
    pub(crate) services: &'a Arc<Services>,
    pub(crate) compiler_options: CompilerOptions,
    pub(crate) readiness: &'a Readiness,
    pub(crate) demo: bool,
    pub(crate) dialer: Dialer,
    pub(crate) addresses: &'a Addresses,
}

/// The control side while it serves.
pub(crate) struct AdminSide {
    server: AdminServer,
    beside: Option<Arc<dyn Beside>>,
}

impl AdminSide {
    /// Serves on all sockets.
    pub(crate) fn start(sockets: Sockets, parts: &Parts<'_>) -> anyhow::Result<Self> {
        let readiness = parts.readiness.clone();
        readiness.loaded(health(parts.measuring, parts.services));
        let server = AdminServer::new(AdminState {
            store: parts.store.clone(),
            database: parts.database.clone(),
            schemas: parts.schemas.clone(),
            catalogue: parts.registry.catalogue().clone(),
            keyring: Keyring::new(&parts.config.apisix.keyring),
            data_plane: parts.snapshots.clone(),
            metrics: parts.measuring.metrics.clone(),
            checks: checks(parts.services),
            dry_run: dry_run(parts),
            providers: Arc::new(Calls {
                services: parts.services.clone(),
                snapshots: parts.snapshots.clone(),
            }),
            keys: Arc::new(Keys(parts.snapshots.clone())),
            data_path: Arc::new(Loopback {
                services: parts.services.clone(),
                dialer: parts.dialer.clone(),
                host: host(parts.addresses),
            }),
            limits: Arc::new(Standings {
                services: parts.services.clone(),
                snapshots: parts.snapshots.clone(),
            }),
            ledger: parts.measuring.ledger(),
            live: parts.measuring.live.clone(),
            answers: Arc::new(LocalAnswers(parts.services.clone())),
            health: Box::new(move || readiness.health()),
            options: options(parts)?,
        });
        let beside: Option<Arc<dyn Beside>> = match sockets.admin {
            None => Some(Arc::new(OnePort::new(&server))),
            Some(admin) => {
                server
                    .serve_admin(admin, sockets.tls)
                    .context("cannot serve the Admin API")?;
                None
            }
        };
        if let Some(control) = sockets.control {
            server
                .serve_control(control)
                .context("cannot serve the control API")?;
        }
        if let Some(metrics) = sockets.metrics {
            server.serve_metrics(metrics).context("cannot serve metrics")?;
        }
        Ok(Self { server, beside })
    }

    /// What answers on the proxy's address, where that is the only one.
    pub(crate) fn beside(&self) -> Option<&Arc<dyn Beside>> {
        self.beside.as_ref()
    }

    /// Stops serving.
    pub(crate) async fn stop(self) {
        self.server.shutdown(DRAIN).await;
    }
}

/// `Host` of calls from within.
fn host(addresses: &Addresses) -> String {
    let first = addresses.proxy.first();
    first
        .map(|(addr, _)| reachable(*addr).to_string())
        .unwrap_or_default()
}

fn health(measuring: &Measuring, services: &Arc<Services>) -> Box<dyn Fn() -> Health + Send + Sync> {
    let (measured, services) = (measuring.health(), services.clone());
    Box::new(move || {
        let (degraded, mut details) = measured();
        let shown = |queue: QueueView| {
            json!({
                "id": queue.id, "slots": queue.slots, "running": queue.running, "waiting": queue.waiting,
            })
        };
        let queues: Vec<_> = services.queues.views().into_iter().map(shown).collect();
        if !queues.is_empty() {
            details.insert("queues".to_owned(), queues.into());
        }
        let unready = degraded
            .then(|| "requests cannot be recorded: neither ledger nor spill file takes them".to_owned());
        Health { unready, details }
    })
}

/// What `Server` says.
fn server_name(config: &Config) -> HeaderValue {
    HeaderValue::from_static(match config.apisix.enable_server_tokens {
        true => "APISIX/3.18.0",
        false => "APISIX",
    })
}

/// How checked nodes stand, for the control API.
fn checks(services: &Arc<Services>) -> Box<dyn Fn() -> Vec<CheckerReport> + Send + Sync> {
    let services = services.clone();
    Box::new(move || services.checkers.status())
}

/// Compiles what is to be stored without putting it in force.
fn dry_run(parts: &Parts<'_>) -> DryRunHook {
    let (registry, services) = (parts.registry.clone(), parts.services.clone());
    let run = DryRun::new(registry, services, parts.compiler_options.clone());
    Box::new(move |key, value, metadata| run.check(key, value, metadata))
}

/// What the process runs with.
fn process(parts: &Parts<'_>) -> ProcessInfo {
    let addresses = parts.addresses;
    let url = |(addr, scheme): &(SocketAddr, &str)| format!("{scheme}://{addr}");
    let reachable = addresses
        .proxy
        .first()
        .map(|(addr, scheme)| format!("{scheme}://{}", reachable(*addr)));
    ProcessInfo {
        settings: effective(parts.config, |name| std::env::var_os(name).is_some()),
        listeners: serde_json::json!({
            "proxy": addresses.proxy.iter().map(url).collect::<Vec<_>>(),
            "admin": url(&addresses.admin),
            "metrics": addresses.metrics.map(|addr| format!("http://{addr}")),
        }),
        public_url: reachable.unwrap_or_default(),
        data_dir: Some(parts.config.data_dir.clone()),
    }
}

fn options(parts: &Parts<'_>) -> anyhow::Result<AdminOptions> {
    let config = parts.config;
    let admin = &config.admin;
    let configured = admin.keys.iter().map(|key| {
        let role =
            Role::from_name(&key.role).with_context(|| format!("admin.keys: unknown role `{}`", key.role))?;
        if sluice_admin::is_published_key(key.key.expose()) && !admin.allow_default_key {
            tracing::warn!(
                name = key.name,
                "this admin key is one that APISIX has published: it is refused without --allow-default-admin-key"
            );
        }
        ConfiguredKey::new(&key.name, key.key.expose(), role)
            .with_context(|| format!("admin.keys: the key `{}` is empty", key.name))
    });
    let metrics = &config.metrics;
    let credentials = metrics.username.as_ref().zip(metrics.password.as_ref());
    Ok(AdminOptions {
        allow: admin
            .allow
            .iter()
            .filter_map(|network| parse_ip_net(network))
            .collect(),
        key_required: admin.key_required,
        keys: configured.collect::<anyhow::Result<_>>()?,
        allow_default_key: admin.allow_default_key,
        cors: admin.cors,
        key_prefix: config.apisix.key_prefix.clone(),
        api_version: ApiVersion::from_name(&admin.api_version),
        standalone: admin.standalone,
        commands: config.commands.allowed.clone(),
        server: server_name(config),
        commit: env!("SLUICE_COMMIT").to_owned(),
        demo: parts.demo,
        process: process(parts),
        client_limits: serde_json::to_value(&config.defaults).context("defaults")?,
        secure_cookies: parts.addresses.admin.1 == "https",
        payload_days: config.ledger.payload_retention_days,
        metrics_path: metrics.path.clone(),
        metrics_auth: credentials.map(|(user, password)| BasicAuth::new(user, password.expose())),
        ..AdminOptions::default()
    })
}
