//! Asking one address how it is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use sluice_net::{
    Body, ClientCertificate, Origin, OriginConfig, OriginError, Origins, Pool, PoolSettings, Scheme,
    SendErrorKind, Timeouts,
};
use tokio::net::TcpStream;

use super::config::{ActiveChecks, CheckType};
use super::tally::Outcome;

/// The request that all addresses of a checker get, but for its `Host`.
#[derive(Debug)]
pub(super) struct Probe {
    kind: CheckType,
    limit: Duration,
    verify: bool,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Probe {
    /// Compiles a probe. What cannot be sent is left out and named in the log: an upstream must not go for its checks.
    pub(super) fn new(name: &str, checks: &ActiveChecks) -> Self {
        let method = checks.http_method.parse().unwrap_or_else(|_| {
            tracing::warn!(
                checker = name,
                "http_method of checks is not a method, GET is used"
            );
            Method::GET
        });
        let uri = checks.http_path.parse().unwrap_or_else(|_| {
            tracing::warn!(checker = name, "http_path of checks is not a path, / is used");
            Uri::from_static("/")
        });
        let mut headers = HeaderMap::new();
        for line in &checks.req_headers {
            match parsed(line) {
                Some((name, value)) => {
                    headers.append(name, value);
                }
                None => tracing::warn!(checker = name, "an entry of req_headers of checks is no header"),
            }
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        Self {
            kind: checks.kind,
            limit: checks.time_limit(),
            verify: checks.https_verify_certificate,
            method,
            uri,
            headers,
            body: Bytes::from(checks.http_req_body.clone()),
        }
    }

    /// The place to ask: an address, under the name that TLS is to know it by.
    pub(super) fn origin(
        &self,
        origins: &Origins,
        ip: IpAddr,
        port: u16,
        name: &Arc<str>,
        certificate: Option<ClientCertificate>,
    ) -> Result<Arc<Origin>, OriginError> {
        let scheme = match self.kind {
            CheckType::Https => Scheme::Https,
            CheckType::Http | CheckType::Tcp => Scheme::Http,
        };
        let mut config = OriginConfig::new(scheme, ip.to_string(), port);
        config.tls.verify = self.verify;
        config.tls.certificate = certificate;
        config.sni = Some(name.clone());
        config.pool = PoolSettings {
            max_idle: 0,
            ..PoolSettings::default()
        };
        origins.get(config)
    }

    /// Asks. The answer's body is not read.
    pub(super) async fn ask(
        &self,
        pool: &Pool,
        origin: &Arc<Origin>,
        addr: SocketAddr,
        host: &str,
    ) -> Outcome {
        if self.kind == CheckType::Tcp {
            return match tokio::time::timeout(self.limit, TcpStream::connect(addr)).await {
                Ok(Ok(_)) => Outcome::Connected,
                Ok(Err(_)) => Outcome::Broken,
                Err(_) => Outcome::TimedOut,
            };
        }
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Ok(host) = HeaderValue::from_str(host)
            && !self.headers.contains_key(header::HOST)
        {
            request.headers_mut().insert(header::HOST, host);
        }
        let timeouts = Timeouts {
            connect: self.limit,
            send: self.limit,
            read: self.limit,
        };
        match pool.send(origin, request, timeouts).await {
            Ok(answer) => Outcome::Answered(answer.response.status().as_u16()),
            Err(error) => match error.kind {
                SendErrorKind::Timeout(_) => Outcome::TimedOut,
                SendErrorKind::InvalidHead => Outcome::Garbled,
                _ => Outcome::Broken,
            },
        }
    }
}

/// A header as `Name: value`.
fn parsed(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}
