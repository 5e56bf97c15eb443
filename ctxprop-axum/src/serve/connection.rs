//! One connection from its first byte to its last: hyper serves it, and what hyper does not see is looked at here.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum_core::body::Body;
use axum_core::extract::Request;
use http::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep, sleep_until};
use tower_service::Service;

use super::exchange::{Connection, Exchange};
use super::io::Accepted;
use super::server::Phase;
use super::streams::{self, Streams};
use crate::body::BoxError;

/// How long a connection without an open request may take to send the rest once it is to close.
const FLUSH: Duration = Duration::from_secs(1);

/// Serves one connection until it is closed by either side.
pub(super) async fn serve<S, B, I>(
    accepted: Accepted<I>,
    address: Option<SocketAddr>,
    app: S,
    connection: Arc<Connection>,
) where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = accepted.peer();
    let io = TokioIo::new(accepted.of(Arc::clone(&connection)));
    let of = Arc::clone(&connection);
    let service = service_fn(move |request: http::Request<Incoming>| {
        answer(app.clone(), request, address, Arc::clone(&of))
    });
    let mut builder = auto::Builder::new(Streams);
    // With a clock, hyper closes connections that take more than 30 seconds for the head of a request.
    builder.http1().timer(TokioTimer::new());
    #[cfg(feature = "http2")]
    builder.http2().timer(TokioTimer::new()).enable_connect_protocol();
    let mut serving = pin!(builder.serve_connection_with_upgrades(io, service));

    let mut draining = pin!(connection.server().reaches(Phase::Draining));
    let mut is_draining = false;
    let mut ending = pin!(async {
        connection.server().reaches(Phase::Ending).await;
        loop {
            sleep(FLUSH).await;
            if connection.is_idle() {
                return;
            }
        }
    });
    let mut asked = pin!(connection.asked_to_close());
    let mut stalled: Option<Pin<Box<Sleep>>> = None;
    let mut peer = peer;
    let mut left: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    poll_fn(|cx| {
        let done = serving.as_mut().poll(cx).map(|served| {
            if let Err(error) = served {
                // It broke, or the other side does not speak HTTP.
                tracing::debug!(target: "ctxprop::serve", error = &*error, "a connection broke");
            }
        });
        if done.is_ready() {
            return done;
        }
        if !is_draining && draining.as_mut().poll(cx).is_ready() {
            is_draining = true;
            serving.as_mut().graceful_shutdown();
            // It has not been polled since: whoever is idle closes now.
            if let Poll::Ready(served) = serving.as_mut().poll(cx) {
                drop(served);
                return Poll::Ready(());
            }
        }
        if asked.as_mut().poll(cx).is_ready() || ending.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Some(by) = connection.must_be_taken_by(is_draining, FLUSH) {
            // The deadline bounds what is sent, also where it has been handed over already.
            let wait = stalled.get_or_insert_with(|| Box::pin(sleep_until(by)));
            if wait.deadline() != by {
                wait.as_mut().reset(by);
            }
            if wait.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        if connection.has_a_body() {
            if left.is_none() {
                left = peer.take().map(|peer| Box::pin(peer.left()) as _);
            }
            if let Some(waits) = &mut left {
                return waits.as_mut().poll(cx);
            }
        }
        Poll::Pending
    })
    .await;
}

/// The answer to one request, from an app that may not be ready.
async fn answer<S, B>(
    mut app: S,
    request: http::Request<Incoming>,
    address: Option<SocketAddr>,
    connection: Arc<Connection>,
) -> Result<Response<B>, Infallible>
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
{
    let has_body = !http_body::Body::is_end_stream(request.body());
    let mut request = request.map(Body::new);
    let exchange = Exchange::new(connection, streams::current(), has_body);
    request.extensions_mut().insert(exchange);
    if let Some(address) = address {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    poll_fn(|cx| app.poll_ready(cx)).await?;
    app.call(request).await
}
