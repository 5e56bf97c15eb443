//! [`HopSpan`]: a hop as all layers and clients tell of it: its span of `tracing`, for logs, and what a tracing system records
//! of it directly.
//!
//! # Invariants
//! 1. Where neither is there, nothing is kept and nothing is entered.
//! 2. The span of `tracing` is made and entered around what is recorded: whoever exports spans of `tracing` too sees by that
//!    which one is recorded already, and what is active inside is the recording.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::level_filters::LevelFilter;
use tracing::{Span, field};

use crate::cause::Cause;
use crate::wire::{Hop, HopRecording, Request, Side, hop};

/// One hop, as long as it lasts.
#[derive(Debug)]
pub struct HopSpan {
    /// Disabled where nobody listens.
    span: Span,
    recording: Option<Box<dyn HopRecording>>,
}

impl HopSpan {
    /// Whether there is anybody who might want to know of a hop, or of its events of this level. Asked before what they are
    /// told is looked up.
    #[inline]
    pub fn is_heard(level: LevelFilter) -> bool {
        LevelFilter::current() >= level || hop::is_recorded()
    }

    /// One that begins, where somebody wants to know.
    #[inline]
    pub fn of<'a>(hop: impl FnOnce() -> Hop<'a>) -> Option<HopSpan> {
        if !HopSpan::is_heard(LevelFilter::INFO) {
            return None;
        }
        Some(HopSpan::begin(&hop())).filter(|hop| !hop.is_silent())
    }

    /// One that begins, whoever listens.
    #[inline(never)]
    pub fn begin(hop: &Hop<'_>) -> HopSpan {
        let recording = hop::record(hop);
        let mut begun = HopSpan { span: Span::none(), recording };
        if LevelFilter::current() >= LevelFilter::INFO {
            // Made with its context current, which tells whoever exports it more than its fields do.
            begun.span = begun.in_scope(|| hop.ctx.sync_scope(|| span_of(hop)));
        }
        begun
    }

    /// Whether nobody listens.
    pub fn is_silent(&self) -> bool {
        self.span.is_disabled() && self.recording.is_none()
    }

    /// Its span of `tracing`.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Runs `f` in it. It is not inlined, so that what is around it is where nobody listens.
    #[inline(never)]
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let (mut f, mut ran) = (Some(f), None);
        self.enter(&mut || ran = f.take().map(|f| f()));
        match ran {
            Some(ran) => ran,
            None => unreachable!("it was run"),
        }
    }

    /// Calls `run` once, in it. It is compiled once for all, which keeps what is around it small where nobody listens.
    #[inline(never)]
    fn enter(&self, run: &mut dyn FnMut()) {
        // What is disabled is not entered either: that costs a look at each logger, at each poll.
        match self.span.is_disabled() {
            true => self.enter_recording(run),
            false => self.span.in_scope(|| self.enter_recording(run)),
        }
    }

    fn enter_recording(&self, run: &mut dyn FnMut()) {
        let mut has_run = false;
        let mut once = || {
            if !std::mem::replace(&mut has_run, true) {
                run();
            }
        };
        if let Some(recording) = &self.recording {
            recording.enter(&mut once);
        }
        // Where nothing is recorded, or what is did not keep its word.
        once();
    }

    /// `future`, polled and dropped in it.
    #[inline]
    pub fn around<F: Future>(&self, future: F) -> InHop<'_, F> {
        InHop { hop: self, future: Some(future) }
    }

    /// The answer has this status: of HTTP, or of gRPC.
    pub fn answered(&mut self, status: i64) {
        if !self.span.is_disabled() {
            self.span.record("status", status);
        }
        if let Some(recording) = &mut self.recording {
            recording.answered(status);
        }
    }

    /// Nothing could be sent, or no answer came.
    pub fn failed(&mut self) {
        if !self.span.is_disabled() {
            self.span.record("failed", true);
        }
        if let Some(recording) = &mut self.recording {
            recording.failed();
        }
    }

    /// The context of a server's hop has ended for this `cause`; its answer, if it has given one, had this `status`.
    pub fn over(&mut self, status: Option<i64>, cause: &Cause) {
        let HopSpan { span, recording } = self;
        if !span.is_disabled() {
            // Together, since whoever listens looks the span up for each.
            tracing::record_all!(span, status = status, cause = %cause);
        }
        if let Some(recording) = recording {
            if let Some(status) = status {
                recording.answered(status);
            }
            recording.ended(cause);
        }
    }
}

/// The span of `tracing`. Its fields are what the logs of all services have in common.
#[inline(never)]
fn span_of(hop: &Hop<'_>) -> Span {
    let Hop { side, request, span, budget, .. } = *hop;
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    let parent_id = span.parent_id().map(field::display);
    let budget = budget.map(field::debug);
    match (side, request) {
        (Side::Server, Request::Http { method, route, scheme, path, .. }) => tracing::info_span!(
            target: "ctxprop", "request", method = %method, route, scheme, path, %trace_id, %span_id,
            parent_id, budget, status = field::Empty, cause = field::Empty,
        ),
        (Side::Server, Request::Grpc { service, method, .. }) => tracing::info_span!(
            target: "ctxprop", "call", service, method, %trace_id, %span_id,
            parent_id, budget, status = field::Empty, cause = field::Empty,
        ),
        (Side::Client, Request::Http { method, scheme, host, port, path, .. }) => {
            tracing::info_span!(
                target: "ctxprop", "send", method = %method, scheme, host, port, path, %trace_id, %span_id,
                parent_id, status = field::Empty, failed = field::Empty,
            )
        }
        (Side::Client, Request::Grpc { service, method, host, port }) => tracing::info_span!(
            target: "ctxprop", "send", service, method, host, port, %trace_id, %span_id,
            parent_id, status = field::Empty,
        ),
    }
}

pin_project! {
    /// A future that is polled and dropped in a hop.
    #[must_use = "futures do nothing unless awaited"]
    pub struct InHop<'a, F> {
        hop: &'a HopSpan,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for InHop<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                this.hop.in_scope(|| this.future.set(None));
            }
        }
    }
}

impl<F: Future> Future for InHop<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.hop.in_scope(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                panic!("a future in a hop was polled after it was ready")
            };
            let polled = future.poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        })
    }
}

impl<F> fmt::Debug for InHop<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHop").field("hop", self.hop).finish_non_exhaustive()
    }
}
