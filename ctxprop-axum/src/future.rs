//! [`CtxFuture`]: a handler that runs under its context, and what becomes of it when nobody waits any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ctxprop::{Cancelled, Canceller, Cause, Ctx, Run};
use http::{HeaderValue, Response, StatusCode};
use tokio::runtime::Handle;
use tracing::Span;

use crate::body::CtxBody;
use crate::policy::Granted;
use crate::{DEADLINE_EXCEEDED, TRACE_ID};

/// What a response says of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) granted: Granted,
    pub(crate) echo_trace_id: bool,
}

/// The response of a request under its context.
///
/// Dropped before it is ready, as a server does when the client went away, it ends the context with
/// [`Cause::Disconnected`] and gives the handler to a task, where it unwinds. That task is one of the root's:
/// [`Ctx::idle`] waits for it.
#[must_use = "futures do nothing unless awaited"]
pub struct CtxFuture<F: Future<Output = Result<Response<R>, E>> + Send + 'static, R, E>
where
    R: Send + 'static,
    E: Send + 'static,
{
    state: State<F>,
    ctx: Ctx,
    canceller: Canceller,
    span: Span,
    outcome: Outcome,
}

enum State<F> {
    /// Boxed, so that it can move to a task while pinned.
    Runs(Pin<Box<Run<F>>>),
    /// The budget was too little.
    Refused,
    /// It has given its response, or its poll panicked.
    Over,
}

impl<F, R, E> CtxFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    pub(crate) fn new(
        handler: F,
        ctx: Ctx,
        canceller: Canceller,
        span: Span,
        outcome: Outcome,
    ) -> Self {
        let run = Box::pin(ctx.run(handler));
        CtxFuture { state: State::Runs(run), ctx, canceller, span, outcome }
    }

    pub(crate) fn refused(ctx: Ctx, canceller: Canceller, span: Span, outcome: Outcome) -> Self {
        CtxFuture { state: State::Refused, ctx, canceller, span, outcome }
    }

    /// The response as it leaves, its body bound to the context.
    fn respond(&self, response: Response<CtxBody<R>>) -> Response<CtxBody<R>> {
        let mut response = response;
        // What another hop said of its caller is not ours to repeat: that was us.
        response.headers_mut().remove(DEADLINE_EXCEEDED);
        if let Some(whose) = self.whose_deadline(&response) {
            let whose = HeaderValue::from_static(whose.as_str());
            response.headers_mut().insert(DEADLINE_EXCEEDED, whose);
        }
        if self.outcome.echo_trace_id
            && let Ok(id) = HeaderValue::try_from(self.ctx.span().trace_id().to_string())
        {
            response.headers_mut().insert(TRACE_ID, id);
        }
        response
    }

    /// Whose deadline a response is about, where it is about one.
    fn whose_deadline(&self, response: &Response<CtxBody<R>>) -> Option<Granted> {
        if response.status() != StatusCode::GATEWAY_TIMEOUT {
            return None;
        }
        let told = response.extensions().get::<Cancelled>().is_some_and(Cancelled::is_deadline);
        // The next hop was told what remained here in whole milliseconds, so it may see the end, and say so,
        // just before this one does.
        let nothing_left = self.ctx.remaining().is_some_and(|left| left < Duration::from_millis(1));
        match self.ctx.cause() {
            Some(Cause::DeadlineExceeded) => Some(self.outcome.granted),
            _ if told && nothing_left => Some(self.outcome.granted),
            // A part of the budget that was set aside here: the caller would have waited.
            _ if told => Some(Granted::Server),
            _ => None,
        }
    }

    /// The response where the handler gave none.
    fn abandoned(&self, cancelled: Cancelled) -> Response<CtxBody<R>> {
        tracing::debug!(target: "ctxprop", parent: &self.span, cause = %cancelled, "abandoned");
        let mut response = Response::new(CtxBody::empty());
        *response.status_mut() = cancelled.http_status();
        response.extensions_mut().insert(cancelled);
        self.respond(response)
    }
}

// Nothing in it is pinned in place: what runs is in a box.
impl<F, R, E> Unpin for CtxFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
}

impl<F, R, E> Future for CtxFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    type Output = Result<Response<CtxBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match std::mem::replace(&mut this.state, State::Over) {
            State::Runs(mut run) => {
                // While it is polled the state is `Over`: a handler that panics must not be polled again.
                let polled = this.span.in_scope(|| run.as_mut().poll(cx));
                if polled.is_pending() {
                    this.state = State::Runs(run);
                }
                Poll::Ready(match ready!(polled) {
                    Ok(Ok(response)) => {
                        let (ctx, canceller) = (this.ctx.clone(), this.canceller.clone());
                        let bind = |body| CtxBody::new(body, ctx, canceller, this.span.clone());
                        Ok(this.respond(response.map(bind)))
                    }
                    Ok(Err(error)) => {
                        this.canceller.cancel_with(Cause::Finished);
                        Err(error)
                    }
                    Err(cancelled) => Ok(this.abandoned(cancelled)),
                })
            }
            State::Refused => {
                // Also where something was left, but less than the least: it is the budget that was too short.
                this.canceller.cancel_with(Cause::DeadlineExceeded);
                let cancelled = Cancelled::new(this.ctx.cause().unwrap_or(Cause::DeadlineExceeded));
                Poll::Ready(Ok(this.abandoned(cancelled)))
            }
            State::Over => panic!("a `CtxFuture` was polled after it was ready"),
        }
    }
}

impl<F, R, E> Drop for CtxFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Runs(run) => {
                self.canceller.cancel_with(Cause::Disconnected);
                let span = self.span.clone();
                let unwind = Unwind { run, span };
                // Outside of a runtime, or in one that is going down, nothing can be awaited: it is dropped.
                if Handle::try_current().is_ok() {
                    drop(self.ctx.detach("unwinding after a disconnect").spawn(unwind));
                }
            }
            // Over without a response: the handler panicked. Its tasks end with it.
            State::Over if std::thread::panicking() => self.canceller.cancel_with(Cause::Finished),
            State::Refused | State::Over => {}
        }
    }
}

impl<F, R, E> fmt::Debug for CtxFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtxFuture").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

/// A handler whose client has gone: its run ends once it has unwound and its shields are done.
struct Unwind<F> {
    run: Pin<Box<Run<F>>>,
    span: Span,
}

impl<F: Future> Future for Unwind<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Unwind { run, span } = &mut *self;
        span.in_scope(|| run.as_mut().poll(cx)).map(drop)
    }
}
