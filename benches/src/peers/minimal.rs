//! The least that somebody writes by hand: a layer that reads the trace, the budget and the baggage line, keeps
//! them where handlers and clients find them, and bounds the handler by the budget. It knows nothing of cancellation, of
//! children, of bodies that last, of bad headers, of trust.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

/// What the layer keeps of a request.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The trace.
    pub trace_id: u128,
    /// The caller's span.
    pub parent_id: u64,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The line as it came.
    pub baggage: Option<HeaderValue>,
}

tokio::task_local! {
    static KEPT: Arc<Kept>;
}

impl Kept {
    /// Of the request that is being handled.
    #[must_use]
    pub fn current() -> Option<Arc<Kept>> {
        KEPT.try_with(Arc::clone).ok()
    }

    fn of(request: &Request, budget: Duration) -> Kept {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut fields = text("traceparent").unwrap_or_default().split('-').skip(1);
        let mut hex = || fields.next().and_then(|field| u128::from_str_radix(field, 16).ok());
        let trace_id = hex().unwrap_or_else(|| fastrand::u128(1..));
        let parent_id = hex().unwrap_or_default() as u64;
        let asked = text("x-timeout-ms").and_then(|asked| asked.parse().ok());
        let budget = asked.map_or(budget, Duration::from_millis);
        let baggage = headers.get("baggage").cloned();
        Kept { trace_id, parent_id, deadline: Instant::now() + budget, baggage }
    }
}

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct Minimal {
    /// The budget of a request that brings none.
    pub budget: Duration,
}

/// Its service.
#[derive(Debug, Clone)]
pub struct MinimalService<S> {
    inner: S,
    budget: Duration,
}

impl<S> Layer<S> for Minimal {
    type Service = MinimalService<S>;

    fn layer(&self, inner: S) -> MinimalService<S> {
        MinimalService { inner, budget: self.budget }
    }
}

impl<S> Service<Request> for MinimalService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let kept = Arc::new(Kept::of(&request, self.budget));
        request.extensions_mut().insert(Arc::clone(&kept));
        let (deadline, response) = (kept.deadline, self.inner.call(request));
        Box::pin(KEPT.scope(kept, async move {
            match timeout_at(deadline, response).await {
                Ok(response) => response,
                Err(_) => Ok(StatusCode::GATEWAY_TIMEOUT.into_response()),
            }
        }))
    }
}
