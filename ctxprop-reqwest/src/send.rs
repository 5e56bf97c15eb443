//! Sending: one hop after the other, each within what is left of the budget.
//!
//! # Invariants
//! 1. Nothing is sent once the context has ended or less than 1 ms is left.
//! 2. The end of the context drops what is being sent, at once.
//! 3. A response's body ends with the deadline, whoever reads it.

use std::time::Duration;

use ctxprop::wire::Formats;
use ctxprop::{Cancelled, Cause, Ctx, SpanContext};
use http::HeaderMap;
use reqwest::{Request, Response, StatusCode};
use tokio::time::Instant;

use crate::DEADLINE_EXCEEDED;
use crate::client::Inner;
use crate::error::Error;
use crate::journey::Journey;

/// What is less is not worth a request, and cannot be written into one.
const LEAST: Duration = Duration::from_millis(1);

/// How much later than the context's deadline reqwest's own timer fires. It is there for who reads the
/// body outside of the context; inside, the context's end comes first and is told as what it is.
const GRACE: Duration = Duration::from_millis(10);

/// Sends a request under the current context.
pub(crate) async fn send(
    client: std::sync::Arc<Inner>,
    request: Result<Request, Error>,
) -> Result<Response, Error> {
    let ctx = Ctx::current();
    // Looks at the clock, where `run` would only see an end that was recorded.
    Left::of(&ctx, None)?;
    let request = request?;
    ctx.run(follow(&client, request, &ctx)).await?
}

async fn follow(client: &Inner, mut request: Request, ctx: &Ctx) -> Result<Response, Error> {
    let timeout = request.timeout().copied().or(client.timeout);
    let timeout = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    client.add_default_headers(request.headers_mut());
    // Without a trace one begins here, the same for all hops.
    let trace = match ctx.span() {
        span if span.is_valid() => span.clone(),
        _ => SpanContext::root(),
    };
    let mut journey = Journey::new(request);
    loop {
        let left = Left::of(ctx, timeout)?;
        let mut hop = journey.hop();
        client
            .egress
            .write(journey.url(), &trace.child(), ctx.baggage_map(), left.least, hop.headers_mut())
            .map_err(|_| left.over(ctx))?;
        *hop.timeout_mut() = left.timer;
        let response = client.http.execute(hop).await?;
        if says_our_budget_ran_out(&response) {
            return Err(left.over(ctx));
        }
        let (status, headers) = (response.status(), response.headers());
        let referer =
            |here: &_, next: &_| client.referer && !client.egress.leads_outwards(here, next);
        if !journey.redirect(status, headers, &client.redirect, &referer)? {
            return Ok(response);
        }
    }
}

/// What is left for one hop, be it until the deadline or until the request's own timeout.
struct Left {
    /// The smaller of the two.
    least: Option<Duration>,
    is_own: bool,
    /// When reqwest gives up.
    timer: Option<Duration>,
}

impl Left {
    /// # Errors
    ///
    /// The context has ended, or it is not worth sending anything any more.
    fn of(ctx: &Ctx, timeout: Option<Instant>) -> Result<Left, Error> {
        ctx.check()?;
        let own = timeout.map(|at| at.saturating_duration_since(Instant::now()));
        let left = match (own, ctx.remaining()) {
            (own @ Some(mine), theirs) if theirs.is_none_or(|theirs| mine < theirs) => {
                Left { least: own, is_own: true, timer: own }
            }
            (_, theirs) => Left {
                least: theirs,
                is_own: false,
                timer: theirs.map(|theirs| theirs.saturating_add(GRACE)),
            },
        };
        match left.least {
            Some(least) if least < LEAST => Err(left.over(ctx)),
            _ => Ok(left),
        }
    }

    /// The error that says that it is used up.
    fn over(&self, ctx: &Ctx) -> Error {
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

fn says_our_budget_ran_out(response: &Response) -> bool {
    response.status() == StatusCode::GATEWAY_TIMEOUT
        && response
            .headers()
            .get(DEADLINE_EXCEEDED)
            .is_some_and(|whose| whose.as_bytes().eq_ignore_ascii_case(b"caller"))
}
