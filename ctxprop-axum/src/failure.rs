//! [`Failure`]: any error as the answer of a handler, which does not hide that the time was up.

use std::error::Error;
use std::fmt;

use axum_core::response::{IntoResponse, Response};
use ctxprop::Cancelled;
use http::StatusCode;

type BoxError = Box<dyn Error + Send + Sync>;

/// Any error, as what a handler fails with.
///
/// As a response it is that of the [`Cancelled`] that is found in it, however deep: 504 where a deadline passed, also where
/// a client of `ctxprop-reqwest` or a database saw that first and an error of yours was made of it. All else is 500 with a
/// line that says no more; the error itself goes to the log, at level error, target `ctxprop`.
///
/// It takes whatever becomes a boxed error, so `?` works on all errors, and a `#[propagate]` function that returns it
/// unwinds when its context ends. An `anyhow::Error` keeps what it was made of to itself when it becomes a boxed one: the
/// feature `anyhow` has it asked before.
///
/// # Examples
///
/// ```
/// use axum::http::StatusCode;
/// use axum::response::IntoResponse;
/// use ctxprop::{Cancelled, Cause, propagate};
/// use ctxprop_axum::Failure;
///
/// #[propagate]
/// async fn parse(text: String) -> Result<String, Failure> {
///     let number: u64 = text.parse()?;
///     Ok(number.to_string())
/// }
///
/// let late = std::io::Error::from(Cancelled::new(Cause::DeadlineExceeded));
/// assert_eq!(Failure::from(late).into_response().status(), StatusCode::GATEWAY_TIMEOUT);
/// let other = std::io::Error::other("a secret");
/// assert_eq!(Failure::from(other).into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
/// # drop(parse(String::new()));
/// ```
pub struct Failure {
    error: BoxError,
    /// Found before the error was boxed.
    cancelled: Option<Cancelled>,
}

impl Failure {
    /// The end of a context that it is about.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref().or_else(|| Cancelled::find_in(&*self.error))
    }

    /// The error that it was made of.
    pub fn into_inner(self) -> BoxError {
        self.error
    }
}

impl<E: Into<BoxError> + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let cancelled = of_anyhow(&error);
        Failure { error: error.into(), cancelled }
    }
}

#[cfg(feature = "anyhow")]
fn of_anyhow<E: 'static>(error: &E) -> Option<Cancelled> {
    let error = (error as &dyn std::any::Any).downcast_ref::<anyhow::Error>()?;
    Cancelled::find_in(error.as_ref()).cloned()
}

#[cfg(not(feature = "anyhow"))]
fn of_anyhow<E>(_: &E) -> Option<Cancelled> {
    None
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self.cancelled() {
            Some(cancelled) => cancelled.clone().into_response(),
            None => {
                tracing::error!(target: "ctxprop", error = &*self.error as &(dyn Error + 'static), "a handler failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "the service failed").into_response()
            }
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}
