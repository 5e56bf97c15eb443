//! Where contexts are made, and who is told that one was made, cancelled or dropped: `run/observe.rs` has the observers.
//!
//! Without the feature `observe` an [`Origin`] is nothing, and telling is nothing either.

#[cfg(feature = "observe")]
pub(crate) use on::{
    EndedBy, Origin, TELL, Told, detached, end, id, is_on, origin, parent, switch,
};

#[cfg(feature = "observe")]
mod on {
    use std::fmt;
    use std::panic::Location;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::time::Instant;

    use crate::context::ctx::Ctx;
    use crate::context::header::Header;
    use crate::end::cause::Cause;

    /// How many observers are installed.
    static INSTALLED: AtomicUsize = AtomicUsize::new(0);

    /// Tells all observers. Set by the floor above, before the first is installed.
    pub(crate) static TELL: OnceLock<fn(Told<'_>)> = OnceLock::new();

    /// What happens to a context.
    pub(crate) enum Told<'a> {
        Made(&'a Ctx),
        Cancelled(usize, &'static Location<'static>),
        Gone(usize),
    }

    /// Whether anybody is told: one relaxed load. What is installed just now misses what happens just now.
    #[inline]
    pub(crate) fn is_on() -> bool {
        INSTALLED.load(Relaxed) != 0
    }

    /// Notes that an observer was installed, or is no more.
    pub(crate) fn switch(on: bool) {
        match on {
            true => INSTALLED.fetch_add(1, Relaxed),
            false => INSTALLED.fetch_sub(1, Relaxed),
        };
    }

    #[cold]
    fn tell(told: Told<'_>) {
        if let Some(tell) = TELL.get() {
            tell(told);
        }
    }

    /// Where a node was made.
    #[derive(Clone, Copy)]
    pub(crate) struct Origin(&'static Location<'static>);

    impl Origin {
        #[inline]
        #[track_caller]
        pub(crate) fn here() -> Origin {
            Origin(Location::caller())
        }
    }

    impl fmt::Debug for Origin {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Display::fmt(self.0, f)
        }
    }

    /// Where somebody ended a node by hand.
    #[derive(Default)]
    pub(crate) struct EndedBy(OnceLock<&'static Location<'static>>);

    impl Header {
        /// Told as the node is dropped.
        #[inline]
        pub(crate) fn tell_gone(&self) {
            if is_on() {
                tell(Told::Gone(ptr::from_ref(self).addr()));
            }
        }

        /// Told before somebody ends it by hand.
        #[inline]
        #[track_caller]
        pub(crate) fn tell_cancelled(&self) {
            if is_on() {
                self.note_cancelled(Location::caller());
            }
        }

        /// Of two threads that end it in the same moment it may be the other whose cause stays.
        #[cold]
        fn note_cancelled(&self, place: &'static Location<'static>) {
            if !self.ended() {
                self.ended_by.0.get_or_init(|| place);
            }
            tell(Told::Cancelled(ptr::from_ref(self).addr(), place));
        }
    }

    impl Ctx {
        /// Told of each new context.
        #[inline]
        pub(crate) fn told(self) -> Ctx {
            if is_on() {
                tell(Told::Made(&self));
            }
            self
        }
    }

    /// What no other live context has.
    pub(crate) fn id(ctx: &Ctx) -> usize {
        ptr::from_ref(ctx.header()).addr()
    }

    pub(crate) fn parent(ctx: &Ctx) -> Option<Ctx> {
        ctx.node().links.parent().cloned().map(Ctx::of)
    }

    pub(crate) fn detached(ctx: &Ctx) -> Option<&'static str> {
        ctx.node().detached_for()
    }

    /// Why, when and where it was ended, if that was recorded: what the end began with, not what inherited it.
    pub(crate) fn end(ctx: &Ctx) -> Option<(Cause, Instant, Option<&'static Location<'static>>)> {
        let cause = ctx.header().recorded_cause()?;
        let source = ctx.header().enders().find_map(|ender| {
            let moment = ender.end.moment().filter(|moment| !moment.is_inherited())?;
            Some((ender, moment))
        });
        let (ender, moment) = source?;
        let place = match cause {
            Cause::DeadlineExceeded => Some(ender.origin.0),
            _ => ender.ended_by.0.get().copied(),
        };
        Some((cause, moment.at(), place))
    }

    pub(crate) fn origin(ctx: &Ctx) -> &'static Location<'static> {
        ctx.header().origin.0
    }
}

#[cfg(not(feature = "observe"))]
pub(crate) use off::{EndedBy, Origin};

#[cfg(not(feature = "observe"))]
mod off {
    use crate::context::ctx::Ctx;
    use crate::context::header::Header;

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Origin;

    #[derive(Default)]
    pub(crate) struct EndedBy(());

    impl Origin {
        #[inline(always)]
        pub(crate) fn here() -> Origin {
            Origin
        }
    }

    impl Header {
        #[inline(always)]
        pub(crate) fn tell_gone(&self) {}

        #[inline(always)]
        pub(crate) fn tell_cancelled(&self) {}
    }

    impl Ctx {
        #[inline(always)]
        pub(crate) fn told(self) -> Ctx {
            self
        }
    }
}
