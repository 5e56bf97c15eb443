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

use ctxprop::__private::has_ended;
use ctxprop::run::hop::HopSpan;
use ctxprop::trust::Zone;
use ctxprop::wire::{self, Formats, Hop, Side};
use ctxprop::{Cancelled, Cause, Ctx, NeedsCtx, SpanContext};
use http::HeaderMap;
use reqwest::{Request, Response, StatusCode, Url};
use tokio::time::Instant;

use crate::client::{Rules, Shared};
use crate::error::Error;
use crate::journey::Journey;
use crate::{DEADLINE_EXCEEDED, metrics, retry};

/// What is less is not worth a request, and cannot be written into one.
const LEAST: Duration = Duration::from_millis(1);

/// How many headers a map has room for to begin with.
const ROOM: usize = 6;

/// How many headers reqwest and hyper add to a request that has none: `accept` and `host`.
const ADDED: usize = 2;

/// What carries one hop: reqwest, or what is below a middleware.
pub(crate) trait Transport: Send {
    type Error: From<Error> + Send;

    /// Whether the URL of an answer is the one that was asked.
    const ANSWER_TELLS_URL: bool = false;

    fn execute(
        &mut self,
        hop: Request,
    ) -> impl Future<Output = Result<Response, Self::Error>> + Send;
}

impl Transport for &reqwest::Client {
    type Error = Error;

    // It follows no redirects.
    const ANSWER_TELLS_URL: bool = true;

    fn execute(&mut self, hop: Request) -> impl Future<Output = Result<Response, Error>> + Send {
        // Outside of the future, which the request would make large.
        let sent = reqwest::Client::execute(self, hop);
        async move { Ok(sent.await?) }
    }
}

/// What is awaited of a request: a box, whose type says nothing of what is in it.
pub(crate) type Sending = Pin<Box<dyn Future<Output = Result<crate::Response, Error>> + Send>>;

/// Sends a request under the current context, and up to `retries` times more.
pub(crate) fn send(
    client: Arc<dyn Shared>,
    request: Result<Request, Error>,
    retries: u32,
) -> NeedsCtx<Sending> {
    match request {
        Ok(request) => NeedsCtx::new(sending(client, request, retries)),
        Err(error) => NeedsCtx::new(Box::pin(metrics::counted(async move {
            // What comes too late is told as that, whatever else is wrong with it.
            Left::of(&Ctx::current(), None)?;
            Err(error)
        }))),
    }
}

fn sending(client: Arc<dyn Shared>, request: Request, retries: u32) -> Sending {
    // It stays where it is until its hop is ready: all that borrows it is small.
    let mut request = Some(request);
    Box::pin(metrics::counted(async move {
        let (ctx, client) = (Ctx::current(), client.inner());
        let sender = Sender::new(&client.rules, &ctx, request.as_mut());
        #[cfg(not(feature = "testing"))]
        let transport = &mut &client.http;
        #[cfg(feature = "testing")]
        let transport = &mut client.transport();
        let response = match retries {
            0 => ctx.run(sender.follow(&mut request, transport)).await??,
            _ => {
                let attempts = retry::send(&sender, &mut request, retries, transport);
                ctx.run(Box::pin(attempts)).await??
            }
        };
        Ok(crate::Response::new(response, ctx))
    }))
}

/// One hop, up to the head of its response. Of the URL it tells host and path: users, passwords and queries are nobody else's.
fn hop<'a>(request: &'a Request, ctx: &'a Ctx, span: &'a SpanContext) -> Hop<'a> {
    let url = request.url();
    Hop {
        side: Side::Client,
        request: wire::Request::Http {
            method: request.method().as_str(),
            route: None,
            scheme: Some(url.scheme()),
            host: url.host_str(),
            port: url.port(),
            path: url.path(),
        },
        ctx,
        span,
        budget: ctx.remaining(),
    }
}

const SENT: &str = "a request was sent that is not there";

/// Who sends a request, with all that its hops and attempts share.
pub(crate) struct Sender<'a> {
    rules: &'a Rules,
    ctx: &'a Ctx,
    trace: SpanContext,
    /// The trace begins here, so no span is above the hops.
    begins: bool,
    /// When the request's own timeout passes.
    timeout: Option<Instant>,
}

impl<'a> Sender<'a> {
    /// Takes the request's timeout, and adds the default headers to it.
    pub(crate) fn new(rules: &'a Rules, ctx: &'a Ctx, request: Option<&mut Request>) -> Self {
        let mut timeout = None;
        if let Some(request) = request {
            rules.add_default_headers(request.headers_mut());
            timeout = request.timeout().copied();
        }
        let timeout = timeout.or(rules.timeout);
        let active = ctx.active_span();
        let begins = !active.is_valid();
        let trace = if begins { SpanContext::root() } else { active };
        metrics::bounded(timeout, ctx);
        let timeout = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Sender { rules, ctx, trace, begins, timeout }
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

    /// Sends a request, which it takes, and follows where the answers lead.
    ///
    /// # Panics
    ///
    /// Where there is no request.
    pub(crate) async fn follow<T: Transport>(
        &self,
        request: &mut Option<Request>,
        transport: &mut T,
    ) -> Result<Response, T::Error> {
        let rules = self.rules;
        let (mut journey, mut zone) = match request {
            Some(hop) => (Journey::begin(hop, T::ANSWER_TELLS_URL), rules.egress.zone(hop.url())),
            None => panic!("{SENT}"),
        };
        loop {
            let (left, mut seen) = match request {
                Some(hop) => self.set_out(hop, zone)?,
                None => panic!("{SENT}"),
            };
            let sent = match request.take() {
                Some(hop) => transport.execute(hop),
                None => panic!("{SENT}"),
            };
            let response = match &mut seen {
                None => sent.await?,
                Some(seen) => {
                    let sent = seen.around(sent).await;
                    let response = sent.inspect_err(|_| seen.failed())?;
                    seen.answered(response.status().as_u16().into());
                    response
                }
            };
            let answered = response.url();
            if says_our_budget_ran_out(response.status(), response.headers())
                && self.may_say_so(journey.url(answered), &left)
            {
                return Err(left.over(self.ctx).into());
            }
            let (status, headers) = (response.status(), response.headers());
            let referer =
                |here: &_, next: &_| !rules.no_referer && !rules.egress.leads_outwards(here, next);
            let next = journey.redirect(answered, status, headers, &rules.redirect, &referer);
            let Some(next) = next.map_err(Error::from)? else {
                return Ok(response);
            };
            if let Some(from) = journey.from() {
                zone = rules.egress.after(zone, from, next.url());
            }
            *request = Some(next);
        }
    }

    /// The span of a hop of its own.
    fn hop(&self) -> SpanContext {
        let hop = self.trace.child();
        if !self.begins {
            return hop;
        }
        SpanContext::new(hop.trace_id(), hop.span_id(), hop.flags())
    }

    /// Makes a hop ready, with all that its host is told: what is left for it, and what is told of it.
    #[inline]
    fn set_out(&self, hop: &mut Request, zone: Zone) -> Result<(Left, Option<HopSpan>), Error> {
        let (egress, ctx) = (&self.rules.egress, self.ctx);
        let left = Left::of(ctx, self.timeout)?;
        let span = self.hop();
        let mut headers = std::mem::take(hop.headers_mut());
        // Those of the trace, the baggage and the budget.
        let written = 1
            + usize::from(!span.trace_state().is_empty())
            + usize::from(!ctx.baggage_map().is_empty())
            + if left.least.is_some() { 2 } else { 0 };
        if headers.len() + written + ADDED > ROOM {
            headers.reserve(written + ADDED);
        }
        egress
            .write((hop.url(), zone), &span, ctx.baggage_map(), left.least, &mut headers)
            .map_err(|_| left.over(ctx))?;
        *hop.headers_mut() = headers;
        // Asking for the place of none makes one.
        if left.timer.is_some() {
            *hop.timeout_mut() = left.timer;
        }
        let seen = HopSpan::of(|| self::hop(hop, ctx, &span));
        Ok((left, seen))
    }

    /// Whether we take the word of who was asked for it that our budget ran out: a peer's, and that of
    /// whoever was told one.
    fn may_say_so(&self, url: &Url, left: &Left) -> bool {
        let egress = &self.rules.egress;
        let told = left.least.is_some() && egress.tells_budget(url);
        told || egress.zone(url) == Zone::Inside
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
        // A deadline that nobody saw pass leaves nothing: the clock is asked once.
        if has_ended(ctx) {
            ctx.check()?;
        }
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
