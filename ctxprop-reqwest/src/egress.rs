//! What each host is told: the rules of trust for what goes out.

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
    /// Writes what the host of `url` is told of these. `remaining` is at least 1 ms.
    ///
    /// A header that the host must not see is removed, also one that was set by hand.
    pub(crate) fn write(
        &self,
        url: &Url,
        span: &SpanContext,
        baggage: &BaggageMap,
        remaining: Option<Duration>,
        headers: &mut HeaderMap,
    ) -> Result<(), Expired> {
        let host = host(url);
        let zone = self.mesh.zone(host);
        if zone == Zone::Outside {
            headers.remove(&BAGGAGE);
            if !baggage.is_empty() {
                tracing::debug!(target: "ctxprop::egress", host, "outside the mesh: sent without baggage");
            }
        }
        let by_hand = headers.contains_key(&BAGGAGE);
        let shared = zone.share(baggage).filter(|_| !by_hand);
        let formats = if by_hand { self.formats.baggage(false) } else { self.formats };
        let tells_trace = !names(&self.no_trace, host);
        let tells_budget = !names(&self.no_budget, host);
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
        match (self.mesh.zone(host(here)), self.mesh.zone(host(next))) {
            (_, Zone::Inside) | (Zone::Outside, _) => false,
            (here, next) => here != next,
        }
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
