//! [`CtxSpan`]: a span that says how it went as the semantic conventions have it.

use std::borrow::Cow;
use std::time::SystemTime;

use ctxprop::Ctx;
use opentelemetry::trace::{Span, SpanBuilder, SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use super::conventions::{Outcome, Told};
use super::live::Claim;

/// A span that was started by a [`CtxTracer`](crate::CtxTracer).
///
/// It is the SDK's, with two things added: what ctxprop's own spans record at their end, status and cause, has the names of the
/// semantic conventions; and a span during which its context ended says why. Where that was a deadline its status is an
/// error; where the client left, or the caller took the work back, it is not.
///
/// Where hops are [recorded directly](crate::record_hops), the span of a hop is the one that is recorded: it is told what
/// this one is, and ends by itself.
#[derive(Debug)]
pub struct CtxSpan<S: Span> {
    span: Kind<S>,
    outcome: Outcome,
    /// Holds the id of a span of ctxprop's as long as it is recorded.
    claim: Option<Claim>,
    /// The context it was started under, as long as it is recorded and where that had not ended.
    ctx: Option<Ctx>,
}

#[derive(Debug)]
enum Kind<S> {
    Started(S),
    /// A hop's that is recorded directly, which is active in this context.
    Recorded(Context, SpanContext),
}

/// `ctx` as far as its end can cut short what begins now. What begins after the end, such as cleanup, is not.
pub(super) fn lasting(ctx: Ctx) -> Option<Ctx> {
    // To ask a context whose time is up whether it is done would tell all that wait for it, with the span that is started
    // here locked.
    let lasts = !ctx.remaining().is_some_and(|left| left.is_zero()) && !ctx.is_done();
    lasts.then_some(ctx)
}

impl<S: Span> CtxSpan<S> {
    pub(super) fn new(span: S, outcome: Outcome, claim: Option<Claim>, ctx: Option<Ctx>) -> Self {
        let is_recording = span.is_recording();
        let span = Kind::Started(span);
        if !is_recording {
            return CtxSpan { span, outcome, claim: None, ctx: None };
        }
        CtxSpan { span, outcome, claim, ctx: ctx.and_then(lasting) }
    }

    /// The one of a hop that is recorded directly, and active in `cx`. That is told what `builder` has seen until now.
    pub(super) fn recorded(cx: Context, builder: SpanBuilder) -> Self {
        let span = cx.span();
        for event in builder.events.into_iter().flatten() {
            span.add_event_with_timestamp(event.name, event.timestamp, event.attributes);
        }
        for link in builder.links.into_iter().flatten() {
            span.add_link(link.span_context, link.attributes);
        }
        let place = span.span_context().clone();
        let span = Kind::Recorded(cx, place);
        CtxSpan { span, outcome: Outcome::of_function(), claim: None, ctx: None }
    }

    fn tell(&mut self, mut told: Told) {
        for attribute in told.attributes() {
            self.put(attribute);
        }
        if let Some(status) = told.status {
            self.set_status(status);
        }
    }

    fn put(&mut self, attribute: KeyValue) {
        match &mut self.span {
            Kind::Started(span) => span.set_attribute(attribute),
            // What a hop says of its end, what is recorded is told directly.
            Kind::Recorded(..) if Outcome::is_of_hop(&attribute) => {}
            Kind::Recorded(cx, _) => cx.span().set_attribute(attribute),
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
        match &mut self.span {
            Kind::Started(span) => span.add_event_with_timestamp(name, timestamp, attributes),
            Kind::Recorded(cx, _) => {
                cx.span().add_event_with_timestamp(name, timestamp, attributes);
            }
        }
    }

    fn span_context(&self) -> &SpanContext {
        match &self.span {
            Kind::Started(span) => span.span_context(),
            Kind::Recorded(_, place) => place,
        }
    }

    fn is_recording(&self) -> bool {
        match &self.span {
            Kind::Started(span) => span.is_recording(),
            Kind::Recorded(cx, _) => cx.span().is_recording(),
        }
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        match self.outcome.translate(&attribute) {
            Some(told) => self.tell(told),
            None => self.put(attribute),
        }
    }

    fn set_status(&mut self, status: Status) {
        match &mut self.span {
            Kind::Started(span) => span.set_status(status),
            Kind::Recorded(cx, _) => cx.span().set_status(status),
        }
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        match &mut self.span {
            Kind::Started(span) => span.update_name(new_name),
            Kind::Recorded(cx, _) => cx.span().update_name(new_name),
        }
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        match &mut self.span {
            Kind::Started(span) => span.add_link(span_context, attributes),
            Kind::Recorded(cx, _) => cx.span().add_link(span_context, attributes),
        }
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        if let Some(cause) = self.ctx.take().and_then(|ctx| ctx.cause())
            && let Some(told) = self.outcome.ended(&cause)
        {
            self.tell(told);
        }
        match &mut self.span {
            Kind::Started(span) => span.end_with_timestamp(timestamp),
            // It ends with its hop.
            Kind::Recorded(..) => {}
        }
        self.claim = None;
    }
}
