//! [`CtxFuture`]: a handler that runs under its context, and the head of the response that it gives.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ctxprop::Cancelled;
use ctxprop_server::{Granted, Handler, Room};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;

use crate::body::{BoxError, CtxBody};
use crate::request::InFlight;
use crate::{DEADLINE_EXCEEDED, TRACE_ID};

/// The response of a request under its context, whose body is an `R`.
///
/// Dropped before it is ready, as a server does when the client went away, it ends the context with
/// [`Cause::Disconnected`](ctxprop::Cause::Disconnected), and the handler unwinds: then and there, and from its first wait on,
/// such as that for a shield, in a task. That task is one of the root's: [`Ctx::idle`](ctxprop::Ctx::idle) waits for it.
#[must_use = "futures do nothing unless awaited"]
pub struct CtxFuture<F: Future + Send + 'static, R: Send + 'static> {
    state: State<F, R>,
}

enum State<F: Future + Send + 'static, R: Send + 'static> {
    Runs {
        handler: Handler<F, InFlight, R>,
        /// A successful answer gives the connection away.
        connects: bool,
    },
    /// The budget was too little. `None` once that was told.
    Refused(Option<Box<(Cancelled, InFlight)>>),
}

impl<F: Future + Send + 'static, R: Send + 'static> CtxFuture<F, R> {
    #[inline]
    pub(crate) fn new(
        request: InFlight,
        connects: bool,
        call: impl FnOnce(&InFlight) -> F,
    ) -> Self {
        CtxFuture { state: State::Runs { handler: Handler::new(request, call), connects } }
    }

    pub(crate) fn refused(cancelled: Cancelled, request: InFlight) -> Self {
        CtxFuture { state: State::Refused(Some(Box::new((cancelled, request)))) }
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
    request.whose_deadline(told)
}

/// Whether the connection is the handler's from here on.
fn is_upgrade(status: StatusCode, connects: bool) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (connects && status.is_success())
}

/// Binds the body of `response` to its request, in the room of its handler.
fn respond<F, B>(
    mut request: InFlight,
    mut response: Response<B>,
    connects: bool,
    room: Room<F, B>,
) -> Response<CtxBody<B>>
where
    F: Send + 'static,
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
    response.map(|body| CtxBody::new(body, request, room))
}

// Nothing in it is pinned in place: what runs is in a box.
impl<F: Future + Send + 'static, R: Send + 'static> Unpin for CtxFuture<F, R> {}

impl<F, R, E> Future for CtxFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<CtxBody<R>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Runs { handler, connects } => {
                let (done, mut request, room) = ready!(handler.poll(cx));
                Poll::Ready(match done {
                    Ok(Ok(response)) => Ok(respond(request, response, *connects, room)),
                    Ok(Err(error)) => Err(error),
                    Err(_) => {
                        let cancelled = request.cut();
                        Ok(abandoned(cancelled, request))
                    }
                })
            }
            State::Refused(refused) => {
                let Some(refused) = refused.take() else {
                    panic!("a `CtxFuture` was polled after it was ready")
                };
                let (cancelled, request) = *refused;
                Poll::Ready(Ok(abandoned(cancelled, request)))
            }
        }
    }
}

impl<F: Future + Send + 'static, R: Send + 'static> fmt::Debug for CtxFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CtxFuture");
        let request = match &self.state {
            State::Runs { handler, .. } => handler.request(),
            State::Refused(refused) => refused.as_ref().map(|refused| &refused.1),
        };
        if let Some(request) = request {
            out.field("ctx", request.ctx());
        }
        out.finish_non_exhaustive()
    }
}
