//! What bodies of other crates ask that end with a context, at each of their polls: so it is asked of words, not of the clock,
//! and nothing is made for a wait that somebody around it waits as well. Not public API.

use std::task::Waker;

use crate::ctx::Ctx;
use crate::run::current;

/// Whether the end of `ctx` has been recorded. Whoever asks nothing else, and never waits, misses a deadline that nobody
/// drives.
#[inline]
pub fn has_ended(ctx: &Ctx) -> bool {
    ctx.ended()
}

/// Whether the scope that is being polled is polled with `waker` and ends with `ctx`. Once it is pending it has that
/// waker woken at the end, and polls again what is inside.
#[inline]
pub fn is_waited_for(ctx: &Ctx, waker: &Waker) -> bool {
    current::covers(ctx, waker)
}
