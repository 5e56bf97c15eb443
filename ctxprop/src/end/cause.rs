//! Why a context ended: [`Cause`], and [`Cancelled`], the error that carries it up the call chain.
//!
//! Nothing here ends anything; that is `record.rs`.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

/// Why a context ended. The first cause that came is the one that stays, and children inherit it.
///
/// Any error becomes a cause with `into()`, so `canceller.cancel_with(error)` keeps it for whoever asks.
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Cause, Ctx};
///
/// let (ctx, canceller) = Ctx::background().with_cancel();
/// assert!(ctx.cause().is_none());
/// canceller.cancel_with(std::io::Error::other("disk full"));
/// assert!(matches!(ctx.cause(), Some(Cause::Custom(error)) if error.to_string() == "disk full"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody called [`Canceller::cancel`](crate::Canceller::cancel).
    Cancelled,
    /// The deadline passed.
    DeadlineExceeded,
    /// The client went away before it had its answer.
    Disconnected,
    /// The request is over: its response body was sent, or dropped.
    Finished,
    /// The process is going down.
    Shutdown,
    /// Somebody's own reason.
    Custom(Arc<dyn Error + Send + Sync>),
}

impl Cause {
    /// The kind of the cause in one word, the same in every release: for the label of a metric, or a field of a log line.
    ///
    /// | cause | word |
    /// | --- | --- |
    /// | [`Cancelled`](Cause::Cancelled) | `cancelled` |
    /// | [`DeadlineExceeded`](Cause::DeadlineExceeded) | `deadline_exceeded` |
    /// | [`Disconnected`](Cause::Disconnected) | `disconnected` |
    /// | [`Finished`](Cause::Finished) | `finished` |
    /// | [`Shutdown`](Cause::Shutdown) | `shutdown` |
    /// | [`Custom`](Cause::Custom) | `custom`, whatever the error is |
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::Cause;
    ///
    /// assert_eq!(Cause::DeadlineExceeded.as_str(), "deadline_exceeded");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Cause::Cancelled => "cancelled",
            Cause::DeadlineExceeded => "deadline_exceeded",
            Cause::Disconnected => "disconnected",
            Cause::Finished => "finished",
            Cause::Shutdown => "shutdown",
            Cause::Custom(_) => "custom",
        }
    }

    /// The HTTP status that tells this cause to a caller: 504 for a deadline, 503 where the server
    /// gave up ([`Shutdown`](Cause::Shutdown), [`Custom`](Cause::Custom)), 499 where the caller did.
    pub fn http_status(&self) -> StatusCode {
        match self {
            Cause::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Cause::Shutdown | Cause::Custom(_) => StatusCode::SERVICE_UNAVAILABLE,
            // nginx's "client closed request"; RFC 9110 section 15.5 lets clients treat any 4xx as 400.
            Cause::Cancelled | Cause::Disconnected | Cause::Finished => {
                StatusCode::from_u16(499).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Cancelled => f.write_str("the work was cancelled"),
            Cause::DeadlineExceeded => f.write_str("the deadline passed"),
            Cause::Disconnected => f.write_str("the client disconnected"),
            Cause::Finished => f.write_str("the request is over"),
            Cause::Shutdown => f.write_str("the process is shutting down"),
            Cause::Custom(error) => write!(f, "{error}"),
        }
    }
}

/// Two causes are equal when they are of the same kind; custom ones when they are the same error.
impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Cause::Custom(one), Cause::Custom(two)) => Arc::ptr_eq(one, two),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for Cause {}

/// A [`Cancelled`] keeps the cause it tells; every other error becomes [`Cause::Custom`].
impl<E: Error + Send + Sync + 'static> From<E> for Cause {
    fn from(error: E) -> Self {
        match (&error as &dyn Any).downcast_ref::<Cancelled>() {
            Some(cancelled) => cancelled.cause().clone(),
            None => Cause::Custom(Arc::new(error)),
        }
    }
}

/// The error of work that was stopped because its context ended.
///
/// A function whose error type has `From<Cancelled>` unwinds when its context ends: an `.await` in
/// its `#[propagate]` body gives this error, or returns it as `?` would. The conversion is ready for
/// [`std::io::Error`], [`http::StatusCode`], `(http::StatusCode, String)` and, with the feature `axum`, for axum's
/// `Response`; boxed, `anyhow` and `eyre` errors take it as they take any error, and `thiserror` users write
/// `#[from] Cancelled`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ctxprop::{Background, Ctx};
///
/// let ctx = Ctx::background().with_timeout(Duration::ZERO);
/// let cancelled = ctx.check().unwrap_err();
/// assert!(cancelled.is_deadline());
/// assert_eq!(cancelled.http_status(), 504);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cancelled(Told);

/// In two words, of which one says the kind: each error of a function that unwinds is at least as large, and its results are
/// moved at each await.
#[derive(Clone, PartialEq, Eq)]
enum Told {
    Cancelled,
    /// What the deadline had granted, in nanoseconds, which last for 584 years, and one more; none where that is not
    /// known.
    DeadlineExceeded(Option<NonZeroU64>),
    Disconnected,
    Finished,
    Shutdown,
    /// In a box, since an error of somebody's own is two words already.
    Custom(Box<Cause>),
}

const _: () = assert!(size_of::<Cancelled>() <= 16 && size_of::<Result<u64, Cancelled>>() <= 16);

impl Cancelled {
    /// The error for `cause`, where no context is at hand to ask with [`Ctx::check`](crate::Ctx::check).
    pub fn new(cause: Cause) -> Self {
        Cancelled::with_budget(cause, None)
    }

    /// The error for `cause`; `budget` is what the deadline had granted, if it is one.
    pub(crate) fn with_budget(cause: Cause, budget: Option<Duration>) -> Self {
        Cancelled(match cause {
            Cause::Cancelled => Told::Cancelled,
            Cause::DeadlineExceeded => Told::DeadlineExceeded(budget.map(|budget| {
                let nanos = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
                NonZeroU64::MIN.saturating_add(nanos)
            })),
            Cause::Disconnected => Told::Disconnected,
            Cause::Finished => Told::Finished,
            Cause::Shutdown => Told::Shutdown,
            Cause::Custom(_) => Told::Custom(Box::new(cause)),
        })
    }

    /// Why the context ended.
    pub fn cause(&self) -> &Cause {
        match &self.0 {
            Told::Cancelled => &Cause::Cancelled,
            Told::DeadlineExceeded(_) => &Cause::DeadlineExceeded,
            Told::Disconnected => &Cause::Disconnected,
            Told::Finished => &Cause::Finished,
            Told::Shutdown => &Cause::Shutdown,
            Told::Custom(cause) => cause,
        }
    }

    /// Whether it was the deadline.
    pub fn is_deadline(&self) -> bool {
        matches!(self.0, Told::DeadlineExceeded(_))
    }

    /// The time the deadline had granted from the moment it was set, where it was the deadline.
    pub fn budget(&self) -> Option<Duration> {
        match self.0 {
            Told::DeadlineExceeded(nanos) => {
                nanos.map(|nanos| Duration::from_nanos(nanos.get() - 1))
            }
            _ => None,
        }
    }

    /// The HTTP status for it: see [`Cause::http_status`].
    pub fn http_status(&self) -> StatusCode {
        self.cause().http_status()
    }

    /// The end of a context that an error is about: the error itself, or the first among its sources that is one.
    ///
    /// It looks through errors of other crates, such as those of `reqwest` and `thiserror`, as far as their
    /// [`source`](Error::source) leads, and into an [`io::Error`], a `Box` and an `Arc` (moka's errors), which hide what they
    /// are made of. A boxed error or one of `anyhow` is asked with `as_ref()`. Not found is what says of itself no more than the
    /// `Cancelled` inside does: write `#[error("given up")]` and not `#[error(transparent)]` around one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    /// use ctxprop::{Cancelled, Cause};
    ///
    /// let gone = std::io::Error::from(Cancelled::new(Cause::DeadlineExceeded));
    /// let error: Box<dyn Error + Send + Sync> = gone.into();
    /// let status = match Cancelled::find_in(error.as_ref()) {
    ///     Some(cancelled) => cancelled.http_status(),
    ///     None => http::StatusCode::BAD_GATEWAY,
    /// };
    /// assert_eq!(status, 504);
    /// ```
    pub fn find_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Cancelled> {
        let mut next = Some(error);
        while let Some(error) = next {
            let error = behind_pointer(error);
            if let Some(cancelled) = error.downcast_ref() {
                return Some(cancelled);
            }
            let io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match io {
                // Its own source is that of what it holds.
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }
}

/// A pointer to an error is one too, whose source is that of what it points at: what it points at would be passed over.
fn behind_pointer<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    macro_rules! behind {
        ($($pointer:ty),*) => {
            $(if let Some(error) = error.downcast_ref::<$pointer>() {
                return &**error;
            })*
        };
    }
    behind!(Arc<Cancelled>, Box<Cancelled>, Arc<io::Error>, Box<io::Error>);
    if let Some(error) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return &**error;
    }
    error
}

/// As [`Cancelled::new`].
impl From<Cause> for Cancelled {
    fn from(cause: Cause) -> Self {
        Cancelled::new(cause)
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled")
            .field("cause", self.cause())
            .field("budget", &self.budget())
            .finish()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.budget() {
            Some(budget) => write!(f, "{}: the budget was {budget:?}", self.cause()),
            None => write!(f, "{}", self.cause()),
        }
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.cause() {
            Cause::Custom(error) => error.source(),
            _ => None,
        }
    }
}

/// [`io::ErrorKind::TimedOut`] for a deadline, [`io::ErrorKind::ConnectionAborted`] for a disconnect,
/// [`io::ErrorKind::Other`] else; never `Interrupted`, which `std` retries.
impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        let kind = match cancelled.cause() {
            Cause::DeadlineExceeded => io::ErrorKind::TimedOut,
            Cause::Disconnected => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, cancelled)
    }
}

impl From<Cancelled> for StatusCode {
    fn from(cancelled: Cancelled) -> Self {
        cancelled.http_status()
    }
}

impl From<Cancelled> for (StatusCode, String) {
    fn from(cancelled: Cancelled) -> Self {
        (cancelled.http_status(), cancelled.to_string())
    }
}
