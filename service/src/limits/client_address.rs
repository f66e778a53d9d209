//! The network address that a request is counted for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Once;

use rocket::request::Request;

/// Reads the addresses of clients.
pub(super) struct ClientAddresses {
    /// The header in which a proxy passes the client's address on.
    header: Option<String>,
    /// Logs a missing header once.
    warning: Once,
}

impl ClientAddresses {
    pub(super) fn new(header: Option<String>) -> Self {
        Self {
            header,
            warning: Once::new(),
        }
    }

    /// The address in the header, if one is configured, is there once and contains an address; otherwise that of the
    /// connection. IPv6 addresses are those of their network.
    pub(super) fn of(&self, request: &Request<'_>) -> IpAddr {
        let connection = || request.remote().map(|address| address.ip());
        let address = self.in_header(request).or_else(connection);
        network(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
    }

    fn in_header(&self, request: &Request<'_>) -> Option<IpAddr> {
        let name = self.header.as_ref()?;
        let mut values = request.headers().get(name);
        let only = values.next().filter(|_| values.next().is_none());
        let address = only.and_then(parse);
        if address.is_none() {
            self.warning.call_once(|| {
                tracing::warn!(
                    "HEROLO_CLIENT_ADDRESS_HEADER: a request has no address in {name}, \
                     so it is counted for the address of its connection"
                );
            });
        }
        address
    }
}

/// An address as proxies write it: alone, in brackets, and with the port or the zone of its connection, which are
/// ignored. A list is no address, because only the operator knows which of its items can be trusted.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        // An IPv6 address without brackets has no port, which would look like a part of the address.
        None if text.matches(':').count() == 1 => text.split_at(text.find(':')?),
        None => (text, ""),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_valid = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    let (host, zone) = host.split_once('%').unwrap_or((host, ""));
    let address: IpAddr = host.parse().ok().filter(|_| is_valid)?;
    (zone.is_empty() || address.is_ipv6()).then_some(address)
}

/// The /64 network of an IPv6 address, because a client usually has all addresses of one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_without_its_port_brackets_and_zone() {
        for (text, expected) in [
            ("198.51.100.9", "198.51.100.9"),
            (" 198.51.100.9 ", "198.51.100.9"),
            ("198.51.100.9:40000", "198.51.100.9"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
            ("[::ffff:192.0.2.7]:443", "::ffff:192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
        ] {
            assert_eq!(parse(text), expected.parse().ok(), "{text}");
        }
        for text in [
            "",
            ":",
            "[]",
            "[]:1",
            "[",
            "]",
            "unknown",
            "_hidden",
            "198.51.100.9:http",
            "198.51.100",
            "198.51.100.9%eth0",
            "198.51.100.9, 203.0.113.1",
            "198.51.100.9:1, 203.0.113.1:2",
            "[2001:db8::7",
            "[2001:db8::7]443",
            "[[2001:db8::7]]",
            "localhost:80",
            "198.51.100.9:1:2",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_client() {
        let network = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
