//! [`CtxService`]: makes the context of each request and hands both on.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use ctxprop::Ctx;
use ctxprop_server::{Call, Inner, Policy, Watchers};
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::{BoxError, CtxBody};
use crate::future::CtxFuture;
use crate::request::InFlight;
use crate::serve::exchange::Exchange;

/// The service that [`CtxLayer`](crate::CtxLayer) makes of another one.
///
/// It is always ready: waiting for the inner service is part of each request, and counts against its budget. What
/// turns requests away because a service is not ready (`LoadShed`) belongs inside of it.
pub struct CtxService<S> {
    inner: Inner<S>,
    shared: Arc<Shared>,
}

/// What all clones of a service, and their requests, have in common.
pub(crate) struct Shared {
    pub(crate) root: Ctx,
    pub(crate) policy: Policy,
    /// That of routes which have a budget of their own.
    routes: HashMap<String, Policy>,
    pub(crate) watchers: Watchers,
}

impl<S> CtxService<S> {
    pub(crate) fn new(
        inner: S,
        root: Ctx,
        policy: Policy,
        routes: HashMap<String, Policy>,
    ) -> Self {
        let watchers = Watchers::below(&root);
        let shared = Shared { root, policy, routes, watchers };
        CtxService { inner: Inner::new(inner), shared: Arc::new(shared) }
    }
}

impl Shared {
    /// Whom to believe about `request`, and how much.
    fn policy<B>(&self, request: &Request<B>) -> &Policy {
        if self.routes.is_empty() {
            return &self.policy;
        }
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        route.and_then(|route| self.routes.get(route)).unwrap_or(&self.policy)
    }
}

impl<S> CtxService<S> {
    /// What a request is to be under: the root that the layer was given, else that of the server, else its own.
    fn root<'a>(&'a self, exchange: Option<&'a Exchange>) -> &'a Ctx {
        match exchange {
            Some(exchange) if self.shared.policy.root.is_none() => exchange.root(),
            Some(exchange) => {
                exchange.has_own_root(&self.shared);
                &self.shared.root
            }
            None => &self.shared.root,
        }
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

impl<S, B, R> Service<Request<B>> for CtxService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<CtxBody<R>>;
    type Error = S::Error;
    type Future = CtxFuture<Call<S, B>, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let policy = self.shared.policy(&request);
        let exchange = request.extensions().get::<Exchange>();
        let admitted = policy.admit(self.root(exchange), request.extensions(), request.headers());
        let too_little = policy.is_too_little(admitted.budget);
        let shared = Arc::clone(&self.shared);
        let mut in_flight = InFlight::new(admitted, &request, exchange, shared);
        if too_little {
            let cancelled = in_flight.refuse();
            return CtxFuture::refused(cancelled, in_flight);
        }
        request.extensions_mut().insert(in_flight.ctx().clone());
        let connects = request.method() == Method::CONNECT;
        CtxFuture::new(in_flight, connects, |in_flight| self.inner.call(request, in_flight))
    }
}
