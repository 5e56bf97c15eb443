//! What is counted of the requests that are sent, with the crate `metrics`. Without the feature of that name all of it is
//! nothing. The names are in a table of the crate's own docs.

use std::time::Duration;

use ctxprop::Ctx;

#[cfg(feature = "metrics")]
fn count(name: &'static str) {
    ::metrics::counter!(name).increment(1);
}

#[cfg(not(feature = "metrics"))]
fn count(_: &'static str) {}

/// Counts a request whose own timeout is longer than what the context has left.
pub(crate) fn bounded(timeout: Option<Duration>, ctx: &Ctx) {
    if cfg!(feature = "metrics")
        && let (Some(own), Some(left)) = (timeout, ctx.remaining())
        && own > left
    {
        count("ctxprop_client_timeouts_shortened_by_deadline_total");
    }
}

/// Counts a request that is given up at the deadline of its context, or never sent.
#[cfg(feature = "metrics")]
pub(crate) async fn counted<T, E: AsError>(
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let sent = request.await;
    if let Err(error) = &sent
        && ctxprop::Cancelled::find_in(error.as_error())
            .is_some_and(ctxprop::Cancelled::is_deadline)
    {
        count("ctxprop_client_cancelled_by_deadline_total");
    }
    sent
}

/// An error, boxed or not.
#[cfg(feature = "metrics")]
pub(crate) trait AsError {
    fn as_error(&self) -> &(dyn std::error::Error + 'static);
}

#[cfg(feature = "metrics")]
impl AsError for crate::Error {
    fn as_error(&self) -> &(dyn std::error::Error + 'static) {
        self
    }
}

#[cfg(feature = "metrics")]
impl AsError for Box<dyn std::error::Error + Send + Sync> {
    fn as_error(&self) -> &(dyn std::error::Error + 'static) {
        &**self
    }
}

/// The request as it is.
#[cfg(not(feature = "metrics"))]
pub(crate) fn counted<F>(request: F) -> F {
    request
}

/// A request is sent once more.
pub(crate) fn retried() {
    count("ctxprop_client_retries_total");
}

/// A request is not sent once more, because the client's budget of retries is used up.
pub(crate) fn retry_refused() {
    count("ctxprop_client_retries_refused_total");
}
