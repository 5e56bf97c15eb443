//! [`InFlight`]: a request as its layer holds it, from its headers to the end of its response.
//!
//! # Invariants
//! 1. Exactly one value holds it: the future, then the response's body, or the task in which the handler
//!    unwinds. Where that goes, by whatever way, also a panic, the request is over: its context has ended.
//! 2. What happened is told once, as it goes: one event, and two fields of its span.
//! 3. Nothing is kept for the span and the event where nobody would see them, and nothing is entered.
//! 4. It is small: it moves from the future into the body.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::MatchedPath;
use ctxprop::{Cancelled, Canceller, Cause, Ctx};
use http::{Method, Request, StatusCode};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, field};

use crate::future::NOTHING;
use crate::policy::{Admitted, Granted};
use crate::service::Shared;

/// One request that is not over.
pub(crate) struct InFlight {
    ctx: Ctx,
    canceller: Canceller,
    pub(crate) shared: Arc<Shared>,
    /// What is told of it, where anybody listens.
    told: Option<Box<Told>>,
    /// Whose budget it runs on.
    granted: Granted,
    /// Whose deadline the response is about, where it is about one.
    whose: Option<Granted>,
    status: Option<StatusCode>,
    fate: Fate,
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
}

/// The request's span, and what the event needs.
struct Told {
    span: Span,
    report: Option<Report>,
}

/// What the event says beyond what the request has at hand.
struct Report {
    method: Method,
    route: Option<MatchedPath>,
    began: Instant,
}

impl InFlight {
    /// The request that was `admitted`. Under another layer that one's span and event are enough.
    #[inline]
    pub(crate) fn new<B>(admitted: Admitted, request: &Request<B>, shared: Arc<Shared>) -> Self {
        let Admitted { ctx, canceller, granted, budget, nested } = admitted;
        let told = if nested { None } else { Told::of(&ctx, request, budget) };
        let (whose, status, fate) = (None, None, Fate::Whole);
        InFlight { ctx, canceller, shared, told, granted, whose, status, fate }
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
        match &self.told {
            Some(told) => told.span.in_scope(f),
            None => f(),
        }
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

    /// The response has begun.
    pub(crate) fn respond(&mut self, status: StatusCode, whose: Option<Granted>) {
        self.status = Some(status);
        self.whose = whose;
        if whose.is_some() && self.fate == Fate::Whole {
            self.fate = Fate::Cut;
        }
    }

    /// The connection is the handler's now, and nothing here sees it go: its context lasts as long as somebody has it,
    /// until its deadline or the end of its root.
    pub(crate) fn upgrade(mut self) {
        self.fate = Fate::Released;
    }

    #[cold]
    fn tell(&self, span: &Span, report: &Report, left: Option<Duration>) {
        let cause = self.ctx.cause().unwrap_or(Cause::Finished);
        let by_deadline = cause == Cause::DeadlineExceeded;
        let deadline = self.whose.or(by_deadline.then_some(self.granted)).map(Granted::as_str);
        let status = self.status.map(|status| status.as_u16());
        let route = report.route.as_ref().map(MatchedPath::as_str);
        let spent = report.began.elapsed();
        let left = left.map(field::debug);
        let trace_id = self.ctx.span().trace_id();
        span.record("status", status);
        span.record("cause", field::display(&cause));
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "ctxprop", parent: span, method = %report.method, route, status, %cause,
                    deadline, ?spent, left, %trace_id, $message
                )
            };
        }
        match self.fate {
            _ if std::thread::panicking() => tell!(warn, "a request's handler panicked"),
            Fate::Whole => tell!(info, "a request is over"),
            Fate::Released => tell!(info, "a request's connection was upgraded"),
            Fate::Cut => tell!(warn, "a request was cut short"),
            Fate::Refused => tell!(warn, "a request was refused"),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let told = self.told.take();
        let report = told.as_ref().and_then(|told| told.report.as_ref());
        let left = report.and_then(|_| self.ctx.remaining());
        if self.fate != Fate::Released {
            self.canceller.cancel_with(Cause::Finished);
        }
        if let (Some(told), Some(report)) = (&told, report) {
            self.tell(&told.span, report, left);
        }
    }
}

impl Told {
    #[inline]
    fn of<B>(ctx: &Ctx, request: &Request<B>, budget: Option<Duration>) -> Option<Box<Told>> {
        // The first thing that the macros look at, before what they need is looked up.
        if LevelFilter::current() < LevelFilter::WARN {
            return None;
        }
        Told::heard(ctx, request, budget)
    }

    #[inline(never)]
    fn heard<B>(ctx: &Ctx, request: &Request<B>, budget: Option<Duration>) -> Option<Box<Told>> {
        let span = request_span(ctx, request, budget);
        let told = tracing::enabled!(target: "ctxprop", Level::WARN);
        // What is disabled is not entered either: that costs a look at each logger, at each poll.
        if span.is_disabled() && !told {
            return None;
        }
        let report = told.then(|| Report {
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            began: Instant::now(),
        });
        Some(Box::new(Told { span, report }))
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
