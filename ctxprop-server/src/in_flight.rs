//! [`InFlight`]: a request as its layer holds it, from its headers to its end, whatever protocol it came by.
//!
//! # Invariants
//! 1. Exactly one value holds it: the future, then the response's body, or the task in which the handler unwinds. Where
//!    that goes, by whatever way, also a panic, the request is over: its context has ended.
//! 2. What happened is told once, as it goes.
//! 3. Nothing is kept for the span and the event where nobody would see either, and nothing is entered.

use std::fmt;
use std::time::Duration;

use ctxprop::run::hop::HopSpan;
use ctxprop::run::request::Request as Observed;
use ctxprop::wire::Hop;
use ctxprop::{Cancelled, Canceller, Cause, Ctx};
use http::HeaderMap;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::metrics;
use crate::policy::{Admitted, Granted};

/// Less than the wire can tell, or a request may have rounded away on its way: both ends of it see the same deadline.
const NOTHING: Duration = Duration::from_millis(1);

/// One request that is not over. Dropped, it is. `T` is what is told of it, where anybody listens.
pub struct InFlight<T: Told> {
    ctx: Ctx,
    canceller: Canceller,
    told: Option<Box<T>>,
    /// Whose budget it runs on.
    granted: Granted,
    /// Whose deadline the answer is about, where it is about one.
    whose: Option<Granted>,
    fate: Fate,
    /// It has come through another layer of this process, which tells of it and counts it.
    nested: bool,
    /// What observers know it by.
    _observed: Observed,
}

/// How a request went, as far as the context's cause does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was cut short.
    Whole,
    /// The end of the context cut it short.
    Cut,
    /// It was never begun: its budget was too little, or not one.
    Refused,
    /// Its connection was upgraded, and nothing tells when that goes.
    Released,
    /// Its connection was upgraded, and the server tells.
    Session,
}

/// The span of a request, and what its event says beyond what every request has.
pub trait Told {
    /// The request runs in it.
    fn hop(&self) -> &HopSpan;

    /// It is over.
    fn tell(&mut self, over: &Over<'_>);
}

/// What there is to say of any request that is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Over<'a> {
    /// Its context.
    pub ctx: &'a Ctx,
    /// How it went.
    pub fate: Fate,
    /// Why its context ended.
    pub cause: Cause,
    /// Whose deadline cut it short, where one did: `caller` or `server`.
    pub deadline: Option<&'static str>,
    /// How much of its budget was left, if it had one.
    pub left: Option<Duration>,
}

impl<T: Told> InFlight<T> {
    /// The request that was `admitted`, with these headers. What is told of it `told` makes, and `name` is what observers
    /// know it by; under another layer neither is asked for, since that one's are enough.
    #[inline]
    pub fn new(
        admitted: Admitted,
        headers: &HeaderMap,
        name: impl FnOnce() -> String,
        told: impl FnOnce(&Ctx, Option<Duration>) -> Option<Box<T>>,
    ) -> Self {
        let Admitted { ctx, canceller, granted, budget, nested, .. } = admitted;
        let (mut heard, mut observed) = (None, Observed::none());
        if !nested {
            observed = Observed::begins(&ctx, name);
            heard = told(&ctx, budget);
            metrics::began(&ctx, headers);
        }
        let (whose, fate) = (None, Fate::Whole);
        InFlight { ctx, canceller, told: heard, granted, whose, fate, nested, _observed: observed }
    }

    /// The context that the request runs under.
    #[inline]
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// What ends it.
    #[inline]
    pub fn canceller(&self) -> &Canceller {
        &self.canceller
    }

    /// Whether it has come through another layer of this process.
    #[inline]
    pub fn is_nested(&self) -> bool {
        self.nested
    }

    /// What is told of it, where anybody listens.
    #[inline]
    pub fn told_mut(&mut self) -> Option<&mut T> {
        self.told.as_deref_mut()
    }

    /// Runs `f` in the request's span.
    #[inline]
    pub fn in_span<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.told {
            Some(told) => told.hop().in_scope(f),
            None => f(),
        }
    }

    /// The same, with the request's context current.
    #[inline]
    pub fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        self.in_span(|| self.ctx.sync_scope(f))
    }

    /// The budget was too little to begin with.
    pub fn refuse(&mut self) -> Cancelled {
        self.fate = Fate::Refused;
        self.canceller.cancel_with(Cause::DeadlineExceeded);
        self.cancelled()
    }

    /// The end of the context cut the work short.
    pub fn cut(&mut self) -> Cancelled {
        self.fate = Fate::Cut;
        self.cancelled()
    }

    fn cancelled(&self) -> Cancelled {
        self.ctx.check().err().unwrap_or_else(|| Cancelled::new(Cause::Finished))
    }

    /// Nobody waits for the answer any more.
    pub fn abandon(&mut self) {
        self.fate = Fate::Cut;
        match () {
            () if std::thread::panicking() => self.canceller.cancel_with(Cause::Finished),
            () => gone(&self.ctx, &self.canceller),
        }
    }

    /// It goes that way, whatever comes.
    pub fn goes(&mut self, fate: Fate) {
        self.fate = fate;
    }

    /// The answer is known, and whose deadline it is about. It may be what a handler made of the end that it was told of:
    /// then it has `unwound`.
    #[inline]
    pub fn answered(&mut self, whose: Option<Granted>, unwound: bool) {
        self.whose = whose;
        if (whose.is_some() || unwound) && self.fate == Fate::Whole {
            self.fate = Fate::Cut;
        }
    }

    /// Whose deadline an answer is about that says it is about one; it `tells` so where it was made of the end of a context.
    pub fn whose_deadline(&self, tells: bool) -> Option<Granted> {
        // The next hop was told what remained here, rounded down, so it may see the end, and say so, just before this one
        // does.
        let nothing_left = || self.ctx.remaining().is_some_and(|left| left < NOTHING);
        match self.ctx.cause() {
            Some(Cause::DeadlineExceeded) => Some(self.granted),
            _ if tells && nothing_left() => Some(self.granted),
            // A part of the budget that was set aside here: the caller would have waited.
            _ if tells => Some(Granted::Server),
            _ => None,
        }
    }

    /// Whose deadline cut it short, where one did.
    fn deadline(&self) -> Option<Granted> {
        let by_deadline = || self.ctx.cause() == Some(Cause::DeadlineExceeded);
        self.whose.or_else(|| by_deadline().then_some(self.granted))
    }

    #[cold]
    fn tell(&self, told: &mut T, left: Option<Duration>) {
        told.tell(&Over {
            ctx: &self.ctx,
            fate: self.fate,
            cause: self.ctx.cause().unwrap_or(Cause::Finished),
            deadline: self.deadline().map(Granted::as_str),
            left,
        });
    }
}

impl<T: Told> Drop for InFlight<T> {
    #[inline]
    fn drop(&mut self) {
        let is_counted = metrics::ON && !self.nested;
        let mut told = self.told.take();
        let is_told = is_counted || told.is_some();
        let left = if is_told { self.ctx.remaining() } else { None };
        if self.fate != Fate::Released && self.canceller.is_seen() {
            self.canceller.cancel_with(Cause::Finished);
        }
        if let Some(told) = &mut told {
            self.tell(told, left);
        }
        if is_counted {
            metrics::ended(&self.ctx, left, self.deadline());
        }
    }
}

impl<T: Told> fmt::Debug for InFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

/// Ends the context of a request whose caller has gone.
pub fn gone(ctx: &Ctx, canceller: &Canceller) {
    // A caller that has waited as long as it wanted hangs up in the same moment, and its budget may have been rounded: then
    // it is the deadline, whichever of the two is seen first.
    let nothing_left = ctx.remaining().is_some_and(|left| left < NOTHING);
    canceller.cancel_with(if nothing_left { Cause::DeadlineExceeded } else { Cause::Disconnected });
}

/// What is told of a request, where anybody listens: its span, and what `told` makes of that.
#[inline]
pub fn heard<'a, T>(
    hop: impl FnOnce() -> Hop<'a>,
    told: impl FnOnce(HopSpan) -> T,
) -> Option<Box<T>> {
    if !HopSpan::is_heard(LevelFilter::WARN) {
        return None;
    }
    heard_of(&hop(), told)
}

#[inline(never)]
fn heard_of<T>(hop: &Hop<'_>, told: impl FnOnce(HopSpan) -> T) -> Option<Box<T>> {
    let hop = HopSpan::begin(hop);
    if hop.is_silent() && !tracing::enabled!(target: "ctxprop", Level::WARN) {
        return None;
    }
    Some(Box::new(told(hop)))
}
