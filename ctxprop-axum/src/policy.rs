//! Whom to believe, and how much: from what a request says to the context it gets. The rules of trust for what
//! comes in; nothing here runs anything.

use std::time::Duration;

use ctxprop::__private::of_request;
use ctxprop::wire::{Formats, Incoming};
use ctxprop::{Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Canceller, Ctx, SpanContext};
use http::{HeaderMap, Request};

/// What a [`CtxLayer`](crate::CtxLayer) was told.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// What the requests are children of, if the user has one.
    pub(crate) root: Option<Ctx>,
    pub(crate) formats: Formats,
    pub(crate) accept_trace: bool,
    pub(crate) baggage: Accept,
    pub(crate) default_budget: Option<Duration>,
    pub(crate) max_budget: Option<Duration>,
    pub(crate) min_budget: Duration,
    /// At the edge a caller may only shorten what it would get anyhow.
    pub(crate) only_shorter: bool,
    pub(crate) echo_trace_id: bool,
}

/// Which baggage is taken.
#[derive(Clone, Debug)]
pub(crate) enum Accept {
    All,
    Keys(Vec<String>),
}

/// Whose budget a request runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    Caller,
    Server,
}

impl Granted {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Granted::Caller => "caller",
            Granted::Server => "server",
        }
    }
}

/// A request that has its context.
pub(crate) struct Admitted {
    pub(crate) ctx: Ctx,
    pub(crate) canceller: Canceller,
    pub(crate) granted: Granted,
    pub(crate) budget: Option<Duration>,
    /// It has come through another layer of this process.
    pub(crate) nested: bool,
}

impl Policy {
    /// Makes the context of `request`: below `root`, or below the one that another layer gave it.
    pub(crate) fn admit<B>(&self, root: &Ctx, request: &Request<B>) -> Admitted {
        if request.extensions().get::<Ctx>().is_some()
            && let Some(outer) = of_request(request.extensions())
        {
            return self.narrow(&outer, request.headers());
        }
        let (incoming, granted) = self.believe(request.headers());
        let budget = incoming.budget;
        let (ctx, canceller) = root.with_incoming(incoming);
        Admitted { ctx, canceller, granted, budget, nested: false }
    }

    /// The context of a request that has one already, `outer`: that one with less. Budgets only shrink, and what
    /// another layer took from the caller, and this one does not, is left behind.
    fn narrow(&self, outer: &Ctx, headers: &HeaderMap) -> Admitted {
        let said = self.formats.extract(headers);
        let mut ctx = outer.clone();
        let callers = |span: &SpanContext| span.trace_id() == outer.span().trace_id();
        if !self.accept_trace && said.span.as_ref().is_some_and(callers) {
            ctx = ctx.with_span(SpanContext::root());
        }
        if let Accept::Keys(keys) = &self.baggage {
            let has = outer.baggage_map();
            let taken = said.baggage.iter().filter(|(key, value)| {
                has.get(key) == Some(value) && !keys.iter().any(|accepted| accepted == key)
            });
            let unwanted: Vec<_> = taken.map(|(key, _)| key.to_owned()).collect();
            if !unwanted.is_empty()
                && let Ok(without) = ctx.with_baggage(&Without(unwanted))
            {
                ctx = without;
            }
        }
        let left = outer.remaining();
        let own = self.budget(said.budget).filter(|own| left.is_none_or(|left| *own < left));
        if let Some(own) = own {
            ctx = ctx.with_timeout(own);
        }
        let granted = match said.budget {
            Some(asked) if own.is_none_or(|own| own == asked) => Granted::Caller,
            _ => Granted::Server,
        };
        let (ctx, canceller) = ctx.with_cancel();
        Admitted { ctx, canceller, granted, budget: own.or(left), nested: true }
    }

    /// What a request with these headers is believed to be, and whose budget it has.
    fn believe(&self, headers: &HeaderMap) -> (Incoming, Granted) {
        let mut formats = self.formats;
        if !self.accept_trace {
            formats = formats.trace(false);
        }
        let keys = match &self.baggage {
            Accept::All => None,
            Accept::Keys(keys) => Some(keys),
        };
        // What is not taken is not read either: a stranger's headers cost what they are worth.
        if keys.is_some_and(Vec::is_empty) {
            formats = formats.baggage(false);
        }
        let mut incoming = match keys {
            Some(keys) => formats.extract_keys(headers, keys),
            None => formats.extract(headers),
        };
        let asked = incoming.budget;
        incoming.budget = self.budget(asked);
        let granted = match asked {
            Some(asked) if incoming.budget == Some(asked) && self.root_lasts(asked) => {
                Granted::Caller
            }
            _ => Granted::Server,
        };
        (incoming, granted)
    }

    fn root_lasts(&self, budget: Duration) -> bool {
        let left = self.root.as_ref().and_then(Ctx::remaining);
        left.is_none_or(|left| budget <= left)
    }

    /// The budget for a caller that asked for `asked`.
    fn budget(&self, asked: Option<Duration>) -> Option<Duration> {
        let budget = match (asked, self.default_budget) {
            (Some(asked), Some(own)) if self.only_shorter => Some(asked.min(own)),
            (asked, own) => asked.or(own),
        };
        match (budget, self.max_budget) {
            (Some(budget), Some(max)) => Some(budget.min(max)),
            (budget, max) => budget.or(max),
        }
    }

    /// Whether `budget` is too little to start with: none at all, or less than the least that makes sense.
    pub(crate) fn is_too_little(&self, budget: Option<Duration>) -> bool {
        budget.is_some_and(|budget| budget.is_zero() || budget < self.min_budget)
    }
}

/// The keys that are taken out of the baggage.
struct Without(Vec<String>);

impl Baggage for Without {
    fn from_baggage(_: &BaggageMap) -> Result<Self, BaggageError> {
        Ok(Without(Vec::new()))
    }

    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        for key in &self.0 {
            out.remove(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ctxprop::Background;

    use super::*;
    use crate::CtxLayer;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// (asked, default, max) -> (edge grants, mesh grants)
    #[test]
    fn budgets() {
        for (asked, default, max, edge, mesh) in [
            (None, None, None, None, None),
            (None, Some(10), None, Some(10), Some(10)),
            (Some(5), Some(10), None, Some(5), Some(5)),
            (Some(50), Some(10), None, Some(10), Some(50)),
            (Some(50), None, None, Some(50), Some(50)),
            (Some(50), Some(10), Some(20), Some(10), Some(20)),
            (None, None, Some(20), Some(20), Some(20)),
            (None, Some(30), Some(20), Some(20), Some(20)),
            (Some(0), Some(10), None, Some(0), Some(0)),
        ] {
            let mut at_edge = CtxLayer::edge().policy;
            let mut in_mesh = CtxLayer::mesh().policy;
            for policy in [&mut at_edge, &mut in_mesh] {
                policy.default_budget = default.map(ms);
                policy.max_budget = max.map(ms);
            }
            let row = (asked, default, max);
            assert_eq!(at_edge.budget(asked.map(ms)), edge.map(ms), "edge {row:?}");
            assert_eq!(in_mesh.budget(asked.map(ms)), mesh.map(ms), "mesh {row:?}");
        }
    }

    #[test]
    fn strangers_bring_no_trace_and_no_baggage_but_what_is_named() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap(),
        );
        headers.insert("baggage", "tenant=acme,user.id=7".parse().unwrap());
        let (incoming, _) = CtxLayer::edge().policy.believe(&headers);
        assert!(incoming.span.is_none() && incoming.baggage.is_empty());
        let (incoming, _) =
            CtxLayer::edge().accept_trace().accept_baggage(["tenant"]).policy.believe(&headers);
        assert!(incoming.span.is_some());
        assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("tenant", "acme")]);
        let (incoming, _) = CtxLayer::mesh().policy.believe(&headers);
        assert!(incoming.span.is_some());
        assert_eq!(incoming.baggage.len(), 2);
    }

    #[test]
    fn a_format_that_is_off_is_not_read_whoever_calls() {
        let mut headers = HeaderMap::new();
        headers.insert("x-trace-id", "0af7651916cd43dd8448eb211c80319c".parse().unwrap());
        headers.insert("baggage", "tenant=acme".parse().unwrap());
        headers.insert("x-timeout-ms", "5".parse().unwrap());
        let off = Formats::new().trace(false).baggage(false).budget(false);
        for layer in [CtxLayer::mesh(), CtxLayer::edge().accept_trace().accept_baggage(["tenant"])]
        {
            let (incoming, _) = layer.clone().policy.believe(&headers);
            assert!(incoming.span.is_some() && !incoming.baggage.is_empty());
            let (incoming, whose) = layer.formats(off).policy.believe(&headers);
            assert!(incoming.span.is_none() && incoming.baggage.is_empty());
            assert_eq!((incoming.budget, whose), (None, Granted::Server));
        }
        assert!(CtxLayer::edge().policy.believe(&headers).0.span.is_none());
    }

    #[test]
    fn whose_budget_it_is() {
        let mut headers = HeaderMap::new();
        let layer = CtxLayer::mesh().default_budget(ms(100)).max_budget(ms(200));
        assert_eq!(layer.policy.believe(&headers).1, Granted::Server);
        headers.insert("x-timeout-ms", "150".parse().unwrap());
        assert_eq!(layer.policy.believe(&headers).1, Granted::Caller);
        headers.insert("x-timeout-ms", "250".parse().unwrap());
        assert_eq!(layer.policy.believe(&headers).1, Granted::Server);
        // A root that ends before the caller does is ours.
        headers.insert("x-timeout-ms", "150".parse().unwrap());
        let root = Ctx::background().with_timeout(ms(100));
        assert_eq!(layer.under(&root).policy.believe(&headers).1, Granted::Server);
    }

    #[test]
    fn too_little_is_none_at_all_or_less_than_the_least() {
        let policy = CtxLayer::mesh().min_budget(ms(5)).policy;
        assert!(!policy.is_too_little(None) && !policy.is_too_little(Some(ms(5))));
        assert!(policy.is_too_little(Some(ms(4))));
        assert!(CtxLayer::mesh().policy.is_too_little(Some(Duration::ZERO)));
    }
}
