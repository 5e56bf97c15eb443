//! [`Response`]: the head that is there, and the body that is still to come, within what the context has left.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use ctxprop::Ctx;
use http::{Extensions, HeaderMap};
use reqwest::{Body, ResponseBuilderExt as _, StatusCode, Url, Version};

use crate::bound::Bound;
use crate::error::Error;

/// A response. Its methods are reqwest's, and its errors are those of sending: [`Error`].
///
/// It remembers the context that it was asked for under. When that ends, whatever reads the body gets
/// [`Error::Cancelled`] and the connection closes, also where it is read outside of the context, becomes a [`Body`] or
/// is handed on to somebody else.
///
/// # Examples
///
/// ```
/// use ctxprop::propagate;
/// use ctxprop_reqwest::{Client, Error};
///
/// #[propagate]
/// async fn motto(client: &Client) -> Result<String, Error> {
///     client.get("http://motto/").send().await?.error_for_status()?.text().await
/// }
/// # drop(motto);
/// ```
pub struct Response {
    inner: reqwest::Response,
    ctx: Ctx,
}

/// What reads a body to its end.
type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, reqwest::Error>> + Send + 'a>>;

/// In a box, as what sends a request is: each future around it would move it once more. And as a `dyn`: rustc asks whether
/// the type of each future around it is `Send`, down to the last type, and gives up 128 types deep. In a chain of calls above
/// a body, reqwest's own types would be half of them.
fn reading<'a, T>(
    read: impl Future<Output = Result<T, reqwest::Error>> + Send + 'a,
) -> Reading<'a, T> {
    Box::pin(read)
}

impl Response {
    pub(crate) fn new(inner: reqwest::Response, ctx: Ctx) -> Self {
        Response { inner, ctx }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.inner.version()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The headers, to change.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.inner.headers_mut()
    }

    /// How many bytes the body has, where that is known. A body that is decompressed has none.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// The URL that answered, after all redirects.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The address that answered, where there is one.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.inner.remote_addr()
    }

    /// What else was kept with it.
    pub fn extensions(&self) -> &Extensions {
        self.inner.extensions()
    }

    /// What else was kept with it, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.inner.extensions_mut()
    }

    /// The whole body as text: UTF-8, unless the feature `charset` is on and `content-type` says otherwise. What is
    /// no such text is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`] where the context ends first; [`Error::Reqwest`] where the connection breaks or a timeout
    /// passes.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives up the rest of the body.
    pub async fn text(self) -> Result<String, Error> {
        Ok(self.ctx.run(reading(self.inner.text())).await??)
    }

    /// The whole body as text, in this encoding where `content-type` has none.
    ///
    /// # Errors
    ///
    /// As [`text`](Response::text).
    #[cfg(feature = "charset")]
    pub async fn text_with_charset(self, default_encoding: &str) -> Result<String, Error> {
        let Response { inner, ctx } = self;
        Ok(ctx.run(reading(inner.text_with_charset(default_encoding))).await??)
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    ///
    /// As [`text`](Response::text), and [`Error::Reqwest`] where it is not JSON of this type.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        Ok(self.ctx.run(reading(self.inner.json())).await??)
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`text`](Response::text).
    pub async fn bytes(self) -> Result<Bytes, Error> {
        Ok(self.ctx.run(reading(self.inner.bytes())).await??)
    }

    /// The next part of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// As [`text`](Response::text).
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again: no part is lost.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.ctx.run(self.inner.chunk()).await??)
    }

    /// The parts of the body as they come, up to the first error.
    #[cfg(feature = "stream")]
    pub fn bytes_stream(
        self,
    ) -> impl futures_core::Stream<Item = Result<Bytes, Error>> + Send + use<> {
        let Response { inner, ctx } = self;
        crate::bound::Parts(Bound::new(inner.into(), ctx))
    }

    /// The cookies that it sets.
    #[cfg(feature = "cookies")]
    pub fn cookies(&self) -> impl Iterator<Item = reqwest::cookie::Cookie<'_>> {
        self.inner.cookies()
    }

    /// An error where the status is 400 or more.
    ///
    /// # Errors
    ///
    /// [`Error::Reqwest`] with that [status](Error::status).
    pub fn error_for_status(self) -> Result<Self, Error> {
        let Response { inner, ctx } = self;
        Ok(Response { inner: inner.error_for_status()?, ctx })
    }

    /// An error where the status is 400 or more.
    ///
    /// # Errors
    ///
    /// [`Error::Reqwest`] with that [status](Error::status).
    pub fn error_for_status_ref(&self) -> Result<&Self, Error> {
        self.inner.error_for_status_ref()?;
        Ok(self)
    }

    /// reqwest's response, for what this one has no method for. Its body still ends with the context: reading it fails
    /// with an error of reqwest's in which [`Cancelled::find_in`](ctxprop::Cancelled::find_in) finds why.
    pub fn into_reqwest(self) -> reqwest::Response {
        http::Response::<Body>::from(self).into()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = crate::error::redacted(self.url());
        f.debug_struct("Response")
            .field("url", &url.as_str())
            .field("status", &self.status())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}

/// With a body that ends with the context.
impl From<Response> for http::Response<Body> {
    fn from(response: Response) -> Self {
        let Response { inner, ctx } = response;
        // reqwest keeps the URL as an extension of a type that nobody can name: its builder makes one.
        let with_url = http::Response::builder().url(inner.url().clone()).body(());
        let mut response = http::Response::<Body>::from(inner);
        if let Ok(with_url) = with_url {
            response.extensions_mut().extend(with_url.into_parts().0.extensions);
        }
        response.map(|body| Body::wrap(Bound::new(body, ctx)))
    }
}

/// The body, for a request or response that passes it on. It ends with the context.
impl From<Response> for Body {
    fn from(response: Response) -> Self {
        http::Response::<Body>::from(response).into_body()
    }
}

/// [`Response::into_reqwest`].
impl From<Response> for reqwest::Response {
    fn from(response: Response) -> Self {
        response.into_reqwest()
    }
}
