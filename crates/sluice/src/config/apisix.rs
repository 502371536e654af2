//! APISIX's own `conf/config.yaml`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::Value;

use super::load::{ConfigError, read};
use super::{AdminKeyConfig, Config};

/// Settings taken over without a word although they do nothing here: they describe nginx or the cluster around it.
const WITHOUT_EFFECT: [&str; 3] = [
    "apisix.enable_dev_mode",
    "apisix.enable_ipv6",
    "nginx_config.error_log",
];

/// Reads APISIX's configuration. The second value names every key that has no counterpart here.
///
/// # Errors
/// When the file cannot be read, is not YAML, or a value is of the wrong type.
pub fn from_apisix(path: &Path) -> Result<(Config, Vec<String>), ConfigError> {
    let mut rest = Rest { value: read(path)? };
    let mut config = Config::default();
    let invalid = |message: String| ConfigError::Invalid {
        origin: path.display().to_string(),
        message,
    };
    config.builtin_routes.enabled = false;
    take_listeners(&mut rest, &mut config).map_err(invalid)?;
    take_admin(&mut rest, &mut config).map_err(invalid)?;
    take_behaviour(&mut rest, &mut config).map_err(invalid)?;
    take_nginx(&mut rest, &mut config).map_err(invalid)?;
    for ignored in WITHOUT_EFFECT {
        rest.take(ignored);
    }
    let warnings = rest
        .leaves()
        .into_iter()
        .map(|key| format!("`{key}` has no counterpart and is ignored"));
    Ok((config, warnings.collect()))
}

/// What has not been taken over yet.
struct Rest {
    value: Value,
}

impl Rest {
    /// Removes and returns the member at a dotted path.
    fn take(&mut self, path: &str) -> Option<Value> {
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut place = &mut self.value;
        for part in parents.split('.').filter(|part| !part.is_empty()) {
            place = place.get_mut(part)?;
        }
        place.as_object_mut()?.shift_remove(last)
    }

    fn bool(&mut self, path: &str, target: &mut bool) -> Result<(), String> {
        match self.take(path) {
            None => Ok(()),
            Some(Value::Bool(value)) => {
                *target = value;
                Ok(())
            }
            Some(other) => Err(format!("`{path}`: expected true or false, got {other}")),
        }
    }

    fn text(&mut self, path: &str) -> Result<Option<String>, String> {
        match self.take(path) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(format!("`{path}`: expected text, got {other}")),
        }
    }

    /// The dotted paths of everything that is left.
    fn leaves(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.value, "", &mut found);
        found
    }
}

fn collect(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, &super::keys::join(prefix, name), found);
            }
        }
        _ => found.push(prefix.to_owned()),
    }
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
    rest.bool("apisix.enable_control", &mut config.control.enabled)?;
    if let Some(control) = rest.take("apisix.control") {
        config.control.listen = listen_addr(&control, "apisix.control")?;
    }
    if let Some(addr) = rest.take("plugin_attr.prometheus.export_addr") {
        config.metrics.listen = Some(listen_addr(&addr, "plugin_attr.prometheus.export_addr")?);
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
    for key in rest
        .take("deployment.admin.admin_key")
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let member = |name: &str| {
            key.get(name)
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
        };
        let (name, role) = (
            member("name").unwrap_or_default(),
            member("role").unwrap_or_default(),
        );
        // An empty key asks for a generated one: the first run makes it.
        if let Some(key) = member("key").filter(|key| !key.is_empty()) {
            config.admin.keys.push(AdminKeyConfig { name, key, role });
        }
    }
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

fn take_behaviour(rest: &mut Rest, config: &mut Config) -> Result<(), String> {
    let apisix = &mut config.apisix;
    if let Some(router) = rest.text("apisix.router.http")? {
        apisix.router = router;
    }
    rest.bool("apisix.delete_uri_tail_slash", &mut apisix.delete_uri_tail_slash)?;
    rest.bool("apisix.enable_server_tokens", &mut apisix.enable_server_tokens)?;
    let shown = &mut apisix.show_upstream_status_in_response_header;
    rest.bool("apisix.show_upstream_status_in_response_header", shown)?;
    let mut encrypts = true;
    rest.bool("apisix.data_encryption.enable_encrypt_fields", &mut encrypts)?;
    if let Some(keyring) = rest.take("apisix.data_encryption.keyring") {
        apisix.keyring = match &keyring {
            Value::String(one) => vec![one.clone()],
            list => texts(list, "apisix.data_encryption.keyring")?,
        };
    }
    if !encrypts {
        apisix.keyring.clear();
    }
    if let Some(plugins) = rest.take("plugins") {
        config.plugins = Some(texts(&plugins, "plugins")?);
    }
    match rest.take("plugin_attr") {
        None => {}
        Some(Value::Object(attributes)) => config.plugin_attr = attributes,
        Some(other) => return Err(format!("`plugin_attr`: expected a mapping, got {other}")),
    }
    Ok(())
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

fn level_of(nginx: &str) -> &'static str {
    match nginx {
        "debug" => "debug",
        "info" | "notice" => "info",
        "error" | "crit" | "alert" | "emerg" => "error",
        _ => "warn",
    }
}

/// A size as nginx writes it: `0`, `8k`, `10m`, `1g`.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.to_ascii_lowercase().chars().last() {
        Some('k') => (&text[..text.len() - 1], 1 << 10),
        Some('m') => (&text[..text.len() - 1], 1 << 20),
        Some('g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`nginx_config.http.client_max_body_size`: `{text}` is not a size"))
}

/// A time as nginx writes it: `60`, `60s`, `5m`, `1h`.
fn seconds(text: &str) -> Option<u64> {
    let (digits, factor) = match text.chars().last()? {
        's' => (&text[..text.len() - 1], 1),
        'm' => (&text[..text.len() - 1], 60),
        'h' => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn texts(list: &Value, path: &str) -> Result<Vec<String>, String> {
    let items = list
        .as_array()
        .ok_or_else(|| format!("`{path}`: expected a list, got {list}"))?;
    let text = |item: &Value| {
        item.as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("`{path}`: {item} is not text"))
    };
    items.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Config, Vec<String>), ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, text).unwrap();
        from_apisix(&file)
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
        assert_eq!(config.admin.keys[0].key, "secret");
        assert_eq!(config.proxy.max_body_bytes, 10 << 20);
        assert_eq!(config.plugins, Some(vec!["key-auth".to_owned()]));
        assert!(!config.builtin_routes.enabled);
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
    fn wrong_types_are_errors() {
        let error = parse("apisix: {node_listen: yes please}\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`apisix.node_listen`"), "{error}");
    }
}
