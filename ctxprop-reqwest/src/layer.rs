//! The same for any client of the crate `http`: a tower layer that hands the context on.
//!
//! It goes around hyper-util's client, kube's, or whatever other service takes an [`http::Request`] and gives an
//! [`http::Response`]. Each request is told its trace, its budget and, inside the mesh, its baggage, takes no longer than the
//! context lasts, and ends with it, its response's body included: see the [crate] for the rules, which are the same.
//!
//! - The context is the one that is current when the service is called. Where none is, the request fails with
//!   [`Error::NoContext`]: nobody can be made to give one here.
//! - The host is the one of the request's URI. A URI without a host, which a layer further inside completes, counts as one
//!   outside of the mesh: no baggage goes out.
//! - Errors are boxed, those of the service inside among them. [`Cancelled::find_in`](ctxprop::Cancelled::find_in) finds the
//!   end of the context in them.
//! - Redirects are the business of whoever follows them. A layer outside of this one that does, such as tower-http's
//!   `FollowRedirect`, has each hop judged by its own host; but it does not know that trust only falls along a chain. Let it
//!   follow none out of the mesh, or follow them with this crate's [`Client`](crate::Client).
//! - The [timeout](crate::ClientBuilder::timeout) of the builder bounds the wait for the head of a response.
//!
//! # Examples
//!
//! ```
//! use bytes::Bytes;
//! use ctxprop::propagate;
//! use ctxprop_reqwest::Client;
//! use ctxprop_reqwest::layer::{BoxError, ClientLayer, Handed};
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::client::legacy::{Client as Hyper, connect::HttpConnector};
//! use hyper_util::rt::TokioExecutor;
//! use tower::{Layer, ServiceExt};
//!
//! type Stock = Handed<Hyper<HttpConnector, Full<Bytes>>>;
//!
//! fn client() -> Result<Stock, ctxprop_reqwest::Error> {
//!     let layer: ClientLayer = Client::builder().allow_baggage_to("*.corp.example").build_layer()?;
//!     Ok(layer.layer(Hyper::builder(TokioExecutor::new()).build_http()))
//! }
//!
//! #[propagate]
//! async fn stock(client: Stock) -> Result<Bytes, BoxError> {
//!     let request = http::Request::get("http://stock/articles/7").body(Full::default())?;
//!     Ok(client.oneshot(request).await?.into_body().collect().await?.to_bytes())
//! }
//! # drop(stock(client()?));
//! # Ok::<(), ctxprop_reqwest::Error>(())
//! ```

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ctxprop::run::hop::HopSpan;
use ctxprop::trust::Zone;
use ctxprop::wire::{self, Hop, Side};
use ctxprop::{Cause, Ctx, SpanContext};
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use reqwest::Url;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use crate::client::Rules;
use crate::error::Error;
use crate::metrics;
use crate::send::{Left, says_our_budget_ran_out};

/// An error of anybody's.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Has a client hand the current context on; made by [`ClientBuilder::build_layer`](crate::ClientBuilder::build_layer). See
/// the [module](self).
#[derive(Clone, Debug)]
pub struct ClientLayer {
    rules: Arc<Rules>,
}

impl ClientLayer {
    pub(crate) fn new(rules: Rules) -> Self {
        ClientLayer { rules: Arc::new(rules) }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Handed<S>;

    fn layer(&self, inner: S) -> Handed<S> {
        Handed { inner, rules: Arc::clone(&self.rules) }
    }
}

/// A client that hands the current context on: what [`ClientLayer`] makes of one.
#[derive(Clone, Debug)]
pub struct Handed<S> {
    inner: S,
    rules: Arc<Rules>,
}

type Sending<R> = Pin<Box<dyn Future<Output = Result<R, BoxError>> + Send>>;

impl<S, B, R> Service<Request<B>> for Handed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<Ending<R>>;
    type Error = BoxError;
    type Future = Sending<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let prepared = Ctx::try_current()
            .ok_or(Error::NoContext)
            .and_then(|ctx| Sent::prepare(&self.rules, ctx, &mut request));
        let mut hop = match prepared {
            Ok(hop) => hop,
            Err(error) => {
                return Box::pin(metrics::counted(async { Err(error.into()) }));
            }
        };
        // It runs under the context that it was called under, wherever it is awaited.
        let sent = hop.ctx.sync_scope(|| self.inner.call(request));
        Box::pin(metrics::counted(async move {
            let sent = told(&mut hop.seen, sent);
            let response = match hop.left.timer {
                None => hop.ctx.run(sent).await.map_err(Error::from)?.map_err(Into::into)?,
                Some(limit) => {
                    let sent = tokio::time::timeout(limit, sent);
                    let sent = hop.ctx.run(sent).await.map_err(Error::from)?;
                    sent.map_err(|_| Error::TimedOut)?.map_err(Into::into)?
                }
            };
            if hop.believes && says_our_budget_ran_out(response.status(), response.headers()) {
                return Err(hop.left.over(&hop.ctx).into());
            }
            Ok(response.map(|body| Ending::new(body, hop.ctx)))
        }))
    }
}

/// What `sent` gives, which `seen` is told of.
async fn told<R, E>(
    seen: &mut Option<HopSpan>,
    sent: impl Future<Output = Result<Response<R>, E>>,
) -> Result<Response<R>, E> {
    let Some(seen) = seen else { return sent.await };
    let response = seen.around(sent).await.inspect_err(|_| seen.failed())?;
    seen.answered(response.status().as_u16().into());
    Ok(response)
}

/// One request on its way.
struct Sent {
    ctx: Ctx,
    left: Left,
    /// Where anybody listens.
    seen: Option<HopSpan>,
    /// Whether the other side's word is taken for it that our budget ran out.
    believes: bool,
}

impl Sent {
    /// Writes into `request` what its host is told.
    fn prepare<B>(rules: &Rules, ctx: Ctx, request: &mut Request<B>) -> Result<Sent, Error> {
        rules.add_default_headers(request.headers_mut());
        metrics::bounded(rules.timeout, &ctx);
        let timeout = rules.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let left = Left::of(&ctx, timeout)?;
        let url = url(request.uri());
        let span = match ctx.span() {
            span if span.is_valid() => span.child(),
            _ => SpanContext::root(),
        };
        let egress = &rules.egress;
        let zone = egress.zone(&url);
        egress
            .write((&url, zone), &span, ctx.baggage_map(), left.least, request.headers_mut())
            .map_err(|_| left.over(&ctx))?;
        let told = left.least.is_some() && egress.tells_budget(&url);
        let seen = HopSpan::of(|| hop(request, &ctx, &span));
        Ok(Sent { ctx, left, seen, believes: told || zone == Zone::Inside })
    }
}

/// The URL of a request, or one without a host where its URI has none that is of use.
fn url(uri: &Uri) -> Url {
    // A URI is more than a URL may be, so this can fail; without a host it is nobody's.
    static NOWHERE: &str = "data:,";
    let parsed = uri.host().and_then(|_| Url::parse(&uri.to_string()).ok());
    match parsed.map_or_else(|| Url::parse(NOWHERE), Ok) {
        Ok(url) => url,
        Err(_) => unreachable!("it is a URL"),
    }
}

fn hop<'a, B>(request: &'a Request<B>, ctx: &'a Ctx, span: &'a SpanContext) -> Hop<'a> {
    let uri = request.uri();
    Hop {
        side: Side::Client,
        request: wire::Request::Http {
            method: request.method().as_str(),
            route: None,
            scheme: uri.scheme_str(),
            host: uri.host(),
            port: uri.port_u16(),
            path: uri.path(),
        },
        ctx,
        span,
        budget: ctx.remaining(),
    }
}

/// A response's body that ends with the context it was asked for under, whoever reads it and wherever.
pub struct Ending<B> {
    /// `None` once the context has ended.
    body: Option<Pin<Box<B>>>,
    ctx: Ctx,
    end: Option<Pin<Box<dyn Future<Output = Cause> + Send + Sync>>>,
}

impl<B> Ending<B> {
    fn new(body: B, ctx: Ctx) -> Self {
        Ending { body: Some(Box::pin(body)), ctx, end: None }
    }
}

impl<B: Body> Body for Ending<B>
where
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // Also before what is ready at once: a body that always has more would never end.
        if let Err(cancelled) = this.ctx.check() {
            this.body = None;
            return Poll::Ready(Some(Err(Error::from(cancelled).into())));
        }
        if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let end = this.end.get_or_insert_with(|| Box::pin(this.ctx.done()));
        ready!(end.as_mut().poll(cx));
        this.body = None;
        let cancelled = this.ctx.check().err();
        Poll::Ready(cancelled.map(|cancelled| Err(Error::from(cancelled).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, |body| body.size_hint())
    }
}

impl<B> fmt::Debug for Ending<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}
