//! `#[propagate(span)]`: a body in a `tracing` span that it opens itself, since only there the names in `fields(..)`
//! mean something.
//!
//! # Invariants
//! 1. The span is entered while the body is polled and while it is dropped, and at no other time.
//! 2. `OPENED` holds a span from where the body opens it to the end of that poll, also when that panics.

use std::cell::RefCell;
use std::future::Future;

use tracing::field::DisplayValue;
use tracing::span::EnteredSpan;
use tracing::{Span, field};

use crate::ctx::Ctx;
use crate::run::current;
use crate::run::scope::{Begin, Derived, Scope};
use crate::run::watch::{ObservedKind, Watch};
use crate::span::{SpanId, TraceId};

thread_local! {
    static OPENED: RefCell<Option<EnteredSpan>> = const { RefCell::new(None) };
}

/// A scope in the span that its body opens.
#[derive(Debug)]
pub struct InSpan<D> {
    span: Span,
    derived: Derived<D>,
}

impl<D: FnOnce(&Ctx) -> Ctx> Begin for InSpan<D> {
    fn begin(&mut self, ctx: &mut Option<Ctx>) {
        self.derived.begin(ctx);
    }

    fn around<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _outer = Outer(OPENED.take());
        let result = {
            let _entered = self.span.enter();
            f()
        };
        if let Some(opened) = OPENED.take() {
            self.span = opened.exit();
        }
        result
    }
}

/// A body that opens a span, with [`open_span`], and runs as a scope of what `derive` makes of `parent`, or of the current
/// context where there is none.
#[cfg_attr(feature = "observe", track_caller)]
pub fn in_span<T, F: Future<Output = T>, D: FnOnce(&Ctx) -> Ctx>(
    parent: Option<Ctx>,
    derive: D,
    body: F,
) -> Scope<F, InSpan<D>> {
    let begin = InSpan { span: Span::none(), derived: Derived::by(derive) };
    Scope::beginning(parent, begin, body, Watch::later(ObservedKind::Body))
}

/// Opens and enters the span of the body that is being polled.
pub fn open_span(span: Span) {
    OPENED.set(Some(span.entered()));
}

/// The id of the trace that the current context is in.
pub fn trace_id() -> TraceId {
    current::with(|ctx| ctx.span().trace_id()).unwrap_or(TraceId::INVALID)
}

/// The id of the current context's span.
pub fn span_id() -> SpanId {
    current::with(|ctx| ctx.span().span_id()).unwrap_or(SpanId::INVALID)
}

/// The id that the current context's span has as its parent, as a field of its own. Where a tracing system is in a span of
/// this trace it is that one's id, since that is the parent which the system exports.
pub fn parent_id() -> Option<DisplayValue<SpanId>> {
    let parent = current::with(|ctx| {
        let (own, active) = (ctx.span(), ctx.active_span());
        let is_inside_another = active.span_id() != own.span_id();
        if is_inside_another { Some(active.span_id()) } else { own.parent_id() }
    });
    parent.flatten().map(field::display)
}

/// Puts the outer body's span back, on all ways out of a poll (invariant 2).
struct Outer(Option<EnteredSpan>);

impl Drop for Outer {
    fn drop(&mut self) {
        OPENED.set(self.0.take());
    }
}
