//! [`InFlight`]: a call as its layer holds it, from its headers to its trailers.
//!
//! # Invariants
//! 1. Exactly one value holds it: the future, then the response's body, or the task in which the handler
//!    unwinds. Where that goes, by whatever way, also a panic, the call is over: its context has ended.
//! 2. What happened is told once, as it goes: one event, and two fields of its span.
//! 3. Nothing is kept for the span and the event where nobody would see either, and nothing is entered.

use std::sync::Arc;
use std::time::Duration;

use ctxprop::run::request::Request as Observed;
use ctxprop::{Cancelled, Canceller, Cause, Ctx};
use ctxprop_server::{Admitted, Granted, metrics};
use http::{Request, Uri};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, field};

use super::service::Shared;

/// Less than what a call may have rounded away on its way, so that both ends of it see the same deadline.
pub(crate) const NOTHING: Duration = Duration::from_millis(1);

/// One call that is not over.
pub(crate) struct InFlight {
    ctx: Ctx,
    canceller: Canceller,
    pub(crate) shared: Arc<Shared>,
    /// What is told of it, where anybody listens.
    told: Option<Box<Told>>,
    /// Whose budget it runs on.
    granted: Granted,
    /// Whose deadline the status is about, where it is about one.
    whose: Option<Granted>,
    status: Option<Code>,
    fate: Fate,
    /// It has come through another layer of this process, which tells of it and counts it.
    nested: bool,
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
    /// It was never begun: its budget was too little, or not one.
    Refused,
}

/// The call's span, and what its event says beyond what the call has at hand.
struct Told {
    span: Span,
    uri: Uri,
    began: Instant,
}

impl InFlight {
    /// The call that was `admitted`. Under another layer that one's span and event are enough.
    pub(crate) fn new<B>(admitted: Admitted, request: &Request<B>, shared: Arc<Shared>) -> Self {
        let Admitted { ctx, canceller, granted, budget, nested, .. } = admitted;
        let mut told = None;
        if !nested {
            told = Told::of(&ctx, request.uri(), budget);
            metrics::began(&ctx, request.headers());
        }
        // The path of a call is its service and its method.
        let _observed = match nested {
            true => Observed::none(),
            false => Observed::begins(&ctx, || request.uri().path().to_owned()),
        };
        let (whose, status, fate) = (None, None, Fate::Whole);
        InFlight { ctx, canceller, shared, told, granted, whose, status, fate, nested, _observed }
    }

    pub(crate) fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    pub(crate) fn canceller(&self) -> &Canceller {
        &self.canceller
    }

    pub(crate) fn granted(&self) -> Granted {
        self.granted
    }

    /// Runs `f` in the call's span.
    #[inline]
    pub(crate) fn in_span<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.told {
            Some(told) => told.span.in_scope(f),
            None => f(),
        }
    }

    /// The same, with the call's context current.
    #[inline]
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        self.in_span(|| self.ctx.sync_scope(f))
    }

    /// The budget was too little to begin with.
    pub(crate) fn refuse(&mut self) -> Status {
        self.fate = Fate::Refused;
        self.canceller.cancel_with(Cause::DeadlineExceeded);
        self.cancelled().into()
    }

    /// The budget was none that gRPC knows.
    pub(crate) fn refuse_malformed(&mut self) -> Status {
        self.fate = Fate::Refused;
        Status::invalid_argument("grpc-timeout is not one line of 1 to 8 digits and one of HMSmun")
    }

    /// The end of the context cut the work short.
    pub(crate) fn cut(&mut self) -> Cancelled {
        self.fate = Fate::Cut;
        self.cancelled()
    }

    fn cancelled(&self) -> Cancelled {
        self.ctx.check().err().unwrap_or_else(|| Cancelled::new(Cause::Finished))
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn abandon(&mut self) {
        self.fate = Fate::Cut;
        match () {
            () if std::thread::panicking() => self.canceller.cancel_with(Cause::Finished),
            () => gone(&self.ctx, &self.canceller),
        }
    }

    /// How the call ended is known.
    pub(crate) fn respond(&mut self, status: Code, whose: Option<Granted>) {
        self.status = Some(status);
        self.whose = whose;
        if whose.is_some() && self.fate == Fate::Whole {
            self.fate = Fate::Cut;
        }
    }

    /// Whose deadline cut it short, where one did.
    fn deadline(&self) -> Option<Granted> {
        let by_deadline = || self.ctx.cause() == Some(Cause::DeadlineExceeded);
        self.whose.or_else(|| by_deadline().then_some(self.granted))
    }

    #[cold]
    fn tell(&self, told: &Told, left: Option<Duration>) {
        let Told { span, uri, began } = told;
        let cause = self.ctx.cause().unwrap_or(Cause::Finished);
        let deadline = self.deadline().map(Granted::as_str);
        let status = self.status.map(|status| status as i32);
        let (service, method) = crate::names(uri.path());
        let spent = began.elapsed();
        let left = left.map(field::debug);
        let trace_id = self.ctx.span().trace_id();
        // Together, since whoever listens looks the span up for each.
        tracing::record_all!(span, status = status, cause = %cause);
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "ctxprop", parent: span, service, method, status, %cause,
                    deadline, ?spent, left, %trace_id, $message
                )
            };
        }
        match self.fate {
            _ if std::thread::panicking() => tell!(warn, "a call's handler panicked"),
            Fate::Whole => tell!(info, "a call is over"),
            Fate::Cut => tell!(warn, "a call was cut short"),
            Fate::Refused => tell!(warn, "a call was refused"),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let is_counted = metrics::ON && !self.nested;
        let told = self.told.take();
        let left = if is_counted || told.is_some() { self.ctx.remaining() } else { None };
        self.canceller.cancel_with(Cause::Finished);
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
    fn of(ctx: &Ctx, uri: &Uri, budget: Option<Duration>) -> Option<Box<Told>> {
        // The first thing that the macros look at, before what they need is looked up.
        if LevelFilter::current() < LevelFilter::WARN {
            return None;
        }
        Told::heard(ctx, uri, budget)
    }

    #[inline(never)]
    fn heard(ctx: &Ctx, uri: &Uri, budget: Option<Duration>) -> Option<Box<Told>> {
        // Made with its context current, which tells whoever exports it more than its fields do.
        let span = ctx.sync_scope(|| call_span(ctx, uri, budget));
        // What is disabled is not entered either: that costs a look at each logger, at each poll.
        if span.is_disabled() && !tracing::enabled!(target: "ctxprop", Level::WARN) {
            return None;
        }
        Some(Box::new(Told { span, uri: uri.clone(), began: Instant::now() }))
    }
}

/// Ends the context of a call whose caller has gone.
pub(crate) fn gone(ctx: &Ctx, canceller: &Canceller) {
    // A caller that has waited as long as it wanted hangs up in the same moment: then it is the deadline, whichever of
    // the two is seen first.
    let nothing_left = ctx.remaining().is_some_and(|left| left < NOTHING);
    canceller.cancel_with(if nothing_left { Cause::DeadlineExceeded } else { Cause::Disconnected });
}

fn call_span(ctx: &Ctx, uri: &Uri, budget: Option<Duration>) -> Span {
    let (service, method) = crate::names(uri.path());
    tracing::info_span!(
        target: "ctxprop",
        "call",
        service,
        method,
        trace_id = %ctx.span().trace_id(),
        span_id = %ctx.span().span_id(),
        parent_id = ctx.span().parent_id().map(field::display),
        budget = budget.map(field::debug),
        status = field::Empty,
        cause = field::Empty,
    )
}
