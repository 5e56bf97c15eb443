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
    /// `Header::end_with`: the end is counted, and then the word is set.
    CountsFirst,
    /// `Below::told` and `Header::inherit`: who is told of an end does not count it.
    LeavesTheCountToOthers,
    /// A scope's poll: it looks at the words, and then at the count.
    LooksFirst,
    /// A scope's poll: it gives up what is pending while others are inside the calls of wakers.
    GivesUpBeforeAllAreTold,
    /// `Header::tell`: who ends what had ended with what is above is not asked for.
    ForgetsWhoTellsAgain,
    /// `current::unsettle`: what is around a scope that is not given up for that reason gives it up.
    GivesUpWhatIsUnsettled,
    /// `wait::poll_end`: a scope registers after its poll, and does not look again.
    RegistersAndLooksNoMore,
    /// `wait::keep_for`: a scope that is polled with another waker waits with the old one.
    KeepsTheOldWaker,
    /// `frame::hold`: a shield is not counted in the frame right around it.
    HoldsOneFrameLess,
    /// `Holds::remove`: who waits for a shield that is polled elsewhere is not woken.
    ReleasesWithoutWaking,
    /// `frame::branch_is_over`: a shield that a branch leaves behind is nobody's.
    LeavesNothingBehind,
    /// `Race::poll`: what stays pending is given up after a poll that did not know of the end.
    UnwindsOnePollEarly,
    /// `Race::poll`: what decides after the end cuts the others short.
    CutsTheOthersShort,
    /// `Tasks::remove`: a task is taken off the list of the thread on which it ends.
    TakesOffHere,
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
