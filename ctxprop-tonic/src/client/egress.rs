//! What the peer is told: the rules of trust for what goes out.
//!
//! # Invariants
//! 1. The peer is told no more than its zone allows, whoever wrote the metadata: the context, the user, an interceptor or
//!    a call that is forwarded with its metadata.

use std::time::Duration;

use ctxprop::trust::{Mesh, Zone};
use ctxprop::wire::{Expired, Formats, Outgoing};
use ctxprop::{BaggageMap, SpanContext};
use http::{HeaderMap, Uri};

/// What a channel tells whom.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    mesh: Mesh,
    /// Where the channel leads. Without it, whatever host is in a call's URI.
    peer: Option<Peer>,
    formats: Formats,
    pub(crate) tells_trace: bool,
    pub(crate) tells_budget: bool,
}

impl Default for Egress {
    fn default() -> Self {
        let (mesh, formats) = (Mesh::new(), of_grpc(Formats::new()));
        Egress { mesh, peer: None, formats, tells_trace: true, tells_budget: true }
    }
}

/// gRPC has one way to tell a budget, and every peer reads it. It is over HTTP/2, which has a table of headers that repeat.
fn of_grpc(formats: Formats) -> Formats {
    formats.send_timeout_ms(false).send_deadline(false).send_grpc_timeout(true).never_indexed(true)
}

/// Where a channel leads.
#[derive(Debug, Clone)]
struct Peer {
    host: String,
    /// Known where the channel is of an endpoint: for those who read along.
    port: Option<u16>,
    /// Where `host` is in the mesh.
    zone: Zone,
}

impl Egress {
    /// Trace and baggage are told in these.
    pub(crate) fn writes(&mut self, formats: Formats) {
        self.formats = of_grpc(formats);
    }

    /// All calls go to this host.
    pub(crate) fn leads_to(&mut self, host: String, port: Option<u16>) {
        let zone = self.mesh.zone(&host);
        self.peer = Some(Peer { host, port, zone });
    }

    /// These hosts are inside.
    pub(crate) fn trusts(&mut self, mesh: Mesh) {
        if let Some(peer) = &mut self.peer {
            peer.zone = mesh.zone(&peer.host);
        }
        self.mesh = mesh;
    }

    /// The host that a call to `uri` goes to; of no name, and of no rule, where nobody said.
    pub(crate) fn host<'a>(&'a self, uri: &'a Uri) -> &'a str {
        match &self.peer {
            Some(peer) => &peer.host,
            None => uri.host().unwrap_or_default(),
        }
    }

    /// The port that a call to `uri` goes to, where somebody said.
    pub(crate) fn port(&self, uri: &Uri) -> Option<u16> {
        match &self.peer {
            Some(peer) => peer.port,
            None => uri.port_u16(),
        }
    }

    /// How far the host that a call to `uri` goes to is trusted.
    pub(crate) fn zone(&self, uri: &Uri) -> Zone {
        match &self.peer {
            Some(peer) => peer.zone,
            None => self.mesh.zone(self.host(uri)),
        }
    }

    /// Writes what a peer in `zone` is told of these. `remaining` is at least 1 ms, or nothing is written.
    pub(crate) fn write(
        &self,
        zone: Zone,
        span: &SpanContext,
        baggage: &BaggageMap,
        remaining: Option<Duration>,
        headers: &mut HeaderMap,
    ) -> Result<(), Expired> {
        let nowhere = SpanContext::invalid();
        let outgoing = Outgoing {
            span: if self.tells_trace { span } else { &nowhere },
            baggage: Some(baggage),
            remaining: remaining.filter(|_| self.tells_budget),
        };
        zone.tell(&outgoing, self.formats, headers)
    }
}
