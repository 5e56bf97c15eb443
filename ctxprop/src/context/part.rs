//! What a context adds to its parent, each in the same allocation as its node. What it adds to the *end* is in the node
//! itself: `Additions`.

use std::any::Any;
use std::sync::OnceLock;

use super::tasks::Tasks;
use crate::baggage::BaggageMap;
use crate::span::SpanContext;

/// What one node adds. Each kind of node answers for what it has.
pub(crate) trait Part: Any + Send + Sync {
    fn span(&self) -> Option<&SpanContext> {
        None
    }

    fn baggage(&self) -> Option<&BaggageMap> {
        None
    }

    /// The name of the type of the value: that and no more is for `Debug`, since a value may be a secret.
    fn value_type(&self) -> Option<&'static str> {
        None
    }

    /// Why it was detached.
    fn detached(&self) -> Option<&'static str> {
        None
    }

    /// Where the tasks of this root are tracked, once there are some.
    fn tasks(&self) -> Option<&OnceLock<Box<Tasks>>> {
        None
    }
}

/// Nothing but a possible end.
impl Part for () {}

/// A root.
#[derive(Default)]
pub(crate) struct Root(OnceLock<Box<Tasks>>);

impl Part for Root {
    fn tasks(&self) -> Option<&OnceLock<Box<Tasks>>> {
        Some(&self.0)
    }
}

impl Part for SpanContext {
    fn span(&self) -> Option<&SpanContext> {
        Some(self)
    }
}

impl Part for BaggageMap {
    fn baggage(&self) -> Option<&BaggageMap> {
        Some(self)
    }
}

/// The span and the baggage of a request that came in.
impl Part for (SpanContext, BaggageMap) {
    fn span(&self) -> Option<&SpanContext> {
        Some(&self.0)
    }

    fn baggage(&self) -> Option<&BaggageMap> {
        Some(&self.1)
    }
}

/// The reason for which it left deadline and cancellation behind.
pub(crate) struct Detached(pub(crate) &'static str);

impl Part for Detached {
    fn detached(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

pub(crate) struct Value<T>(pub(crate) T);

impl<T: Send + Sync + 'static> Part for Value<T> {
    fn value_type(&self) -> Option<&'static str> {
        Some(std::any::type_name::<T>())
    }
}
