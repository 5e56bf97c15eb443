//! What the rules of `#[propagate]` (`propagate/rules.rs` of the macros) ask of types. Not public API: the macro names it
//! through `__private`, and it is here, under a path that reads well, because the compiler's messages print it.
//!
//! Each question is a method that exists twice: inherent for the types that a rule is about, and a trait method for all
//! others. What it gives is made a `&dyn` of a trait that only the answer of the others implements: of a cast rustc tells in
//! one line why it fails, of a bound on the method in eight, with all hidden types. Warnings are methods that are deprecated.
//! Roots have theirs in `detached`.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use tokio::runtime::{Handle, Runtime};

use crate::ctx::Ctx;

mod function;

// Under this path the compiler's messages show them.
pub use self::function::{AnotherFunction, Function, known, never};

/// A module, asked by a type that only it has.
#[derive(Debug)]
pub struct Module<T>(PhantomData<fn() -> T>);

/// The names of those types, for modules that have none: the innermost block that has the name wins.
pub mod no_known_module {
    pub use super::NotAModule as _;

    #[derive(Debug)]
    pub struct AccessError;

    #[derive(Debug)]
    pub struct LocalEnterGuard;
}

/// `std::thread` and `tokio::task`.
pub trait KnownModule {}

impl KnownModule for std::thread::AccessError {}
impl KnownModule for tokio::task::LocalEnterGuard {}

impl<T> Module<T> {
    #[expect(clippy::new_without_default, reason = "only macros make one")]
    pub const fn new() -> Self {
        Module(PhantomData)
    }
}

impl<T: KnownModule> Module<T> {
    pub const fn spawn(self) -> &'static Spawns {
        &Spawns
    }

    pub const fn spawn_blocking(self) -> &'static Spawns {
        &Spawns
    }

    pub const fn sleep(self) -> &'static Blocks {
        &Blocks
    }
}

/// What starts a task of its own.
#[derive(Debug)]
pub struct Spawns;

/// What blocks.
#[derive(Debug)]
pub struct Blocks;

/// The answer for modules that are the user's own.
pub trait NotAModule: Sized {
    fn spawn(self) -> &'static () {
        &()
    }
    fn spawn_blocking(self) -> &'static () {
        &()
    }
    fn sleep(self) -> &'static () {
        &()
    }
}

impl<T> NotAModule for Module<T> {}

/// Implemented by no function and no type that a rule is about: its absence is the message.
#[diagnostic::on_unimplemented(
    message = "[detached-task] this leaves the request behind: the task would lose its deadline, cancellation, trace and baggage",
    label = "use `ctx.spawn(..)`, or `ctx.spawn_blocking(|ctx| ..)` for what blocks",
    note = "`ctx` is the function's context or `Ctx::current()`",
    note = "for work that must outlive the request: `ctx.detach(\"why\").spawn(..)`",
    note = "if it is right as it is: `#[propagate(allow(detached_task, reason = \"..\"))]` on the function or the statement"
)]
pub trait StaysInTheRequest {}

#[diagnostic::do_not_recommend]
impl StaysInTheRequest for () {}

/// Implemented by no function and no type that a rule is about: its absence is the message.
#[diagnostic::on_unimplemented(
    message = "[blocking-call] this blocks the thread: the end of the context cannot interrupt it",
    label = "await what is async instead: `tokio::time::sleep(..).await`, `future.await`",
    note = "for what has to block: `ctx.spawn_blocking(|ctx| ..)`",
    note = "if it is right as it is: `#[propagate(allow(blocking_call, reason = \"..\"))]` on the function or the statement"
)]
pub trait DoesNotBlock {}

#[diagnostic::do_not_recommend]
impl DoesNotBlock for () {}

/// What `block_on` is called on.
#[derive(Debug)]
pub struct Receiver<T>(PhantomData<fn() -> T>);

impl<T> Receiver<T> {
    pub const fn of(_: &T) -> Self {
        Receiver(PhantomData)
    }
}

/// A runtime of tokio, by whatever pointer.
pub trait IsARuntime {}

impl IsARuntime for Runtime {}
impl IsARuntime for Handle {}
impl<T: IsARuntime> IsARuntime for &T {}
impl<T: IsARuntime> IsARuntime for Arc<T> {}
impl<T: IsARuntime> IsARuntime for Box<T> {}
impl<T: IsARuntime> IsARuntime for Rc<T> {}
impl<T: IsARuntime> IsARuntime for LazyLock<T> {}

impl<T: IsARuntime> Receiver<T> {
    pub const fn block_on(self) -> &'static Blocks {
        &Blocks
    }
}

/// The answer for all other types.
pub trait NotARuntime: Sized {
    fn block_on(self) -> &'static () {
        &()
    }
}

impl<T> NotARuntime for Receiver<T> {}

/// What a call with a literal duration gave.
#[derive(Debug)]
pub struct Literal<T>(PhantomData<fn() -> T>);

impl<T> Literal<T> {
    pub const fn of(_: &T) -> Self {
        Literal(PhantomData)
    }
}

/// A trait and no inherent method, so that the path of the method, which is in the message, has no types in it.
pub trait Timeout: Sized {
    #[deprecated(
        note = "[static-timeout] a literal duration does not know how long the caller still waits\n  \
                use `ctx.with_timeout(..).run(..)`, which the remaining budget bounds, or `budget = \"..\"` on a function\n  \
                if it is right as it is: `#[propagate(allow(static_timeout, reason = \"..\"))]` on the function or the statement"
    )]
    fn of_a_literal_duration(self) {}
}

impl<F> Timeout for Literal<tokio::time::Timeout<F>> {}

/// The answer for all other types: the method is found behind one that takes `self`.
pub trait NotATimeout {
    fn of_a_literal_duration(&self) {}
}

impl<T> NotATimeout for Literal<T> {}

/// What a `let` bound that nothing uses.
#[derive(Debug)]
pub struct Bound<T>(PhantomData<fn() -> T>);

impl<T> Bound<T> {
    pub const fn of(_: &T) -> Self {
        Bound(PhantomData)
    }
}

/// A trait, as [`Timeout`] is one.
pub trait Derived: Sized {
    #[deprecated(
        note = "[unused-context] nothing runs under this context: awaits get that of the function\n  \
                give it to a call, `call(..).with(&ctx)`, or run something under it, `ctx.run(..)`\n  \
                in a function with a parameter `ctx: Ctx`, what `let ctx = ctx.with_..` binds is what awaits get\n  \
                if it is right as it is: `#[propagate(allow(unused_context, reason = \"..\"))]` on the function or the statement"
    )]
    fn that_nothing_uses(self) {}
}

impl Derived for Bound<Ctx> {}

/// The answer for all other types: the method is found behind one that takes `self`.
pub trait NotAContext {
    fn that_nothing_uses(&self) {}
}

impl<T> NotAContext for Bound<T> {}

/// An `allow(..)` that has nothing to allow.
#[derive(Debug)]
pub struct Allow;

impl Allow {
    #[deprecated(note = "nothing here breaks this rule: remove it from `allow(..)`")]
    #[inline]
    pub const fn unneeded() {}
}
