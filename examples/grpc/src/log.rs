//! What the services see of a request, for whoever reads along.

use std::time::Duration;

use ctxprop::Ctx;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Caller;

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The service that saw it.
    pub at: &'static str,
    /// What it was: `arrived`, or how it ended.
    pub what: String,
    /// The trace it belongs to.
    pub trace: String,
    /// Who asked, as far as the service was told.
    pub customer: Option<String>,
    /// What was left of the budget.
    pub left: Option<Duration>,
}

/// Where the services tell it.
#[derive(Clone, Debug)]
pub struct Log {
    sender: UnboundedSender<Seen>,
}

impl Log {
    /// A log, and what is told.
    #[must_use]
    pub fn new() -> (Log, UnboundedReceiver<Seen>) {
        let (sender, seen) = unbounded_channel();
        (Log { sender }, seen)
    }

    /// A request came, and its end will be told.
    pub fn arrived(&self, at: &'static str, ctx: &Ctx) {
        self.tell(at, "arrived", ctx);
        let (log, seen) = (self.clone(), ctx.detach("told at the end"));
        // It is dropped with the request.
        let _ = ctx.on_done(move |cause| log.tell(at, &cause.to_string(), &seen));
    }

    fn tell(&self, at: &'static str, what: &str, ctx: &Ctx) {
        let seen = Seen {
            at,
            what: what.to_owned(),
            trace: ctx.span().trace_id().to_string(),
            customer: ctx.baggage().ok().map(|Caller { customer }| customer),
            left: ctx.remaining(),
        };
        // Nobody need read along.
        drop(self.sender.send(seen));
    }
}
