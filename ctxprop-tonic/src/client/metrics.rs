//! What is counted of the calls that are made, with the crate `metrics`. Without the feature of that name all of it is
//! nothing. The names are in a table of the crate's own docs.

use std::time::Duration;

use ctxprop::{Cause, Ctx};
use tonic::Code;

use super::send::LEAST;

#[cfg(feature = "metrics")]
fn count(name: &'static str) {
    ::metrics::counter!(name).increment(1);
}

#[cfg(not(feature = "metrics"))]
fn count(_: &'static str) {}

/// Counts a call whose own timeout is longer than what the context has left.
pub(crate) fn bounded(own: Option<Duration>, ctx: &Ctx) {
    if cfg!(feature = "metrics")
        && let (Some(own), Some(left)) = (own, ctx.remaining())
        && own > left
    {
        count("ctxprop_client_timeouts_shortened_by_deadline_total");
    }
}

/// Counts a call that failed with `code`, where that is because of the deadline of its context, whichever side saw it
/// first.
pub(crate) fn failed(code: Code, ctx: &Ctx) {
    if cfg!(feature = "metrics")
        && code == Code::DeadlineExceeded
        && (ctx.cause() == Some(Cause::DeadlineExceeded)
            || ctx.remaining().is_some_and(|left| left < LEAST))
    {
        count("ctxprop_client_cancelled_by_deadline_total");
    }
}
