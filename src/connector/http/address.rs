//! Which addresses may be asked: public ones, and those that the policy allows by name, address or network.
//!
//! The resolver gives out nothing else, whatever a name points to at the time; an address that stands in a URL is looked
//! at before the request, and the one that was connected to after it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// What is allowed besides public addresses.
#[derive(Clone, Debug, Default)]
pub(in crate::connector) struct Allowed {
    /// In lower case, without a dot at the end.
    names: Vec<String>,
    networks: Vec<(IpAddr, u8)>,
}

impl Allowed {
    /// Reads host names, addresses and networks; what is none of these is a name that no host has.
    pub(in crate::connector) fn new(entries: &[String]) -> Self {
        let mut allowed = Self::default();
        for entry in entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()) {
            match network(entry) {
                Some(network) => allowed.networks.push(network),
                None => allowed.names.push(normal(entry)),
            }
        }
        allowed
    }

    pub(in crate::connector) fn name(&self, host: &str) -> bool {
        self.names.contains(&normal(host))
    }

    /// Whether this address may be connected to.
    pub(in crate::connector) fn address(&self, address: IpAddr) -> bool {
        let address = embedded(address);
        is_public(address) || self.networks.iter().any(|network| contains(*network, address))
    }

    /// Whether this host is one that is opened by the policy, and not merely public.
    pub(in crate::connector) fn opens(&self, host: &Host<&str>) -> bool {
        let listed = |address: IpAddr| {
            let address = embedded(address);
            self.name(&address.to_string()) || self.networks.iter().any(|network| contains(*network, address))
        };
        match host {
            Host::Domain(name) => self.name(name),
            Host::Ipv4(address) => listed(IpAddr::V4(*address)),
            Host::Ipv6(address) => listed(IpAddr::V6(*address)),
        }
    }

    /// Whether a URL may be asked as far as can be seen before its name is looked up.
    pub(in crate::connector) fn url(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Domain(name)) => self.name(name) || !is_local_name(name),
            Some(Host::Ipv4(address)) => self.address(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.address(IpAddr::V6(address)),
            None => false,
        }
    }
}

fn normal(host: &str) -> String {
    host.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

/// Names that are never public.
fn is_local_name(name: &str) -> bool {
    let name = normal(name);
    name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local") || name.ends_with(".internal")
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = normal(address).parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some((address, bits))
}

fn contains((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            (network.to_bits() ^ address.to_bits()) & mask == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            (network.to_bits() ^ address.to_bits()) & mask == 0
        }
        _ => false,
    }
}

/// The IPv4 address that an IPv6 address stands for, if it stands for one: mapped, or behind NAT64.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let segments = v6.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let low = (u32::from(segments[6]) << 16) | u32::from(segments[7]);
        return IpAddr::V4(Ipv4Addr::from_bits(low));
    }
    address
}

/// Whether an address is one of the public internet: no special-purpose network of RFC 6890 and its successors.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && (b & 0xc0) == 64) // between a provider and its customers
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99) // relays of 6to4
        || (a == 198 && (b & 0xfe) == 18) // benchmarks
        || a >= 224) // multicast, reserved, broadcast
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global_unicast = a & 0xe000 == 0x2000;
    // Teredo, benchmarks and ORCHID; documentation; 6to4, which carries any IPv4 address; documentation.
    let is_special = matches!((a, b), (0x2001, 0..0x200) | (0x2001, 0xdb8) | (0x2002, _) | (0x3fff, 0..0x1000));
    is_global_unicast && !is_special
}

/// Looks a name up.
pub(super) type LookUp = Arc<dyn Fn(String) -> Looking + Send + Sync>;
/// Addresses that are on their way.
pub(super) type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Gives out only addresses that may be asked.
pub(super) struct Guard {
    pub(super) allowed: Allowed,
    pub(super) look_up: LookUp,
}

/// A name pointed to addresses that may not be asked.
#[derive(Debug)]
pub(super) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name has no public address")
    }
}

impl std::error::Error for NotPublic {}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let allowed = self.allowed.clone();
        let looking = (self.look_up)(name.clone());
        Box::pin(async move {
            let found = looking.await?;
            let is_opened = allowed.name(&name);
            let kept: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| is_opened || allowed.address(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if kept.is_empty() {
                return Err(NotPublic.into());
            }
            let kept: Addrs = Box::new(kept.into_iter());
            Ok(kept)
        })
    }
}

/// Asks the machine's own resolver.
pub(super) fn system() -> LookUp {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}
