//! Faults that the model (`model.rs`) plants, one at a time, to see that it finds them. Outside of it none is ever planted,
//! and nothing of this is left in the code.

/// What may go wrong, and where it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `Waiters::insert`: a waker is added although the end has come.
    AddsAfterTheEnd,
    /// `Waiters::tell`: only the first list is told.
    ForgetsShards,
    /// `waiters::tell`: who comes while others are being woken does not see them.
    HidesWhoIsWoken,
    /// `Telling::tell`: who has woken all does not ask who else is at it.
    ForgetsWhoElseTells,
    /// `End::bring`: the word is set before the error that it speaks of is stored.
    StoresTheErrorLate,
    /// `Header::end_with`: who waits is told, and then the word is set.
    TellsFirst,
    /// `Header::end_with`: an end above does not count as the first.
    EndsWithoutSettling,
    /// `Header::inherit`: the enders in between do not inherit.
    InheritsPastOthers,
    /// `Callbacks::change`: nobody looks for the end once a callback is added.
    AddsAndLooksNoMore,
}

/// Whether `fault` is planted.
#[cfg(not(ctxprop_model))]
#[inline(always)]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}

#[cfg(ctxprop_model)]
thread_local! {
    /// The model runs all of its threads on one of the system's.
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

#[cfg(ctxprop_model)]
pub(crate) fn planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

#[cfg(all(test, ctxprop_model))]
pub(crate) fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}
