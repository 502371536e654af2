//! Addresses and networks, as `remote_addr` and the allow-lists write them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads an address or a network: `10.0.0.1`, `10.0.0.0/8`, `::1`, `fe80::/10`. An address is the network of
/// itself.
pub fn parse_ip_net(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().map(IpNet::from).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_networks_of_one() {
        assert_eq!(parse_ip_net("10.0.0.1"), parse_ip_net("10.0.0.1/32"));
        assert_eq!(parse_ip_net("::1"), parse_ip_net("::1/128"));
        assert!(parse_ip_net("10.0.0.0/8").is_some_and(|net| net.contains(&IpAddr::from([10, 9, 8, 7]))));
    }

    #[test]
    fn the_rest_is_neither() {
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.300", "[::1]"] {
            assert_eq!(parse_ip_net(text), None, "{text}");
        }
    }
}
