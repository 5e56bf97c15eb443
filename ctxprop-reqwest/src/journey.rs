//! The way of one request over its redirects: what is sent next, and where a redirect leads.
//!
//! No context and no socket here.
//!
//! # Invariants
//! 1. What a redirect took away (a body, a header) does not come back at a later hop.
//! 2. `kept` has everything that a next hop needs but the body of a stream, which can be sent once, and of a bare request
//!    its URL, which the answer tells: most hops are the last, and a copy of them would serve nobody.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, PROXY_AUTHORIZATION, REFERER,
    TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
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
    kept: Kept,
    /// Whether the body was a stream that is sent.
    body_is_gone: bool,
    previous: Vec<Url>,
}

/// What is left of a request that was sent.
#[derive(Debug)]
enum Kept {
    /// Boxed, since it is a part of the future of each request, and moved with it.
    Whole(Box<Request>),
    /// It had no headers, no body and no timeout, and a URL without what is not sent.
    Bare(Method, Version),
}

/// Whether `referer` is set on a hop from one URL to another.
pub(crate) type Referer<'a> = &'a (dyn Fn(&Url, &Url) -> bool + Sync);

impl Journey {
    /// The way of a request whose first hop is `hop`. Where `answer_tells`, the answer has the URL that was asked.
    pub(crate) fn begin(hop: &mut Request, answer_tells: bool) -> Journey {
        let bare = hop.headers().is_empty()
            && hop.body().is_none()
            && hop.timeout().is_none()
            // Which no answer tells.
            && hop.url().fragment().is_none()
            && hop.url().username().is_empty();
        let kept = Kept::Bare(hop.method().clone(), hop.version());
        let mut journey = Journey { kept, body_is_gone: false, previous: Vec::new() };
        if !bare || !answer_tells {
            let copy = journey.copy(hop);
            let kept = std::mem::replace(hop, copy);
            journey.kept = Kept::Whole(Box::new(kept));
        }
        journey
    }

    /// What redirected to the hop at hand, if it was a redirect.
    pub(crate) fn from(&self) -> Option<&Url> {
        self.previous.last()
    }

    /// A copy of `request`, which a stream is moved into.
    fn copy(&mut self, request: &mut Request) -> Request {
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

    /// The URL of the hop at hand, which was answered by one that says `answered`.
    pub(crate) fn url<'a>(&'a self, answered: &'a Url) -> &'a Url {
        match &self.kept {
            Kept::Whole(request) => request.url(),
            Kept::Bare(..) => answered,
        }
    }

    /// The next hop, where a response leads to one; none where the way ends with it.
    pub(crate) fn redirect(
        &mut self,
        answered: &Url,
        status: StatusCode,
        headers: &HeaderMap,
        policy: &Policy,
        referer: Referer<'_>,
    ) -> Result<Option<Request>, RedirectError> {
        let method = match &self.kept {
            Kept::Whole(request) => request.method(),
            Kept::Bare(method, _) => method,
        };
        let Some(change) = Change::of(status, method) else { return Ok(None) };
        let here = self.url(answered);
        let Some(next) = next(headers, here) else { return Ok(None) };
        if !change.drops_body && self.body_is_gone {
            return Ok(None);
        }
        let here = here.clone();
        self.previous.push(here.clone());
        let attempt = Attempt { status, next: &next, previous: &self.previous };
        let reason = match policy.redirect(attempt).0 {
            Decision::Follow if is_http(&next) => None,
            Decision::Follow => Some(Reason::Scheme(next.scheme().to_owned())),
            Decision::Stop => return Ok(None),
            Decision::TooMany { max } => Some(Reason::TooMany { max }),
            Decision::Refuse(error) => Some(Reason::Policy(error)),
        };
        if let Some(reason) = reason {
            return Err(RedirectError::new(reason, &here));
        }
        Ok(Some(self.turn(change, here, next, referer)))
    }

    fn turn(&mut self, change: Change, here: Url, next: Url, referer: Referer<'_>) -> Request {
        let bare = Kept::Bare(Method::GET, Version::default());
        let mut request = match std::mem::replace(&mut self.kept, bare) {
            Kept::Whole(request) => request,
            Kept::Bare(method, version) => {
                let mut request = Box::new(Request::new(method, here.clone()));
                *request.version_mut() = version;
                request
            }
        };
        *request.method_mut() = change.method;
        if change.drops_body {
            *request.body_mut() = None;
            self.body_is_gone = false;
            remove(request.headers_mut(), &OF_BODY);
        }
        *request.url_mut() = next.clone();
        let headers = request.headers_mut();
        if here.origin() != next.origin() {
            remove(headers, &SENSITIVE);
            headers.remove(HOST);
        }
        // The one that led here names what was before, which is nobody's business there.
        headers.remove(REFERER);
        if referer(&here, &next) {
            set_referer(headers, here, &next);
        }
        let hop = self.copy(&mut request);
        self.kept = Kept::Whole(request);
        hop
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
