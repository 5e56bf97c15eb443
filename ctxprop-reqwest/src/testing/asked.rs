//! [`Asked`]: what a script was asked.

use std::time::Duration;

use ctxprop::wire::Incoming;
use ctxprop::{BaggageMap, SpanContext};
use http::HeaderMap;
use reqwest::{Method, Request, Url};
use tokio::time::Instant;

/// One hop that a [`Script`](super::Script) was asked to carry, as the peer would have got it.
#[derive(Clone, Debug)]
pub struct Asked {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    at: Instant,
}

impl Asked {
    pub(super) fn of(hop: &Request) -> Asked {
        Asked {
            method: hop.method().clone(),
            url: hop.url().clone(),
            headers: hop.headers().clone(),
            body: hop.body().and_then(|body| body.as_bytes()).map(<[u8]>::to_vec),
            at: Instant::now(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The whole URL, with its query.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its path.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// All headers, those that the context became among them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// One of them, as text; `None` where it is not there, or is none.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body; `None` where there is none, and where it is a stream.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// When it was asked, by tokio's clock.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// What the peer was told of the budget; `None` where it was told nothing.
    pub fn budget(&self) -> Option<Duration> {
        self.incoming().budget
    }

    /// The baggage that the peer was told.
    pub fn baggage(&self) -> BaggageMap {
        self.incoming().baggage
    }

    /// The span that the hop has in its trace; `None` where the peer was told no trace.
    pub fn span(&self) -> Option<SpanContext> {
        self.incoming().span
    }

    /// What a server of the default formats would have made of the headers.
    fn incoming(&self) -> Incoming {
        Incoming::from_headers(&self.headers)
    }
}
