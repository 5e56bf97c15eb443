//! [`CtxSpan`]: a span that says how it went as the semantic conventions have it.

use std::borrow::Cow;
use std::time::SystemTime;

use ctxprop::Ctx;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, SpanContext, Status};

use super::conventions::{Outcome, Told};
use super::live::Claim;

/// A span that was started by a [`CtxTracer`](crate::CtxTracer).
///
/// It is the SDK's, with two things added: what ctxprop's own spans record at their end, status and cause, has the names of the
/// semantic conventions; and a span during which its context ended says why. Where that was a deadline its status is an
/// error; where the client left, or the caller took the work back, it is not.
#[derive(Debug)]
pub struct CtxSpan<S: Span> {
    span: S,
    outcome: Outcome,
    /// Holds the id of a span of ctxprop's as long as it is recorded.
    claim: Option<Claim>,
    /// The context it was started under, as long as it is recorded and where that had not ended.
    ctx: Option<Ctx>,
}

impl<S: Span> CtxSpan<S> {
    pub(super) fn new(span: S, outcome: Outcome, claim: Option<Claim>, ctx: Option<Ctx>) -> Self {
        if !span.is_recording() {
            return CtxSpan { span, outcome, claim: None, ctx: None };
        }
        // What begins after the end, such as cleanup, is not cut short by it. To ask a context whose time is up whether it
        // is done would tell all that wait for it, with the span that is started here locked.
        let lasts =
            |ctx: &Ctx| !ctx.remaining().is_some_and(|left| left.is_zero()) && !ctx.is_done();
        let ctx = ctx.filter(lasts);
        CtxSpan { span, outcome, claim, ctx }
    }

    fn tell(&mut self, told: Told) {
        for attribute in told.attributes {
            self.span.set_attribute(attribute);
        }
        if let Some(status) = told.status {
            self.span.set_status(status);
        }
    }
}

impl<S: Span> Span for CtxSpan<S> {
    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) {
        self.span.add_event_with_timestamp(name, timestamp, attributes);
    }

    fn span_context(&self) -> &SpanContext {
        self.span.span_context()
    }

    fn is_recording(&self) -> bool {
        self.span.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        let told = self.outcome.translate(&attribute);
        match told {
            Some(told) => self.tell(told),
            None => self.span.set_attribute(attribute),
        }
    }

    fn set_status(&mut self, status: Status) {
        self.span.set_status(status);
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        self.span.update_name(new_name);
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.span.add_link(span_context, attributes);
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        if let Some(cause) = self.ctx.take().and_then(|ctx| ctx.cause())
            && let Some(told) = self.outcome.ended(&cause)
        {
            self.tell(told);
        }
        self.span.end_with_timestamp(timestamp);
        self.claim = None;
    }
}
