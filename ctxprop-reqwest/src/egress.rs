//! What each host is told: the rules of trust for what goes out.
//!
//! # Invariants
//! 1. No host is told more than its zone allows, whoever wrote the header.
//! 2. Along a chain of redirects trust only falls ([`Egress::after`]).

use std::time::Duration;

use ctxprop::trust::{HostPattern, Mesh, Zone};
use ctxprop::wire::{Expired, Formats, Outgoing};
use ctxprop::{BaggageMap, SpanContext};
use http::HeaderMap;
use http::header::HeaderName;
use reqwest::Url;

static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// All that tells a trace, whoever wrote it.
static TRACE: [HeaderName; 3] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-trace-id"),
];

/// All that tells a budget, whoever wrote it.
static BUDGET: [HeaderName; 5] = [
    HeaderName::from_static("x-timeout-ms"),
    HeaderName::from_static("x-deadline"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("connect-timeout-ms"),
    HeaderName::from_static("x-envoy-expected-rq-timeout-ms"),
];

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
        self.mesh.zone(host(url))
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
        if zone == Zone::Outside {
            headers.remove(&BAGGAGE);
            if !baggage.is_empty() {
                tracing::debug!(target: "ctxprop::egress", host, "not trusted: sent without baggage");
            }
        }
        let by_hand = headers.contains_key(&BAGGAGE);
        let shared = zone.share(baggage).filter(|_| !by_hand);
        let formats = if by_hand { self.formats.baggage(false) } else { self.formats };
        let tells_trace = !names(&self.no_trace, host);
        let tells_budget = self.tells_budget(url);
        let nowhere = SpanContext::invalid();
        let outgoing = Outgoing {
            span: if tells_trace { span } else { &nowhere },
            baggage: shared.as_ref(),
            remaining: remaining.filter(|_| tells_budget),
        };
        formats.inject(&outgoing, headers)?;
        if !tells_trace {
            remove(headers, &TRACE);
        }
        if !tells_budget {
            remove(headers, &BUDGET);
        }
        Ok(())
    }

    /// Whether a hop from `here` to `next` leads to somebody who may know less.
    pub(crate) fn leads_outwards(&self, here: &Url, next: &Url) -> bool {
        self.zone(next) > self.zone(here)
    }

    /// The headers that are written or removed by host, so that a client must not add them by itself.
    pub(crate) fn headers() -> impl Iterator<Item = &'static HeaderName> {
        [&BAGGAGE].into_iter().chain(&TRACE).chain(&BUDGET)
    }
}

/// As the URL parser has it: lower case, addresses as such, no user. None is no host of any rule.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn names(patterns: &[HostPattern], host: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(host))
}

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
