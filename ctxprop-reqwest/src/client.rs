//! [`Client`]: where requests begin.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ctxprop::NeedsCtx;
use http::HeaderMap;
use reqwest::{Method, Request, Url};

use crate::builder::ClientBuilder;
use crate::egress::Egress;
use crate::error::{Error, redacted};
use crate::into_url::IntoUrl;
use crate::redirect::Policy;
use crate::request::RequestBuilder;
use crate::response::Response;
use crate::{retry, send};

/// reqwest's client, whose requests need a context. See the [crate](crate) for what becomes of them.
///
/// It holds the connections: make one and clone it, which bumps a reference count.
///
/// # Examples
///
/// ```
/// use ctxprop::propagate;
/// use ctxprop_reqwest::{Client, Error};
///
/// #[propagate]
/// async fn health(payments: &Client) -> Result<String, Error> {
///     Ok(payments.get("/health").send().await?.text().await?)
/// }
///
/// let payments = Client::builder().base_url("http://payments:8080").build()?;
/// # drop(health(&payments));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<dyn Shared>,
}

/// What all clones of a client share, as a `dyn`: rustc asks whether the type of each future around a client is `Send`, down
/// to the last type, and gives up 128 types deep. Of reqwest's client, with its pool of connections, that would be 60.
pub(crate) trait Shared: Send + Sync {
    fn inner(&self) -> &Inner;
}

impl Shared for Inner {
    fn inner(&self) -> &Inner {
        self
    }
}

/// What all clones of a client share.
pub(crate) struct Inner {
    /// It follows no redirects, and adds no default header but `accept` and `user-agent`.
    pub(crate) http: reqwest::Client,
    pub(crate) base: Option<Url>,
    pub(crate) rules: Rules,
    /// What answers in its place.
    #[cfg(feature = "testing")]
    pub(crate) script: Option<crate::testing::Script>,
}

#[cfg(feature = "testing")]
impl Inner {
    pub(crate) fn transport(&self) -> crate::testing::Via<'_> {
        match self.script.clone().or_else(crate::testing::script) {
            Some(script) => crate::testing::Via::Script(script),
            None => crate::testing::Via::Http(&self.http),
        }
    }
}

/// How requests are sent, whatever carries them.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) egress: Egress,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Option<Duration>,
    pub(crate) redirect: Policy,
    pub(crate) no_referer: bool,
    pub(crate) retries: retry::Budget,
}

impl Rules {
    /// Adds the default headers whose names the request does not have.
    pub(crate) fn add_default_headers(&self, headers: &mut HeaderMap) {
        for name in self.headers.keys() {
            if !headers.contains_key(name) {
                for value in self.headers.get_all(name) {
                    headers.append(name, value.clone());
                }
            }
        }
    }
}

impl Client {
    /// A client with the defaults.
    ///
    /// # Panics
    ///
    /// Where TLS or the system's configuration is of no use, as `reqwest::Client::new` does;
    /// [`ClientBuilder::build`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        match ClientBuilder::new().build() {
            Ok(client) => client,
            Err(error) => panic!("a client with the defaults cannot be built: {error}"),
        }
    }

    /// A builder with the defaults.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A `GET` request.
    pub fn get<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A `POST` request.
    pub fn post<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A `PUT` request.
    pub fn put<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` request.
    pub fn patch<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` request.
    pub fn delete<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// A `HEAD` request.
    pub fn head<U: IntoUrl>(&self, url: U) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// A request to a URL, or to a path below the [base URL](ClientBuilder::base_url): see [`IntoUrl`].
    ///
    /// A URL of no use is told when the request is built or sent. A user and password in it become
    /// `authorization`.
    pub fn request<U: IntoUrl>(&self, method: Method, url: U) -> RequestBuilder {
        let inner = self.inner.inner();
        // In one step: each map over it would move the request.
        let request = match url.into_url(inner.base.as_ref()) {
            Ok(url) => Ok(inner.http.request(method, url)),
            Err(error) => Err(Error::from(error)),
        };
        RequestBuilder::new(self.clone(), request)
    }

    /// Sends a request that was [built](RequestBuilder::build) before, as
    /// [`RequestBuilder::send`] does.
    ///
    /// # Errors
    ///
    /// See [`RequestBuilder::send`].
    pub fn execute(
        &self,
        request: Request,
    ) -> NeedsCtx<impl Future<Output = Result<Response, Error>> + Send + use<>> {
        send::send(Arc::clone(&self.inner), Ok(request), 0)
    }
}

/// What it was told, without what may be secret: of the base URL the user and password, of the default
/// headers the values.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { base, rules, .. } = self.inner.inner();
        let base = base.as_ref().map(redacted);
        f.debug_struct("Client")
            .field("base_url", &base.as_ref().map(Url::as_str))
            .field("rules", rules)
            .finish_non_exhaustive()
    }
}

/// Without the values of the default headers, which may be secret.
impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { egress, headers, timeout, redirect, no_referer, retries } = self;
        let headers: Vec<_> = headers.keys().collect();
        f.debug_struct("Rules")
            .field("egress", egress)
            .field("default_headers", &headers)
            .field("timeout", timeout)
            .field("redirect", redirect)
            .field("referer", &!no_referer)
            .field("retries", retries)
            .finish()
    }
}

/// [`Client::new`].
impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}
