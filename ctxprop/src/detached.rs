//! The rule `detached-context`: no new root where a context is current.
//!
//! The macro refuses the calls it sees, by type, with the traits below. A root made by a macro that it cannot
//! look into collides with [`DeriveFromTheCurrentContext`], which it brings into scope.
//!
//! A helper that no `#[propagate]` covers can still call `Ctx::background()` in the middle of a request and
//! lose its deadline, trace and baggage. That is reported once per place as a `tracing` warning, counted,
//! and a panic where [`deny`] was called.
//!
//! # Examples
//!
//! ```should_panic
//! use ctxprop::{Background, Ctx, detached};
//!
//! fn helper() -> Ctx {
//!     Ctx::background() // panics, and names this line
//! }
//!
//! detached::deny(); // at the start of a test
//! Ctx::background().sync_scope(helper);
//! ```

use std::collections::HashSet;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::ctx::{Background, Ctx};
use crate::run::current;

static DENIED: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static REPORTED: Mutex<Option<HashSet<&'static Location<'static>>>> = Mutex::new(None);

/// From now on, in this process, a root made inside a scope panics. For tests.
pub fn deny() {
    DENIED.store(true, Ordering::Relaxed);
}

/// How many roots have been made inside a scope in this process: for a metric, or a test that wants none.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

impl Background for Ctx {
    #[track_caller]
    fn background() -> Ctx {
        made_a_root(Location::caller());
        Ctx::root()
    }

    #[track_caller]
    fn todo() -> Ctx {
        made_a_root(Location::caller());
        Ctx::root()
    }
}

/// Called wherever a root is made.
#[track_caller]
fn made_a_root(place: &'static Location<'static>) {
    if !current::is_set() {
        return;
    }
    COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(
        !DENIED.load(Ordering::Relaxed),
        "a root context was made at {place} inside the scope of another: derive from `Ctx::current()`, or \
         `detach(\"why\")`"
    );
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    if reported.get_or_insert_default().insert(place) {
        tracing::warn!(
            target: "ctxprop",
            %place,
            "a root context was made inside the scope of another, which loses its deadline, trace and \
             baggage: derive from `Ctx::current()`, or `detach(\"why\")`"
        );
    }
}

/// What a call gave, asked by a `#[propagate]` body that sees it: [`check`](Root::check) is inherent for `Ctx`, and a trait
/// method for all other types. What it gives is cast to `&dyn StaysInItsContext`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Root<'a, T>(pub &'a T);

impl<'a, T: Ours> Root<'a, T> {
    #[allow(missing_docs)]
    pub const fn check(self) -> &'a T {
        self.0
    }
}

/// What is not called here and may make one: `Ctx::background` as a value.
#[doc(hidden)]
#[derive(Debug)]
pub struct MakesRoots<'a, F>(pub &'a F);

impl<'a, F: Fn() -> T, T: Ours> MakesRoots<'a, F> {
    #[allow(missing_docs)]
    pub const fn check(self) -> &'a F {
        self.0
    }
}

/// The answer for types that are not ours.
#[doc(hidden)]
pub trait NotOurs: Sized {
    #[allow(missing_docs)]
    fn check(self) -> &'static () {
        &()
    }
}

impl<T> NotOurs for Root<'_, T> {}
impl<F> NotOurs for MakesRoots<'_, F> {}

/// The type whose `background()` makes a root of ours.
#[doc(hidden)]
pub trait Ours {}

impl Ours for Ctx {}

/// Not implemented by [`Ctx`]: its absence is the message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "[detached-context] a new root context inside `#[propagate]`",
    label = "derive from `Ctx::current()` instead",
    note = "it would start without the caller's deadline, cancellation, trace and baggage",
    note = "for work that must outlive the request: `Ctx::current().detach(\"why\")`",
    note = "if a new root is meant: `#[propagate(allow(detached_context, reason = \"..\"))]` on the function or the statement"
)]
pub trait StaysInItsContext {}

#[diagnostic::do_not_recommend]
impl StaysInItsContext for () {}

/// The same methods as [`Background`](crate::Background): with both in scope a call is ambiguous, with this
/// one alone its bound tells why.
#[doc(hidden)]
pub trait DeriveFromTheCurrentContext: Sized {
    fn background() -> Self
    where
        Self: StaysInItsContext,
    {
        unreachable_root()
    }

    fn todo() -> Self
    where
        Self: StaysInItsContext,
    {
        unreachable_root()
    }
}

impl DeriveFromTheCurrentContext for Ctx {}

fn unreachable_root<T>() -> T {
    unreachable!("no type meets the bound of these methods")
}
