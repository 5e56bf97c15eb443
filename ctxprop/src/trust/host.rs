//! What a host is, and which hosts are peers without being named.

use std::net::IpAddr;

/// The longest name of DNS (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Names below these are peers: the machine itself (RFC 6761), the local link (RFC 6762, Kubernetes'
/// `.svc.cluster.local` among them) and what ICANN set aside for private use.
static PEERS: [&str; 3] = [".localhost", ".local", ".internal"];

/// A host, told apart from text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host<'a> {
    /// Letters, digits, `-` and `_` between single dots, in whatever case; no dot at the end.
    Name(&'a str),
    /// Never an IPv4 address in IPv6 clothes.
    Address(IpAddr),
}

impl<'a> Host<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            let address = address.strip_suffix(']')?.parse().ok()?;
            return Some(Host::Address(IpAddr::V6(address).to_canonical()));
        }
        // `db.internal.` is `db.internal`, told from the root of DNS on
        let (text, rooted) = match text.strip_suffix('.') {
            Some(text) => (text, true),
            None => (text, false),
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Host::Address(address.to_canonical()));
        }
        // `payments` is looked up below the domains of this network, `payments.` is a top-level domain
        let is_top_level = rooted && !text.contains('.') && !text.eq_ignore_ascii_case("localhost");
        (is_name(text) && !is_top_level).then_some(Host::Name(text))
    }

    /// Whether it is a peer wherever this runs.
    pub(super) fn is_built_in(&self) -> bool {
        match self {
            Host::Name(name) => !name.contains('.') || PEERS.iter().any(|zone| below(name, zone)),
            Host::Address(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
            Host::Address(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        }
    }
}

/// Whether `name` is below `zone`, which begins with a dot.
pub(super) fn below(name: &str, zone: &str) -> bool {
    // both are ASCII, so any index is one of a character
    name.len() > zone.len() && name[name.len() - zone.len()..].eq_ignore_ascii_case(zone)
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= MAX_NAME
        && text.split('.').all(is_label)
        && !text.rsplit('.').next().is_some_and(is_number)
}

/// Whether a name that ends with this label is an address to those who resolve it: `2130706433` and
/// `0x7f.1` are 127.0.0.1 to `inet_aton`, and to URL parsers (WHATWG URL, "ends in a number").
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(hex) => hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
