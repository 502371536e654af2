//! The file that `sluice init` writes.

/// A commented configuration: every setting with its default. As it stands it changes nothing.
pub const TEMPLATE: &str = r#"# Configuration of Sluice. Every line that is commented out shows a default.
# Each setting is also an environment variable: SLUICE_ and its path in upper case,
# for example SLUICE_PROXY_LISTEN. Unknown keys are errors.

# Folder of everything that the gateway keeps: configuration, ledger, keys.
#data_dir: ./data

# One address for everything: proxy, /admin, /api/v1, Admin API, status and metrics. proxy.listen, admin.listen and
# control have no effect then.
#listen: null

proxy:
  # Address of the proxy.
  #listen: 0.0.0.0:9080
  # More addresses without TLS.
  #also_listen: []
  # Address of the proxy over TLS, and more of them. Certificates are those of `ssls`, by name.
  #tls_listen: null
  #tls_also_listen: []
  # Host name that clients mean which name none.
  #tls_fallback_sni: null
  # Certificate chain and key where no `ssls` fit, PEM files. Without tls_listen they make `listen` speak TLS.
  #tls_cert: null
  #tls_key: null
  # Data-plane threads; 0 means one per core.
  #workers: 0
  # Largest request head in bytes, and most header fields in it.
  #max_head_bytes: 65536
  #max_headers: 128
  # Largest request body that is passed to a plain upstream, in bytes; 0 means no limit.
  # AI plugins have a limit of their own, `max_req_body_size`.
  #max_body_bytes: 33554432
  # Seconds that a client may take for its request head, and pause inside a body.
  #head_timeout: 60
  #body_timeout: 60
  # Seconds that running requests get to finish at shutdown.
  #drain: 600

admin:
  # Address of the Admin API.
  #listen: 127.0.0.1:9180
  # Certificate chain and key, PEM files. With them the listener speaks TLS.
  #tls_cert: null
  #tls_key: null
  # Addresses and networks that may connect.
  #allow: [127.0.0.0/24, "::1"]
  # Whether calls need a key.
  #key_required: true
  # Admin key and password of the first run, instead of generated ones.
  #key: null
  #password: null
  # More keys: {name: …, key: …, role: admin|viewer}.
  #keys: []
  # Accepts the default key that APISIX publishes. Loopback listeners only.
  #allow_default_key: false
  # Answers CORS requests of browsers.
  #cors: true
  # Shape of replies: v3, or v2 for tools of old.
  #api_version: v3
  # The configuration is only written as a whole, to /apisix/admin/configs.
  #standalone: false

control:
  # The control API has no authentication: keep it on loopback.
  #enabled: true
  #listen: 127.0.0.1:9090

metrics:
  # Metrics are on the admin listener; this adds a listener of its own.
  #listen: null
  # Where they are beside /metrics.
  #path: /apisix/prometheus/metrics
  # Basic authentication for metrics.
  #username: null
  #password: null

status:
  # /status and /status/ready are on the admin listener; this adds a listener for them alone.
  #listen: null

log:
  # error, warn, info, debug, trace, or a filter such as info,sluice_proxy=debug.
  #level: info
  # text or json.
  #format: text

access_log:
  # stdout, off, or a file.
  #target: stdout
  # Text with $variables; JSON lines when absent. Escaping: default or json.
  #format: null
  #escape: default

ledger:
  # One record per request in data_dir/ledger.db.
  #enabled: true
  #retention_days: 90
  # Days that payloads are kept, where clients have them logged.
  #payload_retention_days: 7

defaults:
  # Limits that new clients of the dashboard begin with; 0 means none.
  #requests_per_minute: 60
  #requests_per_hour: 1000
  #requests_per_day: 1000
  #input_tokens_per_day: 1000000
  #output_tokens_per_day: 500000
  #max_input_tokens: 1000000
  #max_output_tokens: 8192

builtin_routes:
  # The standard LLM endpoints (/v1/chat/completions, …) for clients that have a provider.
  #enabled: true
  #disabled: []

# Names of the plugins that exist; all when absent.
#plugins: null
# Per plugin, settings of this machine.
#plugin_attr: {}

# Commands that plugins (mcp-bridge) may run. Only this file can allow them: there are no environment variables for it.
commands:
  # Each entry is a program, which may then be run with any arguments, or a list of a program and its arguments:
  # [/usr/local/bin/mcp-files, [npx, -y, "@modelcontextprotocol/server-time"]]
  #allowed: []
  # Names of environment variables that they get beside PATH, HOME and the like.
  #environment: []
  # Most processes that run at once.
  #max_processes: 100

apisix:
  # radixtree_host_uri, radixtree_uri or radixtree_uri_with_parameter.
  #router: radixtree_host_uri
  # Drops one trailing slash before matching.
  #delete_uri_tail_slash: false
  # Whether the Server header names a version.
  #enable_server_tokens: true
  # Sends X-APISIX-Upstream-Status with every proxied answer.
  #show_upstream_status_in_response_header: false
  # Name servers, instead of those of the system: ip or ip:port.
  #dns_resolver: []
  # Seconds that resolved addresses are kept, whatever their own time to live is.
  #dns_resolver_valid: null
  # Turns the health checks of all upstreams off.
  #disable_upstream_healthcheck: false
  # Prefix of keys in Admin API answers.
  #key_prefix: /apisix
  # Keys that secrets in write replies are encrypted with; the first encrypts. Empty: shown plain.
  #keyring: [qeddd145sfvddff3, edd1c9f0985e76a2]
"#;

#[cfg(test)]
mod tests {
    use super::super::{Config, load};
    use super::TEMPLATE;
    use serde_json::Value;

    /// The template with its settings in force.
    fn uncommented() -> Value {
        let lines = TEMPLATE.lines().map(|line| match line.find('#') {
            Some(at) if !line[at + 1..].starts_with(' ') => line.replacen('#', "", 1),
            _ => line.to_owned(),
        });
        serde_yaml_ng::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap()
    }

    #[test]
    fn it_shows_every_setting_with_its_default() {
        assert_eq!(uncommented(), serde_json::to_value(Config::default()).unwrap());
    }

    #[test]
    fn as_it_stands_it_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, TEMPLATE).unwrap();
        let config = load(Some(&file), std::iter::empty());
        assert_eq!(
            serde_json::to_value(config.unwrap()).unwrap(),
            serde_json::to_value(Config::default()).unwrap()
        );
    }
}
