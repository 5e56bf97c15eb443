//! What is kept where nothing observes: nothing.

use std::task::Poll;

use super::{ObservedKind, Outcome};
use crate::ctx::Ctx;

#[derive(Debug)]
pub(crate) struct Watch;

impl Watch {
    #[inline(always)]
    pub(crate) fn new(_: ObservedKind, _: fn() -> &'static str, _: Option<&Ctx>) -> Watch {
        Watch
    }

    #[inline(always)]
    pub(crate) fn like(&self, _: ObservedKind, _: fn() -> &'static str, _: Option<&Ctx>) -> Watch {
        Watch
    }

    #[inline(always)]
    pub(crate) fn request(_: &Ctx, _: impl FnOnce() -> String) -> Watch {
        Watch
    }

    #[inline(always)]
    pub(crate) fn later(_: ObservedKind) -> Watch {
        Watch
    }

    #[inline(always)]
    pub(crate) fn announce(&mut self, _: fn() -> &'static str) {}

    #[inline(always)]
    pub(crate) fn none() -> Watch {
        Watch
    }

    #[inline(always)]
    pub(crate) fn around<T>(
        &mut self,
        _: fn() -> &'static str,
        _: Option<&Ctx>,
        _: impl FnOnce(&T) -> Outcome,
        poll: impl FnOnce() -> Poll<T>,
    ) -> Poll<T> {
        poll()
    }

    #[inline(always)]
    pub(crate) fn polls(&mut self, _: fn() -> &'static str, _: Option<&Ctx>) -> Polling {
        Polling
    }
}

/// Nothing around it.
pub type Observed<F> = F;

#[inline(always)]
pub(crate) fn observed<F>(future: F, _: ObservedKind) -> F {
    future
}

pub(crate) struct Polling;

impl Polling {
    #[inline(always)]
    pub(crate) fn ends(self, _: Outcome) {}
}
