//! [`CtxService`]: makes the context of each call and hands both on.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ctxprop::Ctx;
use ctxprop::wire::budget::parse_grpc_timeout;
use ctxprop_server::{Call, Inner, Policy, Watchers};
use http::{Request, Response};
use http_body::Body;
use tokio::time::Instant;
use tonic::server::NamedService;
use tower_service::Service;

use super::body::CtxBody;
use super::call::InFlight;
use super::future::CtxFuture;
use super::request_body::RequestBody;
use crate::{BoxError, GRPC_TIMEOUT};

/// The service that [`CtxLayer`](crate::CtxLayer) makes of another one.
///
/// It is always ready: waiting for the inner service is part of each call, and counts against its budget. What turns
/// calls away because a service is not ready (`LoadShed`) belongs inside of it.
pub struct CtxService<S> {
    inner: Inner<S>,
    shared: Arc<Shared>,
}

/// What all clones of a service, and their calls, have in common.
pub(crate) struct Shared {
    pub(crate) root: Ctx,
    pub(crate) policy: Policy,
    pub(crate) watchers: Watchers,
}

impl<S> CtxService<S> {
    pub(crate) fn new(inner: S, root: Ctx, policy: Policy) -> Self {
        let watchers = Watchers::below(&root);
        let shared = Shared { root, policy, watchers };
        CtxService { inner: Inner::new(inner), shared: Arc::new(shared) }
    }
}

impl<S: Clone> Clone for CtxService<S> {
    fn clone(&self) -> Self {
        CtxService { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug> fmt::Debug for CtxService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtxService")
            .field("inner", &self.inner)
            .field("root", &self.shared.root)
            .field("policy", &self.shared.policy)
            .finish()
    }
}

/// The layer is nothing that a client sees: the service is called as before.
impl<S: NamedService> NamedService for CtxService<S> {
    const NAME: &'static str = S::NAME;
}

/// When the time is over that the caller named, if it named one. It is looked up, not searched for among all there are.
fn asked<B>(request: &Request<B>) -> Result<Option<Instant>, Malformed> {
    let mut lines = request.headers().get_all(GRPC_TIMEOUT).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    match parse_grpc_timeout(line.as_bytes()) {
        Ok(timeout) if lines.next().is_none() => Ok(Instant::now().checked_add(timeout)),
        _ => Err(Malformed),
    }
}

/// A `grpc-timeout` that is none, or two of them.
struct Malformed;

impl<S, B, R> Service<Request<B>> for CtxService<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<CtxBody<R>>;
    type Error = S::Error;
    type Future = CtxFuture<Call<S, tonic::body::Body>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = &self.shared;
        // Read before the context is made, so that it is over no later than the context's deadline.
        let asked = asked(&request);
        let admitted = shared.policy.admit(&shared.root, request.extensions(), request.headers());
        let too_little = shared.policy.is_too_little(admitted.budget);
        let mut in_flight = InFlight::new(admitted, &request, Arc::clone(shared));
        let asked = match asked {
            Ok(asked) if !too_little => asked,
            Ok(_) => {
                let status = in_flight.refuse().into();
                return CtxFuture::refused(status, in_flight);
            }
            Err(Malformed) => {
                let status = in_flight.refuse_malformed();
                return CtxFuture::refused(status, in_flight);
            }
        };
        let ctx = in_flight.ctx().clone();
        let canceller = in_flight.canceller().clone();
        let mut request = request.map(|body| RequestBody::bound(body, ctx.clone(), canceller));
        request.extensions_mut().insert(ctx);
        let call = self.inner.call(request, &in_flight);
        CtxFuture::new(call, in_flight, asked)
    }
}
