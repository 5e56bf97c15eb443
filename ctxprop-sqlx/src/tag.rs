//! Whose statement a server process runs: the [`Tag`] that is its `application_name` meanwhile.
//!
//! # Invariants
//! 1. Each use of a connection has a tag of its own, because its span id is new: who cancels by tag cannot hit another
//!    use, neither one of the same request nor a later one of the same connection.
//! 2. It is hexadecimal digits and one `-`: whatever a trace carries besides (its `tracestate`, say), nothing of it
//!    gets into SQL, and 49 bytes fit into the 63 of an `application_name`.

use std::fmt;

use ctxprop::{Ctx, SpanContext};

/// `<trace id>-<span id>`, as both are written in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// A new one: a child of the context's span, or of a new trace where it has none.
    pub(crate) fn of(ctx: &Ctx) -> Tag {
        let span = match ctx.span() {
            span if span.is_valid() => span.child(),
            _ => SpanContext::root(),
        };
        Tag(format!("{}-{}", span.trace_id(), span.span_id()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxprop::{Background, TraceState};

    #[test]
    fn it_is_a_valid_application_name_whatever_the_trace_carries() {
        let state: TraceState = "vendor='); drop table orders; --".parse().unwrap();
        let span = SpanContext::root().with_trace_state(state);
        let tag = Tag::of(&Ctx::background().with_span(span.clone())).to_string();
        assert_eq!(tag.len(), 49);
        assert!(tag.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
        assert!(tag.starts_with(&span.trace_id().to_string()));
        assert!(!tag.ends_with(&span.span_id().to_string()));
    }

    #[test]
    fn each_use_has_its_own() {
        let ctx = Ctx::background().child_span();
        assert_ne!(Tag::of(&ctx), Tag::of(&ctx));
        assert_ne!(Tag::of(&Ctx::background()), Tag::of(&Ctx::background()));
    }
}
