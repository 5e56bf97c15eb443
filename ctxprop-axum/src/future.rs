//! [`CtxFuture`]: a handler that runs under its context, and what becomes of it when nobody waits any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ctxprop::{Cancelled, Cause, Run};
use ctxprop_server::Granted;
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use crate::body::{BoxError, CtxBody};
use crate::request::InFlight;
use crate::{DEADLINE_EXCEEDED, TRACE_ID};

/// The response of a request under its context.
///
/// Dropped before it is ready, as a server does when the client went away, it ends the context with
/// [`Cause::Disconnected`] and gives the handler to a task, where it unwinds. That task is one of the root's:
/// [`Ctx::idle`](ctxprop::Ctx::idle) waits for it.
#[must_use = "futures do nothing unless awaited"]
pub struct CtxFuture<F: Future + Send + 'static> {
    state: State<F>,
}

enum State<F> {
    /// Boxed, so that it can move to a task while pinned, and so that what holds this future moves a pointer.
    Runs(Pin<Box<Running<F>>>),
    /// The budget was too little.
    Refused(Box<(Cancelled, InFlight)>),
    /// It has given its response, or its poll panicked.
    Over,
}

pin_project! {
    /// A handler and its request. Dropped, the handler goes first.
    struct Running<F> {
        #[pin]
        run: Run<F>,
        // There until the handler has answered.
        request: Option<InFlight>,
        // A successful answer to it gives the connection away.
        connects: bool,
    }
}

impl<F: Future> Running<F> {
    /// One poll, in the request's span.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<F::Output, Cancelled>> {
        let this = self.project();
        match this.request {
            Some(request) => request.in_span(|| this.run.poll(cx)),
            None => panic!("{POLLED_AFTER}"),
        }
    }
}

impl<F: Future + Send + 'static> CtxFuture<F> {
    #[inline]
    pub(crate) fn new(call: F, request: InFlight, connects: bool) -> Self {
        let run = request.ctx().run(call);
        let running = Running { run, request: Some(request), connects };
        CtxFuture { state: State::Runs(Box::pin(running)) }
    }

    pub(crate) fn refused(cancelled: Cancelled, request: InFlight) -> Self {
        CtxFuture { state: State::Refused(Box::new((cancelled, request))) }
    }
}

/// The head of the response as it leaves.
fn head<B>(request: &mut InFlight, response: &mut Response<B>) {
    let whose = whose_deadline(request, response);
    // What another hop said of its caller is not ours to repeat: that was us.
    match whose {
        Some(whose) => {
            let whose = HeaderValue::from_static(whose.as_str());
            response.headers_mut().insert(DEADLINE_EXCEEDED, whose);
        }
        // Comparing with the few names there are costs less than the hash of one.
        None if response.headers().keys().any(|name| *name == DEADLINE_EXCEEDED) => {
            response.headers_mut().remove(DEADLINE_EXCEEDED);
        }
        None => {}
    }
    if request.shared.policy.echo_trace_id
        && let Ok(id) = HeaderValue::try_from(request.ctx().span().trace_id().to_string())
    {
        response.headers_mut().insert(TRACE_ID, id);
    }
    let unwound = response.extensions().get::<Cancelled>().is_some();
    request.respond(response.status(), whose, unwound);
}

/// The response where the handler gave none.
fn abandoned<B>(cancelled: Cancelled, mut request: InFlight) -> Response<CtxBody<B>> {
    let mut response = Response::new(CtxBody::empty());
    *response.status_mut() = cancelled.http_status();
    response.extensions_mut().insert(cancelled);
    head(&mut request, &mut response);
    response
}

/// Whose deadline a response is about, where it is about one.
fn whose_deadline<B>(request: &InFlight, response: &Response<B>) -> Option<Granted> {
    if response.status() != StatusCode::GATEWAY_TIMEOUT {
        return None;
    }
    let told = response.extensions().get::<Cancelled>().is_some_and(Cancelled::is_deadline);
    // The next hop was told what remained here in whole milliseconds, so it may see the end, and say so,
    // just before this one does.
    let nothing_left = || request.ctx().remaining().is_some_and(|left| left < NOTHING);
    match request.ctx().cause() {
        Some(Cause::DeadlineExceeded) => Some(request.granted()),
        _ if told && nothing_left() => Some(request.granted()),
        // A part of the budget that was set aside here: the caller would have waited.
        _ if told => Some(Granted::Server),
        _ => None,
    }
}

/// Less than the wire can tell.
pub(crate) const NOTHING: Duration = Duration::from_millis(1);

/// Whether the connection is the handler's from here on.
fn is_upgrade(status: StatusCode, connects: bool) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (connects && status.is_success())
}

/// Binds the body of `response` to its request.
fn respond<B>(
    mut request: InFlight,
    mut response: Response<B>,
    connects: bool,
) -> Response<CtxBody<B>>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    head(&mut request, &mut response);
    if is_upgrade(response.status(), connects) {
        return response.map(|body| {
            request.within(|| drop(body));
            request.upgrade();
            CtxBody::empty()
        });
    }
    response.map(|body| CtxBody::new(body, request))
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
        // While it is polled the state is `Over`: a handler that panics is dropped then and there, and its request is
        // over, whoever catches the panic.
        match std::mem::replace(&mut this.state, State::Over) {
            State::Runs(mut running) => {
                let Poll::Ready(done) = running.as_mut().poll(cx) else {
                    this.state = State::Runs(running);
                    return Poll::Pending;
                };
                let connects = running.connects;
                let Some(mut request) = running.as_mut().project().request.take() else {
                    panic!("{POLLED_AFTER}")
                };
                drop(running);
                Poll::Ready(match done {
                    Ok(Ok(response)) => Ok(respond(request, response, connects)),
                    Ok(Err(error)) => Err(error),
                    Err(_) => {
                        let cancelled = request.cut();
                        Ok(abandoned(cancelled, request))
                    }
                })
            }
            State::Refused(refused) => {
                let (cancelled, request) = *refused;
                Poll::Ready(Ok(abandoned(cancelled, request)))
            }
            State::Over => panic!("{POLLED_AFTER}"),
        }
    }
}

const POLLED_AFTER: &str = "a `CtxFuture` was polled after it was ready";

impl<F: Future + Send + 'static> Drop for CtxFuture<F> {
    fn drop(&mut self) {
        if let State::Runs(running) = std::mem::replace(&mut self.state, State::Over) {
            unwind(running);
        }
    }
}

/// Nobody waits for the response any more: the handler unwinds in a task.
#[cold]
fn unwind<F: Future + Send + 'static>(mut running: Pin<Box<Running<F>>>) {
    let Some(request) = running.as_mut().project().request else { return };
    request.abandon();
    let ctx = request.ctx().clone();
    // Outside of a runtime, or in one that is going down, nothing can be awaited: it is dropped.
    if Handle::try_current().is_ok() {
        let ctx = ctx.detach("unwinding after a disconnect");
        drop(ctx.spawn(Unwind(running)));
    }
}

impl<F: Future + Send + 'static> fmt::Debug for CtxFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CtxFuture");
        let request = match &self.state {
            State::Runs(running) => running.request.as_ref(),
            State::Refused(refused) => Some(&refused.1),
            State::Over => None,
        };
        if let Some(request) = request {
            out.field("ctx", request.ctx());
        }
        out.finish_non_exhaustive()
    }
}

/// A handler whose client has gone: its run ends once it has unwound and its shields are done.
struct Unwind<F>(Pin<Box<Running<F>>>);

impl<F: Future> Future for Unwind<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx).map(drop)
    }
}
