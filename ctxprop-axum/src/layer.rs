//! [`CtxLayer`]: what the user configures.

use std::time::Duration;

use ctxprop::wire::Formats;
use ctxprop::{Background, Ctx};
use tower_layer::Layer;

use crate::policy::{Accept, Policy};
use crate::service::CtxService;

/// Gives each request its context. See the [crate](crate) for what becomes of a request.
///
/// It is a tower layer for any `http` service; put it outside of layers that need the context, and inside of
/// those that answer without it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ctxprop::{Background, Cause, Ctx};
/// use ctxprop_axum::CtxLayer;
///
/// // All requests end when the process goes down.
/// let (root, canceller) = Ctx::background().with_cancel();
/// let layer = CtxLayer::mesh()
///     .under(&root)
///     .default_budget(Duration::from_secs(5))
///     .max_budget(Duration::from_secs(30))
///     .min_budget(Duration::from_millis(2));
/// # drop(layer);
/// // .. and when a signal comes:
/// canceller.cancel_with(Cause::Shutdown);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is added to a router or service"]
pub struct CtxLayer {
    pub(crate) policy: Policy,
    /// The routes that have a budget of their own, or none.
    pub(crate) routes: Vec<(String, Option<Duration>)>,
}

impl CtxLayer {
    /// For a service that strangers call: it starts a new trace, takes no baggage, and lets a caller only
    /// shorten the budget it would get anyhow.
    ///
    /// A stranger's trace would join two systems' traces, or make us record what it likes; its baggage would
    /// name any user it likes. [`accept_trace`](CtxLayer::accept_trace) and
    /// [`accept_baggage`](CtxLayer::accept_baggage) open what you want open.
    pub fn edge() -> CtxLayer {
        CtxLayer::new(false, Accept::Keys(Vec::new()), true)
    }

    /// For a service that only peers call: it takes their trace, baggage and budget.
    pub fn mesh() -> CtxLayer {
        CtxLayer::new(true, Accept::All, false)
    }

    fn new(accept_trace: bool, baggage: Accept, only_shorter: bool) -> CtxLayer {
        CtxLayer {
            policy: Policy {
                root: None,
                formats: Formats::new(),
                accept_trace,
                baggage,
                default_budget: None,
                max_budget: None,
                min_budget: Duration::ZERO,
                only_shorter,
                echo_trace_id: false,
            },
            routes: Vec::new(),
        }
    }

    /// Makes each request's context a child of `root`: it ends with `root`, has its values, and `root.idle()`
    /// waits for its tasks. Without it the layer has a root of its own.
    pub fn under(mut self, root: &Ctx) -> CtxLayer {
        self.policy.root = Some(root.clone());
        self
    }

    /// The budget of a request that brings none. At the edge also the most that a caller can ask for.
    pub fn default_budget(mut self, budget: Duration) -> CtxLayer {
        self.policy.default_budget = Some(budget);
        self
    }

    /// The most that any request gets, also one that brings no budget.
    pub fn max_budget(mut self, budget: Duration) -> CtxLayer {
        self.policy.max_budget = Some(budget);
        self
    }

    /// The budget of each request, whatever was said before: what it asks for where that is less, and never more. For a
    /// router or a route whose work takes longer, or less long, than that of the others.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use axum::Router;
    /// use axum::routing::{get, post};
    /// use ctxprop_axum::CtxLayer;
    ///
    /// let layer = CtxLayer::edge().default_budget(Duration::from_secs(5));
    /// let api = Router::new().route("/orders", get(|| async { "orders" }));
    /// let reports = Router::new().route("/reports", post(|| async { "a minute later" }));
    /// let events = Router::new().route("/events", get(|| async { "for ever" }));
    /// let app: Router = Router::new()
    ///     .merge(api.layer(layer.clone()))
    ///     .merge(reports.layer(layer.clone().budget(Duration::from_secs(90))))
    ///     .merge(events.layer(layer.no_budget()));
    /// # drop(app);
    /// ```
    pub fn budget(mut self, budget: Duration) -> CtxLayer {
        grant(&mut self.policy, Some(budget));
        self
    }

    /// No budget but the caller's own, whatever was said before: for sessions and streams that last as long as somebody
    /// listens.
    ///
    /// Under another layer a request has what that one granted: budgets only shrink. So either the two stand side by side,
    /// as in the example of [`budget`](CtxLayer::budget), or the outer one has a [`route_budget`](CtxLayer::route_budget).
    pub fn no_budget(mut self) -> CtxLayer {
        grant(&mut self.policy, None);
        self
    }

    /// As [`budget`](CtxLayer::budget), or with `None` [`no_budget`](CtxLayer::no_budget), for one route of the router that
    /// this layer is around.
    ///
    /// `route` is as the whole router has it, with its parameters: `/rooms/{id}/events`. One that no request matches changes
    /// nothing. Outside of the router, in a `ServiceBuilder` around all of it, the route is not known yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use axum::{Router, routing::get};
    /// use ctxprop_axum::CtxLayer;
    ///
    /// let layer = CtxLayer::edge()
    ///     .default_budget(Duration::from_secs(5))
    ///     .route_budget("/rooms/{id}/events", None)
    ///     .route_budget("/reports", Duration::from_secs(90));
    /// let app: Router = Router::new()
    ///     .route("/orders", get(|| async { "orders" }))
    ///     .route("/reports", get(|| async { "a minute later" }))
    ///     .route("/rooms/{id}/events", get(|| async { "for ever" }))
    ///     .layer(layer);
    /// # drop(app);
    /// ```
    pub fn route_budget(
        mut self,
        route: impl Into<String>,
        budget: impl Into<Option<Duration>>,
    ) -> CtxLayer {
        self.routes.push((route.into(), budget.into()));
        self
    }

    /// Refuses at once, with 504, what has less than this left: the handler never runs. A budget of zero is
    /// refused always.
    pub fn min_budget(mut self, budget: Duration) -> CtxLayer {
        self.policy.min_budget = budget;
        self
    }

    /// Continues the caller's trace, at the edge too.
    pub fn accept_trace(mut self) -> CtxLayer {
        self.policy.accept_trace = true;
        self
    }

    /// Takes baggage entries with these keys, and no others.
    pub fn accept_baggage<K: Into<String>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> CtxLayer {
        self.policy.baggage = Accept::Keys(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Which headers are read.
    pub fn formats(mut self, formats: Formats) -> CtxLayer {
        self.policy.formats = formats;
        self
    }

    /// Puts the trace id on each response, as `x-trace-id`: 32 hex digits for a support ticket.
    pub fn echo_trace_id(mut self) -> CtxLayer {
        self.policy.echo_trace_id = true;
        self
    }
}

/// Has `policy` grant this much and no more, or what a caller asks for.
fn grant(policy: &mut Policy, budget: Option<Duration>) {
    policy.default_budget = budget;
    policy.max_budget = budget;
}

impl<S> Layer<S> for CtxLayer {
    type Service = CtxService<S>;

    fn layer(&self, inner: S) -> CtxService<S> {
        let root = self.policy.root.clone().unwrap_or_else(Ctx::background);
        let of_route = |(route, budget): &(String, Option<Duration>)| {
            let mut policy = self.policy.clone();
            grant(&mut policy, *budget);
            (route.clone(), policy)
        };
        let routes = self.routes.iter().map(of_route).collect();
        CtxService::new(inner, root, self.policy.clone(), routes)
    }
}
