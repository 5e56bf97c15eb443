//! [`CtxService`]: makes the context of each request and hands both on.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use ctxprop::Ctx;
use http::{Request, Response};
use tower_service::Service;
use tracing::{Span, field};

use crate::body::CtxBody;
use crate::future::{CtxFuture, Outcome};
use crate::policy::Policy;

/// The service that [`CtxLayer`](crate::CtxLayer) makes of another one.
#[derive(Clone, Debug)]
pub struct CtxService<S> {
    inner: S,
    root: Ctx,
    policy: Arc<Policy>,
}

impl<S> CtxService<S> {
    pub(crate) fn new(inner: S, root: Ctx, policy: Arc<Policy>) -> Self {
        CtxService { inner, root, policy }
    }
}

impl<S, B, R> Service<Request<B>> for CtxService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<CtxBody<R>>;
    type Error = S::Error;
    type Future = CtxFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let (incoming, granted) = self.policy.admit(request.headers());
        let too_little = self.policy.is_too_little(incoming.budget);
        let budget = incoming.budget;
        let (ctx, canceller) = self.root.with_incoming(incoming);
        let span = request_span(&ctx, &request, budget);
        let outcome = Outcome { granted, echo_trace_id: self.policy.echo_trace_id };
        if too_little {
            return CtxFuture::refused(ctx, canceller, span, outcome);
        }
        request.extensions_mut().insert(ctx.clone());
        let handler = span.in_scope(|| ctx.sync_scope(|| self.inner.call(request)));
        CtxFuture::new(handler, ctx, canceller, span, outcome)
    }
}

fn request_span<B>(ctx: &Ctx, request: &Request<B>, budget: Option<std::time::Duration>) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    tracing::info_span!(
        target: "ctxprop",
        "request",
        method = %request.method(),
        route,
        trace_id = %ctx.span().trace_id(),
        span_id = %ctx.span().span_id(),
        parent_id = ctx.span().parent_id().map(field::display),
        budget = budget.map(field::debug),
    )
}
