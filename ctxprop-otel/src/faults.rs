//! What went wrong and hurt no request: counted, so that somebody can look.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often something went wrong since the process began, see [`faults`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// Calls of a propagator that panicked. The message was read, or written, as if it had no such format.
    pub propagator_panics: u64,
    /// Headers that a propagator wanted to write and that are no headers, or are W3C's or the budget's, which are ours.
    pub headers_refused: u64,
    /// Baggage members, properties and `tracestate` members that the other side cannot hold.
    pub left_out: u64,
    /// Spans that were started with another id than the one that travelled: the provider was built without
    /// `CtxIds`, or something else makes the ids.
    pub other_ids: u64,
    /// Batches that an exporter failed to hand over: the collector is down, hangs or refuses them.
    pub exports_failed: u64,
    /// Spans that were lost: those in such batches, and what a full queue dropped. `CountedBatch` counts both.
    pub spans_lost: u64,
}

static PROPAGATOR_PANICS: AtomicU64 = AtomicU64::new(0);
static HEADERS_REFUSED: AtomicU64 = AtomicU64::new(0);
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
static OTHER_IDS: AtomicU64 = AtomicU64::new(0);
static EXPORTS_FAILED: AtomicU64 = AtomicU64::new(0);
static SPANS_LOST: AtomicU64 = AtomicU64::new(0);

/// What went wrong so far, in the whole process. None of it fails a request. Each is also a `tracing` event of target
/// `ctxprop::otel`, without what a header or member said.
///
/// # Examples
///
/// ```
/// let faults = ctxprop_otel::faults();
/// assert_eq!(faults.propagator_panics, 0);
/// ```
#[must_use]
pub fn faults() -> Faults {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Faults {
        propagator_panics: read(&PROPAGATOR_PANICS),
        headers_refused: read(&HEADERS_REFUSED),
        left_out: read(&LEFT_OUT),
        other_ids: read(&OTHER_IDS),
        exports_failed: read(&EXPORTS_FAILED),
        spans_lost: read(&SPANS_LOST),
    }
}

#[cold]
pub(crate) fn propagator_panicked(doing: &'static str) {
    PROPAGATOR_PANICS.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(target: "ctxprop::otel", doing, "a propagator panicked");
}

#[cold]
pub(crate) fn header_refused(reason: &'static str) {
    HEADERS_REFUSED.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(target: "ctxprop::otel", reason, "a propagator's header was not written");
}

#[cold]
pub(crate) fn left_out(what: &'static str, count: u64) {
    LEFT_OUT.fetch_add(count, Ordering::Relaxed);
    tracing::debug!(target: "ctxprop::otel", what, count, "left out: the other side cannot hold it");
}

/// Told once: each span of such a program is one.
#[cfg(feature = "sdk")]
#[cold]
pub(crate) fn other_id() -> bool {
    OTHER_IDS.fetch_add(1, Ordering::Relaxed) == 0
}

#[cfg(feature = "sdk")]
#[cold]
pub(crate) fn export_failed(spans: u64) {
    EXPORTS_FAILED.fetch_add(1, Ordering::Relaxed);
    spans_lost(spans);
}

#[cfg(feature = "sdk")]
#[cold]
pub(crate) fn spans_lost(spans: u64) {
    SPANS_LOST.fetch_add(spans, Ordering::Relaxed);
    tracing::warn!(target: "ctxprop::otel", spans, "spans were not exported");
}
