//! `ctxprop_axum::serve` on loopback, and a way to end it.
#![allow(dead_code, reason = "each suite uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use ctxprop_axum::{Drained, Serve, serve};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// So long that a test that waits for it never ends.
pub(crate) const NEVER: Duration = Duration::from_secs(3_600);

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Drained>,
}

impl Served {
    pub(crate) async fn new(
        app: Router,
        set: impl FnOnce(Serve<TcpListener, Router>) -> Serve<TcpListener, Router>,
    ) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let signal = async { drop(stopped.await) };
        let serve = set(serve(listener, app).with_graceful_shutdown(signal));
        let server = tokio::spawn(serve.into_future());
        Served { address, stop, server }
    }

    /// Gives the signal, and what the server left behind.
    pub(crate) async fn end(self) -> Drained {
        self.stop.send(()).expect("the server waits for it");
        self.server.await.expect("the server does not panic")
    }

    /// Gives the signal and waits until no connection is taken any more.
    pub(crate) async fn stop(self) -> JoinHandle<Drained> {
        self.stop.send(()).expect("the server waits for it");
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        self.server
    }
}

/// An HTTP/2 client whose window for each stream is this large.
pub(crate) async fn http2(address: SocketAddr, window: u32) -> SendRequest<axum::body::Body> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(stream))
        .await
        .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    client
}
