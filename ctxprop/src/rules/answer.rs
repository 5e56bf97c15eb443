//! How a question says no in few lines. A bound that is not met on the question itself would have rustc show where it stands,
//! in eight lines of hidden types; one that is met with on the way to an associated type is told in one.
//!
//! So a question gives a value, `()` where no rule is about the type, and [`answered`] asks for its answer, by way of two
//! traits: the type of the answer is then found wanting before the bound is.

/// What gives an answer.
pub trait Asked {
    type Answer;
}

/// The same, one step on.
pub trait Allowed {
    type Answer;
}

impl<T: Allowed> Asked for T {
    type Answer = <T as Allowed>::Answer;
}

#[diagnostic::do_not_recommend]
impl Allowed for () {
    type Answer = ();
}

/// Does not compile where there is none.
#[inline]
pub fn answered<T: Asked>(_: T) -> Option<T::Answer> {
    None
}
