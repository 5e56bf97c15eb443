//! [`InFlight`]: a request as its layer holds it, from its headers to the end of its response.
//!
//! # Invariants
//! 1. Exactly one value holds it: the future, then the response's body or the session that the connection was upgraded
//!    to, or the task in which the handler unwinds. Where that goes, by whatever way, also a panic, the request is over:
//!    its context has ended.
//! 2. What happened is told once, as it goes: one event, and two fields of its span.
//! 3. Nothing is kept for the event where nobody would see it.

use std::time::Duration;

use axum::extract::MatchedPath;
use ctxprop::{Cancelled, Canceller, Cause, Ctx};
use http::{Method, Request, StatusCode};
use tokio::time::Instant;
use tracing::{Level, Span, field};

use crate::future::NOTHING;
use crate::metrics;
use crate::policy::{Admitted, Granted};
use crate::serve::exchange::{Exchange, Open, Ticket};

/// One request that is not over.
pub(crate) struct InFlight {
    ctx: Ctx,
    canceller: Canceller,
    span: Span,
    report: Option<Box<Report>>,
    /// Whose budget it runs on.
    granted: Granted,
    /// Whose deadline the response is about, where it is about one.
    whose: Option<Granted>,
    status: Option<StatusCode>,
    fate: Fate,
    /// It has come through another layer of this process, which tells of it and counts it.
    nested: bool,
    /// Its place among what its server has open, where that is ours.
    ticket: Option<Ticket>,
}

/// How it went, as far as the context's cause does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing was cut short.
    Whole,
    /// The end of the context cut it short.
    Cut,
    /// It was never begun: its budget was too little.
    Refused,
    /// Its connection was upgraded, and nothing tells when that goes.
    Released,
    /// Its connection was upgraded, and the server tells.
    Session,
}

/// What the event says beyond what the request has at hand.
struct Report {
    method: Method,
    route: Option<MatchedPath>,
    began: Instant,
}

impl InFlight {
    /// The request that was `admitted`. Under another layer that one's span and event are enough.
    pub(crate) fn new<B>(admitted: Admitted, request: &Request<B>) -> Self {
        let Admitted { ctx, canceller, granted, budget, nested } = admitted;
        let span = if nested { Span::none() } else { request_span(&ctx, request, budget) };
        let told = !nested && tracing::enabled!(target: "ctxprop", Level::WARN);
        let report = told.then(|| {
            Box::new(Report {
                method: request.method().clone(),
                route: request.extensions().get::<MatchedPath>().cloned(),
                began: Instant::now(),
            })
        });
        if !nested {
            metrics::began(&ctx, request.headers());
        }
        let exchange = if nested { None } else { request.extensions().get::<Exchange>() };
        let ticket = exchange.map(|exchange| {
            exchange.begin(Open {
                ctx: ctx.clone(),
                canceller: canceller.clone(),
                method: request.method().clone(),
                route: request.extensions().get::<MatchedPath>().cloned(),
                began: Instant::now(),
            })
        });
        InFlight {
            ctx,
            canceller,
            span,
            report,
            granted,
            whose: None,
            status: None,
            fate: Fate::Whole,
            nested,
            ticket,
        }
    }

    /// Where it came from, where the server is ours.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        self.ticket.as_ref().map(Ticket::exchange)
    }

    pub(crate) fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    pub(crate) fn granted(&self) -> Granted {
        self.granted
    }

    /// Runs `f` in the request's span.
    #[inline]
    pub(crate) fn in_span<R>(&self, f: impl FnOnce() -> R) -> R {
        if self.span.is_none() { f() } else { self.span.in_scope(f) }
    }

    /// The same, with the request's context current.
    #[inline]
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        self.in_span(|| self.ctx.sync_scope(f))
    }

    /// The budget was too little to begin with.
    pub(crate) fn refuse(&mut self) -> Cancelled {
        self.fate = Fate::Refused;
        self.canceller.cancel_with(Cause::DeadlineExceeded);
        self.cancelled()
    }

    /// The end of the context cut the work short.
    pub(crate) fn cut(&mut self) -> Cancelled {
        self.fate = Fate::Cut;
        self.cancelled()
    }

    fn cancelled(&self) -> Cancelled {
        self.ctx.check().err().unwrap_or_else(|| Cancelled::new(Cause::Finished))
    }

    /// Nobody waits for the response any more.
    pub(crate) fn abandon(&mut self) {
        // A caller that has waited as long as it wanted hangs up in the same moment, and its budget came in whole
        // milliseconds: then it is the deadline, whichever of the two is seen first.
        let nothing_left = self.ctx.remaining().is_some_and(|left| left < NOTHING);
        let cause = match () {
            () if std::thread::panicking() => Cause::Finished,
            () if nothing_left => Cause::DeadlineExceeded,
            () => Cause::Disconnected,
        };
        self.fate = Fate::Cut;
        self.canceller.cancel_with(cause);
    }

    /// The response has begun. It may be what a handler made of the end that it was told of: then it has `unwound`.
    pub(crate) fn respond(&mut self, status: StatusCode, whose: Option<Granted>, unwound: bool) {
        self.status = Some(status);
        self.whose = whose;
        if (whose.is_some() || unwound) && self.fate == Fate::Whole {
            self.fate = Fate::Cut;
        }
    }

    /// The connection is the handler's now. A server of ours keeps the request until that goes. Of others nothing here
    /// sees it go: the context lasts as long as somebody has it, until its deadline or the end of its root.
    pub(crate) fn upgrade(mut self) {
        match self.exchange().cloned() {
            Some(exchange) => {
                self.fate = Fate::Session;
                exchange.keep(self);
            }
            None => self.fate = Fate::Released,
        }
    }

    /// Whose deadline cut it short, where one did.
    fn deadline(&self) -> Option<Granted> {
        let by_deadline = || self.ctx.cause() == Some(Cause::DeadlineExceeded);
        self.whose.or_else(|| by_deadline().then_some(self.granted))
    }

    fn tell(&self, report: &Report, left: Option<Duration>) {
        let cause = self.ctx.cause().unwrap_or(Cause::Finished);
        let deadline = self.deadline().map(Granted::as_str);
        let status = self.status.map(|status| status.as_u16());
        let route = report.route.as_ref().map(MatchedPath::as_str);
        let spent = report.began.elapsed();
        let left = left.map(field::debug);
        let trace_id = self.ctx.span().trace_id();
        self.span.record("status", status);
        self.span.record("cause", field::display(&cause));
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "ctxprop", parent: &self.span, method = %report.method, route, status, %cause,
                    deadline, ?spent, left, %trace_id, $message
                )
            };
        }
        match self.fate {
            _ if std::thread::panicking() => tell!(warn, "a request's handler panicked"),
            Fate::Session if cause == Cause::Finished => tell!(info, "a session is over"),
            Fate::Session => tell!(warn, "a session was cut short"),
            Fate::Whole => tell!(info, "a request is over"),
            Fate::Released => tell!(info, "a request's connection was upgraded"),
            Fate::Cut => tell!(warn, "a request was cut short"),
            Fate::Refused => tell!(warn, "a request was refused"),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let is_counted = metrics::ON && !self.nested;
        let is_told = is_counted || self.report.is_some();
        let left = if is_told { self.ctx.remaining() } else { None };
        if self.fate != Fate::Released {
            self.canceller.cancel_with(Cause::Finished);
        }
        if let Some(report) = &self.report {
            self.tell(report, left);
        }
        if is_counted {
            metrics::ended(&self.ctx, left, self.deadline());
        }
    }
}

fn request_span<B>(ctx: &Ctx, request: &Request<B>, budget: Option<Duration>) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    tracing::info_span!(
        target: "ctxprop",
        "request",
        method = %request.method(),
        route,
        trace_id = %ctx.span().trace_id(),
        span_id = %ctx.span().span_id(),
        parent_id = ctx.span().parent_id().map(field::display),
        budget = budget.map(field::debug),
        status = field::Empty,
        cause = field::Empty,
    )
}
