#![doc = include_str!("../docs/trust.md")]

mod host;
mod pattern;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use crate::baggage::BaggageMap;
use crate::wire::{Expired, Formats, Group, HEADERS, Outgoing};

use host::Host;
pub use pattern::{HostPattern, HostPatternError, HostPatternErrorKind};

/// Which hosts are inside the mesh. See [the module](self) for the rules it begins with.
///
/// It is a value: adding gives a new one. A clone bumps a reference count.
///
/// # Examples
///
/// ```
/// use ctxprop::trust::{Mesh, Zone};
///
/// let mesh = Mesh::new().inside("*.corp.example")?.allow("partner.example")?;
/// assert_eq!(mesh.zone("payments"), Zone::Inside);
/// assert_eq!(mesh.zone("10.1.2.3"), Zone::Inside);
/// assert_eq!(mesh.zone("users.eu.corp.example"), Zone::Inside);
/// assert_eq!(mesh.zone("partner.example"), Zone::Allowed);
/// assert_eq!(mesh.zone("corp.example"), Zone::Outside); // `*.` is for what is below it
/// assert_eq!(mesh.zone("notcorp.example"), Zone::Outside);
/// # Ok::<(), ctxprop::trust::HostPatternError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mesh {
    /// Whether the table of the module counts.
    built_in: bool,
    named: Arc<Vec<(HostPattern, Zone)>>,
}

/// Where a host is, as far as baggage is concerned. What is further out is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Zone {
    /// A peer: it receives all baggage.
    Inside,
    /// Not a peer, but somebody who may know: it receives what is not private.
    Allowed,
    /// A stranger: it receives none.
    Outside,
}

impl Mesh {
    /// The mesh of the [module](self)'s table.
    #[must_use]
    pub fn new() -> Self {
        Self { built_in: true, named: Arc::default() }
    }

    /// A mesh nobody is in, until [`inside`](Mesh::inside) and [`allow`](Mesh::allow) say so: for
    /// networks that are shared with strangers, where a private address proves nothing.
    ///
    /// ```
    /// # use ctxprop::trust::{Mesh, Zone};
    /// let mesh = Mesh::empty().inside("10.7.0.0/16")?;
    /// assert_eq!(mesh.zone("10.7.0.1"), Zone::Inside);
    /// assert_eq!(mesh.zone("10.8.0.1"), Zone::Outside);
    /// # Ok::<(), ctxprop::trust::HostPatternError>(())
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        Self { built_in: false, ..Self::new() }
    }

    /// The mesh with the hosts of a [pattern](HostPattern) inside: they receive all baggage.
    ///
    /// # Errors
    ///
    /// The pattern is not valid. The error names it.
    pub fn inside(self, pattern: &str) -> Result<Self, HostPatternError> {
        Ok(self.with(pattern.parse()?, Zone::Inside))
    }

    /// The mesh with the hosts of a [pattern](HostPattern) allowed to receive baggage, though not what
    /// is private ([`BaggageMap::without_private`]).
    ///
    /// # Errors
    ///
    /// The pattern is not valid. The error names it.
    pub fn allow(self, pattern: &str) -> Result<Self, HostPatternError> {
        Ok(self.with(pattern.parse()?, Zone::Allowed))
    }

    fn with(mut self, pattern: HostPattern, zone: Zone) -> Self {
        Arc::make_mut(&mut self.named).push((pattern, zone));
        self
    }

    /// Where `host` is: a name or an address without a port, `[::1]` with or without its brackets.
    ///
    /// Where several rules name a host, the most trusting one counts.
    #[must_use]
    pub fn zone(&self, host: &str) -> Zone {
        Host::parse(host).map_or(Zone::Outside, |host| self.zone_of(&host))
    }

    /// Where the host with this address is, for those who have it parsed.
    ///
    /// ```
    /// # use ctxprop::trust::{Mesh, Zone};
    /// assert_eq!(Mesh::new().zone_of_address([10, 1, 2, 3].into()), Zone::Inside);
    /// assert_eq!(Mesh::new().zone_of_address([203, 0, 113, 7].into()), Zone::Outside);
    /// ```
    #[must_use]
    pub fn zone_of_address(&self, address: IpAddr) -> Zone {
        self.zone_of(&Host::Address(address.to_canonical()))
    }

    fn zone_of(&self, host: &Host<'_>) -> Zone {
        if self.built_in && host.is_built_in() {
            return Zone::Inside;
        }
        let covering = self.named.iter().filter(|(pattern, _)| pattern.covers(host));
        covering.map(|(_, zone)| *zone).min().unwrap_or(Zone::Outside)
    }
}

/// [`Mesh::new`].
impl Default for Mesh {
    fn default() -> Self {
        Self::new()
    }
}

impl Zone {
    /// What of `baggage` a host in this zone receives; `None` where there is nothing to send.
    ///
    /// ```
    /// # use ctxprop::{BaggageMap, trust::Zone};
    /// let baggage = BaggageMap::builder().insert("tenant", "acme")?.insert_private("user", "7")?.build();
    /// assert_eq!(Zone::Inside.share(&baggage).map(|it| it.len()), Some(2));
    /// assert_eq!(Zone::Allowed.share(&baggage).map(|it| it.len()), Some(1));
    /// assert!(Zone::Outside.share(&baggage).is_none());
    /// # Ok::<(), ctxprop::BaggageError>(())
    /// ```
    #[must_use]
    pub fn share(self, baggage: &BaggageMap) -> Option<BaggageMap> {
        let shared = match self {
            Zone::Inside => baggage.clone(),
            Zone::Allowed => baggage.without_private(),
            Zone::Outside => return None,
        };
        Some(shared).filter(|shared| !shared.is_empty())
    }

    /// Writes of `outgoing` what a host in this zone is told, in place of whatever lines `headers` have of it, and takes out
    /// what it must not see, whoever set it there. Baggage that was set by hand stands in place of the context's. Of a span
    /// that is not valid no trace is told, also where `formats` would leave the one that is there.
    ///
    /// # Errors
    ///
    /// Less than 1 ms remains. Baggage that the host must not see is removed then, and nothing else is touched.
    ///
    /// ```
    /// # use ctxprop::{BaggageMap, SpanContext, trust::Zone, wire::{Formats, Outgoing}};
    /// let baggage = BaggageMap::builder().insert("tenant", "acme")?.insert_private("user", "7")?.build();
    /// let span = SpanContext::root();
    /// let outgoing = Outgoing { span: &span, baggage: Some(&baggage), remaining: None };
    /// let mut headers = http::HeaderMap::new();
    /// Zone::Allowed.tell(&outgoing, Formats::new(), &mut headers)?;
    /// assert_eq!(headers["baggage"], "tenant=acme");
    /// Zone::Outside.tell(&outgoing, Formats::new(), &mut headers)?;
    /// assert!(headers.contains_key("traceparent") && !headers.contains_key("baggage"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tell(
        self,
        outgoing: &Outgoing<'_>,
        formats: Formats,
        headers: &mut HeaderMap,
    ) -> Result<(), Expired> {
        let by_hand = self.restrict(headers);
        let baggage = outgoing.baggage.filter(|_| !by_hand);
        let shared = match self {
            // As it is, and checked where it is, so that the next hop finds it checked.
            Zone::Inside => baggage.filter(|all| !all.is_empty()).map(Cow::Borrowed),
            _ => baggage.and_then(|all| self.share(all)).map(Cow::Owned),
        };
        let formats = if by_hand { formats.baggage(false) } else { formats };
        formats.inject(&Outgoing { baggage: shared.as_deref(), ..*outgoing }, headers)?;
        if !outgoing.span.is_valid() {
            for header in HEADERS.iter().filter(|header| header.group() == Group::Trace) {
                headers.remove(header.name());
            }
        }
        Ok(())
    }

    /// Takes the baggage that a host in this zone must not see out of `headers`, whoever set it there. True where baggage
    /// was set that the host may be told of: it stands in place of the context's.
    ///
    /// ```
    /// # use ctxprop::trust::Zone;
    /// let mut headers = http::HeaderMap::new();
    /// headers.insert("baggage", "tenant=acme,user=7;private".parse()?);
    /// assert!(Zone::Allowed.restrict(&mut headers));
    /// assert_eq!(headers["baggage"], "tenant=acme");
    /// assert!(!Zone::Outside.restrict(&mut headers) && headers.is_empty());
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    pub fn restrict(self, headers: &mut HeaderMap) -> bool {
        // Mostly there are few so far, and comparing costs less than the hash of one.
        if !headers.keys().any(|name| *name == BAGGAGE) {
            return false;
        }
        match self {
            Zone::Inside => true,
            Zone::Allowed => {
                let public = crate::wire::baggage::extract(headers).without_private();
                headers.remove(BAGGAGE);
                for line in public.header_lines() {
                    headers.append(BAGGAGE, line.clone());
                }
                true
            }
            Zone::Outside => {
                headers.remove(BAGGAGE);
                false
            }
        }
    }
}

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

#[cfg(test)]
mod tests;
