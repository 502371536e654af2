//! Boot and shutdown: every part is made here, and handed what it needs.

use std::fs::{File, TryLockError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sluice_admin::StatusServer;
use sluice_cache::{Answers, Backlog, Kept};
use sluice_core::{
    CallerBudgets, CompilerOptions, Impersonation, Registry, RouterKind, Services, SnapshotCell, Uids,
};
use sluice_limit::{LocalCounters, Queues};
use sluice_llm::{PriceTable, TokenCounter};
use sluice_net::{Origins, Pool, Resolver, TlsClients};
use sluice_observe::{Batches, FileSinks};
use sluice_process::{ProcessOptions, Processes};
use sluice_proxy::{Behaviour, Beside, ListenerOptions, ListenerTls, Proxy, ProxyOptions, RunningProxy};
use sluice_redis::Redis;
use sluice_resource::Schemas;
use sluice_secret::{Environment, HttpManagers, Secrets};
use sluice_store::{Database, KeySource, Store, Vault};
use sluice_upstream::{Affinities, BalancerStates, Breakers, Checkers, TargetStates};

use crate::admin::{AdminSide, Parts, Sockets};
use crate::config::Config;
use crate::first_run::{self, Credentials};
use crate::limits::Saving;
use crate::measuring::Measuring;
use crate::plugins::Plugins;
use crate::readiness::Readiness;
use crate::sync::{Compiling, Sync};
use crate::{builtin, demo, tls};

/// Live counters of each kind that are kept at most.
const COUNTERS: usize = 1 << 20;

/// Bytes of answers that `ai-cache` keeps in process, unless configured.
const LOCAL_ANSWERS: usize = 64 << 20;

/// Bytes of answers that may wait to be written to a cache.
const ANSWER_BACKLOG: usize = 64 << 20;
/// Most bytes of conversations that can be continued by an id.
const CONVERSATIONS: usize = 64 << 20;
/// Most bytes of signed thoughts behind calls of tools.
const SIGNATURES: usize = 16 << 20;

/// Answers of which is known which target made them; providers keep theirs for 30 days.
const AFFINITIES: usize = 200_000;
const AFFINITIES_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long loggers may send what they hold when the gateway stops.
const LOGGERS: Duration = Duration::from_secs(10);

/// What a gateway is made of.
pub struct GatewayOptions {
    /// Its configuration.
    pub config: Config,
    /// Its plugins.
    pub plugins: Plugins,
    /// Whether it gets a demo client.
    pub demo: bool,
}

/// A gateway that serves.
pub struct Gateway {
    config: Config,
    database: Database,
    store: Store,
    proxy: RunningProxy,
    admin: AdminSide,
    readiness: Readiness,
    status: Option<StatusServer>,
    measuring: Measuring,
    services: Arc<Services>,
    addresses: Addresses,
    credentials: Option<Credentials>,
    demo_key: Option<String>,
    limits: Saving,
    /// Keeps a second gateway from the same folder.
    _lock: File,
}

/// Where a gateway listens.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) proxy: Vec<(SocketAddr, &'static str)>,
    pub(crate) admin: (SocketAddr, &'static str),
    pub(crate) control: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) status: Option<SocketAddr>,
}

/// The address as this machine reaches it.
pub(crate) fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port())),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => SocketAddr::from((Ipv6Addr::LOCALHOST, addr.port())),
        _ => addr,
    }
}

impl Addresses {
    fn of(config: &Config, proxy: &Proxy, admin: &Sockets) -> anyhow::Result<Self> {
        let proxies: Vec<_> = proxy.addrs().iter().copied().zip(proxy_schemes(config)).collect();
        let first = *proxies.first().context("the proxy has no address")?;
        Ok(Self {
            proxy: proxies,
            admin: admin.admin_addr()?.unwrap_or(first),
            control: admin.control_addr()?,
            metrics: admin.metrics_addr()?,
            status: admin.status_addr()?,
        })
    }
}

impl Gateway {
    /// Opens the data folder, binds every address and serves.
    ///
    /// # Errors
    /// One that says what is wrong and what to do: a taken port, an unreadable folder, a damaged database, a wrong
    /// secret key, a bad certificate.
    pub async fn start(options: GatewayOptions) -> anyhow::Result<Self> {
        let GatewayOptions {
            config,
            plugins,
            demo: wants_demo,
        } = options;
        config.check().map_err(anyhow::Error::msg)?;
        let config = config.with_one_address();
        let lock = open_folder(&config.data_dir)?;
        // Addresses first: a taken port must not leave a half-made data folder looking used.
        let proxy = bind_proxy(&config)?;
        let mut admin_sockets = crate::admin::bind(&config)?;
        let addresses = Addresses::of(&config, &proxy, &admin_sockets)?;
        let readiness = Readiness::default();
        let status = admin_sockets.serve_status(&config, &readiness)?;
        let database = open_database(&config.data_dir).await?;
        let key_file = config.data_dir.join("secret.key");
        let vault = Vault::unlock(&database, KeySource::File(key_file)).await?;
        let registry = registry(plugins, &config)?;
        let secrets = sluice_admin::SecretPaths::new(registry.catalogue().clone());
        let store = Store::open(&database, vault, secrets).await?;
        let demo_key = if wants_demo {
            Some(demo::prepare(&store).await?)
        } else {
            None
        };
        let hostname = hostname();
        let measuring = Measuring::start(&config, &hostname).await?;
        let services = Arc::new(services(&config, &measuring, &hostname)?);
        let limits = Saving::start(&config.data_dir, services.clone());
        let schemas = Arc::new(Schemas::compile()?);
        let compiling = Compiling {
            registry: registry.clone(),
            services: services.clone(),
            schemas: schemas.clone(),
            options: compiler_options(&config),
            builtin: builtin::routes(&config.builtin_routes).map_err(|error| anyhow::anyhow!(error))?,
        };
        let (sync, snapshots) = Sync::start(store.clone(), compiling).await?;
        tokio::spawn(sync.run(snapshots.clone()));
        measuring.collect_from(&services, &snapshots);
        if wants_demo {
            demo::warm_up(&services);
        }
        // Late, since what it makes is shown only by a start that succeeds.
        let credentials = first_run::prepare(&database, &config.admin, &config.data_dir).await?;
        let parts = Parts {
            config: &config,
            registry: &registry,
            schemas,
            database: &database,
            store: &store,
            snapshots: &snapshots,
            measuring: &measuring,
            services: &services,
            compiler_options: compiler_options(&config),
            readiness: &readiness,
            demo: wants_demo,
            dialer: proxy.dialer(),
            addresses: &addresses,
        };
        let admin = AdminSide::start(admin_sockets, &parts)?;
        let running = start_proxy(proxy, &services, &snapshots, admin.beside())?;
        Ok(Self {
            config,
            database,
            store,
            proxy: running,
            admin,
            readiness,
            status,
            measuring,
            services,
            addresses,
            credentials,
            demo_key,
            limits,
            _lock: lock,
        })
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What the first run made, if this is the first run.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Key of the demo client, if there is one.
    pub(crate) fn demo_key(&self) -> Option<&str> {
        self.demo_key.as_deref()
    }

    /// Opens log files anew, for rotation.
    pub(crate) fn reopen_logs(&self) {
        self.measuring.reopen_logs();
    }

    /// Stops accepting, lets running requests finish, writes everything that is held.
    pub async fn shutdown(self) {
        self.readiness.stopping();
        let drain = Duration::from_secs(self.config.proxy.drain);
        // The answers of processes have no end of their own: to wait for one would take the whole drain.
        let (drained, ()) = tokio::join!(self.proxy.shutdown(drain), self.services.processes.stop());
        if !drained {
            tracing::warn!(
                seconds = self.config.proxy.drain,
                "requests were still running at the end of the drain"
            );
        }
        self.admin.stop().await;
        self.limits.stop().await;
        self.measuring.close().await;
        let services = self.services;
        let lost = services.batches.stop(LOGGERS).await;
        if lost > 0 {
            tracing::error!(lost, "log entries could not be sent in time");
        }
        // Files of loggers are written by a thread of their own.
        let _ = tokio::task::spawn_blocking(move || services.files.flush(Duration::from_secs(5))).await;
        self.store.close().await;
        self.database.close().await;
        if let Some(status) = self.status {
            status.shutdown(Duration::ZERO).await;
        }
    }
}

/// The plugins that exist: those of the binary, less those that the configuration leaves out.
pub(crate) fn registry(plugins: Plugins, config: &Config) -> anyhow::Result<Arc<Registry>> {
    let registry = Registry::new(plugins.into_definitions()?, config.plugins.as_deref());
    let registry = registry.with_models(sluice_plugins::models());
    for plugin in registry.catalogue().unknown_names() {
        tracing::warn!(plugin, "`plugins` names a plugin that does not exist here");
    }
    Ok(Arc::new(registry))
}

/// Makes the folder if need be, and takes its lock.
pub(crate) fn open_folder(path: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::DirBuilderExt;
    let shown = path.display();
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.with_context(|| format!("cannot make the data folder {shown}"))?;
    let lock = File::create(path.join("lock"))
        .with_context(|| format!("cannot write to the data folder {shown}"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!("another sluice is running on the data folder {shown}"),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock the data folder {shown}"))
        }
    }
}

/// Opens the configuration database of a data folder.
pub(crate) async fn open_database(folder: &Path) -> anyhow::Result<Database> {
    let path: PathBuf = folder.join("sluice.db");
    Database::open(&path)
        .await
        .with_context(|| format!("cannot open the configuration {}", path.display()))
}

fn bind_proxy(config: &Config) -> anyhow::Result<Proxy> {
    let proxy = &config.proxy;
    let files = tls::server(proxy.tls_cert.as_deref(), proxy.tls_key.as_deref())?;
    let with_tls = tls::listener(files.clone(), proxy.tls_fallback_sni.as_deref())?;
    let listener = |addr: SocketAddr, tls: Option<ListenerTls>| ListenerOptions { addr, tls };
    // A certificate without an address of its own makes the only address speak TLS.
    let first = (files.is_some() && proxy.tls_listen.is_none()).then(|| with_tls.clone());
    let mut listeners = vec![listener(proxy.listen, first)];
    listeners.extend(proxy.also_listen.iter().map(|addr| listener(*addr, None)));
    let over_tls = proxy.tls_listen.iter().chain(&proxy.tls_also_listen);
    listeners.extend(over_tls.map(|addr| listener(*addr, Some(with_tls.clone()))));
    let workers = match proxy.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let server_apisix = if config.apisix.enable_server_tokens {
        "APISIX/3.18.0"
    } else {
        "APISIX"
    };
    let options = ProxyOptions {
        listeners,
        workers,
        max_headers: proxy.max_headers,
        head_timeout: Duration::from_secs(proxy.head_timeout),
        behaviour: Behaviour {
            max_head_bytes: proxy.max_head_bytes,
            delete_uri_tail_slash: config.apisix.delete_uri_tail_slash,
            always_show_upstream_status: config.apisix.show_upstream_status_in_response_header,
            body_timeout: Duration::from_secs(proxy.body_timeout),
            max_body_bytes: (proxy.max_body_bytes > 0).then_some(proxy.max_body_bytes),
            server_apisix: http::HeaderValue::from_static(server_apisix),
            ..Behaviour::default()
        },
    };
    Ok(Proxy::bind(options)?)
}

fn proxy_schemes(config: &Config) -> impl Iterator<Item = &'static str> + use<> {
    let first = if config.proxy.tls_cert.is_some() && config.proxy.tls_listen.is_none() {
        "https"
    } else {
        "http"
    };
    let others = config.proxy.also_listen.len();
    std::iter::once(first)
        .chain(std::iter::repeat_n("http", others))
        .chain(std::iter::repeat("https"))
}

pub(crate) fn services(config: &Config, measuring: &Measuring, hostname: &str) -> anyhow::Result<Services> {
    let epoch = Instant::now();
    let background = tokio::runtime::Handle::current();
    let resolver = resolver(config, &background)?;
    let background_pool = Pool::new(resolver.clone());
    let origins = Origins::new(TlsClients::new());
    let checkers = Checkers::new(background.clone(), resolver.clone(), origins.clone());
    let managers = HttpManagers::new(background_pool.clone(), origins.clone());
    Ok(Services {
        uids: Uids::default(),
        counters: Arc::new(LocalCounters::new(COUNTERS, epoch)),
        redis: Redis::new(tokio::runtime::Handle::current()),
        answers: Answers::new(local_answers(config)?),
        conversations: Kept::new(CONVERSATIONS),
        signatures: Kept::new(SIGNATURES),
        answer_backlog: Backlog::new(ANSWER_BACKLOG),
        balancers: BalancerStates::default(),
        limits: CallerBudgets::default(),
        queues: Queues::default(),
        impersonation: Impersonation::default(),
        targets: TargetStates::default(),
        affinities: Affinities::new(AFFINITIES, AFFINITIES_KEPT),
        breakers: Breakers::default(),
        checkers: if config.apisix.disable_upstream_healthcheck {
            checkers.disabled()
        } else {
            checkers
        },
        records: measuring.queue.clone(),
        metrics: measuring.metrics.clone(),
        files: FileSinks::start().context("cannot start a thread")?,
        processes: processes(config, &background),
        secrets: Secrets::new(Environment::process(), managers, background.clone()),
        background,
        batches: Batches::default(),
        tokens: TokenCounter::default(),
        prices: PriceTable::shipped()?,
        origins,
        background_pool,
        resolver,
        plugin_attr: config.plugin_attr.clone(),
        asked_variables: measuring.asked_variables.clone(),
        https_ports: https_ports(config),
        hostname: hostname.into(),
    })
}

/// `plugin_attr.ai-cache.local_max_bytes`.
fn local_answers(config: &Config) -> anyhow::Result<usize> {
    const NAME: &str = "local_max_bytes";
    let attributes = config.plugin_attr.get("ai-cache");
    let Some(given) = attributes.and_then(|attributes| attributes.get(NAME)) else {
        return Ok(LOCAL_ANSWERS);
    };
    let bytes = given.as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    bytes.with_context(|| format!("plugin_attr.ai-cache.{NAME}: expected a number of bytes, got {given}"))
}

fn processes(config: &Config, background: &tokio::runtime::Handle) -> Processes {
    let commands = &config.commands;
    let options = ProcessOptions {
        allowed: commands.allowed.clone(),
        environment: commands.environment.clone(),
        max: commands.max_processes,
    };
    Processes::new(options, background.clone())
}

/// `plugin_attr.redirect.https_port`, else where the proxy listens with TLS (compat §6.8.2).
fn https_ports(config: &Config) -> Box<[u16]> {
    let attribute = config
        .plugin_attr
        .get("redirect")
        .and_then(|redirect| redirect.get("https_port"));
    if let Some(port) = attribute {
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
        return port.into_iter().collect();
    }
    let proxy = &config.proxy;
    let first = (proxy.tls_cert.is_some() && proxy.tls_listen.is_none()).then_some(proxy.listen);
    let listeners = first
        .iter()
        .chain(&proxy.tls_listen)
        .chain(&proxy.tls_also_listen);
    listeners.map(SocketAddr::port).collect()
}

fn resolver(config: &Config, background: &tokio::runtime::Handle) -> anyhow::Result<Resolver> {
    let given = &config.apisix.dns_resolver;
    let servers: Vec<SocketAddr> = given
        .iter()
        .map(|server| name_server(server))
        .collect::<anyhow::Result<_>>()?;
    let resolver = match servers.is_empty() {
        true => Resolver::system(background.clone())?,
        false => Resolver::of_servers(&servers, background.clone())?,
    };
    Ok(match config.apisix.dns_resolver_valid {
        Some(seconds) => resolver.with_ttl(Duration::from_secs(seconds)),
        None => resolver,
    })
}

/// An entry of `apisix.dns_resolver`: `ip` or `ip:port`.
fn name_server(text: &str) -> anyhow::Result<SocketAddr> {
    let with_port = text.parse();
    let bare = || text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
    with_port
        .or_else(|_| bare())
        .with_context(|| format!("apisix.dns_resolver: `{text}` is neither an address nor one with a port"))
}

fn start_proxy(
    proxy: Proxy,
    services: &Arc<Services>,
    snapshots: &Arc<SnapshotCell>,
    beside: Option<&Arc<dyn Beside>>,
) -> anyhow::Result<RunningProxy> {
    let resolver = services.resolver.clone();
    let pool = || Pool::new(resolver.clone());
    Ok(proxy.start(services.clone(), snapshots.clone(), pool, beside)?)
}

fn compiler_options(config: &Config) -> CompilerOptions {
    let router = match config.apisix.router.as_str() {
        "radixtree_uri" => RouterKind::Uri,
        "radixtree_uri_with_parameter" => RouterKind::UriWithParameter,
        _ => RouterKind::HostUri,
    };
    CompilerOptions {
        prefix: config.apisix.key_prefix.clone(),
        router,
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name.to_owned()
    }
}
