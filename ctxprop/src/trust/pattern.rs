//! Hosts that a user names: one, all below a name, or a network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::host::{Host, below};

/// Names hosts: those of one name, all below a name, one address or a network.
///
/// | pattern | means |
/// | --- | --- |
/// | `partner.example` | this host, and nothing below it |
/// | `*.corp.example` | all below it, at any depth, but not `corp.example` itself |
/// | `203.0.113.7`, `2001:db8::1`, `[2001:db8::1]` | this address |
/// | `100.64.0.0/10`, `2001:db8::/32` | the addresses of this network |
///
/// Case does not matter, nor does one dot at the end. Names are compared as they are sent: `bücher.example`
/// is `xn--bcher-kva.example`.
///
/// # Examples
///
/// ```
/// use ctxprop::trust::HostPattern;
///
/// let pattern: HostPattern = "*.corp.example".parse()?;
/// assert!(pattern.matches("Users.EU.corp.example."));
/// assert!(!pattern.matches("corp.example"));
/// assert!("https://corp.example".parse::<HostPattern>().is_err());
/// # Ok::<(), ctxprop::trust::HostPatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(Hosts);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// In lower case.
    Name(Box<str>),
    /// In lower case, with a dot before it.
    Below(Box<str>),
    Network {
        address: IpAddr,
        prefix: u8,
    },
}

impl HostPattern {
    /// Whether `host` is one of them: a name or an address without a port, `[::1]` with or without its
    /// brackets. What is not a host is none of them.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        Host::parse(host).is_some_and(|host| self.covers(&host))
    }

    pub(super) fn covers(&self, host: &Host<'_>) -> bool {
        match (&self.0, host) {
            (Hosts::Name(own), Host::Name(name)) => own.eq_ignore_ascii_case(name),
            (Hosts::Below(zone), Host::Name(name)) => below(name, zone),
            (Hosts::Network { address, prefix }, Host::Address(other)) => {
                same_network(*address, *other, *prefix)
            }
            _ => false,
        }
    }
}

fn same_network(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    let differ = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= u32::from(prefix)
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        use HostPatternErrorKind::{Network, NotAHost, Wildcard};

        let rule = if let Some((address, prefix)) = text.split_once('/') {
            network(address, prefix).ok_or(Network)
        } else if let Some(zone) = text.strip_prefix("*.") {
            match Host::parse(zone) {
                Some(Host::Name(zone)) => {
                    Ok(Hosts::Below(format!(".{}", zone.to_ascii_lowercase()).into()))
                }
                // `*.*.example`, `*.0.0.1`, `*.`
                Some(Host::Address(_)) | None => Err(Wildcard),
            }
        } else if text.contains('*') {
            Err(Wildcard)
        } else {
            match Host::parse(text) {
                Some(Host::Name(name)) => Ok(Hosts::Name(name.to_ascii_lowercase().into())),
                Some(Host::Address(address)) => {
                    Ok(Hosts::Network { address, prefix: bits(address) })
                }
                None => Err(NotAHost),
            }
        };
        rule.map(HostPattern).map_err(|kind| HostPatternError { pattern: text.into(), kind })
    }
}

fn network(address: &str, prefix: &str) -> Option<Hosts> {
    let Host::Address(address) = Host::parse(address)? else {
        return None;
    };
    // `u8` would also take a sign
    let prefix = prefix
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| prefix.parse().ok())?
        .filter(|prefix| (1..=bits(address)).contains(prefix))?;
    Some(Hosts::Network { address, prefix })
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// In the notation it is parsed from.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Hosts::Name(name) => f.write_str(name),
            Hosts::Below(zone) => write!(f, "*{zone}"),
            Hosts::Network { address, prefix } if *prefix == bits(*address) => {
                write!(f, "{address}")
            }
            Hosts::Network { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

/// A text is no [`HostPattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostPatternError {
    pattern: Box<str>,
    kind: HostPatternErrorKind,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostPatternErrorKind {
    /// It is neither a name nor an address: a URL, a port, an empty label, a number, a letter beyond
    /// ASCII.
    NotAHost,
    /// `*` is not followed by a dot and a name, or is somewhere else than at the beginning.
    Wildcard,
    /// What is before the slash is no address, or the length behind it is none: 1 to 32, or to 128.
    Network,
}

impl HostPatternError {
    /// The text.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// What is wrong with it.
    #[must_use]
    pub fn kind(&self) -> HostPatternErrorKind {
        self.kind
    }
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.kind {
            HostPatternErrorKind::NotAHost => {
                "expected a name or an address alone, in ASCII, without scheme and port"
            }
            HostPatternErrorKind::Wildcard => "`*` must be the whole first label before a name",
            HostPatternErrorKind::Network => {
                "expected a network such as `10.0.0.0/8`, or a host without a path"
            }
        };
        write!(f, "`{}` does not name hosts: {reason}", self.pattern)
    }
}

impl std::error::Error for HostPatternError {}
