//! [`Inner`] and [`Call`]: the service inside, and the call of it, once that is ready. Waiting for that is part of the request: it runs
//! under the request's context, and what waits in a queue has its budget spent there.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::in_flight::{InFlight, Told};

pin_project! {
    /// The inner service's answer to one request: the future that runs under the request's context.
    pub struct Call<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        stage: Stage<S, B>,
    }
}

pin_project! {
    #[project = StageProjected]
    enum Stage<S, B>
    where
        S: Service<Request<B>>,
    {
        /// The service is not ready for the request.
        Waits { waiting: Option<Box<Waiting<S, B>>> },
        /// It has been called.
        Runs { #[pin] future: S::Future },
    }
}

/// A request and the service that is not ready for it.
struct Waiting<S, B> {
    service: S,
    request: Request<B>,
}

impl<S: Service<Request<B>>, B> Call<S, B> {
    /// The service is not ready for the request, which waits for it.
    fn waits(service: S, request: Request<B>) -> Self {
        let waiting = Some(Box::new(Waiting { service, request }));
        Call { stage: Stage::Waits { waiting } }
    }

    /// The service was ready, and has been called.
    #[inline]
    fn runs(future: S::Future) -> Self {
        Call { stage: Stage::Runs { future } }
    }
}

/// The service inside of a layer's, and whether it said that it is ready for the next request.
///
/// The layer's own is always ready: see [`Call`].
#[derive(Debug)]
pub struct Inner<S> {
    service: S,
    ready: bool,
}

impl<S> Inner<S> {
    /// `service`, which has not said that it is ready.
    pub fn new(service: S) -> Self {
        Inner { service, ready: false }
    }

    /// Asks it whether it is ready, unless it said so. Where it is not, it is polled again in the call's own future, which has
    /// its place in the queue.
    #[inline]
    pub fn poll_ready<B>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
    where
        S: Service<Request<B>>,
    {
        if !self.ready {
            self.ready = self.service.poll_ready(cx)?.is_ready();
        }
        Poll::Ready(Ok(()))
    }

    /// Has it answer `request`, within what is `in_flight`.
    #[inline]
    pub fn call<B, T: Told>(&mut self, request: Request<B>, in_flight: &InFlight<T>) -> Call<S, B>
    where
        S: Service<Request<B>> + Clone,
    {
        if std::mem::take(&mut self.ready) {
            return Call::runs(in_flight.within(|| self.service.call(request)));
        }
        let next = self.service.clone();
        Call::waits(std::mem::replace(&mut self.service, next), request)
    }
}

impl<S: Clone> Clone for Inner<S> {
    fn clone(&self) -> Self {
        // A clone of a service that is ready need not be.
        Inner::new(self.service.clone())
    }
}

impl<S: Service<Request<B>>, B> Future for Call<S, B> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            let waiting = match stage.as_mut().project() {
                StageProjected::Runs { future } => return future.poll(cx),
                StageProjected::Waits { waiting } => waiting,
            };
            if let Some(waits) = waiting {
                ready!(waits.service.poll_ready(cx))?;
            }
            let Some(called) = waiting.take() else {
                // Its service panicked or failed as it was polled, and it must not be polled again.
                panic!("a `Call` was polled after it was ready")
            };
            let Waiting { mut service, request } = *called;
            let future = service.call(request);
            stage.set(Stage::Runs { future });
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for Call<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = matches!(self.stage, Stage::Waits { .. });
        f.debug_struct("Call").field("waits", &waits).finish_non_exhaustive()
    }
}
