//! Which redirects are followed: reqwest's names, applied at every hop by this crate.
//!
//! Each redirect is a hop: it has a span of its own, says what remains of the budget, and is judged anew
//! by its host. Along a chain trust only falls: a redirect out of the mesh carries no baggage, nor does one
//! that leads back into it, because it is a stranger who chose what a peer would do for our user. What is
//! private does not come back from an allowed host either, and nothing after a redirect from `https` to
//! `http`.
//!
//! | status | method | body |
//! | --- | --- | --- |
//! | 301, 302 | `POST` becomes `GET`, others stay | dropped with `POST`, else repeated |
//! | 303 | `GET`, `HEAD` stays | dropped, with the headers about it |
//! | 307, 308 | stays | repeated |
//!
//! - A body that is a stream cannot be repeated: the redirect is then the response. So it is where
//!   `Location` is missing or malformed.
//! - To another origin (scheme, host, port) `authorization`, `cookie`, `cookie2`, `proxy-authorization`,
//!   `www-authenticate` and `host` are left out, and stay out, wherever the chain goes from there.
//! - `referer` is set unless [`ClientBuilder::referer`](crate::ClientBuilder::referer) turns it off. None
//!   goes from `https` to `http`, and none out of the mesh: a URL inside may name people too.
//! - A user and password in `Location` are not sent.
//! - Only `http` and `https` are followed; anything else is [`Error::Redirect`](crate::Error::Redirect).

use std::error::Error as StdError;
use std::fmt;

use reqwest::{StatusCode, Url};

use crate::error::redacted;

/// Which redirects are followed: at most 10 by default. See the [module](self).
///
/// # Examples
///
/// ```
/// use ctxprop_reqwest::{Client, redirect::Policy};
///
/// let same_host = Policy::custom(|attempt| {
///     if attempt.previous().len() > 5 {
///         attempt.error("too many redirects")
///     } else if attempt.previous().last().and_then(|url| url.host_str()) == attempt.url().host_str() {
///         attempt.follow()
///     } else {
///         attempt.stop()
///     }
/// });
/// let client = Client::builder().redirect(same_host).build()?;
/// # drop(client);
/// # Ok::<(), ctxprop_reqwest::Error>(())
/// ```
///
/// One that lets no stranger send us into the mesh, where it cannot go itself:
///
/// ```
/// use ctxprop::trust::Mesh;
/// use ctxprop_reqwest::{Client, Url, redirect::Policy};
///
/// let mesh = Mesh::new();
/// let zone = move |url: &Url| mesh.zone(url.host_str().unwrap_or_default());
/// let never_inwards = Policy::custom(move |attempt| match attempt.previous().last() {
///     Some(from) if zone(attempt.url()) < zone(from) => attempt.error("a redirect into the mesh"),
///     _ => Policy::default().redirect(attempt),
/// });
/// let client = Client::builder().redirect(never_inwards).build()?;
/// # drop(client);
/// # Ok::<(), ctxprop_reqwest::Error>(())
/// ```
#[derive(Debug)]
pub struct Policy(Follows);

enum Follows {
    Limited(usize),
    None,
    Custom(Box<dyn Fn(Attempt<'_>) -> Action + Send + Sync>),
}

impl Policy {
    /// Follows this many redirects; the next is an error. This is what ends a loop.
    pub fn limited(max: usize) -> Self {
        Policy(Follows::Limited(max))
    }

    /// Follows none: the redirect is the response.
    pub fn none() -> Self {
        Policy(Follows::None)
    }

    /// Follows what `policy` says. It must end loops itself.
    pub fn custom<F>(policy: F) -> Self
    where
        F: Fn(Attempt<'_>) -> Action + Send + Sync + 'static,
    {
        Policy(Follows::Custom(Box::new(policy)))
    }

    /// What this policy does with a redirect: for a [`custom`](Policy::custom) one around another.
    pub fn redirect(&self, attempt: Attempt<'_>) -> Action {
        match &self.0 {
            Follows::Custom(policy) => policy(attempt),
            Follows::None => attempt.stop(),
            // The first of the previous URLs is no redirect.
            Follows::Limited(max) if attempt.previous.len() > *max => {
                Action(Decision::TooMany { max: *max })
            }
            Follows::Limited(_) => attempt.follow(),
        }
    }
}

/// At most 10.
impl Default for Policy {
    fn default() -> Self {
        Policy::limited(10)
    }
}

impl fmt::Debug for Follows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Follows::Limited(max) => f.debug_tuple("Limited").field(max).finish(),
            Follows::None => f.write_str("None"),
            Follows::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// A redirect that a [`Policy`] is asked about.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub(crate) status: StatusCode,
    pub(crate) next: &'a Url,
    pub(crate) previous: &'a [Url],
}

impl Attempt<'_> {
    /// The status of the redirect.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Where it leads.
    pub fn url(&self) -> &Url {
        self.next
    }

    /// What was requested before, in order; the last is what redirects.
    pub fn previous(&self) -> &[Url] {
        self.previous
    }

    /// It is followed.
    pub fn follow(self) -> Action {
        Action(Decision::Follow)
    }

    /// It is the response.
    pub fn stop(self) -> Action {
        Action(Decision::Stop)
    }

    /// The request fails with this error.
    pub fn error<E: Into<Box<dyn StdError + Send + Sync>>>(self, error: E) -> Action {
        Action(Decision::Refuse(error.into()))
    }
}

/// What a [`Policy`] does with a redirect; made by the methods of [`Attempt`].
#[derive(Debug)]
pub struct Action(pub(crate) Decision);

#[derive(Debug)]
pub(crate) enum Decision {
    Follow,
    Stop,
    TooMany { max: usize },
    Refuse(Box<dyn StdError + Send + Sync>),
}

/// A redirect that is not followed, and fails the request.
#[derive(Debug)]
pub struct RedirectError {
    reason: Reason,
    url: Url,
}

#[derive(Debug)]
pub(crate) enum Reason {
    TooMany { max: usize },
    Scheme(String),
    Policy(Box<dyn StdError + Send + Sync>),
}

impl RedirectError {
    pub(crate) fn new(reason: Reason, url: &Url) -> Self {
        let url = redacted(url);
        RedirectError { reason, url }
    }

    /// What redirected, without user, password, query and fragment.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether there were more redirects than the policy allows.
    pub fn is_too_many(&self) -> bool {
        matches!(self.reason, Reason::TooMany { .. })
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::TooMany { max } => write!(f, "more than {max} redirects, the last by ")?,
            Reason::Scheme(scheme) => write!(f, "a redirect to the scheme `{scheme}` by ")?,
            Reason::Policy(_) => f.write_str("the policy refuses a redirect by ")?,
        }
        self.url.fmt(f)
    }
}

impl StdError for RedirectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.reason {
            Reason::Policy(error) => Some(&**error),
            _ => None,
        }
    }
}
