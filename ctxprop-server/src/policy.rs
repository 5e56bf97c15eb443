//! Whom to believe, and how much: from what a request says to the context it gets. The rules of trust for what
//! comes in; nothing here runs anything.

use std::time::Duration;

use ctxprop::__private::of_request;
use ctxprop::wire::{Formats, Incoming};
use ctxprop::{Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Canceller, Ctx, SpanContext};
use http::{Extensions, HeaderMap};

/// What a server layer was told: whom it believes, and how much.
///
/// [`edge`](Policy::edge) and [`mesh`](Policy::mesh) are the two to begin with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// What the requests are children of, if the user has one.
    pub root: Option<Ctx>,
    /// Which headers are read.
    pub formats: Formats,
    /// Whether the caller's trace is continued.
    pub accept_trace: bool,
    /// Which baggage is taken.
    pub baggage: Accept,
    /// The budget of a request that brings none.
    pub default_budget: Option<Duration>,
    /// The most that any request gets, also one that brings no budget.
    pub max_budget: Option<Duration>,
    /// What has less than this left is refused at once: see [`is_too_little`](Policy::is_too_little).
    pub min_budget: Duration,
    /// At the edge a caller may only shorten what it would get anyhow.
    pub only_shorter: bool,
    /// Whether the response tells the trace id.
    pub echo_trace_id: bool,
}

/// Which baggage is taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Accept {
    /// All there is.
    All,
    /// Entries with these keys, and no others.
    Keys(Vec<String>),
}

/// Whose budget a request runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Granted {
    /// The caller's: it would not wait any longer.
    Caller,
    /// The server's own.
    Server,
}

impl Granted {
    /// `caller` or `server`, as responses and events have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Granted::Caller => "caller",
            Granted::Server => "server",
        }
    }
}

/// A request that has its context.
#[derive(Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// The context that the request runs under.
    pub ctx: Ctx,
    /// What ends it.
    pub canceller: Canceller,
    /// Whose budget it has.
    pub granted: Granted,
    /// The budget it has; `None` where it has no deadline.
    pub budget: Option<Duration>,
    /// It has come through another layer of this process.
    pub nested: bool,
}

impl Policy {
    /// For a service that strangers call: it starts a new trace, takes no baggage, and lets a caller only shorten the
    /// budget it would get anyhow.
    pub fn edge() -> Policy {
        Policy::new(false, Accept::Keys(Vec::new()), true)
    }

    /// For a service that only peers call: it takes their trace, baggage and budget.
    pub fn mesh() -> Policy {
        Policy::new(true, Accept::All, false)
    }

    fn new(accept_trace: bool, baggage: Accept, only_shorter: bool) -> Policy {
        Policy {
            root: None,
            formats: Formats::new(),
            accept_trace,
            baggage,
            default_budget: None,
            max_budget: None,
            min_budget: Duration::ZERO,
            only_shorter,
            echo_trace_id: false,
        }
    }

    /// Makes the context of a request with these extensions and headers: below `root`, or below the one that another
    /// layer of this process put into its extensions.
    pub fn admit(&self, root: &Ctx, extensions: &Extensions, headers: &HeaderMap) -> Admitted {
        if extensions.get::<Ctx>().is_some()
            && let Some(outer) = of_request(extensions)
        {
            return self.narrow(&outer, headers);
        }
        let (incoming, granted) = self.believe(headers);
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
    #[inline]
    pub fn is_too_little(&self, budget: Option<Duration>) -> bool {
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

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn taking_tenant() -> Policy {
        let mut policy = Policy::edge();
        policy.accept_trace = true;
        policy.baggage = Accept::Keys(vec!["tenant".to_owned()]);
        policy
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
            let mut at_edge = Policy::edge();
            let mut in_mesh = Policy::mesh();
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
        let (incoming, _) = Policy::edge().believe(&headers);
        assert!(incoming.span.is_none() && incoming.baggage.is_empty());
        let (incoming, _) = taking_tenant().believe(&headers);
        assert!(incoming.span.is_some());
        assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("tenant", "acme")]);
        let (incoming, _) = Policy::mesh().believe(&headers);
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
        for mut policy in [Policy::mesh(), taking_tenant()] {
            let (incoming, _) = policy.believe(&headers);
            assert!(incoming.span.is_some() && !incoming.baggage.is_empty());
            policy.formats = off;
            let (incoming, whose) = policy.believe(&headers);
            assert!(incoming.span.is_none() && incoming.baggage.is_empty());
            assert_eq!((incoming.budget, whose), (None, Granted::Server));
        }
        assert!(Policy::edge().believe(&headers).0.span.is_none());
    }

    #[test]
    fn whose_budget_it_is() {
        let mut headers = HeaderMap::new();
        let mut policy = Policy::mesh();
        policy.default_budget = Some(ms(100));
        policy.max_budget = Some(ms(200));
        assert_eq!(policy.believe(&headers).1, Granted::Server);
        headers.insert("x-timeout-ms", "150".parse().unwrap());
        assert_eq!(policy.believe(&headers).1, Granted::Caller);
        headers.insert("x-timeout-ms", "250".parse().unwrap());
        assert_eq!(policy.believe(&headers).1, Granted::Server);
        // A root that ends before the caller does is ours.
        headers.insert("x-timeout-ms", "150".parse().unwrap());
        policy.root = Some(Ctx::background().with_timeout(ms(100)));
        assert_eq!(policy.believe(&headers).1, Granted::Server);
    }

    #[test]
    fn too_little_is_none_at_all_or_less_than_the_least() {
        let mut policy = Policy::mesh();
        policy.min_budget = ms(5);
        assert!(!policy.is_too_little(None) && !policy.is_too_little(Some(ms(5))));
        assert!(policy.is_too_little(Some(ms(4))));
        assert!(Policy::mesh().is_too_little(Some(Duration::ZERO)));
    }
}
