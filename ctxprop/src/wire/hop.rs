//! What another tracing system is told of each hop: of a request as a server's layer has it, and as a client sends it.
//!
//! Nothing here knows such a system: `ctxprop-otel` is the one that does.
//!
//! # Invariants
//! 1. Where nobody records, a hop costs one look at whether somebody does.
//! 2. A hop's recording ends exactly once, as it is dropped, on whatever way its request goes.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use crate::cause::Cause;
use crate::ctx::Ctx;
use crate::span::SpanContext;

/// A hop as it begins: all that is known of it by then.
///
/// Nothing of it is private: users, passwords and queries are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// Which end of the request it is.
    pub side: Side,
    /// What is asked of whom, by which protocol.
    pub request: Request<'a>,
    /// The context that it runs under. It may have ended already: then the request is about to be refused.
    pub ctx: &'a Ctx,
    /// Its place in the trace, with the id that it has on the wire and in the logs.
    pub span: &'a SpanContext,
    /// The budget that it begins with; `None` where there is no deadline.
    pub budget: Option<Duration>,
}

/// Which end of a request a hop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A server's layer, up to the end of the answer's body.
    Server,
    /// A client: over HTTP up to the head of the answer, over gRPC up to its trailers.
    Client,
}

/// What is asked of whom.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// A request over HTTP.
    Http {
        /// `GET`, or whatever a stranger thought of.
        method: &'a str,
        /// The pattern that the path matches, where a server knows it.
        route: Option<&'a str>,
        /// `http` or `https`, where it was said.
        scheme: Option<&'a str>,
        /// Whom a client asks.
        host: Option<&'a str>,
        /// The port, where it was said.
        port: Option<u16>,
        /// The path, without the query.
        path: &'a str,
    },
    /// A call of gRPC.
    Grpc {
        /// The service, with its package.
        service: &'a str,
        /// The method, without the service.
        method: &'a str,
        /// Whom a client asks.
        host: Option<&'a str>,
        /// The port, where it was said.
        port: Option<u16>,
    },
}

/// Who records hops: see [`set_hop_recorder`].
pub trait HopRecorder: fmt::Debug + Send + Sync {
    /// Begins to record a hop; `None` where it is not of interest.
    ///
    /// It must not block or panic.
    fn begin(&self, hop: &Hop<'_>) -> Option<Box<dyn HopRecording>>;
}

/// What is recorded of one hop. It ends as this is dropped.
///
/// Nothing of it may block or panic.
pub trait HopRecording: fmt::Debug + Send + Sync {
    /// Calls `run` once, with the hop active on this thread meanwhile: a poll of the request, or a drop of what is left of it.
    fn enter(&self, run: &mut dyn FnMut());

    /// The answer's status: of HTTP, or of gRPC.
    fn answered(&mut self, status: i64);

    /// Nothing could be sent, or no answer came.
    fn failed(&mut self);

    /// A server's context has ended, for this cause.
    fn ended(&mut self, cause: &Cause);
}

static RECORDER: OnceLock<&'static dyn HopRecorder> = OnceLock::new();

/// Has `recorder` told of each hop of this process that begins from now on, for as long as the process lasts. False where
/// another one was there before; that one stays.
///
/// # Examples
///
/// ```
/// use ctxprop::Cause;
/// use ctxprop::wire::{Hop, HopRecorder, HopRecording, set_hop_recorder};
///
/// /// Prints each hop, and its status.
/// #[derive(Debug)]
/// struct Prints;
///
/// #[derive(Debug)]
/// struct Printed(String);
///
/// impl HopRecorder for Prints {
///     fn begin(&self, hop: &Hop<'_>) -> Option<Box<dyn HopRecording>> {
///         Some(Box::new(Printed(hop.span.span_id().to_string())))
///     }
/// }
///
/// impl HopRecording for Printed {
///     fn enter(&self, run: &mut dyn FnMut()) {
///         run();
///     }
///     fn answered(&mut self, status: i64) {
///         println!("{} answers {status}", self.0);
///     }
///     fn failed(&mut self) {}
///     fn ended(&mut self, _: &Cause) {}
/// }
///
/// impl Drop for Printed {
///     fn drop(&mut self) {
///         println!("{} is over", self.0);
///     }
/// }
///
/// assert!(set_hop_recorder(&Prints));
/// assert!(!set_hop_recorder(&Prints), "there is one");
/// ```
#[must_use = "another recorder may be there, and stays"]
pub fn set_hop_recorder(recorder: &'static dyn HopRecorder) -> bool {
    RECORDER.set(recorder).is_ok()
}

/// Whether hops are recorded.
#[inline]
pub(crate) fn is_recorded() -> bool {
    RECORDER.get().is_some()
}

/// What is recorded of `hop`, where hops are.
#[inline]
pub(crate) fn record(hop: &Hop<'_>) -> Option<Box<dyn HopRecording>> {
    RECORDER.get().and_then(|recorder| recorder.begin(hop))
}
