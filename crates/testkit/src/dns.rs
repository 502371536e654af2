//! A name server.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Types of records (RFC 1035 §3.2.2, RFC 3596).
const A: u16 = 1;
const AAAA: u16 = 28;

/// Response codes (RFC 1035 §4.1.1).
const NO_ERROR: u8 = 0;
const NO_SUCH_NAME: u8 = 3;

/// A name server over UDP that knows the names it is told. It ends with the process.
#[derive(Clone, Debug)]
pub struct FakeDns {
    addr: SocketAddr,
    names: Arc<Mutex<HashMap<String, Name>>>,
}

#[derive(Clone, Debug, Default)]
struct Name {
    addresses: Vec<IpAddr>,
    ttl: u32,
    asked: usize,
}

impl FakeDns {
    /// Knows nothing yet.
    ///
    /// # Panics
    /// When there is no port for it.
    #[must_use]
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let addr = socket.local_addr().expect("a bound socket");
        let dns = Self {
            addr,
            names: Arc::default(),
        };
        let served = dns.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                if let Some(answer) = served.answer(&query[..length]) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        dns
    }

    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it says about a name from here on, and for how many seconds that holds. Without addresses the name does not
    /// exist.
    pub fn set(&self, name: &str, addresses: &[IpAddr], ttl: u32) {
        let mut names = self.lock();
        let known = names.entry(name.to_owned()).or_default();
        (known.addresses, known.ttl) = (addresses.to_vec(), ttl);
    }

    /// How often it was asked for the IPv4 addresses of a name.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        self.lock().get(name).map_or(0, |known| known.asked)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a query with one question (RFC 1035 §4).
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = question(query)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        let mut names = self.lock();
        let known = names.entry(name).or_default();
        if kind == A {
            known.asked += 1;
        }
        let fits = |ip: &&IpAddr| ip.is_ipv4() == (kind == A) && matches!(kind, A | AAAA);
        let found: Vec<&IpAddr> = known.addresses.iter().filter(fits).collect();
        let code = if known.addresses.is_empty() {
            NO_SUCH_NAME
        } else {
            NO_ERROR
        };
        let mut answer = query.get(..2)?.to_vec();
        // A response to a recursive query, by a server that recurses.
        answer.extend([0x81, 0x80 | code, 0, 1]);
        answer.extend(u16::try_from(found.len()).ok()?.to_be_bytes());
        answer.extend([0; 4]);
        answer.extend(query.get(12..end + 4)?);
        for ip in found {
            // The name is that of the question.
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(known.ttl.to_be_bytes());
            match ip {
                IpAddr::V4(ip) => {
                    answer.extend([0, 4]);
                    answer.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    answer.extend([0, 16]);
                    answer.extend(ip.octets());
                }
            }
        }
        Some(answer)
    }
}

/// The name of the first question, and where it ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_what_it_was_told() {
        let dns = FakeDns::start();
        let query = |kind: u8| {
            let mut query = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            query.extend(b"\x01a\x04test\x00");
            query.extend([0, kind, 0, 1]);
            dns.answer(&query).unwrap()
        };
        assert_eq!(query(1)[3], 0x80 | NO_SUCH_NAME);
        dns.set(
            "a.test",
            &["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            9,
        );
        let answer = query(1);
        assert_eq!(answer[..8], [7, 8, 0x81, 0x80, 0, 1, 0, 1]);
        assert_eq!(answer[answer.len() - 10..], [0, 0, 0, 9, 0, 4, 10, 0, 0, 1]);
        assert_eq!(query(28).last(), Some(&1));
        assert_eq!(dns.asked("a.test"), 2);
    }
}
