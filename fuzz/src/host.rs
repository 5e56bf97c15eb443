//! Hosts and patterns: who is told baggage.

use std::net::IpAddr;

use ctxprop::trust::{HostPattern, Mesh, Zone};
use url::{Host, Url};

/// The first line is a host or a URL, the second a pattern.
pub fn check(text: &str) {
    let (host, pattern) = text.split_once('\n').unwrap_or((text, ""));
    let mesh = Mesh::new();
    let zone = mesh.zone(host);
    assert_eq!(zone, mesh.zone(&host.to_ascii_uppercase()), "{host:?}");
    assert_eq!(Mesh::empty().zone(host), Zone::Outside);
    if zone == Zone::Inside {
        is_a_peer_to_the_url_parser_too(host);
    }
    for url in [host.to_owned(), format!("http://{host}/")] {
        if let Ok(url) = Url::parse(&url)
            && matches!(url.scheme(), "http" | "https")
        {
            let host = url.host_str().expect("http has a host");
            assert_eq!(mesh.zone(host), zone_of(&url), "{url}");
        }
    }
    if let Ok(pattern) = pattern.parse::<HostPattern>() {
        let printed = pattern.to_string();
        assert_eq!(printed.parse().as_ref(), Ok(&pattern), "{printed}");
        let named = Mesh::empty().inside(&printed).expect("a pattern");
        assert_eq!(named.zone(host) == Zone::Inside, pattern.matches(host));
        assert_eq!(pattern.matches(host), pattern.matches(&host.to_ascii_uppercase()));
    }
}

/// Text that counts as a peer's host means that host, and no other, to whoever makes a URL of it.
fn is_a_peer_to_the_url_parser_too(host: &str) {
    let in_url = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("http://[{host}]/"),
        _ => format!("http://{host}/"),
    };
    // It refuses what is a name, but not one of DNS (`xn--` and nothing behind it).
    if let Ok(url) = Url::parse(&in_url) {
        assert_eq!(zone_of(&url), Zone::Inside, "{url}");
    }
}

/// The table of the module, said another way: by types instead of text.
fn zone_of(url: &Url) -> Zone {
    let inside = match url.host().expect("http has a host") {
        Host::Domain(name) => {
            let rooted = name.ends_with('.');
            let name = name.strip_suffix('.').unwrap_or(name);
            let labels: Vec<_> = name.split('.').collect();
            let is_name = name.len() <= 253
                && labels.iter().all(|label| {
                    (1..=63).contains(&label.len())
                        && label.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it))
                });
            let last = labels.last().copied().unwrap_or_default();
            let is_peer = match labels.len() {
                1 => !rooted || last == "localhost",
                _ => ["localhost", "local", "internal"].contains(&last),
            };
            is_name && is_peer
        }
        Host::Ipv4(ip) => is_private(u32::from(ip)),
        Host::Ipv6(ip) => match (ip.segments(), ip.to_ipv4_mapped()) {
            (_, Some(ip)) => is_private(u32::from(ip)),
            ([0, 0, 0, 0, 0, 0, 0, 1], _) => true,
            ([first, ..], _) => first & 0xfe00 == 0xfc00,
        },
    };
    if inside { Zone::Inside } else { Zone::Outside }
}

fn is_private(ip: u32) -> bool {
    let within = |net: u32, bits: u32| ip >> (32 - bits) == net >> (32 - bits);
    within(0x7f00_0000, 8)
        || within(0x0a00_0000, 8)
        || within(0xac10_0000, 12)
        || within(0xc0a8_0000, 16)
}
