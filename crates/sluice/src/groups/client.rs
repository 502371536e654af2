//! Calls over HTTP: to the Admin API, to the LLM server, through the proxy.

use std::time::Duration;

use anyhow::{Context, bail};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use serde_json::Value;
use sluice_net::{Body, OriginConfig, Origins, Pool, Resolver, Scheme, Timeouts, TlsClients};

/// Largest answer that is read.
const ANSWER_MAX: u64 = 64 << 20;

/// A server that is called by path.
pub(super) struct Server {
    url: String,
    pool: Pool,
    origin: std::sync::Arc<sluice_net::Origin>,
    path: String,
    headers: Vec<(&'static str, HeaderValue)>,
    timeouts: Timeouts,
}

/// What it answered.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Server {
    /// A server by its URL; what its path is comes before the paths of calls.
    pub(super) fn new(url: &str, patience: Duration) -> anyhow::Result<Self> {
        let wrong = || format!("`{url}` is no address: http://host:port is wanted");
        let uri: Uri = url.trim().parse().with_context(wrong)?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => bail!("{}", wrong()),
        };
        let host = uri.host().with_context(wrong)?;
        let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
        let origins = Origins::new(TlsClients::new());
        let resolver = Resolver::system(tokio::runtime::Handle::current()).context("cannot look names up")?;
        Ok(Self {
            url: url.trim().trim_end_matches('/').to_owned(),
            pool: Pool::new(resolver),
            origin: origins
                .get(OriginConfig::new(scheme, host, port))
                .map_err(|error| anyhow::anyhow!("{}: {error}", wrong()))?,
            path: uri.path().trim_end_matches('/').to_owned(),
            headers: Vec::new(),
            timeouts: Timeouts {
                connect: patience.min(Duration::from_secs(5)),
                send: patience,
                read: patience,
            },
        })
    }

    /// Sends a header with every call. It shows in no log.
    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> anyhow::Result<Self> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| anyhow::anyhow!("the key has characters that no key may have"))?;
        value.set_sensitive(true);
        self.headers.push((name, value));
        Ok(self)
    }

    /// As it was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Calls a path. An error means that there was no answer.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answered> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.path))
            .header(header::HOST, self.origin.host_header());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = request.body(body)?;
        let answer = self
            .pool
            .send(&self.origin, request, self.timeouts)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let (head, body) = answer.response.into_parts();
        let body = body
            .collect_limited(ANSWER_MAX)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Answered {
            status: head.status,
            body: body.to_vec(),
        })
    }
}

impl Answered {
    /// The body as JSON; nothing where it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What it says went wrong, in one line.
    pub(super) fn message(&self) -> String {
        let body = self.json();
        let places = [
            "/error_msg",
            "/error/message",
            "/message",
            "/error",
            "/detail",
            "/description",
        ];
        let told = places
            .iter()
            .find_map(|place| body.pointer(place)?.as_str().map(str::to_owned));
        let text = told.unwrap_or_else(|| String::from_utf8_lossy(&self.body).chars().take(200).collect());
        format!("{} {}", self.status, text.trim()).trim().to_owned()
    }
}
