//! Typed values: they go down the chain of contexts and never leave the process.
//!
//! What crosses hops is baggage, in `baggage.rs`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::ctx::Ctx;
use crate::ctx::node::{self, Link, Node};

/// Anything that a context can hold, with the name of its type for `Debug`.
pub(crate) trait Value: Any + Send + Sync {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

impl<T: Any + Send + Sync> Value for T {}

/// A context that adds a value to its parent, and nothing else.
pub(crate) struct Valued<V: ?Sized> {
    /// What holds everything but values.
    pub(crate) node: Arc<Node>,
    /// The value added before this one.
    pub(crate) outer: Option<Arc<Valued<dyn Value>>>,
    pub(crate) depth: u32,
    pub(crate) value: V,
}

impl Ctx {
    /// A child that carries `value`, found again by its type. The cancellation stays the parent's.
    ///
    /// A value of the same type further up is hidden, not replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Locale(&'static str);
    ///
    /// let ctx = Ctx::background().with_value(Locale("de"));
    /// assert_eq!(ctx.value::<Locale>(), Some(&Locale("de")));
    /// ```
    #[must_use = "contexts are immutable: the value is in the new one"]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Ctx {
        let outer = self.link().values().cloned();
        Ctx::from_link(Link::Value(Arc::new(Valued {
            node: Arc::clone(self.node()),
            depth: self.link().depth().saturating_add(1),
            outer,
            value,
        })))
    }

    /// The value of type `T` that was added last, here or further up.
    pub fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let first = self.link().values().map(|valued| &**valued);
        std::iter::successors(first, |valued| valued.outer.as_deref())
            .find_map(|valued| (&valued.value as &dyn Any).downcast_ref::<T>())
    }
}

impl<V: ?Sized> Drop for Valued<V> {
    fn drop(&mut self) {
        // The node is no deeper than `outer` is, or is dropped by its own rule.
        if self.depth > node::DIRECT_DROPS {
            node::drop_later(self.outer.take().map(Link::Value), None);
        }
    }
}

impl<V: Value + ?Sized> fmt::Debug for Valued<V> {
    /// The type alone: a value is the user's own, and may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value.type_name())
    }
}
