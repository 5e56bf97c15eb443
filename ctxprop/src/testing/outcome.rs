//! [`Outcome`]: whether what a run gives says that it was done.

/// What a function under test gives: whether it says that all was done. Where it does although an await of it gave the end
/// of the context, the end was [swallowed](super::Finding::Swallowed).
///
/// # Examples
///
/// ```
/// use ctxprop::testing::Outcome;
///
/// enum Answer { Receipt, Sorry }
///
/// impl Outcome for Answer {
///     fn says_done(&self) -> bool {
///         matches!(self, Answer::Receipt)
///     }
/// }
///
/// assert!(Answer::Receipt.says_done() && !Answer::Sorry.says_done());
/// assert!(Ok::<u8, u8>(1).says_done() && !Err::<u8, u8>(1).says_done());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether all was done",
    note = "return a `Result`, or implement `ctxprop::testing::Outcome` for it"
)]
pub trait Outcome {
    /// Whether it says that all was done.
    fn says_done(&self) -> bool;
}

impl<T, E> Outcome for Result<T, E> {
    fn says_done(&self) -> bool {
        self.is_ok()
    }
}

/// Says nothing.
impl Outcome for () {
    fn says_done(&self) -> bool {
        false
    }
}

impl<T> Outcome for Option<T> {
    fn says_done(&self) -> bool {
        self.is_some()
    }
}

impl Outcome for bool {
    fn says_done(&self) -> bool {
        *self
    }
}

impl Outcome for http::StatusCode {
    fn says_done(&self) -> bool {
        self.is_success()
    }
}

impl<B> Outcome for http::Response<B> {
    fn says_done(&self) -> bool {
        self.status().is_success()
    }
}
