//! How a context prints: the chain up to its root, and nothing that may be private.

use std::fmt;

use super::ctx::Ctx;
use super::handle::Node;

/// The chain of contexts from this one to its root, each with what it added. Values are told by their
/// type, private baggage by its key.
impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Ctx");
        match self.cause() {
            Some(cause) => out.field("ended", &cause),
            None => out.field("remaining", &self.remaining()),
        };
        out.field("span", self.span());
        out.field("baggage", self.baggage_map());
        out.field("chain", &Chain(self.node()));
        out.finish()
    }
}

struct Chain<'a>(&'a Node);

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.chain().map(Added)).finish()
    }
}

/// What one node added, in words.
struct Added<'a>(&'a Node);

impl fmt::Debug for Added<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.0.part();
        if self.0.links.parent().is_none() {
            return f.write_str("root");
        }
        if let Some(value) = part.value_type() {
            return write!(f, "value {value}");
        }
        let mut words = Vec::new();
        if let Some(reason) = part.detached() {
            words.push(format!("detached {reason:?}"));
        }
        if let Some(budget) = self.0.own_budget() {
            words.push(format!("timeout {budget:?}"));
        }
        if let Some(span) = part.span() {
            words.push(format!("span {}", span.span_id()));
        }
        if part.baggage().is_some() {
            words.push("baggage".to_owned());
        }
        if words.is_empty() {
            words.push("cancel".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}
