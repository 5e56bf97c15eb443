//! `#[propagate(span)]`: a body in a `tracing` span that it opens itself, since only there the names in `fields(..)`
//! mean something.
//!
//! # Invariants
//! 1. The span is entered while the body is polled and while it is dropped, and at no other time.
//! 2. `OPENED` holds a span from where the body opens it to the end of that poll, also when that panics.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Span;
use tracing::span::EnteredSpan;

use crate::run::current;
use crate::span::{SpanId, TraceId};

thread_local! {
    static OPENED: RefCell<Option<EnteredSpan>> = const { RefCell::new(None) };
}

pin_project! {
    /// A body that opens a span at its start.
    #[derive(Debug)]
    pub struct InSpan<F> {
        span: Span,
        // `None` once it is ready
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for InSpan<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.span.enter();
            this.body.set(None);
        }
    }
}

/// Runs `body` in the span that it opens with [`open_span`].
pub const fn in_span<F: Future>(body: F) -> InSpan<F> {
    InSpan { span: Span::none(), body: Some(body) }
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

/// Puts the outer body's span back, on all ways out of a poll (invariant 2).
struct Outer(Option<EnteredSpan>);

impl Drop for Outer {
    fn drop(&mut self) {
        OPENED.set(self.0.take());
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    /// # Panics
    ///
    /// When polled after it was ready, as an `async` block does.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _outer = Outer(OPENED.take());
        let polled = {
            let _entered = this.span.enter();
            let polled = match this.body.as_mut().as_pin_mut() {
                Some(body) => body.poll(cx),
                None => panic!("a body was polled after it was ready"),
            };
            if polled.is_ready() {
                this.body.set(None);
            }
            polled
        };
        if let Some(opened) = OPENED.take() {
            *this.span = opened.exit();
        }
        polled
    }
}
