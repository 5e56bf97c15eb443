//! Attempts: which failures may pass, and how long to wait before the next try.
//!
//! # Invariants
//! 1. Only idempotent requests are repeated (RFC 9110, section 9.2.2, or by their `idempotency-key`), and only with the
//!    same body.
//! 2. Nobody waits for what would come too late: where the budget ends before a wait, the last attempt is
//!    the result, at once.
//! 3. All requests of a client together are not repeated more often than its budget of retries allows.
//! 4. An attempt that used up all that remained is the last, whatever its result says.

mod budget;

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Request, Response, StatusCode};

pub(crate) use self::budget::Budget;
use crate::error::Error;
use crate::metrics;
use crate::send::{Sender, Transport};

/// The longest wait before the first repetition.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait before any.
const LONGEST: Duration = Duration::from_secs(10);

/// The longest `retry-after` that is waited for, also where there is no deadline.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request, which it takes, and up to `retries` times more.
pub(crate) async fn send<T: Transport<Error = Error>>(
    sender: &Sender<'_>,
    request: &mut Option<Request>,
    retries: u32,
    transport: &mut T,
) -> Result<Response, Error> {
    let retries = if request.as_ref().is_some_and(may_repeat) { retries } else { 0 };
    let mut attempt = 0;
    if retries > 0 {
        sender.retries().earn();
    }
    loop {
        let again = request.as_ref().filter(|_| attempt < retries).and_then(Request::try_clone);
        let result = sender.follow(request, transport).await;
        let (Some(next), Some(asked)) = (again, may_pass(&result)) else {
            return result;
        };
        let delay = asked.max(backoff(attempt));
        if !sender.has_left(delay) {
            return result;
        }
        if !sender.retries().spend() {
            metrics::retry_refused();
            let host = next.url().host_str();
            tracing::debug!(target: "ctxprop::retry", host, attempt, "no retries left in the client's budget");
            return result;
        }
        attempt += 1;
        metrics::retried();
        report(&next, &result, attempt, delay);
        // What is left of an answer would keep its connection busy.
        drop(result);
        tokio::time::sleep(delay).await;
        *request = Some(next);
    }
}

/// Whether sending it twice is as good as sending it once. An `idempotency-key`
/// (draft-ietf-httpapi-idempotency-key-header) makes a server see to that.
fn may_repeat(request: &Request) -> bool {
    let key = || request.headers().get("idempotency-key").is_some_and(|key| !key.is_empty());
    request.method().is_idempotent() || key()
}

/// How long the other side asks to wait until what failed may have passed; `None` where it will not pass.
fn may_pass(result: &Result<Response, Error>) -> Option<Duration> {
    match result {
        Ok(response) => {
            let asked = retry_after(response.headers(), SystemTime::now);
            let asked = match response.status() {
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => asked.unwrap_or_default(),
                StatusCode::TOO_MANY_REQUESTS => asked?,
                _ => return None,
            };
            (asked <= PATIENCE).then_some(asked)
        }
        Err(Error::Reqwest(error)) => {
            let broke = error.is_request() && !error.is_timeout();
            (error.is_connect() || broke).then_some(Duration::ZERO)
        }
        Err(_) => None,
    }
}

/// RFC 9110, section 10.2.3: seconds, or a date, which counts by our clock. Malformed is as good as none.
fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is too large for a number is too long for anybody.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now()).unwrap_or_default())
}

/// Exponential, with full jitter: anything between nothing and twice the longest before.
fn backoff(attempt: u32) -> Duration {
    let longest = FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST);
    longest.mul_f64(fastrand::f64())
}

fn report(request: &Request, result: &Result<Response, Error>, attempt: u32, delay: Duration) {
    let host = request.url().host_str();
    let status = result.as_ref().ok().map(|response| response.status().as_u16());
    tracing::debug!(target: "ctxprop::retry", host, status, attempt, ?delay, "the request is repeated");
}

#[cfg(test)]
mod tests;
