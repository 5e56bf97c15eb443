//! The least that somebody writes by hand who counts instructions: a layer that reads the trace and the budget at their
//! fixed places, keeps them in an extension, with the baggage line as it came, and bounds the handler by the budget. It knows
//! nothing of cancellation, of children, of bodies that last, of bad headers, of trust, and no function finds it but by the
//! request.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Timeout, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TIMEOUT_MS: HeaderName = HeaderName::from_static("x-timeout-ms");
static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// What the layer keeps of a request.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The trace, in two halves.
    pub trace_id: [u64; 2],
    /// The caller's span.
    pub parent_id: u64,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The line as it came.
    pub baggage: Option<HeaderValue>,
}

/// Sixteen hexadecimal digits.
fn hex(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| {
        let low = u64::from(digit & 0xf) + if digit & 0x40 != 0 { 9 } else { 0 };
        number << 4 | low
    })
}

/// A number of decimal digits.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

impl Kept {
    pub(super) fn of(headers: &http::HeaderMap, budget: Duration) -> Kept {
        // `00-`, 32 digits, `-`, 16 digits, `-` and the flags.
        let parent = headers.get(&TRACEPARENT).map(HeaderValue::as_bytes);
        let (trace_id, parent_id) = match parent {
            Some(parent) if parent.len() == 55 => {
                ([hex(&parent[3..19]), hex(&parent[19..35])], hex(&parent[36..52]))
            }
            _ => ([fastrand::u64(..), fastrand::u64(1..)], 0),
        };
        let asked = headers.get(&TIMEOUT_MS).and_then(|asked| number(asked.as_bytes()));
        let budget = asked.map_or(budget, Duration::from_millis);
        let baggage = headers.get(&BAGGAGE).cloned();
        Kept { trace_id, parent_id, deadline: Instant::now() + budget, baggage }
    }
}

pin_project! {
    /// The handler, and 504 where it takes too long.
    #[derive(Debug)]
    pub struct Bounded<F> {
        #[pin]
        handler: Timeout<F>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Bounded<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let late = |_| Ok(StatusCode::GATEWAY_TIMEOUT.into_response());
        self.project().handler.poll(cx).map(|response| response.unwrap_or_else(late))
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
{
    type Response = Response;
    type Error = Infallible;
    type Future = Bounded<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let kept = Kept::of(request.headers(), self.budget);
        let deadline = kept.deadline;
        request.extensions_mut().insert(kept);
        Bounded { handler: timeout_at(deadline, self.inner.call(request)) }
    }
}
