//! Where a request comes from: the address at the other end, or the one that a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{Extensions, HeaderMap};
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Where a request comes from, as attempts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin(IpAddr);

impl Origin {
    /// Of a request. What it says in `X-Forwarded-For` counts as far as trusted proxies have written it.
    pub(super) fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        // Without a connection there is no telling requests apart.
        let peer = extensions.get::<Peer>().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |Peer(address)| *address);
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        let mut origin = peer.to_canonical();
        let says = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = says.flat_map(|value| value.split(',')).map(str::trim).collect();
        // Each proxy adds, at the end, whom it was called by.
        for hop in hops.into_iter().rev() {
            if !is_trusted(origin) {
                break;
            }
            let address = hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()));
            let Ok(address) = address else { break };
            origin = address.to_canonical();
        }
        Self::at(origin)
    }

    /// One machine can have all addresses of a /64, so these are one origin.
    fn at(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_as_far_as_trusted_proxies_have_written_it() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|text| text.parse().unwrap()).collect();
        let origin = |peer: &str, forwarded: &[&'static str], trusted: &[IpNet]| {
            let mut extensions = Extensions::new();
            extensions.insert(Peer(peer.parse().unwrap()));
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
            }
            Origin::of(&extensions, &headers, trusted).0.to_string()
        };
        assert_eq!(origin("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1", "nobody is trusted");
        assert_eq!(origin("192.0.2.1", &["198.51.100.7"], &trusted), "192.0.2.1", "the peer is not");
        assert_eq!(origin("10.0.0.1", &["198.51.100.7"], &trusted), "198.51.100.7");
        assert_eq!(
            origin("10.0.0.1", &["203.0.113.9, 198.51.100.7"], &trusted),
            "198.51.100.7",
            "what a client made up"
        );
        assert_eq!(origin("10.0.0.1", &["203.0.113.9", "198.51.100.7, 10.2.3.4"], &trusted), "198.51.100.7");
        assert_eq!(origin("10.0.0.1", &["198.51.100.7:4711"], &trusted), "198.51.100.7");
        assert_eq!(origin("10.0.0.1", &["nonsense"], &trusted), "10.0.0.1");
        assert_eq!(origin("10.0.0.1", &[], &trusted), "10.0.0.1");
        assert_eq!(origin("::ffff:10.0.0.1", &["::ffff:198.51.100.7"], &trusted), "198.51.100.7");
        assert_eq!(origin("2001:db8::1", &[], &trusted), origin("2001:db8::ffff:1", &[], &trusted), "one machine");
        assert_ne!(origin("2001:db8::1", &[], &trusted), origin("2001:db8:0:1::1", &[], &trusted));
    }
}
