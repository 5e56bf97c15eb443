//! [`ClientBuilder`]: how a client is set up.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ctxprop::trust::{HostPattern, Mesh};
use ctxprop::wire::Formats;
use http::{HeaderMap, HeaderValue};
use reqwest::{Proxy, Url};

use crate::client::{Client, Inner, Rules};
use crate::error::{BuilderError, Error};
use crate::escape;
use crate::into_url::IntoUrl;
use crate::redirect::Policy;
use crate::retry::Budget;

/// Sets up a [`Client`]. Its options are reqwest's, and those that say whom to tell what.
///
/// reqwest's other options come through [`with`](ClientBuilder::with), or with the reqwest builder that
/// this one is made [from](ClientBuilder#impl-From<ClientBuilder>-for-ClientBuilder). What is wrong with
/// a value is told by [`build`](ClientBuilder::build).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ctxprop_reqwest::Client;
///
/// let client = Client::builder()
///     .base_url("https://payments.corp.example/v1")
///     .allow_baggage_to("*.corp.example")
///     .connect_timeout(Duration::from_millis(500))
///     .with(|reqwest| reqwest.tcp_nodelay(true))
///     .build()?;
/// # drop(client);
/// # Ok::<(), ctxprop_reqwest::Error>(())
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    reqwest: reqwest::ClientBuilder,
    /// The first that was wrong.
    error: Option<Error>,
    base: Option<Url>,
    rules: Rules,
    #[cfg(feature = "testing")]
    script: Option<crate::testing::Script>,
}

/// Whom to tell what.
impl ClientBuilder {
    /// A builder with the defaults.
    pub fn new() -> Self {
        ClientBuilder::from(reqwest::ClientBuilder::new())
    }

    /// Lets baggage go to the hosts of a [pattern](HostPattern), such as `*.corp.example`: all of it but
    /// what is private. See [`ctxprop::trust`] for the hosts that need no permission.
    pub fn allow_baggage_to(mut self, pattern: &str) -> Self {
        match self.rules.egress.mesh.clone().allow(pattern) {
            Ok(mesh) => self.rules.egress.mesh = mesh,
            Err(error) => self.wrong(BuilderError::from(error)),
        }
        self
    }

    /// Whom baggage goes to, in place of the default and of what was allowed before.
    pub fn mesh(mut self, mesh: Mesh) -> Self {
        self.rules.egress.mesh = mesh;
        self
    }

    /// Leaves the trace out to the hosts of a [pattern](HostPattern), also one that was set by hand.
    pub fn omit_trace_to(mut self, pattern: &str) -> Self {
        if let Some(pattern) = self.pattern(pattern) {
            self.rules.egress.no_trace.push(pattern);
        }
        self
    }

    /// Leaves the budget out to the hosts of a [pattern](HostPattern), also one that was set by hand. It
    /// bounds the request all the same.
    pub fn omit_budget_to(mut self, pattern: &str) -> Self {
        if let Some(pattern) = self.pattern(pattern) {
            self.rules.egress.no_budget.push(pattern);
        }
        self
    }

    /// Which headers are written. Where all peers are asked over HTTP/2, [`Formats::never_indexed`] makes each request cheaper:
    /// the client cannot know, since a connection settles its version after the request was written.
    pub fn formats(mut self, formats: Formats) -> Self {
        self.rules.egress.formats = formats;
        self
    }

    /// What paths are appended to: see [`IntoUrl`]. Its query and fragment are not used.
    pub fn base_url<U: IntoUrl>(mut self, url: U) -> Self {
        match url.into_url(None) {
            Ok(url) => self.base = Some(url),
            Err(error) => self.wrong(error),
        }
        self
    }

    /// Which [redirects](crate::redirect) are followed; at most 10 by default.
    pub fn redirect(mut self, policy: Policy) -> Self {
        self.rules.redirect = policy;
        self
    }

    /// Whether a redirect that is followed names the URL it came from; on by default.
    pub fn referer(mut self, on: bool) -> Self {
        self.rules.no_referer = !on;
        self
    }

    /// Which share of the requests may be repeated, over all that ask for [retries](crate::RequestBuilder::retry): 0.2 by
    /// default, `None` for as many as they ask for. Ten more are there at first, and come back one a second.
    pub fn retry_budget(mut self, share: impl Into<Option<f32>>) -> Self {
        self.rules.retries = Budget::new(share.into());
        self
    }

    /// Headers for each request that does not have them. See the [crate](crate) for those that the context
    /// writes, and [`redirect`](crate::redirect) for those that stay with the first origin.
    pub fn default_headers(mut self, headers: HeaderMap) -> Self {
        for name in headers.keys() {
            self.rules.headers.remove(name);
            for value in headers.get_all(name) {
                self.rules.headers.append(name, value.clone());
            }
        }
        self
    }

    /// How long a request may take, over all its redirects and up to the last byte of the response. None
    /// by default. The context's deadline counts where it is earlier.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.rules.timeout = Some(timeout);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`Error::Builder`] or [`Error::Url`] where a pattern or the base URL is not valid or reqwest's
    /// builder was told what only this one can do, and [`Error::Reqwest`] where that one fails.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client { inner: Arc::new(self.into_parts()?) })
    }

    /// Builds both halves of a client with a chain of middlewares: reqwest's client below it, and the
    /// [middleware](crate::middleware) that hands the context on. The base URL is not used.
    ///
    /// # Errors
    ///
    /// As [`build`](ClientBuilder::build).
    #[cfg(feature = "middleware")]
    pub fn build_middleware(
        self,
    ) -> Result<(reqwest::Client, crate::middleware::CtxMiddleware), Error> {
        let Inner { http, rules, .. } = self.into_parts()?;
        Ok((http, crate::middleware::CtxMiddleware::new(rules)))
    }

    /// Builds a tower [layer](crate::layer) that has any other client hand the context on. What is set up here of reqwest's
    /// own, the base URL and the redirects are not used.
    ///
    /// # Errors
    ///
    /// As [`build`](ClientBuilder::build), but for what reqwest's client is built of.
    #[cfg(feature = "tower")]
    pub fn build_layer(self) -> Result<crate::layer::ClientLayer, Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(crate::layer::ClientLayer::new(self.rules)),
        }
    }

    /// Has `script` answer all requests, in the place of sockets. What is set up here of connections is not used.
    #[cfg(feature = "testing")]
    pub fn script(mut self, script: &crate::testing::Script) -> Self {
        self.script = Some(script.clone());
        self
    }

    fn into_parts(self) -> Result<Inner, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        escape::check(&self.reqwest)?;
        // Each hop is sent by this crate, also where the builder came with a policy of its own.
        let reqwest = self.reqwest.redirect(reqwest::redirect::Policy::none());
        Ok(Inner {
            http: reqwest.build()?,
            base: self.base,
            rules: self.rules,
            #[cfg(feature = "testing")]
            script: self.script,
        })
    }

    fn pattern(&mut self, pattern: &str) -> Option<HostPattern> {
        let parsed = pattern.parse::<HostPattern>();
        parsed.map_err(|error| self.wrong(BuilderError::from(error))).ok()
    }

    fn wrong(&mut self, error: impl Into<Error>) {
        self.error.get_or_insert(error.into());
    }
}

/// reqwest's options.
impl ClientBuilder {
    /// Sets what this builder has no method for.
    ///
    /// Redirects stay with this crate. A timeout, and default headers that some hops must not carry, are
    /// refused by [`build`](ClientBuilder::build): set them here.
    pub fn with(
        mut self,
        set: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        self.reqwest = set(self.reqwest);
        self
    }

    /// Sets `user-agent`.
    pub fn user_agent<V>(self, value: V) -> Self
    where
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.with(|reqwest| reqwest.user_agent(value))
    }

    /// How long it may take to connect.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with(|reqwest| reqwest.connect_timeout(timeout))
    }

    /// How long it may take until something more of the response comes.
    pub fn read_timeout(self, timeout: Duration) -> Self {
        self.with(|reqwest| reqwest.read_timeout(timeout))
    }

    /// How long an idle connection is kept; 90 seconds by default, `None` for ever.
    pub fn pool_idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|reqwest| reqwest.pool_idle_timeout(timeout))
    }

    /// How many idle connections are kept a host.
    pub fn pool_max_idle_per_host(self, max: usize) -> Self {
        self.with(|reqwest| reqwest.pool_max_idle_per_host(max))
    }

    /// Takes this address for a name, instead of asking DNS. The port is the URL's.
    pub fn resolve(self, name: &str, address: SocketAddr) -> Self {
        self.with(|reqwest| reqwest.resolve(name, address))
    }

    /// Takes these addresses for a name, instead of asking DNS. The port is the URL's.
    pub fn resolve_to_addrs(self, name: &str, addresses: &[SocketAddr]) -> Self {
        self.with(|reqwest| reqwest.resolve_to_addrs(name, addresses))
    }

    /// Adds a proxy. It sees what the hosts behind it are told; over `https`, nothing but their names.
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.with(|reqwest| reqwest.proxy(proxy))
    }

    /// Uses no proxy, the system's neither.
    pub fn no_proxy(self) -> Self {
        self.with(reqwest::ClientBuilder::no_proxy)
    }

    /// Refuses `http`, also where a redirect leads to it.
    pub fn https_only(self, on: bool) -> Self {
        self.with(|reqwest| reqwest.https_only(on))
    }

    /// Speaks HTTP/1 only.
    pub fn http1_only(self) -> Self {
        self.with(reqwest::ClientBuilder::http1_only)
    }

    /// Speaks HTTP/2 only, also without TLS.
    #[cfg(feature = "http2")]
    pub fn http2_prior_knowledge(self) -> Self {
        self.with(reqwest::ClientBuilder::http2_prior_knowledge)
    }

    /// Keeps cookies, and sends them to whom they belong.
    #[cfg(feature = "cookies")]
    pub fn cookie_store(self, on: bool) -> Self {
        self.with(|reqwest| reqwest.cookie_store(on))
    }
}

/// Whom it tells what; the rest may be secret.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("egress", &self.rules.egress).finish_non_exhaustive()
    }
}

/// [`ClientBuilder::new`].
impl Default for ClientBuilder {
    fn default() -> Self {
        ClientBuilder::new()
    }
}

/// Goes on with a builder that was set up before: see [`ClientBuilder::with`] for what it must not hold.
impl From<reqwest::ClientBuilder> for ClientBuilder {
    fn from(reqwest: reqwest::ClientBuilder) -> Self {
        ClientBuilder {
            reqwest,
            error: None,
            base: None,
            #[cfg(feature = "testing")]
            script: None,
            rules: Rules::default(),
        }
    }
}
