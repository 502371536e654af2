//! An HTTP/1.1 client that shows everything and hides nothing.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::patience::within;
use crate::raw::RawConn;
use crate::sse::Events;

/// Calls one server, with a new connection for every call.
#[derive(Clone, Debug)]
pub struct Client {
    addr: SocketAddr,
    headers: HeaderMap,
}

impl Client {
    /// A client of the server at `addr`.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            headers: HeaderMap::new(),
        }
    }

    /// Sends this header with every call.
    ///
    /// # Panics
    /// When it is not a valid header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        insert(&mut self.headers, name, value);
        self
    }

    /// Sends this key as `Authorization: Bearer` with every call.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {key}"))
    }

    /// A GET request.
    #[must_use]
    pub fn get(&self, target: &str) -> Call {
        self.call(Method::GET, target)
    }

    /// A POST request.
    #[must_use]
    pub fn post(&self, target: &str) -> Call {
        self.call(Method::POST, target)
    }

    /// Any request; `target` is the path with the query.
    #[must_use]
    pub fn call(&self, method: Method, target: &str) -> Call {
        let mut headers = self.headers.clone();
        if !headers.contains_key("host") {
            insert(&mut headers, "host", &self.addr.to_string());
        }
        Call {
            addr: self.addr,
            method,
            target: target.to_owned(),
            headers,
            body: Bytes::new(),
        }
    }

    /// A connection for bytes of the test's own.
    pub async fn raw(&self) -> RawConn {
        RawConn::connect(self.addr).await
    }
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Call {
    addr: SocketAddr,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// Adds a header, or replaces one.
    ///
    /// # Panics
    /// When it is not a valid header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        insert(&mut self.headers, name, value);
        self
    }

    /// Sends a key as `Authorization: Bearer`.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Any body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and waits for the head of the answer.
    ///
    /// # Panics
    /// When none comes.
    pub async fn send(self) -> Answer {
        let what = format!("{} {} at {}", self.method, self.target, self.addr);
        match self.try_send().await {
            Ok(answer) => answer,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    /// As [`send`](Self::send), where the server may close the connection without an answer.
    ///
    /// # Errors
    /// When it does.
    ///
    /// # Panics
    /// When the server takes no connection.
    pub async fn try_send(self) -> hyper::Result<Answer> {
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.parse().expect("a path with a query");
        *request.headers_mut() = self.headers;
        within("the head of an answer", async {
            let stream = TcpStream::connect(self.addr).await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body,
                _sender: sender,
            })
        })
        .await
    }
}

/// An answer whose body may still be on its way. Dropping it closes the connection, as a client that leaves does.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// Keeps the connection.
    _sender: SendRequest<Full<Bytes>>,
}

impl Answer {
    /// A header's value, if there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer, if it has this status.
    ///
    /// # Panics
    /// When it has another; the message shows the body.
    pub async fn expect_status(self, status: u16) -> Self {
        if self.status.as_u16() == status {
            return self;
        }
        let got = self.status;
        panic!("expected status {status}, got {got}: {}", self.text().await)
    }

    /// The body.
    ///
    /// # Panics
    /// When it breaks off.
    pub async fn bytes(self) -> Bytes {
        match self.try_bytes().await {
            Ok(bytes) => bytes,
            Err(error) => panic!("the body broke off: {error:?}"),
        }
    }

    /// The body, which may break off.
    ///
    /// # Errors
    /// When it does.
    pub async fn try_bytes(self) -> hyper::Result<Bytes> {
        Ok(within("the end of a body", self.body.collect()).await?.to_bytes())
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it breaks off.
    pub async fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes().await).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it breaks off or is something else.
    pub async fn json(self) -> Value {
        let bytes = self.bytes().await;
        match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(error) => panic!("the body is not JSON: {error}: {:?}", bytes),
        }
    }

    /// The next piece of the body as it came off the wire; `None` at its end.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn chunk(&mut self) -> hyper::Result<Option<Bytes>> {
        loop {
            match within("the next piece of a body", self.body.frame())
                .await
                .transpose()?
            {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The body as server-sent events.
    #[must_use]
    pub fn events(self) -> Events {
        Events::new(self)
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    let name: HeaderName = name.parse().expect("a header name");
    headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
}
