//! The same for who has a chain of [`reqwest_middleware`] already: a middleware that hands the context on.
//!
//! It writes the headers of each hop, keeps the budget, and ends the request with its context, as the
//! [crate] says. Redirects are its business too: only so baggage stays in the mesh. So it comes
//! together with the reqwest client that must be below it and follows none by itself.
//!
//! Put it last in the chain: a middleware outside of it that repeats a request has each attempt sent with a
//! span and a budget of its own; one inside of it sees every hop of a redirect.
//!
//! One thing it cannot do: nobody is made to give it a context. Where none is current, the request fails
//! with [`Error::NoContext`].
//!
//! # Examples
//!
//! ```
//! use ctxprop::propagate;
//! use ctxprop_reqwest::Client;
//! use ctxprop_reqwest::reqwest_middleware::{self, ClientWithMiddleware};
//!
//! fn client() -> Result<ClientWithMiddleware, ctxprop_reqwest::Error> {
//!     let (http, ctx) = Client::builder().allow_baggage_to("*.corp.example").build_middleware()?;
//!     // .. and before it whatever was there: retries, signatures, a cache
//!     Ok(reqwest_middleware::ClientBuilder::new(http).with(ctx).build())
//! }
//!
//! #[propagate]
//! async fn stock(client: &ClientWithMiddleware) -> reqwest_middleware::Result<String> {
//!     Ok(client.get("http://stock/").send().await?.text().await?)
//! }
//! # drop(stock(&client()?));
//! # Ok::<(), ctxprop_reqwest::Error>(())
//! ```

use std::sync::Arc;

use ctxprop::Ctx;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use crate::client::Rules;
use crate::error::Error;
use crate::send::{Sender, Transport};

/// Hands the current context on with each request; made by
/// [`ClientBuilder::build_middleware`](crate::ClientBuilder::build_middleware). See the [module](self).
///
/// Its errors are [`reqwest_middleware::Error::Middleware`] with an [`Error`] in it, but for those of reqwest
/// and of what is below it, which stay what they are.
#[derive(Clone, Debug)]
pub struct CtxMiddleware {
    rules: Arc<Rules>,
}

impl CtxMiddleware {
    pub(crate) fn new(rules: Rules) -> Self {
        CtxMiddleware { rules: Arc::new(rules) }
    }
}

#[async_trait::async_trait]
impl Middleware for CtxMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let ctx = Ctx::try_current().ok_or(Error::NoContext)?;
        let mut request = Some(request);
        let sender = Sender::new(&self.rules, &ctx, request.as_mut());
        let mut below = Below { next, extensions };
        let followed = sender.follow(&mut request, &mut below);
        let response = ctx.run(followed).await.map_err(Error::from)??;
        // Whoever reads the body may do so outside of the context.
        Ok(crate::Response::new(response, ctx).into_reqwest())
    }
}

/// The rest of the chain.
struct Below<'a> {
    next: Next<'a>,
    extensions: &'a mut Extensions,
}

impl Transport for Below<'_> {
    type Error = reqwest_middleware::Error;

    async fn execute(&mut self, hop: Request) -> reqwest_middleware::Result<Response> {
        self.next.clone().run(hop, self.extensions).await
    }
}

/// [`Error::Reqwest`] stays what it is; the others are a middleware's, to be had by `downcast_ref`.
impl From<Error> for reqwest_middleware::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Reqwest(error) => reqwest_middleware::Error::Reqwest(error),
            error => reqwest_middleware::Error::middleware(error),
        }
    }
}
