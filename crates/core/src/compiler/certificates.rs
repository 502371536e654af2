//! `ssls`: server certificates, and client certificates for upstreams.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use sluice_net::{ClientCa, ServerTls, TlsVersion};
use sluice_record::Text;
use sluice_resource::{Expr, Key, Kind};

use super::services::texts_of;
use super::{Compiler, Dirty, Item, key_of};
use crate::certificates::{Certificate, Certificates, ClientRules};

/// Where resources name a client certificate of their upstream.
const CLIENT_CERT_IDS: [&str; 2] = ["/tls/client_cert_id", "/upstream/tls/client_cert_id"];

/// A compiled `ssls` resource.
pub(super) enum Ssl {
    /// Shown to clients.
    Server {
        names: Vec<Text>,
        created: u64,
        certificate: Arc<Certificate>,
    },
    /// Shown to upstreams: certificate and key in PEM.
    Client { chain: String, key: String },
}

impl Compiler {
    /// Compiles the `ssls` that are dirty. What names one of them as client certificate is dirty too.
    pub(super) fn compile_ssls(&mut self, dirty: &mut Dirty) {
        let changed = self.compile_kind(Kind::Ssl, dirty, |c| &mut c.ssls, Self::compile_ssl);
        if changed.is_empty() {
            return;
        }
        let mut servers: Vec<_> = self.compiled.ssls.values().filter_map(Ssl::as_server).collect();
        servers.sort_by_key(|(_, created, _)| *created);
        let mut certificates = Certificates::default();
        for (names, _, certificate) in servers {
            certificates.add(names.iter().cloned(), certificate);
        }
        self.certificates = Arc::new(certificates);
        for (key, source) in &self.sources {
            if client_certificate_of(&source.value).is_some_and(|named| changed.contains(&named)) {
                dirty.add(key.clone());
            }
        }
    }

    pub(super) fn compile_ssl(&self, item: &Item<'_>) -> Result<Option<Ssl>, String> {
        let resolution = self.services.secrets.resolve(item.value);
        let value = &*resolution.value;
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("type") == "client" {
            return Ok(Some(Ssl::Client {
                chain: text("cert").to_owned(),
                key: text("key").to_owned(),
            }));
        }
        if value.get("status").and_then(Value::as_i64) == Some(0) {
            return Ok(None);
        }
        let mut pairs = vec![(text("cert"), text("key"))];
        pairs.extend(texts_of(value, "certs").zip(texts_of(value, "keys")));
        let clients = value.get("client").map(client_rules).transpose()?;
        let tls = ServerTls {
            pairs: &pairs,
            versions: &versions(value)?,
            clients: clients.as_ref().map(|rules| &rules.ca),
        };
        let names = texts_of(value, "snis").chain(value.get("sni").and_then(Value::as_str));
        Ok(Some(Ssl::Server {
            names: names.map(|name| Text::from(name.to_ascii_lowercase())).collect(),
            created: item.created,
            certificate: Arc::new(Certificate {
                id: Text::from(item.key.id()),
                config: tls.config().map_err(|error| error.to_string())?,
                clients,
            }),
        }))
    }

    /// An upstream with the secrets of its `tls` in place: references resolved, the certificate of another resource
    /// taken over. `None` when it names one that does not exist: it cannot be reached.
    pub(super) fn with_client_certificate<'a>(&self, upstream: &'a Value) -> Option<Cow<'a, Value>> {
        let Some(tls) = upstream.get("tls") else {
            return Some(Cow::Borrowed(upstream));
        };
        let mut tls = self.services.secrets.resolve(tls).value;
        if let Some(key) = key_of(Kind::Ssl, tls.get("client_cert_id")) {
            let Some(Ssl::Client { chain, key }) = self.compiled.ssls.get(&key) else {
                tracing::error!(ssl = %key, "client certificate of an upstream does not exist");
                return None;
            };
            let tls = tls.to_mut();
            tls["client_cert"] = chain.as_str().into();
            tls["client_key"] = key.as_str().into();
        }
        let mut upstream = upstream.clone();
        upstream["tls"] = tls.into_owned();
        Some(Cow::Owned(upstream))
    }
}

impl Ssl {
    fn as_server(&self) -> Option<(&[Text], u64, &Arc<Certificate>)> {
        match self {
            Self::Server {
                names,
                created,
                certificate,
            } => Some((names, *created, certificate)),
            Self::Client { .. } => None,
        }
    }
}

/// The `ssls` resource that a resource's upstream shows.
pub(super) fn client_certificate_of(resource: &Value) -> Option<Key> {
    CLIENT_CERT_IDS
        .iter()
        .find_map(|pointer| key_of(Kind::Ssl, resource.pointer(pointer)))
}

fn client_rules(client: &Value) -> Result<ClientRules, String> {
    let ca = client.get("ca").and_then(Value::as_str).unwrap_or_default();
    let depth = client.get("depth").and_then(Value::as_u64).unwrap_or(1);
    let skip = texts_of(client, "skip_mtls_uri_regex")
        .map(|pattern| Expr::parse(&json!([["uri", "~~", pattern]])).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    let ca = ClientCa::new(ca, depth, skip.is_empty()).map_err(|error| format!("client.ca: {error}"))?;
    Ok(ClientRules {
        ca: Arc::new(ca),
        skip,
    })
}

/// `ssl_protocols`. TLS 1.1 is never spoken (RFC 8996).
fn versions(ssl: &Value) -> Result<Vec<TlsVersion>, String> {
    let given: Vec<_> = texts_of(ssl, "ssl_protocols").collect();
    let known = given.iter().filter_map(|name| match *name {
        "TLSv1.2" => Some(TlsVersion::Tls12),
        "TLSv1.3" => Some(TlsVersion::Tls13),
        _ => None,
    });
    let known: Vec<_> = known.collect();
    if known.is_empty() && !given.is_empty() {
        return Err("ssl_protocols: only TLSv1.2 and TLSv1.3 are spoken".to_owned());
    }
    Ok(known)
}
