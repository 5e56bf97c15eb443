//! What each host is told: the rules of trust for what goes out.
//!
//! # Invariants
//! 1. No host is told more than its zone allows, whoever wrote the header: the context, the user, the default headers or
//!    a request that is forwarded with its headers.
//! 2. Along a chain of redirects trust only falls ([`Egress::after`]).

use std::time::Duration;

use ctxprop::trust::{HostPattern, Mesh, Zone};
use ctxprop::wire::{Expired, Formats, HEADERS, Header, Outgoing};
use ctxprop::{BaggageMap, SpanContext};
use http::HeaderMap;
use http::header::{HeaderName, REFERER};
use reqwest::Url;
use url::Host;

/// Whom a client tells what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Egress {
    pub(crate) mesh: Mesh,
    pub(crate) formats: Formats,
    pub(crate) no_trace: Vec<HostPattern>,
    pub(crate) no_budget: Vec<HostPattern>,
}

impl Egress {
    /// How far the host of `url` is trusted, where we chose it.
    pub(crate) fn zone(&self, url: &Url) -> Zone {
        match url.host() {
            Some(Host::Domain(name)) => self.mesh.zone(name),
            Some(Host::Ipv4(address)) => self.mesh.zone_of_address(address.into()),
            Some(Host::Ipv6(address)) => self.mesh.zone_of_address(address.into()),
            None => self.mesh.zone(""),
        }
    }

    /// How far `next` is trusted where a redirect by `here` chose it, and `here` was trusted so far.
    ///
    /// A stranger that redirects into the mesh would otherwise have us ask a peer for what it likes, in
    /// the name of our user: it is the baggage that a peer acts on. And what was asked for over TLS
    /// does not go over a wire that anyone can read because an answer says so.
    pub(crate) fn after(&self, here: Zone, from: &Url, next: &Url) -> Zone {
        match (from.scheme(), next.scheme()) {
            ("https", "http") => Zone::Outside,
            _ => here.max(self.zone(next)),
        }
    }

    /// Whether the host of `url` is told the budget.
    pub(crate) fn tells_budget(&self, url: &Url) -> bool {
        !names(&self.no_budget, host(url))
    }

    /// Writes what the host of `url`, trusted as `zone`, is told of these. `remaining` is at least 1 ms.
    ///
    /// A header that the host must not see is removed, also one that was set by hand.
    pub(crate) fn write(
        &self,
        (url, zone): (&Url, Zone),
        span: &SpanContext,
        baggage: &BaggageMap,
        remaining: Option<Duration>,
        headers: &mut HeaderMap,
    ) -> Result<(), Expired> {
        let host = host(url);
        if zone == Zone::Outside && !baggage.is_empty() {
            tracing::debug!(target: "ctxprop::egress", host, "not trusted: sent without baggage");
        }
        if !headers.is_empty() && !self.may_see_referer(url, headers) {
            headers.remove(REFERER);
        }
        let nowhere = SpanContext::invalid();
        let outgoing = Outgoing {
            span: if names(&self.no_trace, host) { &nowhere } else { span },
            baggage: Some(baggage),
            remaining: remaining.filter(|_| self.tells_budget(url)),
        };
        zone.tell(&outgoing, self.formats, headers)
    }

    /// Whether the host of `url` may learn what `referer` names: no host of a zone further in than its own, and nothing
    /// that was asked for over TLS where anyone can read it (RFC 9110, section 10.1.3). What names no host at all
    /// is seen by peers only.
    fn may_see_referer(&self, url: &Url, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(REFERER).iter();
        all.all(|referer| {
            let text = referer.to_str().unwrap_or_default();
            match Url::parse(text) {
                Ok(from) if from.has_host() => {
                    !self.leads_outwards(&from, url)
                        && (from.scheme(), url.scheme()) != ("https", "http")
                }
                _ => self.zone(url) == Zone::Inside,
            }
        })
    }

    /// Whether a hop from `here` to `next` leads to somebody who may know less.
    pub(crate) fn leads_outwards(&self, here: &Url, next: &Url) -> bool {
        self.zone(next) > self.zone(here)
    }

    /// The headers that are written or removed by host, so that a client must not add them by itself.
    pub(crate) fn headers() -> impl Iterator<Item = &'static HeaderName> {
        HEADERS.iter().map(Header::name)
    }
}

/// As the URL parser has it: lower case, addresses as such, no user. None is no host of any rule.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn names(patterns: &[HostPattern], host: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(host))
}

#[cfg(test)]
mod tests;
