//! Who may talk to the admin listener at all.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::Extensions;
use ipnet::IpNet;

/// The address at the other end, as the listener noted it. IPv4 inside IPv6 is IPv4.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_canonical())
}

/// Whether an address is in one of the networks. A request of unknown origin is not.
pub(crate) fn admits(allow: &[IpNet], peer: Option<IpAddr>) -> bool {
    peer.is_some_and(|peer| allow.iter().any(|network| network.contains(&peer)))
}

#[cfg(test)]
mod tests {
    use sluice_resource::parse_ip_net;

    use super::*;

    #[test]
    fn only_listed_networks_are_admitted() {
        let allow: Vec<IpNet> = ["127.0.0.0/24", "::1"]
            .iter()
            .filter_map(|text| parse_ip_net(text))
            .collect();
        let admits = |peer: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            admits(&allow, super::peer(&extensions))
        };
        assert!(admits("127.0.0.1") && admits("::1") && admits("::ffff:127.0.0.9"));
        assert!(!admits("127.0.1.1") && !admits("10.0.0.1") && !admits("fe80::1"));
    }

    #[test]
    fn nobody_is_admitted_by_default() {
        assert!(!admits(&[], Some(IpAddr::from([127, 0, 0, 1]))));
        assert!(!admits(&[IpNet::default()], None));
    }
}
