//! APISIX's own `conf/config.yaml`.

mod rest;
mod units;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Map, Value, json};

use self::rest::{Rest, scalar, texts};
use self::units::{bytes, level_of, seconds};
use super::check::KEYRING_LENGTHS;
use super::load::{ConfigError, deserialized, overlay_environment, read};
use super::{AdminKeyConfig, Config, Secret};

/// Settings taken over without a word although they do nothing here: they describe nginx or the cluster around it.
const WITHOUT_EFFECT: [&str; 3] = [
    "apisix.enable_dev_mode",
    "apisix.enable_ipv6",
    "nginx_config.error_log",
];

/// What is read of `plugin_attr`; the rest of it has no counterpart.
const PLUGIN_ATTRIBUTES: [&str; 12] = [
    "prometheus.metric_prefix",
    "prometheus.default_buckets",
    "prometheus.llm_latency_buckets",
    "prometheus.llm_prompt_tokens_buckets",
    "prometheus.llm_completion_tokens_buckets",
    "prometheus.metrics",
    "redirect.https_port",
    "opentelemetry.trace_id_source",
    "opentelemetry.resource",
    "opentelemetry.collector",
    "opentelemetry.batch_span_processor",
    "opentelemetry.set_ngx_var",
];

/// Reads APISIX's configuration, and `SLUICE_…` variables of `environment` over it. The second value says what of the
/// file has no counterpart here.
///
/// # Errors
/// When the file cannot be read, is not YAML, or a value is wrong; and as [`load`](super::load) for the environment.
pub fn from_apisix(
    path: &Path,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Vec<String>), ConfigError> {
    let mut rest = Rest::new(read(path)?);
    let mut config = Config::default();
    let origin = path.display().to_string();
    let invalid = |message: String| ConfigError::Invalid {
        origin: origin.clone(),
        message,
    };
    config.builtin_routes.enabled = false;
    take_listeners(&mut rest, &mut config).map_err(invalid)?;
    take_admin(&mut rest, &mut config).map_err(invalid)?;
    take_behaviour(&mut rest, &mut config).map_err(invalid)?;
    take_nginx(&mut rest, &mut config).map_err(invalid)?;
    // A setting of ours: the file is as local as our own.
    if let Some(commands) = rest.take("commands") {
        config.commands =
            serde_json::from_value(commands).map_err(|error| invalid(format!("`commands`: {error}")))?;
    }
    for ignored in WITHOUT_EFFECT {
        rest.take(ignored);
    }
    let left = rest.leaves();
    let ignored = left
        .iter()
        .map(|key| format!("`{key}` has no counterpart and is ignored"));
    let warnings = rest.warnings.iter().cloned().chain(ignored).collect();
    let mut value = serde_json::to_value(config).map_err(|error| invalid(error.to_string()))?;
    overlay_environment(&mut value, environment)?;
    Ok((deserialized(value).map_err(invalid)?, warnings))
}

fn take_listeners(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    let listeners = match rest.take("apisix.node_listen") {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    };
    let mut addrs = listeners
        .iter()
        .map(|item| listen_addr(item, "apisix.node_listen"));
    if let Some(first) = addrs.next() {
        config.proxy.listen = first?;
    }
    config.proxy.also_listen = addrs.collect::<Result<_, _>>()?;
    take_tls_listeners(rest, config)?;
    rest.bool("apisix.enable_control", &mut config.control.enabled)?;
    if let Some(control) = rest.take("apisix.control") {
        config.control.listen = listen_addr(&control, "apisix.control")?;
    }
    take_status_listener(rest, config)?;
    take_metrics_listener(rest, config)
}

/// APISIX has a status listener only where `apisix.status` stands (compat §0).
fn take_status_listener(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    const PATH: &str = "apisix.status";
    let Some(given) = rest.take(PATH) else {
        return Ok(());
    };
    let part = |name: &str, default: Value| given.get(name).cloned().unwrap_or(default);
    let addr = match &given {
        Value::Object(_) => {
            json!({ "ip": part("ip", json!("127.0.0.1")), "port": part("port", json!(7085)) })
        }
        other => json!({ "ip": "127.0.0.1", "port": other }),
    };
    config.status.listen = Some(listen_addr(&addr, PATH)?);
    Ok(())
}

/// APISIX shows its metrics on a port of their own unless told otherwise (compat §0, §7).
fn take_metrics_listener(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    const PATH: &str = "plugin_attr.prometheus.export_addr";
    let mut enabled = true;
    rest.bool("plugin_attr.prometheus.enable_export_server", &mut enabled)?;
    let addr = rest.take(PATH).unwrap_or_else(|| Value::from(9091));
    let addr = match addr {
        Value::Number(_) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listen_addr(&addr, PATH)?.port()),
        addr => listen_addr(&addr, PATH)?,
    };
    config.metrics.listen = enabled.then_some(addr);
    if let Some(path) = rest.text("plugin_attr.prometheus.export_uri")? {
        config.metrics.path = path;
    }
    Ok(())
}

/// APISIX speaks TLS on 9443 unless told otherwise (compat §0).
fn take_tls_listeners(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    const PATH: &str = "apisix.ssl.listen";
    let mut enabled = true;
    rest.bool("apisix.ssl.enable", &mut enabled)?;
    let listeners = match rest.take(PATH) {
        None => vec![Value::from(9443)],
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    };
    config.proxy.tls_fallback_sni = rest.text("apisix.ssl.fallback_sni")?;
    if enabled {
        let addrs = listeners.iter().map(|item| listen_addr(item, PATH));
        let mut addrs = addrs.collect::<Result<Vec<_>, _>>()?.into_iter();
        config.proxy.tls_listen = addrs.next();
        config.proxy.tls_also_listen = addrs.collect();
    }
    Ok(())
}

/// A port, or `{ip, port}`.
fn listen_addr(item: &Value, path: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("`{path}`: expected a port or {{ip, port}}, got {item}");
    let (ip, port) = match item {
        Value::Object(members) => (members.get("ip").and_then(Value::as_str), members.get("port")),
        other => (None, Some(other)),
    };
    let ip: IpAddr = match ip {
        Some(text) => text.parse().map_err(|_| wrong())?,
        None => Ipv4Addr::UNSPECIFIED.into(),
    };
    let port = port
        .and_then(Value::as_u64)
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(wrong)?;
    Ok(SocketAddr::new(ip, port))
}

fn take_admin(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    config.admin.listen = SocketAddr::from(([0, 0, 0, 0], 9180));
    if let Some(listen) = rest.take("deployment.admin.admin_listen") {
        config.admin.listen = listen_addr(&listen, "deployment.admin.admin_listen")?;
    }
    rest.bool(
        "deployment.admin.admin_key_required",
        &mut config.admin.key_required,
    )?;
    rest.bool("deployment.admin.enable_admin_cors", &mut config.admin.cors)?;
    if let Some(allow) = rest.take("deployment.admin.allow_admin") {
        config.admin.allow = texts(&allow, "deployment.admin.allow_admin")?;
    }
    take_admin_keys(rest, config)?;
    if let Some(version) = rest.text("deployment.admin.admin_api_version")? {
        // APISIX takes every other text for the legacy version.
        let known = if version == "v3" { "v3" } else { "v2" };
        known.clone_into(&mut config.admin.api_version);
    }
    take_standalone(rest, config);
    let mtls = "deployment.admin.admin_api_mtls";
    let mut https = false;
    rest.bool("deployment.admin.https_admin", &mut https)?;
    let cert = rest
        .text(&format!("{mtls}.admin_ssl_cert"))?
        .filter(|path| !path.is_empty());
    let key = rest
        .text(&format!("{mtls}.admin_ssl_cert_key"))?
        .filter(|path| !path.is_empty());
    if https {
        config.admin.tls_cert = cert.map(Into::into);
        config.admin.tls_key = key.map(Into::into);
        if config.admin.tls_cert.is_none() || config.admin.tls_key.is_none() {
            return Err(format!(
                "`deployment.admin.https_admin` needs `{mtls}.admin_ssl_cert` and `…_key`"
            ));
        }
    }
    Ok(())
}

/// A traditional node without etcd but with an Admin API is told its whole configuration at once (compat §1.8).
fn take_standalone(rest: &mut Rest, config: &mut Config) {
    let text = |pointer: &str| rest.value.pointer(pointer).and_then(Value::as_str);
    let traditional = text("/deployment/role").is_none_or(|role| role == "traditional");
    let by_api = text("/deployment/role_traditional/config_provider") == Some("yaml");
    let has_admin = rest.value.pointer("/apisix/enable_admin") != Some(&Value::Bool(false));
    if traditional && by_api && has_admin {
        config.admin.standalone = true;
        for taken in [
            "deployment.role",
            "deployment.role_traditional.config_provider",
            "apisix.enable_admin",
        ] {
            rest.take(taken);
        }
    }
}

fn take_admin_keys(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    const PATH: &str = "deployment.admin.admin_key";
    let keys = match rest.take(PATH) {
        None => return Ok(()),
        Some(Value::Array(keys)) => keys,
        Some(_) => return Err(format!("`{PATH}`: expected a list of {{name, key, role}}")),
    };
    for key in keys {
        let member = |name: &str| key.get(name).and_then(scalar);
        let name = member("name").unwrap_or_default();
        let role = member("role").ok_or_else(|| format!("`{PATH}`: the entry `{name}` has no role"))?;
        // An empty key asks for a generated one: the first run makes it.
        if let Some(key) = member("key").filter(|key| !key.is_empty()) {
            let key = key.into();
            config.admin.keys.push(AdminKeyConfig { name, key, role });
        }
    }
    Ok(())
}

fn take_keyring(rest: &mut Rest) -> Result<Option<Vec<Secret>>, String> {
    const PATH: &str = "apisix.data_encryption.keyring";
    let entries = match rest.take(PATH) {
        None => return Ok(None),
        Some(Value::Array(entries)) => entries,
        Some(one) => vec![one],
    };
    let entries: Option<Vec<String>> = entries.iter().map(scalar).collect();
    let mut entries = entries.ok_or_else(|| format!("`{PATH}`: expected a list of texts"))?;
    let given = entries.len();
    entries.retain(|entry| KEYRING_LENGTHS.contains(&entry.len()));
    if entries.len() < given {
        let warning = format!("`{PATH}`: entries that have neither 16 nor 32 bytes are ignored");
        rest.warnings.push(warning);
    }
    Ok(Some(entries.into_iter().map(Secret::from).collect()))
}

/// Keeps what is read of `plugin_attr`, and leaves the rest to be named.
fn take_plugin_attributes(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    if let Some(other) = rest.value.get("plugin_attr").filter(|given| !given.is_object()) {
        return Err(format!("`plugin_attr`: expected a mapping, got {other}"));
    }
    for path in PLUGIN_ATTRIBUTES {
        if let Some(value) = rest.take(&format!("plugin_attr.{path}")) {
            let (plugin, name) = path.split_once('.').unwrap_or((path, ""));
            let attributes = config
                .plugin_attr
                .entry(plugin)
                .or_insert_with(|| Map::new().into());
            attributes[name] = value;
        }
    }
    Ok(())
}

fn take_behaviour(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    let apisix = &mut config.apisix;
    if let Some(router) = rest.text("apisix.router.http")? {
        apisix.router = router;
    }
    rest.bool("apisix.delete_uri_tail_slash", &mut apisix.delete_uri_tail_slash)?;
    rest.bool("apisix.enable_server_tokens", &mut apisix.enable_server_tokens)?;
    let shown = &mut apisix.show_upstream_status_in_response_header;
    rest.bool("apisix.show_upstream_status_in_response_header", shown)?;
    let off = &mut apisix.disable_upstream_healthcheck;
    rest.bool("apisix.disable_upstream_healthcheck", off)?;
    if let Some(servers) = rest.take("apisix.dns_resolver") {
        apisix.dns_resolver = texts(&servers, "apisix.dns_resolver")?;
    }
    const VALID: &str = "apisix.dns_resolver_valid";
    if let Some(seconds) = rest.text(VALID)? {
        let parsed = seconds.parse();
        apisix.dns_resolver_valid =
            Some(parsed.map_err(|_| format!("`{VALID}`: `{seconds}` is not a number of seconds"))?);
    }
    let mut encrypts = true;
    rest.bool("apisix.data_encryption.enable_encrypt_fields", &mut encrypts)?;
    if let Some(keyring) = take_keyring(rest)? {
        apisix.keyring = keyring;
    }
    if !encrypts {
        apisix.keyring.clear();
    }
    if let Some(plugins) = rest.take("plugins") {
        config.plugins = Some(texts(&plugins, "plugins")?);
    }
    take_plugin_attributes(rest, config)
}

fn take_nginx(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    let mut logs = true;
    rest.bool("nginx_config.http.enable_access_log", &mut logs)?;
    if let Some(target) = rest.text("nginx_config.http.access_log")? {
        config.access_log.target = match target.as_str() {
            "/dev/stdout" => "stdout".to_owned(),
            _ => target,
        };
    }
    if !logs {
        config.access_log.target = "off".to_owned();
    }
    config.access_log.format = rest.text("nginx_config.http.access_log_format")?;
    if let Some(escape) = rest.text("nginx_config.http.access_log_format_escape")? {
        config.access_log.escape = escape;
    }
    if let Some(level) = rest.text("nginx_config.error_log_level")? {
        config.log.level = level_of(&level).to_owned();
    }
    if let Some(size) = rest.text("nginx_config.http.client_max_body_size")? {
        config.proxy.max_body_bytes = bytes(&size)?;
    } else {
        config.proxy.max_body_bytes = 0;
    }
    for (path, target) in [
        (
            "nginx_config.http.client_header_timeout",
            &mut config.proxy.head_timeout,
        ),
        (
            "nginx_config.http.client_body_timeout",
            &mut config.proxy.body_timeout,
        ),
        ("nginx_config.worker_shutdown_timeout", &mut config.proxy.drain),
    ] {
        if let Some(text) = rest.text(path)? {
            *target = seconds(&text).ok_or_else(|| format!("`{path}`: `{text}` is not a time"))?;
        }
    }
    if let Some(workers) = rest
        .text("nginx_config.worker_processes")?
        .filter(|workers| workers != "auto")
    {
        config.proxy.workers = workers
            .parse()
            .map_err(|_| format!("`nginx_config.worker_processes`: `{workers}` is not a number"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Config, Vec<String>), ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, text).unwrap();
        from_apisix(&file, std::iter::empty())
    }

    #[test]
    fn a_usual_file_is_taken_over() {
        let (config, warnings) = parse(
            "apisix:\n  node_listen: [9080, {ip: 127.0.0.1, port: 9081}]\n  control: {ip: 127.0.0.1, port: 9092}\n\
             deployment:\n  admin:\n    admin_key: [{name: a, key: secret, role: admin}]\n\
             \x20   allow_admin: [0.0.0.0/0]\n\
             nginx_config:\n  http: {client_max_body_size: 10m, access_log_format: '$remote_addr'}\n\
             plugins: [key-auth]\n",
        )
        .unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(config.proxy.listen.port(), 9080);
        assert_eq!(config.proxy.also_listen, ["127.0.0.1:9081".parse().unwrap()]);
        assert_eq!(config.control.listen.port(), 9092);
        assert_eq!(config.admin.keys[0].key.expose(), "secret");
        assert_eq!(config.proxy.max_body_bytes, 10 << 20);
        assert_eq!(config.plugins, Some(vec!["key-auth".to_owned()]));
        assert!(!config.builtin_routes.enabled);
    }

    #[test]
    fn the_admin_api_may_be_legacy_or_standalone() {
        let text = "deployment:\n  role: traditional\n  role_traditional: {config_provider: yaml}\n\
                    \x20 admin: {admin_api_version: default}\n";
        let (config, warnings) = parse(text).unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        assert!(config.admin.standalone);
        assert_eq!(config.admin.api_version, "v2");
        let (config, _) = parse(&format!("{text}apisix: {{enable_admin: false}}\n")).unwrap();
        assert!(!config.admin.standalone);
        let (config, _) = parse("deployment: {admin: {admin_api_version: v3}}\n").unwrap();
        assert_eq!(
            (config.admin.api_version.as_str(), config.admin.standalone),
            ("v3", false)
        );
    }

    #[test]
    fn what_has_no_counterpart_is_named() {
        let (_, warnings) = parse("deployment: {etcd: {host: ['http://127.0.0.1:2379']}}\n").unwrap();
        assert_eq!(
            warnings,
            ["`deployment.etcd.host` has no counterpart and is ignored"]
        );
    }

    #[test]
    fn settings_of_upstreams_are_taken_over() {
        let (config, warnings) =
            parse("apisix: {dns_resolver_valid: 30, disable_upstream_healthcheck: true}\n").unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(config.apisix.dns_resolver_valid, Some(30));
        assert!(config.apisix.disable_upstream_healthcheck);
        let error = parse("apisix: {dns_resolver_valid: soon}\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`apisix.dns_resolver_valid`: `soon`"), "{error}");
    }

    #[test]
    fn wrong_types_are_errors() {
        let error = parse("apisix: {node_listen: yes please}\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`apisix.node_listen`"), "{error}");
    }
}
