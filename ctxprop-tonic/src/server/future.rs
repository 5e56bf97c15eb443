//! [`CtxFuture`]: a handler that runs under its context, and what its caller is told where that waits no longer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::{Cancelled, Cause};
use ctxprop_server::Handler;
use http::Response;
use http_body::Body;
use tokio::time::Instant;
use tonic::Status;

use super::body::CtxBody;
use super::call::InFlight;
use super::told;
use crate::BoxError;

/// The response of a call under its context.
///
/// Dropped before it is ready, as a server does when the client went away, it ends the context with
/// [`Cause::Disconnected`], and the handler unwinds: then and there, and from its first wait on, such as that for a shield, in a
/// task. That task is one of the root's: [`Ctx::idle`](ctxprop::Ctx::idle) waits for it.
#[must_use = "futures do nothing unless awaited"]
pub struct CtxFuture<F: Future + Send + 'static> {
    state: State<F>,
}

enum State<F: Future + Send + 'static> {
    Runs {
        handler: Handler<F, InFlight>,
        /// When the time is over that the caller named.
        asked: Option<Instant>,
    },
    /// It was refused before it began. `None` once that was told.
    Refused(Option<Box<(Status, InFlight)>>),
}

impl<F: Future + Send + 'static> CtxFuture<F> {
    #[inline]
    pub(crate) fn new(call: F, in_flight: InFlight, asked: Option<Instant>) -> Self {
        CtxFuture { state: State::Runs { handler: Handler::new(in_flight, |_| call), asked } }
    }

    pub(crate) fn refused(status: Status, call: InFlight) -> Self {
        CtxFuture { state: State::Refused(Some(Box::new((status, call)))) }
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

/// The status at the moment at which the caller waits no longer, whatever is still at work here: behind a shield, mostly.
/// tonic's own timer, which is around each call of its server, would say `CANCELLED` in the same moment.
fn overdue(call: &InFlight) -> Status {
    match call.ctx().check() {
        Err(cancelled) => cancelled.into(),
        Ok(()) => Cancelled::new(Cause::DeadlineExceeded).into(),
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
        match &mut self.state {
            State::Runs { handler, asked } => {
                let Poll::Ready((done, mut call, _)) = handler.poll(cx) else {
                    if asked.is_none_or(|asked| Instant::now() < asked) {
                        return Poll::Pending;
                    }
                    let answer = handler.leave("unwinding after the caller's deadline", |call| {
                        let status = overdue(call);
                        call.cut();
                        only(status, call)
                    });
                    return answer.map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)));
                };
                Poll::Ready(match done {
                    Ok(Ok(response)) => Ok(respond(call, response)),
                    Ok(Err(error)) => Err(error),
                    Err(_) => {
                        let status = call.cut().into();
                        Ok(only(status, &mut call))
                    }
                })
            }
            State::Refused(refused) => {
                let Some(refused) = refused.take() else {
                    panic!("a `CtxFuture` was polled after it was ready")
                };
                let (status, mut call) = *refused;
                Poll::Ready(Ok(only(status, &mut call)))
            }
        }
    }
}

impl<F: Future + Send + 'static> fmt::Debug for CtxFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CtxFuture");
        let call = match &self.state {
            State::Runs { handler, .. } => handler.request(),
            State::Refused(refused) => refused.as_ref().map(|refused| &refused.1),
        };
        if let Some(call) = call {
            out.field("ctx", call.ctx());
        }
        out.finish_non_exhaustive()
    }
}
