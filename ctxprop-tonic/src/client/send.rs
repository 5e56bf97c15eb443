//! Sending: one call within what is left of its caller's budget.
//!
//! # Invariants
//! 1. Nothing is sent once the context has ended or less than 1 ms is left.
//! 2. The end of the context ends the call: what waits for its answer, what is still sent, and what is still read.
//! 3. So does dropping whichever of these the caller holds.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ctxprop::__private::{has_ended, of_request};
use ctxprop::run::hop::HopSpan;
use ctxprop::trust::Zone;
use ctxprop::wire::budget::extract_grpc_timeout;
use ctxprop::wire::{self, Formats, Hop, Side};
use ctxprop::{Background, Cancelled, Cause, Ctx, SpanContext};
use http::{HeaderMap, Request, Response, Uri};
use http_body::Body;
use tokio::sync::oneshot;
use tonic::{Status, TimeoutExpired};

use super::bound::{CallBody, Outbound, Waits, over, sound, told};
use super::channel::Rules;
use super::metrics;
use crate::{BoxError, GRPC_TIMEOUT};

/// What is less is not worth a call, and its end is that of the budget.
pub(crate) const LEAST: Duration = Duration::from_millis(1);

/// What is said where there is no context.
const NO_CONTEXT: &str = "no context is current, so this call would lose its caller's deadline and trace: make it in a \
                          `#[propagate]` function or under `ctx.scope(..)`, or build the channel with \
                          `.allow_detached(\"reason\")`";

/// A call that has begun. Dropped, it ends.
pub(crate) struct Sending {
    ctx: Ctx,
    waits: Waits,
    /// Where anybody listens.
    hop: Option<HopSpan>,
}

impl Sending {
    /// Writes what the peer is to know into the headers of `request`, and has what is sent end with the call.
    ///
    /// # Errors
    ///
    /// There is no context, or it has ended, or so little is left that the call is not worth it; or its own timeout is
    /// none.
    pub(crate) fn begin(
        rules: &Rules,
        mut request: Request<tonic::body::Body>,
    ) -> Result<(Sending, Request<tonic::body::Body>), Status> {
        let ctx = match (of_request(request.extensions()), rules.detached) {
            (Some(ctx), _) => ctx,
            (None, Some(reason)) => Ctx::background().detach(reason),
            (None, None) => return Err(Status::failed_precondition(NO_CONTEXT)),
        };
        // Few are there so far, and comparing costs less than the hash of one.
        let own = match request.headers().keys().any(|name| *name == GRPC_TIMEOUT) {
            true => extract_grpc_timeout(request.headers())
                .map_err(|error| Status::invalid_argument(error.to_string()))?,
            false => None,
        };
        metrics::bounded(own, &ctx);
        // Its own timeout makes it a part of the caller's budget, which all of the call is bounded by.
        let ctx = match own {
            Some(own) if ctx.remaining().is_none_or(|left| own < left) => ctx.with_timeout(own),
            _ => ctx,
        };
        // By words, and one look at the clock.
        let left = ctx.remaining();
        if has_ended(&ctx) || left.is_some_and(|left| left < LEAST) {
            let status = ctx.check().map_or_else(Status::from, |()| expired(&ctx));
            metrics::failed(status.code(), &ctx);
            return Err(status);
        }
        // Without a trace one begins here.
        let trace = match ctx.active_span() {
            span if span.is_valid() => span.child(),
            _ => SpanContext::root(),
        };
        let host = rules.egress.host(request.uri());
        let hop = HopSpan::of(|| hop(rules, request.uri(), &ctx, &trace));
        let zone = rules.egress.zone(request.uri());
        if zone == Zone::Outside && !ctx.baggage_map().is_empty() {
            tracing::debug!(target: "ctxprop::egress", host, "not trusted: sent without baggage");
        }
        rules
            .egress
            .write(zone, &trace, ctx.baggage_map(), left, request.headers_mut())
            .map_err(|_| expired(&ctx))
            .inspect_err(|status| metrics::failed(status.code(), &ctx))?;
        let (waits, over) = oneshot::channel();
        let request = request.map(|body| Outbound::bound(body, ctx.clone(), over));
        Ok((Sending { ctx, waits, hop }, request))
    }

    /// Runs `f` in the call's span, with its context current: which tells whoever exports the span more than its fields
    /// do.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        self.ctx.sync_scope(|| match &self.hop {
            Some(hop) => hop.in_scope(f),
            None => f(),
        })
    }

    async fn answer<R, E>(
        self,
        answer: impl Future<Output = Result<Response<R>, E>>,
    ) -> Result<Response<CallBody<R>>, Status>
    where
        E: Into<BoxError>,
    {
        let Sending { ctx, waits, mut hop } = self;
        let answered = match &hop {
            Some(hop) => ctx.run(hop.around(answer)).await,
            None => ctx.run(answer).await,
        };
        let status = match answered {
            Ok(Ok(mut response)) => {
                sound(response.headers_mut());
                told(&ctx, hop.as_mut(), Some(response.headers()));
                return Ok(response.map(|body| CallBody::new(body, ctx, waits, hop)));
            }
            Ok(Err(error)) => broken(&ctx, error.into()),
            Err(cancelled) => cancelled.into(),
        };
        over(&ctx, hop.as_mut(), status.code());
        Err(status)
    }
}

/// The status of a call that broke off with `error`.
///
/// A peer that has our budget, or tonic's own timer that read it from the headers, may see its end just before we do.
pub(crate) fn broken(ctx: &Ctx, error: BoxError) -> Status {
    if let Err(cancelled) = ctx.check() {
        return cancelled.into();
    }
    if ctx.remaining().is_some_and(|left| left < LEAST) {
        return expired(ctx);
    }
    if is_timeout(&*error) {
        // The endpoint's own. tonic says `CANCELLED` to it.
        let mut status = Status::deadline_exceeded("the timeout of the endpoint passed");
        status.set_source(error.into());
        return status;
    }
    Status::from_error(error)
}

/// The status that says that the budget is used up, also where a little is left of it.
fn expired(ctx: &Ctx) -> Status {
    // It refuses for the same reason, and knows what the budget had been.
    let refused = ctx.inject(&mut HeaderMap::new(), &Formats::new());
    match refused {
        Err(cancelled) => cancelled.into(),
        Ok(()) => Cancelled::new(Cause::DeadlineExceeded).into(),
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.is::<TimeoutExpired>())
}

fn hop<'a>(rules: &'a Rules, uri: &'a Uri, ctx: &'a Ctx, span: &'a SpanContext) -> Hop<'a> {
    let (service, method) = crate::names(uri.path());
    let (host, port) = (Some(rules.egress.host(uri)), rules.egress.port(uri));
    let request = wire::Request::Grpc { service, method, host, port };
    Hop { side: Side::Client, request, ctx, span, budget: ctx.remaining() }
}

type Answer<R> = Result<Response<CallBody<R>>, Status>;

/// The answer to a call: the future of a [`CtxChannel`](crate::CtxChannel).
#[must_use = "futures do nothing unless awaited"]
pub struct CallFuture<R> {
    answer: Pin<Box<dyn Future<Output = Answer<R>> + Send>>,
}

impl<R> CallFuture<R>
where
    R: Body<Data = Bytes> + Send + 'static,
{
    pub(crate) fn new<F, E>(sending: Sending, answer: F) -> Self
    where
        F: Future<Output = Result<Response<R>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        CallFuture { answer: Box::pin(sending.answer(answer)) }
    }

    /// A call that was not made.
    pub(crate) fn failed(status: Status) -> Self {
        CallFuture { answer: Box::pin(std::future::ready(Err(status))) }
    }
}

impl<R> Future for CallFuture<R> {
    type Output = Result<Response<CallBody<R>>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx)
    }
}

impl<R> fmt::Debug for CallFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}
