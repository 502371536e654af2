//! One connection to one broker: requests and answers in turn.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use sluice_net::{Origin, Resolver, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{KafkaError, unreadable};
use crate::remote::RemoteError;

/// Bytes of an answer: metadata of one topic with its brokers is far smaller.
const MAX_ANSWER: usize = 4 << 20;

/// A request, and the versions of it that are spoken here.
pub(super) trait Call: Encodable + HeaderVersion {
    type Answer: Decodable + HeaderVersion;
    const KEY: ApiKey;
    const NAME: &'static str;
    const VERSIONS: std::ops::RangeInclusive<i16>;
}

macro_rules! calls {
    ($($request:ty => $answer:ty, $key:ident, $versions:expr;)*) => {$(
        impl Call for $request {
            type Answer = $answer;
            const KEY: ApiKey = ApiKey::$key;
            const NAME: &'static str = stringify!($key);
            const VERSIONS: std::ops::RangeInclusive<i16> = $versions;
        }
    )*};
}

// Later versions of Produce and Metadata name topics by id.
calls! {
    ApiVersionsRequest => ApiVersionsResponse, ApiVersions, 0..=0;
    MetadataRequest => MetadataResponse, Metadata, 1..=9;
    ProduceRequest => ProduceResponse, Produce, 3..=9;
    SaslHandshakeRequest => SaslHandshakeResponse, SaslHandshake, 1..=1;
    SaslAuthenticateRequest => SaslAuthenticateResponse, SaslAuthenticate, 0..=2;
}

/// A connection whose peer has said what it speaks.
pub(super) struct Connection {
    socket: Socket,
    last_id: i32,
    /// Newest and oldest version by API key.
    versions: HashMap<i16, (i16, i16)>,
}

impl Connection {
    pub(super) async fn open(
        origin: &Origin,
        resolver: &Resolver,
        limit: Duration,
    ) -> Result<Self, KafkaError> {
        let socket = Socket::connect(origin, resolver, limit)
            .await
            .map_err(RemoteError::from)?;
        let mut connection = Self {
            socket,
            last_id: 0,
            versions: HashMap::from([(ApiKey::ApiVersions as i16, (0, 0))]),
        };
        let spoken = connection.call(&ApiVersionsRequest::default(), limit).await?;
        connection.versions = spoken
            .api_keys
            .iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)))
            .collect();
        Ok(connection)
    }

    /// Whether the peer has closed it.
    pub(super) async fn is_closed(&mut self) -> bool {
        self.socket.has_news().await
    }

    /// Asks, and waits for the answer. After an error the connection is of no more use.
    pub(super) async fn call<C: Call>(
        &mut self,
        request: &C,
        limit: Duration,
    ) -> Result<C::Answer, KafkaError> {
        let version = self.version::<C>()?;
        self.last_id = self.last_id.wrapping_add(1);
        let frame = self.frame(request, version)?;
        let exchange = async {
            self.socket.write_all(&frame).await?;
            self.socket.flush().await?;
            self.read_frame().await
        };
        let answer = tokio::time::timeout(limit, exchange).await;
        let mut answer = answer
            .map_err(|_| RemoteError::TimedOut)?
            .map_err(RemoteError::from)?;
        let header = ResponseHeader::decode(&mut answer, C::Answer::header_version(version));
        if header.map_err(unreadable)?.correlation_id != self.last_id {
            return Err(unreadable("it answers another request"));
        }
        C::Answer::decode(&mut answer, version).map_err(unreadable)
    }

    /// The newest version that both sides speak.
    fn version<C: Call>(&self) -> Result<i16, KafkaError> {
        let none = KafkaError::Version(C::NAME);
        let Some((oldest, newest)) = self.versions.get(&(C::KEY as i16)) else {
            return Err(none);
        };
        let version = *C::VERSIONS.end().min(newest);
        if version >= *C::VERSIONS.start().max(oldest) {
            Ok(version)
        } else {
            Err(none)
        }
    }

    fn frame<C: Call>(&self, request: &C, version: i16) -> Result<Bytes, KafkaError> {
        let header = RequestHeader::default()
            .with_request_api_key(C::KEY as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.last_id)
            .with_client_id(Some(StrBytes::from_static_str("sluice")));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header
            .encode(&mut frame, C::header_version(version))
            .map_err(unreadable)?;
        request.encode(&mut frame, version).map_err(unreadable)?;
        let length = i32::try_from(frame.len() - 4).map_err(unreadable)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame.freeze())
    }

    async fn read_frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).await?;
        let length = usize::try_from((&length[..]).get_i32()).unwrap_or(usize::MAX);
        if length > MAX_ANSWER {
            return Err(std::io::Error::other("answer is too long"));
        }
        let mut frame = vec![0; length];
        self.socket.read_exact(&mut frame).await?;
        Ok(frame.into())
    }
}
