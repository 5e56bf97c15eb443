//! The least that a layer costs which does what `CtxLayer` does, written by hand and for axum's body alone: it reads the same
//! headers as [`Minimal`](super::minimal::Minimal), and makes of them a context that is shared, ends with its root and at its
//! deadline, is in an extension and current while the handler and the body are polled; the handler can move to a task where
//! it unwinds, and the body ends with the context though nobody polls it, for which it is on a list.
//!
//! It lacks what costs nothing where it is not used, or is checked where this trusts: bad headers, other headers, spans, events,
//! children, shields, observers, upgrades, budgets of routes, and the task that looks at the list.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::minimal::Kept;

/// What the requests end with.
#[derive(Debug, Default)]
struct Root {
    ended: AtomicU64,
    below: AtomicU64,
}

/// A request's own.
#[derive(Debug)]
struct Own {
    kept: Kept,
    span_id: u64,
    ended: AtomicU64,
    root: Arc<Root>,
}

impl Own {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst) != 0 || self.root.ended.load(Ordering::SeqCst) != 0
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.root.below.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What an extractor finds.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Own>);

impl Shared {
    /// The span that what goes out hangs below.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.0.span_id
    }
}

thread_local! {
    /// The address of what is current, as code below looks for it.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// The bodies that somebody has to look at, and the free places.
    static YOUNG: RefCell<(Vec<Arc<Place>>, Vec<usize>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Runs `f` with this current, and takes it back, also in a panic.
fn within<R>(own: &Shared, f: impl FnOnce() -> R) -> R {
    struct Outer(usize);
    impl Drop for Outer {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _outer = Outer(CURRENT.replace(Arc::as_ptr(&own.0).addr()));
    f()
}

type Place = Mutex<Option<(Body, Shared)>>;

/// A body that ends with its context.
#[derive(Debug)]
struct Bound {
    place: Arc<Place>,
    index: usize,
    hint: SizeHint,
    begun: bool,
}

impl Bound {
    fn new(body: Body, own: Shared) -> Bound {
        let hint = body.size_hint();
        YOUNG.with_borrow_mut(|(places, free)| {
            let index = free.pop().unwrap_or_else(|| {
                places.push(Arc::default());
                places.len() - 1
            });
            let place = Arc::clone(&places[index]);
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some((body, own));
            Bound { place, index, hint, begun: false }
        })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let left = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        YOUNG.with_borrow_mut(|(_, free)| free.push(self.index));
        drop(left);
    }
}

impl http_body::Body for Bound {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.begun = true;
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((mut body, own)) = place.take() else { return Poll::Ready(None) };
        let ended = own.0.has_ended();
        let polled = within(&own, || Pin::new(&mut body).poll_frame(cx));
        let goes_on = match &polled {
            Poll::Pending => !ended,
            Poll::Ready(frame) => frame.is_some() && !body.is_end_stream(),
        };
        if goes_on {
            *place = Some((body, own));
            return polled;
        }
        drop(place);
        within(&own, || drop(body));
        if polled.is_ready() { polled } else { Poll::Ready(None) }
    }

    fn is_end_stream(&self) -> bool {
        self.begun && self.place.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

/// The handler under its context.
#[derive(Debug)]
pub struct Under<F: Future + Send + 'static> {
    handler: Option<(Pin<Box<F>>, Shared)>,
}

impl<F: Future<Output = Result<Response, Infallible>> + Send + 'static> Future for Under<F> {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((mut handler, own)) = self.handler.take() else { return Poll::Pending };
        if own.0.has_ended() || own.0.kept.deadline <= Instant::now() {
            return Poll::Ready(Ok(StatusCode::GATEWAY_TIMEOUT.into_response()));
        }
        let polled = within(&own, || handler.as_mut().poll(cx));
        if polled.is_pending() {
            self.handler = Some((handler, own));
            return Poll::Pending;
        }
        let Ok(response) = ready!(polled);
        drop(handler);
        Poll::Ready(Ok(response.map(|body| Body::new(Bound::new(body, own)))))
    }
}

impl<F: Future + Send + 'static> Drop for Under<F> {
    fn drop(&mut self) {
        if let Some((handler, own)) = self.handler.take() {
            own.0.ended.store(1, Ordering::SeqCst);
            drop(tokio::spawn(async move { drop(handler.await) }));
        }
    }
}

/// The layer.
#[derive(Debug, Clone)]
pub struct Floor {
    budget: Duration,
    root: Arc<Root>,
}

impl Floor {
    /// With the budget of a request that brings none.
    #[must_use]
    pub fn new(budget: Duration) -> Floor {
        Floor { budget, root: Arc::default() }
    }
}

/// Its service.
#[derive(Debug, Clone)]
pub struct FloorService<S> {
    inner: S,
    layer: Floor,
}

impl<S> Layer<S> for Floor {
    type Service = FloorService<S>;

    fn layer(&self, inner: S) -> FloorService<S> {
        FloorService { inner, layer: self.clone() }
    }
}

impl<S> Service<Request> for FloorService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Under<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let kept = Kept::of(request.headers(), self.layer.budget);
        let root = Arc::clone(&self.layer.root);
        root.below.fetch_add(1, Ordering::SeqCst);
        let span_id = fastrand::u64(1..);
        let own = Shared(Arc::new(Own { kept, span_id, ended: AtomicU64::new(0), root }));
        request.extensions_mut().insert(own.clone());
        let handler = Box::pin(within(&own, || self.inner.call(request)));
        Under { handler: Some((handler, own)) }
    }
}
