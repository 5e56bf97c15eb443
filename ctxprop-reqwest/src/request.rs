//! [`RequestBuilder`]: a request before it is sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ctxprop::NeedsCtx;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Request, Version};

use crate::client::Client;
use crate::error::Error;
use crate::response::Response;
use crate::send;

/// A request before it is sent. Its methods are reqwest's; see there for more of them.
///
/// What is wrong with a value is told when the request is built or sent. Examples are with
/// [`send`](RequestBuilder::send) and [`retry`](RequestBuilder::retry).
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    client: Client,
    request: Result<reqwest::RequestBuilder, Error>,
    retries: u32,
}

impl RequestBuilder {
    pub(crate) fn new(client: Client, request: Result<reqwest::RequestBuilder, Error>) -> Self {
        RequestBuilder { client, request, retries: 0 }
    }

    fn map(self, f: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        RequestBuilder { request: self.request.map(f), ..self }
    }

    /// Adds a header. See the [crate](crate) for those that the context writes.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.map(|request| request.header(name, value))
    }

    /// Sets headers, each in place of those with its name. Of headers that came from a stranger take
    /// `baggage` out first: to a peer it would be sent in place of the context's.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|request| request.headers(headers))
    }

    /// Adds `authorization` with a user and a password.
    pub fn basic_auth<U, P>(self, user: U, password: Option<P>) -> Self
    where
        U: fmt::Display,
        P: fmt::Display,
    {
        self.map(|request| request.basic_auth(user, password))
    }

    /// Adds `authorization` with a token.
    pub fn bearer_auth<T: fmt::Display>(self, token: T) -> Self {
        self.map(|request| request.bearer_auth(token))
    }

    /// Sets the body.
    pub fn body<T: Into<Body>>(self, body: T) -> Self {
        self.map(|request| request.body(body))
    }

    /// Appends to the query string.
    #[cfg(feature = "query")]
    pub fn query<T: serde::Serialize + ?Sized>(self, query: &T) -> Self {
        self.map(|request| request.query(query))
    }

    /// Sets a JSON body, and `content-type` unless it is set.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, json: &T) -> Self {
        self.map(|request| request.json(json))
    }

    /// Sets a form as the body, and `content-type` unless it is set.
    #[cfg(feature = "form")]
    pub fn form<T: serde::Serialize + ?Sized>(self, form: &T) -> Self {
        self.map(|request| request.form(form))
    }

    /// Sets a form of several parts as the body, and the headers about it.
    #[cfg(feature = "multipart")]
    pub fn multipart(self, form: reqwest::multipart::Form) -> Self {
        self.map(|request| request.multipart(form))
    }

    /// How long the request may take, over all its attempts and redirects and up to the last byte of the
    /// response, in place of the [client's](crate::ClientBuilder::timeout). The context's deadline counts where it is
    /// earlier.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.timeout(timeout))
    }

    /// Sends the request up to `n` times more where it fails in a way that may pass, as long as the budget
    /// lasts. None by default.
    ///
    /// | an attempt ends with | then |
    /// | --- | --- |
    /// | no connection, or one that broke before the answer | it is repeated |
    /// | 502, 503, 504 | it is repeated |
    /// | 429 with `retry-after` | it is repeated |
    /// | 504 that says that our budget ran out, any timeout but that of connecting | it is the result |
    /// | anything else | it is the result |
    ///
    /// Before the first repetition up to 100 ms pass, before each next one up to twice as long, at most
    /// 10 s; how long of that is left to chance, so that clients do not come back all at once. Where
    /// `retry-after` asks for longer, that counts, up to a minute. When the attempts are used up, or the
    /// wait would not end before the deadline of the context or the [timeout](RequestBuilder::timeout) of
    /// the request, the last attempt is the result, at once.
    ///
    /// All requests of a client share a [budget of retries](crate::ClientBuilder::retry_budget), so that many clients that
    /// fail together do not become as many again. Where it is used up, too, the last attempt is the result.
    ///
    /// Each attempt begins at the request's own URL, in a span of its own, with the budget that remains.
    ///
    /// Only idempotent methods (RFC 9110, section 9.2.2: `GET`, `HEAD`, `OPTIONS`, `TRACE`, `PUT`,
    /// `DELETE`) are repeated, and any other with an `idempotency-key`, by which the server knows the second as the
    /// first; and only a body that is no stream. Anything else is sent once. Waiting for
    /// the body of a response is not part of an attempt.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::propagate;
    /// use ctxprop_reqwest::{Client, Error};
    ///
    /// #[propagate]
    /// async fn price(catalog: &Client, article: u32) -> Result<String, Error> {
    ///     let answer = catalog.get(format!("/articles/{article}/price")).retry(2).send().await?;
    ///     Ok(answer.error_for_status()?.text().await?)
    /// }
    /// # drop(price(&Client::new(), 1));
    /// ```
    pub fn retry(mut self, n: u32) -> Self {
        self.retries = n;
        self
    }

    /// Sets the version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.map(|request| request.version(version))
    }

    /// A copy; `None` where the body is a stream, or something was wrong.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        let request = self.request.as_ref().ok()?.try_clone()?;
        Some(RequestBuilder { client: self.client.clone(), request: Ok(request), ..*self })
    }

    /// The request, to look at or change, and to [`execute`](Client::execute). The context's headers are
    /// written when it is sent; [retries](RequestBuilder::retry) do not come along.
    ///
    /// # Errors
    ///
    /// The URL, a header, the query or the body is not valid.
    pub fn build(self) -> Result<Request, Error> {
        // As in `Client::request`.
        match self.request {
            Ok(request) => request.build().map_err(Error::from),
            Err(error) => Err(error),
        }
    }

    /// Sends the request under the context it is given, and follows redirects as the client's
    /// [policy](crate::redirect) says. See the [crate](crate) for what each hop is told.
    ///
    /// It resolves when the head of the response is there. The body is bounded too, by the request's own
    /// timeout and by the context, wherever it is read: see [`Response`].
    ///
    /// # Errors
    ///
    /// - [`Error::Cancelled`] where the context has ended, ends meanwhile, or has less than 1 ms left;
    ///   no connection is opened for what comes too late. So it is where the server says that the
    ///   caller's budget ran out.
    /// - [`Error::Redirect`] where a redirect is refused.
    /// - [`Error::Url`] and [`Error::Reqwest`] where the request is not valid, and the latter for all that
    ///   reqwest reports, timeouts of its own included.
    ///
    /// Any status is `Ok`: use [`error_for_status`](Response::error_for_status).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the request up: the connection closes, over HTTP/2 the stream. The server may
    /// have done its work.
    ///
    /// # Examples
    ///
    /// ```
    /// # use axum::{Router, http::HeaderMap, routing::get};
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    /// use ctxprop_reqwest::{Client, Error};
    ///
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let server = listener.local_addr()?;
    /// # let tells = |headers: HeaderMap| async move { headers["x-timeout-ms"].to_str().unwrap().to_owned() };
    /// # let app = Router::new().route("/budget", get(tells));
    /// # tokio::spawn(async move { axum::serve(listener, app).await });
    /// let client = Client::builder().base_url(format!("http://{server}")).build()?;
    /// let ctx = Ctx::background().with_timeout(Duration::from_secs(5));
    ///
    /// // The server tells the budget it was given.
    /// let answer = client.get("/budget").send().with(&ctx).await?;
    /// let budget: u64 = answer.text().await?.parse()?;
    /// assert!(budget < 5_000);
    ///
    /// let late = Ctx::background().with_timeout(Duration::ZERO);
    /// let error = client.get("/budget").send().with(&late).await.unwrap_err();
    /// assert!(matches!(error, Error::Cancelled(cancelled) if cancelled.is_deadline()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Without a context it does not compile:
    ///
    /// ```compile_fail
    /// # use ctxprop_reqwest::{Client, Error};
    /// async fn forgetful(client: Client) -> Result<(), Error> {
    ///     client.get("http://stock/").send().await?; // error: `NeedsCtx` is not a future
    ///     Ok(())
    /// }
    /// ```
    pub fn send(self) -> NeedsCtx<impl Future<Output = Result<Response, Error>> + Send + use<>> {
        let (client, retries) = (Arc::clone(&self.client.inner), self.retries);
        send::send(client, self.build(), retries)
    }
}

/// The method, the URL and the headers, as reqwest shows them: with the query, without what is marked
/// sensitive.
impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => request.fmt(f),
            Err(error) => f.debug_struct("RequestBuilder").field("error", error).finish(),
        }
    }
}
