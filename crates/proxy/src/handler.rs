//! From an HTTP request to an HTTP response, with everything that must happen whatever happens.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::{HeaderValue, Method, Request as HttpRequest, Response, StatusCode, header};
use hyper::body::Incoming;
use sluice_core::{
    Context, Profile, Reply, Request, RequestBody, Services, SnapshotCell, TlsPeer, Worker, normalize_path,
    strip_tail_slash,
};
use sluice_net::Body;
use sluice_record::{Ended, RequestId, ResponseSource, Text};

use crate::beside::{self, AnswerBody, Beside};
use crate::edge::{self, Outgoing};
use crate::in_flight::{InFlight, TrackedBody};
use crate::options::Behaviour;
use crate::phases;

/// What every request of a thread needs.
pub(crate) struct Handler {
    pub(crate) services: Arc<Services>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) snapshots: Arc<SnapshotCell>,
    pub(crate) behaviour: Arc<Behaviour>,
}

/// What every request of a connection shares.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) scheme: &'static str,
    /// What the client said and proved, over TLS.
    pub(crate) tls: Option<Arc<TlsPeer>>,
    /// Who else answers on this address.
    pub(crate) beside: Option<Arc<dyn Beside>>,
}

impl Connection {
    /// Whether a request to this host may come over it: mutual TLS is a matter of hosts.
    fn admits(&self, cx: &Context) -> bool {
        let certificates = &cx.snapshot.certificates;
        let admitted = |peer: &Arc<TlsPeer>| certificates.admits(peer, &cx.request.host, &cx.request.path);
        self.tls.as_ref().is_none_or(admitted)
    }
}

impl Handler {
    /// Answers one request, or has it answered by whose it is.
    pub(crate) async fn answer(
        &self,
        connection: Connection,
        request: HttpRequest<Incoming>,
    ) -> Response<AnswerBody> {
        match &connection.beside {
            Some(beside) if beside.owns(request.uri().path()) => {
                let answered = beside.serve(request, connection.peer);
                answered.await.map(AnswerBody::Beside)
            }
            _ => self.serve(connection, request).await.map(AnswerBody::Tracked),
        }
    }

    async fn serve(&self, connection: Connection, request: HttpRequest<Incoming>) -> Response<TrackedBody> {
        let (request, refused) = self.take_in(&connection, request);
        let id = RequestId(uuid::Uuid::now_v7().as_u128());
        let cx = Context::new(
            self.services.clone(),
            self.worker.clone(),
            self.snapshots.load(),
            id,
            request,
        );
        let mut in_flight = InFlight::new(cx);
        let cx = &mut *in_flight.cx;
        let run = async {
            let not_admitted = || (!connection.admits(cx)).then_some(StatusCode::BAD_REQUEST);
            if let Some(status) = refused.or_else(not_admitted) {
                let reply = Reply {
                    source: ResponseSource::Nginx,
                    ..Reply::status(status)
                };
                return edge::render(reply);
            }
            let mut answer = phases::run(cx, self.behaviour.max_body_bytes).await;
            phases::shape_answer(cx, &mut answer);
            if let Some(beside) = &connection.beside {
                beside::lead_home(&**beside, cx, &mut answer);
            }
            answer
        };
        let answer = match AssertUnwindSafe(run).catch_unwind().await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::error!(id = format_args!("{:032x}", id.0), "a plugin panicked");
                in_flight.cx.answer.ended = Ended::Crashed;
                edge::render(Reply::status(StatusCode::INTERNAL_SERVER_ERROR))
            }
        };
        self.send(in_flight, answer)
    }

    /// The request as plugins see it, and the status with which it is refused, if it cannot be served.
    fn take_in(
        &self,
        connection: &Connection,
        request: HttpRequest<Incoming>,
    ) -> (Request, Option<StatusCode>) {
        let (mut head, body) = request.into_parts();
        let path = match normalize_path(head.uri.path()) {
            Ok(path) if head.method != Method::CONNECT => Some(path),
            _ => None,
        };
        let path = path.map(|path| match self.behaviour.delete_uri_tail_slash {
            true => Text::from(strip_tail_slash(&path)),
            false => Text::from(path),
        });
        let host = host_of(&head);
        if head.version == http::Version::HTTP_2 && !head.headers.contains_key(header::HOST) {
            // HTTP/2 carries it as `:authority`; everything behind reads the header.
            if let Some(value) = head
                .uri
                .authority()
                .and_then(|a| HeaderValue::from_str(a.as_str()).ok())
            {
                head.headers.insert(header::HOST, value);
            }
        }
        let head_bytes = head_size(&head);
        let refused = match path {
            None => Some(StatusCode::BAD_REQUEST),
            Some(_) if head_bytes > self.behaviour.max_head_bytes as u64 => {
                Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            }
            Some(_) => None,
        };
        let request = Request {
            head_bytes,
            upgrade: head.extensions.remove::<hyper::upgrade::OnUpgrade>(),
            method: head.method,
            query: head.uri.query().map(str::to_owned),
            path: path.unwrap_or_else(|| Text::from(head.uri.path())),
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body: RequestBody::new(Body::from(body).with_read_timeout(self.behaviour.body_timeout)),
            host,
            scheme: connection.scheme,
            peer: connection.peer,
            local: connection.local,
        };
        (request, refused)
    }

    fn send(&self, mut in_flight: InFlight, answer: Outgoing) -> Response<TrackedBody> {
        let Outgoing {
            status,
            mut headers,
            body,
            source,
        } = answer;
        let cx = &mut *in_flight.cx;
        let server = match cx.profile {
            Profile::Apisix => &self.behaviour.server_apisix,
            Profile::Native => &self.behaviour.server_native,
        };
        headers.insert(header::SERVER, server.clone());
        if let Some(value) = self.upstream_status(cx) {
            headers.insert(edge::UPSTREAM_STATUS, value);
        }
        cx.answer.status = status.as_u16();
        cx.answer.source = source;
        cx.answer.head_bytes = 17
            + headers
                .iter()
                .map(|(k, v)| k.as_str().len() + v.len() + 4)
                .sum::<usize>() as u64;
        if cx.keeps_answer_headers {
            cx.answer.headers = Some(headers.clone());
        }
        if body.is_stream() {
            in_flight.cx.request.detach_headers();
        }
        let mut response = Response::new(TrackedBody::new(body, in_flight));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// `X-APISIX-Upstream-Status`: for 5xx of the upstream, or always when configured (compat §0).
    fn upstream_status(&self, cx: &Context) -> Option<HeaderValue> {
        let last = cx.attempts.last()?.status;
        if cx.profile != Profile::Apisix || (last < 500 && !self.behaviour.always_show_upstream_status) {
            return None;
        }
        let list: Vec<_> = cx
            .attempts
            .iter()
            .map(|attempt| attempt.status.to_string())
            .collect();
        HeaderValue::from_str(&list.join(", ")).ok()
    }
}

/// The host that the client names, without the port, as nginx's `$host`: an IPv6 address keeps its brackets, which
/// is how a route's `hosts` write it.
fn host_of(head: &http::request::Parts) -> Text {
    let header = head
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let host = head.uri.host().or(header).unwrap_or_default();
    let host = match host.find(']') {
        Some(end) if host.starts_with('[') => &host[..=end],
        _ => host.split(':').next().unwrap_or_default(),
    };
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Text::from(host.to_ascii_lowercase())
    } else {
        Text::from(host)
    }
}

/// Size of a request head as HTTP/1.1 writes it.
fn head_size(head: &http::request::Parts) -> u64 {
    let line = head.method.as_str().len() + head.uri.path_and_query().map_or(1, |t| t.as_str().len()) + 12;
    let headers: usize = head
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    (line + headers + 2) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(uri: &str, header: Option<&str>) -> String {
        let mut request = http::Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header(header::HOST, header);
        }
        host_of(&request.body(()).unwrap().into_parts().0).to_string()
    }

    #[test]
    fn hosts_lose_their_port_and_keep_their_brackets() {
        for (header, expected) in [
            ("a.com", "a.com"),
            ("A.com:9080", "a.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:DB8::1]:9080", "[2001:db8::1]"),
            ("", ""),
        ] {
            assert_eq!(host("/", Some(header)), expected, "{header}");
        }
        assert_eq!(host("http://[::1]:9080/", Some("other")), "[::1]");
        assert_eq!(host("/", None), "");
    }
}
