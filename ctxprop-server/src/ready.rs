//! [`Call`]: the call of the inner service, once that is ready. Waiting for that is part of the request: it runs
//! under the request's context, and what waits in a queue has its budget spent there.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

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
    pub fn waits(service: S, request: Request<B>) -> Self {
        let waiting = Some(Box::new(Waiting { service, request }));
        Call { stage: Stage::Waits { waiting } }
    }

    /// The service was ready, and has been called.
    #[inline]
    pub fn runs(future: S::Future) -> Self {
        Call { stage: Stage::Runs { future } }
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
