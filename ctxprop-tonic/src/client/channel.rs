//! [`CtxChannel`]: where calls begin.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ctxprop::trust::Mesh;
use ctxprop::wire::Formats;
use http::{Request, Response};
use http_body::Body;
use tonic::Status;
use tower_service::Service;

use super::bound::CallBody;
use super::egress::Egress;
use super::send::{CallFuture, Sending};
use crate::BoxError;

/// A channel whose calls carry the context that they are made in. See the [crate](crate) for what becomes of them.
///
/// Generated clients take it in place of tonic's own: `GreeterClient::new(CtxChannel::lazy(endpoint))`. It is as cheap to
/// clone as what is inside.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "channel")] {
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use ctxprop::trust::Mesh;
/// use ctxprop_tonic::CtxChannel;
/// use tonic::transport::Endpoint;
///
/// let payments = CtxChannel::lazy(Endpoint::from_static("http://payments:50051"));
/// let partner = CtxChannel::lazy(Endpoint::from_static("https://api.partner.example"))
///     .mesh(Mesh::new().allow("*.partner.example")?);
/// # drop((payments, partner));
/// # Ok::<(), ctxprop::trust::HostPatternError>(())
/// # }).unwrap();
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CtxChannel<
    #[cfg(feature = "channel")] S = tonic::transport::Channel,
    #[cfg(not(feature = "channel"))] S,
> {
    inner: S,
    rules: Arc<Rules>,
}

/// How calls are sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) egress: Egress,
    /// Why calls may be made where there is no context.
    pub(crate) detached: Option<&'static str>,
}

#[cfg(feature = "channel")]
impl CtxChannel {
    /// A channel that connects at its first call.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`Endpoint::connect_lazy`](tonic::transport::Endpoint::connect_lazy).
    #[must_use]
    pub fn lazy(endpoint: tonic::transport::Endpoint) -> Self {
        CtxChannel::new(endpoint.connect_lazy()).towards(endpoint.uri())
    }

    /// A channel that is connected.
    ///
    /// # Errors
    ///
    /// The peer cannot be reached.
    pub async fn connect(
        endpoint: tonic::transport::Endpoint,
    ) -> Result<Self, tonic::transport::Error> {
        Ok(CtxChannel::new(endpoint.connect().await?).towards(endpoint.uri()))
    }

    /// Leads to the host and the port of `uri`.
    fn towards(mut self, uri: &http::Uri) -> Self {
        let usual = || match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        };
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().or_else(usual));
        self.rules_mut().egress.leads_to(host.to_owned(), port);
        self
    }
}

impl<S> CtxChannel<S> {
    /// Calls through `inner`: a channel of tonic's that was made in another way, or any other client service for gRPC.
    ///
    /// A channel of tonic's does not say where it leads, so without [`to`](CtxChannel::to) its peer is a stranger, who
    /// gets no baggage. A service that goes where a call's URI says needs none.
    pub fn new(inner: S) -> Self {
        CtxChannel { inner, rules: Arc::default() }
    }

    /// Says which host the channel leads to: a name or an address without a port. Where it is in the
    /// [mesh](CtxChannel::mesh) decides who gets baggage.
    #[must_use]
    pub fn to(mut self, host: impl Into<String>) -> Self {
        self.rules_mut().egress.leads_to(host.into(), None);
        self
    }

    /// Which hosts are inside, and receive baggage: see [`ctxprop::trust`] for who is without this.
    #[must_use]
    pub fn mesh(mut self, mesh: Mesh) -> Self {
        self.rules_mut().egress.trusts(mesh);
        self
    }

    /// Which headers tell the trace and the baggage: those of [`Formats::new`] without this. The budget is in
    /// `grpc-timeout`, whatever is said here.
    #[must_use]
    pub fn formats(mut self, formats: Formats) -> Self {
        self.rules_mut().egress.writes(formats);
        self
    }

    /// Lets calls be made where no context is current: each is then a trace of its own, without a deadline but its own
    /// timeout. `reason` is for whoever reads the code, and for the `Debug` of the context.
    #[must_use]
    pub fn allow_detached(mut self, reason: &'static str) -> Self {
        self.rules_mut().detached = Some(reason);
        self
    }

    /// Does not tell the peer the trace.
    #[must_use]
    pub fn omit_trace(mut self) -> Self {
        self.rules_mut().egress.tells_trace = false;
        self
    }

    /// Does not tell the peer the budget. It bounds the call all the same.
    #[must_use]
    pub fn omit_budget(mut self) -> Self {
        self.rules_mut().egress.tells_budget = false;
        self
    }

    fn rules_mut(&mut self) -> &mut Rules {
        Arc::make_mut(&mut self.rules)
    }
}

impl<S, R> Service<Request<tonic::body::Body>> for CtxChannel<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>>,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<CallBody<R>>;
    type Error = Status;
    type Future = CallFuture<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx).map_err(|error| Status::from_error(error.into()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> CallFuture<R> {
        match Sending::begin(&self.rules, request) {
            Ok((sending, request)) => {
                let answer = sending.within(|| self.inner.call(request));
                CallFuture::new(sending, answer)
            }
            Err(status) => CallFuture::failed(status),
        }
    }
}
