//! What is counted of the requests that are sent, with the crate `metrics`. Without the feature of that name all of it is
//! nothing. The names are in a table of the crate's own docs.

/// Whether anything is counted.
pub(crate) const ON: bool = cfg!(feature = "metrics");

#[cfg(feature = "metrics")]
fn count(name: &'static str) {
    ::metrics::counter!(name).increment(1);
}

#[cfg(not(feature = "metrics"))]
fn count(_: &'static str) {}

/// A request's own timeout was longer than what the context had left.
pub(crate) fn timeout_shortened() {
    count("ctxprop_client_timeouts_shortened_by_deadline_total");
}

/// A request was given up at the deadline of its context, or never sent.
pub(crate) fn cancelled_by_deadline() {
    count("ctxprop_client_cancelled_by_deadline_total");
}

/// A request is sent once more.
pub(crate) fn retried() {
    count("ctxprop_client_retries_total");
}

/// A request was not sent once more, because the client's budget of retries is used up.
pub(crate) fn retry_refused() {
    count("ctxprop_client_retries_refused_total");
}
