//! The way of one request over its redirects: what is sent next, and where a redirect leads.
//!
//! No context and no socket here.
//!
//! # Invariants
//! 1. What a redirect took away (a body, a header) does not come back at a later hop.
//! 2. `request` has everything that a next hop needs but the body of a stream, which can be sent once.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, PROXY_AUTHORIZATION, REFERER,
    TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use reqwest::{Request, Url};

use crate::redirect::{Attempt, Decision, Policy, Reason, RedirectError};

/// What one origin is told and the next must not learn.
pub(crate) static SENSITIVE: [HeaderName; 5] = [
    AUTHORIZATION,
    COOKIE,
    HeaderName::from_static("cookie2"),
    PROXY_AUTHORIZATION,
    WWW_AUTHENTICATE,
];

/// What is said about a body, and wrong without it.
static OF_BODY: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
];

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Journey {
    request: Request,
    /// Whether the body was a stream that is sent.
    body_is_gone: bool,
    previous: Vec<Url>,
}

/// Whether `referer` is set on a hop from one URL to another.
pub(crate) type Referer<'a> = &'a (dyn Fn(&Url, &Url) -> bool + Sync);

impl Journey {
    pub(crate) fn new(request: Request) -> Self {
        Journey { request, body_is_gone: false, previous: Vec::new() }
    }

    /// Where the next hop leads.
    pub(crate) fn url(&self) -> &Url {
        self.request.url()
    }

    /// What redirected to it, if it was a redirect.
    pub(crate) fn from(&self) -> Option<&Url> {
        self.previous.last()
    }

    /// The request of the next hop.
    pub(crate) fn hop(&mut self) -> Request {
        let request = &mut self.request;
        // A clone of reqwest's makes a place for the timeout, also where there is none.
        if (request.body().is_some() || request.timeout().is_some())
            && let Some(hop) = request.try_clone()
        {
            return hop;
        }
        let mut hop = Request::new(request.method().clone(), request.url().clone());
        if !request.headers().is_empty() {
            *hop.headers_mut() = request.headers().clone();
        }
        *hop.version_mut() = request.version();
        if let Some(timeout) = request.timeout() {
            *hop.timeout_mut() = Some(*timeout);
        }
        if let Some(stream) = request.body_mut().take() {
            *hop.body_mut() = Some(stream);
            self.body_is_gone = true;
        }
        hop
    }

    /// Goes where a response leads; false where the way ends with it.
    pub(crate) fn redirect(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        policy: &Policy,
        referer: Referer<'_>,
    ) -> Result<bool, RedirectError> {
        let here = self.request.url();
        let (Some(change), Some(next)) =
            (Change::of(status, self.request.method()), next(headers, here))
        else {
            return Ok(false);
        };
        if !change.drops_body && self.body_is_gone {
            return Ok(false);
        }
        self.previous.push(here.clone());
        let attempt = Attempt { status, next: &next, previous: &self.previous };
        let reason = match policy.redirect(attempt).0 {
            Decision::Follow if is_http(&next) => None,
            Decision::Follow => Some(Reason::Scheme(next.scheme().to_owned())),
            Decision::Stop => return Ok(false),
            Decision::TooMany { max } => Some(Reason::TooMany { max }),
            Decision::Refuse(error) => Some(Reason::Policy(error)),
        };
        if let Some(reason) = reason {
            return Err(RedirectError::new(reason, self.request.url()));
        }
        self.turn(change, next, referer);
        Ok(true)
    }

    fn turn(&mut self, change: Change, next: Url, referer: Referer<'_>) {
        *self.request.method_mut() = change.method;
        if change.drops_body {
            *self.request.body_mut() = None;
            self.body_is_gone = false;
            remove(self.request.headers_mut(), &OF_BODY);
        }
        let here = std::mem::replace(self.request.url_mut(), next);
        let next = self.request.url().clone();
        let headers = self.request.headers_mut();
        if here.origin() != next.origin() {
            remove(headers, &SENSITIVE);
            headers.remove(HOST);
        }
        // The one that led here names what was before, which is nobody's business there.
        headers.remove(REFERER);
        if referer(&here, &next) {
            set_referer(headers, here, &next);
        }
    }
}

/// What a redirect makes of the method and the body.
struct Change {
    method: Method,
    drops_body: bool,
}

impl Change {
    fn of(status: StatusCode, method: &Method) -> Option<Change> {
        let to_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
            StatusCode::SEE_OTHER => true,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return None,
        };
        let method = match (to_get, method) {
            (true, &Method::HEAD) | (false, _) => method.clone(),
            (true, _) => Method::GET,
        };
        Some(Change { method, drops_body: to_get })
    }
}

/// Where a redirect from `here` leads, if it says so in a way that can be requested.
fn next(headers: &HeaderMap, here: &Url) -> Option<Url> {
    let location = std::str::from_utf8(headers.get(LOCATION)?.as_bytes()).ok()?;
    let mut next = here.join(location).ok()?;
    if next.fragment().is_none() {
        // RFC 9110, section 10.2.2
        next.set_fragment(here.fragment());
    }
    // These fail where there is no host, and there is no user then either.
    let _ = next.set_username("");
    let _ = next.set_password(None);
    // What the transport cannot parse is malformed too; what is not for it is refused, not malformed.
    (!is_http(&next) || next.as_str().parse::<Uri>().is_ok()).then_some(next)
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

/// RFC 9110, section 10.1.3.
fn set_referer(headers: &mut HeaderMap, mut here: Url, next: &Url) {
    if here.scheme() == "https" && next.scheme() == "http" {
        return;
    }
    // These fail where there is no host, and there is no user then either.
    let _ = here.set_username("");
    let _ = here.set_password(None);
    here.set_fragment(None);
    if let Ok(here) = HeaderValue::try_from(here.as_str()) {
        headers.insert(REFERER, here);
    }
}

#[cfg(test)]
mod tests;
