//! What a closure in a body captures of the context, and under which one it is called (3.2.32, 3.2.50).
//!
//! A closure takes the context that is current where it is called, so that a handler runs under that of its request. In a
//! function that binds the name of its context anew, the function's own context is current throughout the body, and is not
//! what the name means. So a closure in there captures both, and tells by the one that the other is meant.

use std::ops::Deref;

use crate::ctx::Ctx;
use crate::run::current;

/// What closures capture.
pub trait Captured: Clone {
    /// The same, once the name is bound to `ctx`.
    fn bound_to(&self, ctx: Ctx) -> Self;

    /// What a closure runs under that is called here.
    fn where_called(&self) -> Ctx;
}

impl Captured for Ctx {
    #[inline]
    fn bound_to(&self, ctx: Ctx) -> Ctx {
        ctx
    }

    #[inline]
    fn where_called(&self) -> Ctx {
        Ctx::try_current().unwrap_or_else(|| self.clone())
    }
}

/// What the name of the context means, and the context that it is bound in.
#[derive(Clone, Debug)]
pub struct Rebound {
    /// Kept alive, so that no other context can be taken for it.
    own: Ctx,
    named: Ctx,
}

impl Rebound {
    /// Where the name is not bound yet.
    #[track_caller]
    pub fn here() -> Rebound {
        let own = Ctx::current();
        Rebound { named: own.clone(), own }
    }
}

impl Captured for Rebound {
    fn bound_to(&self, ctx: Ctx) -> Rebound {
        Rebound { own: self.own.clone(), named: ctx }
    }

    fn where_called(&self) -> Ctx {
        current::with(|current| (!current.is(&self.own)).then(|| current.clone()))
            .flatten()
            .unwrap_or_else(|| self.named.clone())
    }
}

/// What a closure binds the name to itself: that counts wherever it is called.
#[derive(Clone, Debug)]
pub struct Bound(pub(super) Ctx);

impl Captured for Bound {
    fn bound_to(&self, ctx: Ctx) -> Bound {
        Bound(ctx)
    }

    fn where_called(&self) -> Ctx {
        self.0.clone()
    }
}

impl Deref for Bound {
    type Target = Ctx;

    #[inline]
    fn deref(&self) -> &Ctx {
        &self.0
    }
}

impl Deref for Rebound {
    type Target = Ctx;

    #[inline]
    fn deref(&self) -> &Ctx {
        &self.named
    }
}
