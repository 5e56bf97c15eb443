//! Sending: one hop after the other, each within what is left of the budget.
//!
//! # Invariants
//! 1. Nothing is sent once the context has ended or less than 1 ms is left.
//! 2. The end of the context drops what is being sent, at once.
//! 3. A response's body ends with the context, whoever reads it: see `bound.rs`.
//! 4. The future of a request is small, because it is a part of each future that awaits it, and moved with them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ctxprop::trust::Zone;
use ctxprop::wire::Formats;
use ctxprop::{Cancelled, Cause, Ctx, NeedsCtx, SpanContext};
use http::HeaderMap;
use reqwest::{Request, Response, StatusCode};
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use crate::client::{Inner, Rules};
use crate::error::Error;
use crate::journey::Journey;
use crate::{DEADLINE_EXCEEDED, metrics, retry};

/// What is less is not worth a request, and cannot be written into one.
const LEAST: Duration = Duration::from_millis(1);

/// What carries one hop: reqwest, or what is below a middleware.
pub(crate) trait Transport: Send {
    type Error: From<Error> + Send;

    fn execute(
        &mut self,
        hop: Request,
    ) -> impl Future<Output = Result<Response, Self::Error>> + Send;
}

impl Transport for &reqwest::Client {
    type Error = Error;

    async fn execute(&mut self, hop: Request) -> Result<Response, Error> {
        Ok(reqwest::Client::execute(self, hop).await?)
    }
}

/// What is awaited of a request: a box, whose type says nothing of what is in it.
pub(crate) type Sending = Pin<Box<dyn Future<Output = Result<crate::Response, Error>> + Send>>;

/// Sends a request under the current context, and up to `retries` times more.
pub(crate) fn send(
    client: Arc<Inner>,
    request: Result<Request, Error>,
    retries: u32,
) -> NeedsCtx<Sending> {
    NeedsCtx::new(Box::pin(metrics::counted(async move {
        let ctx = Ctx::current();
        let mut request = match request {
            Ok(request) => request,
            Err(error) => {
                // What comes too late is told as that, whatever else is wrong with it.
                Left::of(&ctx, None)?;
                return Err(error);
            }
        };
        let sender = Sender::new(&client.rules, &ctx, &mut request);
        let transport = &mut &client.http;
        let response = match retries {
            0 => ctx.run(sender.follow(request, transport)).await??,
            _ => {
                let attempts = retry::send(&sender, request, retries, transport);
                ctx.run(Box::pin(attempts)).await??
            }
        };
        Ok(crate::Response::new(response, ctx))
    })))
}

/// The `tracing` span of one hop, up to the head of its response. Of the URL it tells host and path: users, passwords and
/// queries are nobody else's.
fn hop_span(hop: &Request, span: &SpanContext) -> Span {
    tracing::info_span!(
        target: "ctxprop",
        "send",
        method = %hop.method(),
        host = hop.url().host_str(),
        path = hop.url().path(),
        trace_id = %span.trace_id(),
        span_id = %span.span_id(),
        parent_id = span.parent_id().map(field::display),
        status = field::Empty,
    )
}

/// Who sends a request, with all that its hops and attempts share.
pub(crate) struct Sender<'a> {
    rules: &'a Rules,
    ctx: &'a Ctx,
    trace: SpanContext,
    /// When the request's own timeout passes.
    timeout: Option<Instant>,
}

impl<'a> Sender<'a> {
    /// Takes the request's timeout, and adds the default headers to it.
    pub(crate) fn new(rules: &'a Rules, ctx: &'a Ctx, request: &mut Request) -> Self {
        rules.add_default_headers(request.headers_mut());
        let timeout = request.timeout().copied().or(rules.timeout);
        // Without a trace one begins here.
        let trace = match ctx.span() {
            span if span.is_valid() => span.clone(),
            _ => SpanContext::root(),
        };
        metrics::bounded(timeout, ctx);
        let timeout = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Sender { rules, ctx, trace, timeout }
    }

    /// What all requests of the client may be repeated.
    pub(crate) fn retries(&self) -> &retry::Budget {
        &self.rules.retries
    }

    /// Whether something would be left for a hop after `delay`.
    pub(crate) fn has_left(&self, delay: Duration) -> bool {
        let left = Left::of(self.ctx, self.timeout);
        left.is_ok_and(|left| left.least.is_none_or(|least| least.saturating_sub(delay) >= LEAST))
    }

    /// Sends a request and follows where the answers lead.
    pub(crate) async fn follow<T: Transport>(
        &self,
        request: Request,
        transport: &mut T,
    ) -> Result<Response, T::Error> {
        let (rules, ctx) = (self.rules, self.ctx);
        let mut journey = Journey::new(request);
        let mut zone = rules.egress.zone(journey.url());
        loop {
            let left = Left::of(ctx, self.timeout)?;
            let mut hop = journey.hop();
            let (to, span) = ((journey.url(), zone), self.trace.child());
            rules
                .egress
                .write(to, &span, ctx.baggage_map(), left.least, hop.headers_mut())
                .map_err(|_| left.over(ctx))?;
            // Asking for the place of none makes one.
            if left.timer.is_some() {
                *hop.timeout_mut() = left.timer;
            }
            let seen = hop_span(&hop, &span);
            let response = transport.execute(hop).instrument(seen.clone()).await?;
            seen.record("status", response.status().as_u16());
            if says_our_budget_ran_out(response.status(), response.headers())
                && self.may_say_so(&journey, &left)
            {
                return Err(left.over(ctx).into());
            }
            let (status, headers) = (response.status(), response.headers());
            let referer =
                |here: &_, next: &_| !rules.no_referer && !rules.egress.leads_outwards(here, next);
            let goes_on = journey.redirect(status, headers, &rules.redirect, &referer);
            if !goes_on.map_err(Error::from)? {
                return Ok(response);
            }
            if let Some(from) = journey.from() {
                zone = rules.egress.after(zone, from, journey.url());
            }
        }
    }

    /// Whether we take the word of who was asked for it that our budget ran out: a peer's, and that of
    /// whoever was told one.
    fn may_say_so(&self, journey: &Journey, left: &Left) -> bool {
        let egress = &self.rules.egress;
        let told = left.least.is_some() && egress.tells_budget(journey.url());
        told || egress.zone(journey.url()) == Zone::Inside
    }
}

/// What is left for one hop, be it until the deadline or until the request's own timeout.
pub(crate) struct Left {
    /// The smaller of the two.
    pub(crate) least: Option<Duration>,
    is_own: bool,
    /// When reqwest gives up: the context's end needs no timer of reqwest's.
    pub(crate) timer: Option<Duration>,
}

impl Left {
    /// # Errors
    ///
    /// The context has ended, or it is not worth sending anything any more.
    pub(crate) fn of(ctx: &Ctx, timeout: Option<Instant>) -> Result<Left, Error> {
        ctx.check()?;
        let own = timeout.map(|at| at.saturating_duration_since(Instant::now()));
        let left = match (own, ctx.remaining()) {
            (own @ Some(mine), theirs) if theirs.is_none_or(|theirs| mine < theirs) => {
                Left { least: own, is_own: true, timer: own }
            }
            (own, theirs) => Left { least: theirs, is_own: false, timer: own },
        };
        match left.least {
            Some(least) if least < LEAST => Err(left.over(ctx)),
            _ => Ok(left),
        }
    }

    /// The error that says that it is used up.
    pub(crate) fn over(&self, ctx: &Ctx) -> Error {
        if self.is_own {
            return Error::TimedOut;
        }
        // It refuses for the same reason, and knows what the budget had been.
        let refused = ctx.inject(&mut HeaderMap::new(), &Formats::new());
        Error::Cancelled(match refused {
            Err(cancelled) => cancelled,
            Ok(()) => Cancelled::new(Cause::DeadlineExceeded),
        })
    }
}

pub(crate) fn says_our_budget_ran_out(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::GATEWAY_TIMEOUT
        && headers
            .get(DEADLINE_EXCEEDED)
            .is_some_and(|whose| whose.as_bytes().eq_ignore_ascii_case(b"caller"))
}

#[cfg(test)]
pub(crate) mod script;

#[cfg(test)]
mod tests;
