//! What the binary decides about the proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::ServerConfig;
use sluice_record::Text;

/// The proxy's listeners, threads and limits.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// Where to listen.
    pub listeners: Vec<ListenerOptions>,
    /// Data-plane threads, each with a runtime, listeners and a pool of its own.
    pub workers: usize,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// Time for a client to send its request head, or its TLS handshake; and for a connection to be idle.
    pub head_timeout: Duration,
    /// What answers look like.
    pub behaviour: Behaviour,
}

/// One address.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// The address; port 0 lets the system choose.
    pub addr: SocketAddr,
    /// What is shown to clients, for TLS.
    pub tls: Option<ListenerTls>,
}

/// TLS of an address: certificates are those of the snapshot, by name.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Where no certificate is for the name. One without certificates refuses the handshake.
    pub otherwise: Arc<ServerConfig>,
    /// The name that clients mean which do not say one, in lower case.
    pub fallback_sni: Option<Text>,
}

/// How requests are read and answers dressed.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Largest request head, in bytes.
    pub max_head_bytes: usize,
    /// `apisix.delete_uri_tail_slash`.
    pub delete_uri_tail_slash: bool,
    /// `apisix.show_upstream_status_in_response_header`.
    pub always_show_upstream_status: bool,
    /// Longest pause between two pieces of a request body.
    pub body_timeout: Duration,
    /// Largest request body that is passed to a plain upstream, in bytes.
    pub max_body_bytes: Option<u64>,
    /// `Server` of answers in the `apisix` profile.
    pub server_apisix: HeaderValue,
    /// `Server` of answers in the `native` profile.
    pub server_native: HeaderValue,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            max_head_bytes: 64 << 10,
            delete_uri_tail_slash: false,
            always_show_upstream_status: false,
            body_timeout: Duration::from_secs(60),
            max_body_bytes: None,
            server_apisix: HeaderValue::from_static("APISIX/3.18.0"),
            server_native: HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION"))),
        }
    }
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            workers: 1,
            max_headers: 128,
            head_timeout: Duration::from_secs(60),
            behaviour: Behaviour::default(),
        }
    }
}
