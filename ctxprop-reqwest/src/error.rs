//! What can go wrong with a request, and what no error shows: user names, passwords and query strings.

use std::error::Error as StdError;
use std::fmt;

use ctxprop::trust::HostPatternError;
use ctxprop::{Cancelled, Cause, Ctx};
use reqwest::{StatusCode, Url};

use crate::into_url::UrlError;
use crate::redirect::RedirectError;

/// A request that gave no response, a response that could not be read, or a client that could not be built.
///
/// It has `From<Cancelled>`, so a `#[propagate]` function with this error unwinds when its context ends,
/// and `From<reqwest::Error>` for what comes from reqwest itself.
///
/// The end of the context is its [`source`](StdError::source), so [`Cancelled::find_in`] finds it through whatever
/// error it became a part of. Where the feature `axum` is on it is a response: that of [`Cancelled`], or the status
/// of [`http_status`](Error::http_status).
///
/// Neither `Display` nor `Debug` shows the user, the password, the query or the fragment of a URL: the
/// conversion takes them out of reqwest's errors.
///
/// # Examples
///
/// ```
/// use ctxprop::Cancelled;
/// use ctxprop_reqwest::{Error, StatusCode};
///
/// enum ShopError {
///     Cancelled(Cancelled),
///     Upstream(Error),
/// }
///
/// impl ShopError {
///     fn status(&self) -> StatusCode {
///         match self {
///             ShopError::Cancelled(cancelled) => cancelled.http_status(),
///             // An `Error` may be the end of the context as well: inner code sees that first.
///             ShopError::Upstream(error) => error.http_status(),
///         }
///     }
/// }
/// # drop(ShopError::status);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The context ended first, or had no time left that is worth a request.
    Cancelled(Cancelled),
    /// The request's own timeout left less than 1 ms for a hop, or passed at the server, which said so
    /// before ours did. A timeout that passes here is reqwest's: [`is_timeout`](Error::is_timeout) tells
    /// both.
    TimedOut,
    /// What reqwest reports.
    Reqwest(reqwest::Error),
    /// A redirect that is not followed.
    Redirect(RedirectError),
    /// The URL cannot be requested.
    Url(UrlError),
    /// The client cannot be built as it was configured.
    Builder(BuilderError),
    /// A `middleware` or a `layer` of this crate was to send a request where no context is current.
    #[cfg(any(feature = "middleware", feature = "tower"))]
    NoContext,
}

impl Error {
    /// Whether the context ended first.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled().is_some()
    }

    /// Why the context ended, where it was that: also where it ended what the request was made of, such as a body that
    /// is a stream.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        Cancelled::find_in(self)
    }

    /// Whether it was a timeout of the request or the client. The deadline of the context is none:
    /// that is [`cancelled`](Error::cancelled), and [`Cancelled::is_deadline`].
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::TimedOut) || self.reqwest().is_some_and(reqwest::Error::is_timeout)
    }

    /// Whether no connection could be made.
    pub fn is_connect(&self) -> bool {
        self.reqwest().is_some_and(reqwest::Error::is_connect)
    }

    /// Whether it was a redirect that is not followed.
    pub fn is_redirect(&self) -> bool {
        matches!(self, Error::Redirect(_))
    }

    /// The status that [`error_for_status`](crate::Response::error_for_status) made an error of.
    pub fn status(&self) -> Option<StatusCode> {
        self.reqwest().and_then(reqwest::Error::status)
    }

    /// What to tell one's own caller: that of [`Cancelled::http_status`] where the context ended, 504 where a timeout
    /// passed, and 502 for all else.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Cause, Ctx};
    /// use ctxprop_reqwest::Error;
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// canceller.cancel_with(Cause::Shutdown);
    /// let ended = ctx.check().map_err(Error::from).unwrap_err();
    /// assert_eq!(ended.http_status(), 503);
    /// assert_eq!(Error::TimedOut.http_status(), 504);
    /// ```
    pub fn http_status(&self) -> StatusCode {
        match self.cancelled() {
            Some(cancelled) => cancelled.http_status(),
            None if self.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
            None => StatusCode::BAD_GATEWAY,
        }
    }

    /// What reqwest reports, for all its other questions.
    pub fn reqwest(&self) -> Option<&reqwest::Error> {
        match self {
            Error::Reqwest(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Cancelled(_) => f.write_str("the request was given up with its context"),
            Error::TimedOut => f.write_str("the timeout of the request passed"),
            Error::Reqwest(error) => error.fmt(f),
            Error::Redirect(error) => error.fmt(f),
            Error::Url(error) => error.fmt(f),
            Error::Builder(error) => error.fmt(f),
            #[cfg(any(feature = "middleware", feature = "tower"))]
            Error::NoContext => f.write_str(
                "no context is current: await the request in a `#[propagate]` function, or in `ctx.scope(..)`",
            ),
        }
    }
}

// The end of the context is a source, so that it is found from outside (`Cancelled::find_in`). Each other variant speaks
// for the error it holds, so what comes next is that one's source.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Cancelled(cancelled) => Some(cancelled),
            Error::TimedOut => None,
            Error::Reqwest(error) => error.source(),
            Error::Redirect(error) => error.source(),
            Error::Url(error) => error.source(),
            Error::Builder(error) => error.source(),
            #[cfg(any(feature = "middleware", feature = "tower"))]
            Error::NoContext => None,
        }
    }
}

/// [`Error::http_status`].
impl From<Error> for StatusCode {
    fn from(error: Error) -> Self {
        error.http_status()
    }
}

/// [`Error::http_status`] and a line that says no more than one's own caller may know.
impl From<Error> for (StatusCode, String) {
    fn from(error: Error) -> Self {
        let status = error.http_status();
        let text = match error.cancelled() {
            Some(cancelled) if !matches!(cancelled.cause(), Cause::Custom(_)) => {
                cancelled.to_string()
            }
            Some(_) => "the request was abandoned".to_owned(),
            None if error.is_timeout() => "what this depends on took too long".to_owned(),
            None => "what this depends on failed".to_owned(),
        };
        (status, text)
    }
}

/// As that of [`Cancelled`] where the context ended; else the status of [`Error::http_status`], and a line of text that
/// tells nothing of the other side.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Error {
    fn into_response(self) -> axum_core::response::Response {
        match self.cancelled() {
            Some(cancelled) => cancelled.clone().into_response(),
            None => <(StatusCode, String)>::from(self).into_response(),
        }
    }
}

/// As [`IntoResponse`](axum_core::response::IntoResponse) has it.
#[cfg(feature = "axum")]
impl From<Error> for axum_core::response::Response {
    fn from(error: Error) -> Self {
        axum_core::response::IntoResponse::into_response(error)
    }
}

impl From<Cancelled> for Error {
    fn from(cancelled: Cancelled) -> Self {
        Error::Cancelled(cancelled)
    }
}

/// A timeout becomes [`Error::Cancelled`] where the deadline of the current context has passed: reqwest
/// has timers of its own, and one that reads a body may fire together with the context's.
impl From<reqwest::Error> for Error {
    fn from(mut error: reqwest::Error) -> Self {
        if error.is_timeout()
            && let Some(Err(cancelled)) = Ctx::try_current().map(|ctx| ctx.check())
            && cancelled.is_deadline()
        {
            return Error::Cancelled(cancelled);
        }
        if let Some(url) = error.url_mut() {
            redact(url);
        }
        Error::Reqwest(error)
    }
}

impl From<RedirectError> for Error {
    fn from(error: RedirectError) -> Self {
        Error::Redirect(error)
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Error::Url(error)
    }
}

impl From<BuilderError> for Error {
    fn from(error: BuilderError) -> Self {
        Error::Builder(error)
    }
}

/// A URL without what may be a secret.
pub(crate) fn redacted(url: &Url) -> Url {
    let mut url = url.clone();
    redact(&mut url);
    url
}

/// Takes out of a URL what may be a secret.
pub(crate) fn redact(url: &mut Url) {
    // These fail where there is no host, and there is no user then either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
}

/// A client cannot be built as it was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuilderError {
    /// A host pattern is not valid.
    Pattern(HostPatternError),
    /// The builder that was handed in sets a default header that some hops must not carry, and reqwest
    /// would add it to all: set it with [`ClientBuilder::default_headers`](crate::ClientBuilder::default_headers).
    DefaultHeader(&'static str),
    /// The builder that was handed in sets a timeout, which a request's deadline would take the place of:
    /// set it with [`ClientBuilder::timeout`](crate::ClientBuilder::timeout).
    Timeout,
}

impl fmt::Display for BuilderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuilderError::Pattern(error) => error.fmt(f),
            BuilderError::DefaultHeader(name) => write!(
                f,
                "reqwest would send the default header `{name}` with every redirect, to whatever host: set \
                 it with `ctxprop_reqwest::ClientBuilder::default_headers`"
            ),
            BuilderError::Timeout => f.write_str(
                "the deadline of a request would take the place of reqwest's timeout: set it with \
                 `ctxprop_reqwest::ClientBuilder::timeout`",
            ),
        }
    }
}

impl StdError for BuilderError {}

impl From<HostPatternError> for BuilderError {
    fn from(error: HostPatternError) -> Self {
        BuilderError::Pattern(error)
    }
}
