//! [`InFlight`]: a request as its layer holds it, from its headers to the end of its response.
//!
//! # Invariants
//! 1. Exactly one value holds it: the future, then the response's body or the session that the connection was upgraded
//!    to, or the task in which the handler unwinds. Where that goes, by whatever way, also a panic, the request is over:
//!    its context has ended.
//! 2. What happened is told once, as it goes: one event, and two fields of its span.
//! 3. Nothing is kept for the span and the event where nobody would see either, and nothing is entered.
//! 4. It is small: it moves from the future into the body.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::MatchedPath;
use ctxprop::run::request::Request as Observed;
use ctxprop::{Cancelled, Canceller, Cause, Ctx};
use ctxprop_server::{Admitted, Granted, metrics};
use http::{Method, Request, StatusCode};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, field};

use crate::future::NOTHING;
use crate::serve::exchange::{Exchange, Open, Ticket};
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
    /// It has come through another layer of this process, which tells of it and counts it.
    nested: bool,
    /// Its place among what its server has open, where that is ours.
    ticket: Option<Ticket>,
    /// What observers know it by.
    _observed: Observed,
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

/// The request's span, and what its event says beyond what the request has at hand.
struct Told {
    span: Span,
    method: Method,
    route: Option<MatchedPath>,
    began: Instant,
}

impl InFlight {
    /// The request that was `admitted`. Under another layer that one's span and event are enough.
    #[inline]
    pub(crate) fn new<B>(admitted: Admitted, request: &Request<B>, shared: Arc<Shared>) -> Self {
        let Admitted { ctx, canceller, granted, budget, nested, .. } = admitted;
        let (mut told, mut ticket, mut observed) = (None, None, Observed::none());
        if !nested {
            observed = Observed::begins(&ctx, || name(request));
            told = Told::of(&ctx, request, budget);
            metrics::began(&ctx, request.headers());
            let exchange = request.extensions().get::<Exchange>();
            ticket = exchange.map(|exchange| enter(exchange, &ctx, &canceller, request));
        }
        let (whose, status, fate) = (None, None, Fate::Whole);
        InFlight {
            ctx,
            canceller,
            shared,
            told,
            granted,
            whose,
            status,
            fate,
            nested,
            ticket,
            _observed: observed,
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

    #[cold]
    fn tell(&self, told: &Told, left: Option<Duration>) {
        let Told { span, method, .. } = told;
        let cause = self.ctx.cause().unwrap_or(Cause::Finished);
        let deadline = self.deadline().map(Granted::as_str);
        let status = self.status.map(|status| status.as_u16());
        let route = told.route.as_ref().map(MatchedPath::as_str);
        let spent = told.began.elapsed();
        let left = left.map(field::debug);
        let trace_id = self.ctx.span().trace_id();
        // Together, since whoever listens looks the span up for each.
        tracing::record_all!(span, status = status, cause = %cause);
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "ctxprop", parent: span, %method, route, status, %cause,
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
        let told = self.told.take();
        let is_told = is_counted || told.is_some();
        let left = if is_told { self.ctx.remaining() } else { None };
        if self.fate != Fate::Released && self.canceller.is_seen() {
            self.canceller.cancel_with(Cause::Finished);
        }
        if let Some(told) = &told {
            self.tell(told, left);
        }
        if is_counted {
            metrics::ended(&self.ctx, left, self.deadline());
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
        // Made with its context current, which tells whoever exports it more than its fields do.
        let span = ctx.sync_scope(|| request_span(ctx, request, budget));
        // What is disabled is not entered either: that costs a look at each logger, at each poll.
        if span.is_disabled() && !tracing::enabled!(target: "ctxprop", Level::WARN) {
            return None;
        }
        Some(Box::new(Told {
            span,
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            began: Instant::now(),
        }))
    }
}

/// Has the server count the request among what it has open.
fn enter<B>(exchange: &Exchange, ctx: &Ctx, canceller: &Canceller, request: &Request<B>) -> Ticket {
    exchange.begin(Open {
        ctx: ctx.clone(),
        canceller: canceller.clone(),
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        began: Instant::now(),
    })
}

/// The method and the route, as far as it is known: where the layer is around the whole router, it is not.
fn name<B>(request: &Request<B>) -> String {
    let route = request.extensions().get::<MatchedPath>();
    format!("{} {}", request.method(), route.map_or("(no route)", MatchedPath::as_str))
}

fn request_span<B>(ctx: &Ctx, request: &Request<B>, budget: Option<Duration>) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    tracing::info_span!(
        target: "ctxprop",
        "request",
        method = %request.method(),
        route,
        scheme = request.uri().scheme_str(),
        path = request.uri().path(),
        trace_id = %ctx.span().trace_id(),
        span_id = %ctx.span().span_id(),
        parent_id = ctx.span().parent_id().map(field::display),
        budget = budget.map(field::debug),
        status = field::Empty,
        cause = field::Empty,
    )
}
