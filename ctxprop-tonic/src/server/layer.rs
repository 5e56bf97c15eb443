//! [`CtxLayer`]: what the user configures.

use std::time::Duration;

use ctxprop::wire::Formats;
use ctxprop::{Background, Ctx};
use ctxprop_server::{Accept, Policy};
use tower_layer::Layer;

use super::service::CtxService;

/// Gives each call its context. See the [crate](crate) for what becomes of a call.
///
/// It is a tower layer: for a whole server (`Server::builder().layer(..)`), for one service
/// (`ServiceBuilder`, or [`Layer::layer`] around a generated `GreeterServer`, which keeps its name), or for a router of
/// axum's that has gRPC services in it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ctxprop::{Background, Cause, Ctx};
/// use ctxprop_tonic::CtxLayer;
///
/// // All calls end when the process goes down.
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
#[must_use = "a layer does nothing until it is added to a server or service"]
pub struct CtxLayer {
    policy: Policy,
}

impl CtxLayer {
    /// For a service that strangers call: it starts a new trace, takes no baggage, and lets a caller only
    /// shorten the budget it would get anyhow.
    ///
    /// A stranger's trace would join two systems' traces, or make us record what it likes; its baggage would
    /// name any user it likes. [`accept_trace`](CtxLayer::accept_trace) and
    /// [`accept_baggage`](CtxLayer::accept_baggage) open what you want open.
    pub fn edge() -> CtxLayer {
        CtxLayer { policy: Policy::edge() }
    }

    /// For a service that only peers call: it takes their trace, baggage and budget.
    pub fn mesh() -> CtxLayer {
        CtxLayer { policy: Policy::mesh() }
    }

    /// Makes each call's context a child of `root`: it ends with `root`, has its values, and `root.idle()`
    /// waits for its tasks. Without it the layer has a root of its own.
    pub fn under(mut self, root: &Ctx) -> CtxLayer {
        self.policy.root = Some(root.clone());
        self
    }

    /// The budget of a call that brings none. At the edge also the most that a caller can ask for.
    pub fn default_budget(mut self, budget: Duration) -> CtxLayer {
        self.policy.default_budget = Some(budget);
        self
    }

    /// The most that any call gets, also one that brings no budget.
    pub fn max_budget(mut self, budget: Duration) -> CtxLayer {
        self.policy.max_budget = Some(budget);
        self
    }

    /// Refuses at once, with `DEADLINE_EXCEEDED`, what has less than this left: the handler never runs. A budget of
    /// zero is refused always.
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

    /// Puts the trace id into the metadata of each response, as `x-trace-id`: 32 hex digits for a support ticket.
    pub fn echo_trace_id(mut self) -> CtxLayer {
        self.policy.echo_trace_id = true;
        self
    }
}

impl<S> Layer<S> for CtxLayer {
    type Service = CtxService<S>;

    fn layer(&self, inner: S) -> CtxService<S> {
        let root = self.policy.root.clone().unwrap_or_else(Ctx::background);
        CtxService::new(inner, root, self.policy.clone())
    }
}
