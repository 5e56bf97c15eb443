//! [`CtxFuture`]: a handler that runs under its context, and what becomes of it when nobody waits any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::{Cancelled, Cause, Run};
use http::Response;
use http_body::Body;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tonic::Status;

use super::body::CtxBody;
use super::call::InFlight;
use super::told;
use crate::BoxError;

/// The response of a call under its context.
///
/// Dropped before it is ready, as a server does when the client went away, it ends the context with
/// [`Cause::Disconnected`] and gives the handler to a task, where it unwinds. That task is one of the root's:
/// [`Ctx::idle`](ctxprop::Ctx::idle) waits for it.
#[must_use = "futures do nothing unless awaited"]
pub struct CtxFuture<F: Future + Send + 'static> {
    state: State<F>,
}

enum State<F> {
    Runs(Running<F>),
    /// It was refused before it began.
    Refused(Status, InFlight),
    /// It has given its response, or its poll panicked.
    Over,
}

/// A handler and its call. Dropped, the handler goes first.
struct Running<F> {
    /// Boxed, so that it can move to a task while pinned.
    run: Pin<Box<Run<F>>>,
    call: InFlight,
    /// When the time is over that the caller named.
    asked: Option<Instant>,
}

impl<F: Future + Send + 'static> CtxFuture<F> {
    pub(crate) fn new(handler: F, call: InFlight, asked: Option<Instant>) -> Self {
        let run = Box::pin(call.ctx().run(handler));
        CtxFuture { state: State::Runs(Running { run, call, asked }) }
    }

    pub(crate) fn refused(status: Status, call: InFlight) -> Self {
        CtxFuture { state: State::Refused(status, call) }
    }
}

/// A response that is nothing but a status.
fn only<B>(status: Status, call: &mut InFlight) -> Response<CtxBody<B>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut response = status.into_http::<()>().map(|()| CtxBody::empty());
    head(call, &mut response);
    response
}

/// The head of the response as it leaves. One that has no body tells there how the call ended.
fn head<B: Body>(call: &mut InFlight, response: &mut Response<B>) {
    if response.body().is_end_stream() {
        let source = response.extensions_mut().remove::<Status>();
        told::tell(call, response.headers_mut(), source.as_ref());
        if let Some(source) = source {
            response.extensions_mut().insert(source);
        }
    }
    if call.shared.policy.echo_trace_id {
        told::echo(call, response.headers_mut());
    }
}

/// Binds the body of the handler's response to its call.
fn respond<B>(mut call: InFlight, mut response: Response<B>) -> Response<CtxBody<B>>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    head(&mut call, &mut response);
    response.map(|body| CtxBody::new(body, call))
}

impl<F: Future + Send + 'static> Running<F> {
    /// Has the handler unwind, or its shields be seen through, in a task of the root's.
    fn unwind(self, reason: &'static str) {
        // Outside of a runtime, or in one that is going down, nothing can be awaited: it is dropped.
        if Handle::try_current().is_ok() {
            let ctx = self.call.ctx().detach(reason);
            drop(ctx.spawn(Unwind(self)));
        }
    }

    /// The status at the moment at which the caller waits no longer, whatever is still at work here: behind a shield,
    /// mostly. tonic's own timer, which is around each call of its server, would say `CANCELLED` in the same moment.
    fn overdue(&self) -> Option<Status> {
        self.asked.filter(|asked| Instant::now() >= *asked)?;
        let ctx = self.call.ctx();
        Some(match ctx.check() {
            Err(cancelled) => cancelled.into(),
            Ok(()) => Cancelled::new(Cause::DeadlineExceeded).into(),
        })
    }
}

// Nothing in it is pinned in place: what runs is in a box.
impl<F: Future + Send + 'static> Unpin for CtxFuture<F> {}

impl<F, R, E> Future for CtxFuture<F>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<CtxBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // While it is polled the state is `Over`: a handler that panics is dropped then and there, and its call is
        // over, whoever catches the panic.
        match std::mem::replace(&mut this.state, State::Over) {
            State::Runs(mut running) => {
                let Running { run, call, .. } = &mut running;
                let Poll::Ready(done) = call.in_span(|| run.as_mut().poll(cx)) else {
                    let Some(status) = running.overdue() else {
                        this.state = State::Runs(running);
                        return Poll::Pending;
                    };
                    running.call.cut();
                    let response = only(status, &mut running.call);
                    running.unwind("unwinding after the caller's deadline");
                    return Poll::Ready(Ok(response));
                };
                let Running { mut call, .. } = running;
                Poll::Ready(match done {
                    Ok(Ok(response)) => Ok(respond(call, response)),
                    Ok(Err(error)) => Err(error),
                    Err(_) => {
                        let status = call.cut().into();
                        Ok(only(status, &mut call))
                    }
                })
            }
            State::Refused(status, mut call) => Poll::Ready(Ok(only(status, &mut call))),
            State::Over => panic!("a `CtxFuture` was polled after it was ready"),
        }
    }
}

impl<F: Future + Send + 'static> Drop for CtxFuture<F> {
    fn drop(&mut self) {
        if let State::Runs(mut running) = std::mem::replace(&mut self.state, State::Over) {
            running.call.abandon();
            running.unwind("unwinding after a disconnect");
        }
    }
}

impl<F: Future + Send + 'static> fmt::Debug for CtxFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CtxFuture");
        if let State::Runs(Running { call, .. }) | State::Refused(_, call) = &self.state {
            out.field("ctx", call.ctx());
        }
        out.finish_non_exhaustive()
    }
}

/// A handler whose caller waits no longer: its run ends once it has unwound and its shields are done.
struct Unwind<F>(Running<F>);

impl<F: Future> Future for Unwind<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Running { run, call, .. } = &mut self.0;
        call.in_span(|| run.as_mut().poll(cx)).map(drop)
    }
}
