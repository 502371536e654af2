//! The certificates of `ssls` resources, and the host names that they are for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use sluice_net::ClientCa;
use sluice_record::Text;
use sluice_resource::{Expr, Variables};

/// A server certificate with what it asks of clients.
pub struct Certificate {
    /// Id of its resource.
    pub id: Text,
    /// How handshakes for its names are answered.
    pub config: Arc<ServerConfig>,
    /// Whom it serves, if not everybody.
    pub clients: Option<ClientRules>,
}

/// Mutual TLS.
pub struct ClientRules {
    /// Whose certificates clients must show.
    pub ca: Arc<ClientCa>,
    /// Which paths need none: expressions about `uri`. Without any, handshakes of other clients fail.
    pub skip: Vec<Expr>,
}

/// What a TLS connection proved at its beginning.
#[derive(Clone, Debug, Default)]
pub struct TlsPeer {
    /// The name that the client asked for, in lower case.
    pub server_name: Option<Text>,
    /// Whether it showed a certificate that holds.
    pub verified: bool,
}

/// Server certificates by host name.
#[derive(Clone, Default)]
pub struct Certificates {
    exact: HashMap<Text, Arc<Certificate>>,
    /// `*.example.com` by what follows the asterisk.
    wildcards: HashMap<Text, Arc<Certificate>>,
    /// Names such as `*example.com`, whose asterisk ends inside a label.
    partial: Vec<(Text, Arc<Certificate>)>,
    asks_clients: bool,
}

impl Certificate {
    /// Whether a client that showed this chain holds.
    #[must_use]
    pub fn verifies(&self, chain: Option<&[CertificateDer<'_>]>) -> bool {
        match (&self.clients, chain) {
            (Some(rules), Some(chain)) => rules.ca.accepts(chain),
            _ => false,
        }
    }
}

impl Certificates {
    /// Files a certificate under its names; where a name is taken, the earlier one stays.
    pub(crate) fn add(&mut self, names: impl IntoIterator<Item = Text>, certificate: &Arc<Certificate>) {
        self.asks_clients |= certificate.clients.is_some();
        for name in names {
            let certificate = certificate.clone();
            match name.strip_prefix('*') {
                None => drop(self.exact.entry(name).or_insert(certificate)),
                Some(rest) if rest.starts_with('.') => {
                    self.wildcards.entry(Text::from(rest)).or_insert(certificate);
                }
                Some(rest) => self.partial.push((Text::from(rest), certificate)),
            }
        }
    }

    /// The certificate for a host name in lower case: exact names before wildcards, whose asterisk stands for one
    /// label.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Certificate>> {
        let wildcard = || name.find('.').and_then(|dot| self.wildcards.get(&name[dot..]));
        let partial = || {
            let covers = |end: &str| name.strip_suffix(end).is_some_and(|start| !start.contains('.'));
            let found = self.partial.iter().filter(|(end, _)| covers(end));
            found.max_by_key(|(end, _)| end.len()).map(|(_, found)| found)
        };
        self.exact.get(name).or_else(wildcard).or_else(partial)
    }

    /// Whether a request over TLS may go on: one for a host with mutual TLS must come over a connection that proved
    /// itself for that very host, unless its path is excepted.
    #[must_use]
    pub fn admits(&self, peer: &TlsPeer, host: &str, path: &str) -> bool {
        if !self.asks_clients {
            return true;
        }
        let Some(rules) = self.find(host).and_then(|found| found.clients.as_ref()) else {
            return true;
        };
        if peer.verified {
            return peer.server_name.as_deref() == Some(host);
        }
        rules.skip.iter().any(|expr| expr.eval(&Path(path)))
    }
}

/// A request of which nothing but the path is looked at.
struct Path<'a>(&'a str);

impl Variables for Path<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "uri").then_some(Cow::Borrowed(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(id: &str) -> Arc<Certificate> {
        Arc::new(Certificate {
            id: Text::from(id),
            config: sluice_net::ServerTls::default().config().unwrap(),
            clients: None,
        })
    }

    fn found<'a>(certificates: &'a Certificates, name: &str) -> Option<&'a str> {
        certificates.find(name).map(|found| &*found.id)
    }

    #[test]
    fn exact_names_come_first_and_wildcards_cover_one_label() {
        let mut certificates = Certificates::default();
        for (id, names) in [
            ("wild", vec!["*.test.com"]),
            ("exact", vec!["a.test.com", "test.com"]),
            ("later", vec!["a.test.com", "*.test.com", "*.b.test.com"]),
            ("partial", vec!["*part.com", "*"]),
        ] {
            certificates.add(names.into_iter().map(Text::from), &certificate(id));
        }
        for (name, id) in [
            ("a.test.com", Some("exact")),
            ("test.com", Some("exact")),
            ("c.test.com", Some("wild")),
            ("x.b.test.com", Some("later")),
            ("x.c.test.com", None),
            ("apart.com", Some("partial")),
            ("a.part.com", None),
            ("localhost", Some("partial")),
            ("other.com", None),
        ] {
            assert_eq!(found(&certificates, name), id, "{name}");
        }
    }

    #[test]
    fn without_mutual_tls_everybody_may_go_on() {
        let mut certificates = Certificates::default();
        certificates.add([Text::from("a.com")], &certificate("1"));
        assert!(certificates.admits(&TlsPeer::default(), "a.com", "/"));
    }
}
