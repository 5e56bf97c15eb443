//! What code sees of what is current: [`Ctx::current`], [`Ctx::try_current`], and [`Ctx::sync_scope`] for blocking code. How a
//! context comes to be current is `current.rs`.

use crate::ctx::Ctx;
use crate::run::current;

impl Ctx {
    /// The context of the scope that is being polled.
    ///
    /// # Panics
    ///
    /// Outside of any scope. A `#[propagate]` body is always inside one; elsewhere use
    /// [`try_current`](Ctx::try_current), or hand the context over.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Ctx, propagate};
    ///
    /// #[propagate]
    /// async fn locale() -> &'static str {
    ///     Ctx::current().value::<&str>().copied().unwrap_or("en")
    /// }
    ///
    /// assert_eq!(locale().with(&Ctx::background().with_value("de")).await, "de");
    /// # });
    /// ```
    #[track_caller]
    pub fn current() -> Ctx {
        match Ctx::try_current() {
            Some(ctx) => ctx,
            None => panic!(
                "no context is current here: `Ctx::current()` works inside `ctx.scope(..)`, `ctx.run(..)`, \
                 `ctx.spawn(..)` and `#[propagate]` functions"
            ),
        }
    }

    /// The context of the scope that is being polled, if one is: for code that also runs outside of requests.
    pub fn try_current() -> Option<Ctx> {
        current::with(Ctx::clone)
    }

    /// Runs blocking code with this context current.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let ctx = Ctx::background().with_value("for the thread");
    /// let value = ctx.sync_scope(|| Ctx::current().value::<&str>().copied());
    /// assert_eq!(value, Some("for the thread"));
    /// ```
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        current::borrow(self, f)
    }
}
