//! [`Nobody`]: the subscriber of all threads of a test, so that what one of them listens to comes to it. It is shared by the
//! suites of all crates that listen.
//!
//! Without it `tracing` asks only the thread that first comes to an event or a span whether it is of interest, as long as one
//! test listens: if that is the thread of another test, nobody ever hears of it.

use std::sync::Once;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// Takes nothing, and says of nothing that it never will.
pub(crate) struct Nobody;

impl Nobody {
    /// Before a test of this process listens to its own thread.
    pub(crate) fn listens() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(Nobody).expect("no test sets another");
        });
    }
}

impl Subscriber for Nobody {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
