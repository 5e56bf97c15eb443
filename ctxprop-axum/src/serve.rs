//! [`serve`]: a server for an axum app that ends as it should, and sees what hyper alone does not.

mod connection;
mod drained;
pub(crate) mod exchange;
mod io;
mod server;
mod streams;

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture, pending};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use axum::serve::Listener;
use axum_core::extract::Request;
use ctxprop::{Background, Canceller, Ctx};
use http::Response;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service;

use self::exchange::Connection;
use self::io::Accepted;
use self::server::Server;
use crate::body::BoxError;

pub use self::drained::{Drained, Straggler};

/// How long requests may go on once a server takes no new ones, unless it was told otherwise.
const DRAIN: Duration = Duration::from_secs(20);
/// How long the rest may take to unwind after that, unless it was told otherwise.
const UNWIND: Duration = Duration::from_secs(5);
/// How long the sockets of what is left may take to close at the very end. A handler that never gives its thread back, by a loop
/// or a call that blocks, cannot be stopped, and must not keep the process.
const CLOSE: Duration = Duration::from_secs(1);

/// Serves an app on a listener, as `axum::serve` does, and ends in an orderly way.
///
/// The app is a `Router` with a [`CtxLayer`](crate::CtxLayer), or any other service. Awaited, it serves until the signal
/// of [`with_graceful_shutdown`](Serve::with_graceful_shutdown) comes or its root ends, and then gives [`Drained`].
///
/// # What it does beyond `axum::serve`
///
/// - It ends: see below.
/// - It is the root of its requests: a layer without [`under`](crate::CtxLayer::under) puts them below it.
/// - **A client that left is seen** also while the body of its request is unread. hyper reads nothing while a handler
///   does not take the body, and so does not see the end either. Here the operating system says so: the request ends
///   with [`Cause::Disconnected`](ctxprop::Cause). So it does where a client only says that it will send nothing more
///   (a half-closed connection), as hyper has it. This is for TCP; the sockets of other listeners are left to hyper.
/// - **A client that reads nothing holds nothing.** The layer drops a response's body at its deadline; the connection that
///   it was for, over HTTP/2 the stream, is closed here.
/// - **An upgraded connection** (a WebSocket) is part of its request: the context ends when the connection is dropped.
/// - Requests have the extension `ConnectInfo<SocketAddr>`, where the listener's addresses are such.
/// - A head that does not come within 30 seconds closes the connection.
///
/// # How it ends
///
/// 1. It stops accepting. Idle connections close, the others after the response that they are at; over HTTP/2 no new
///    stream is taken.
/// 2. It waits until all connections are closed, for at most the limit of [`drain`](Serve::drain).
/// 3. It ends the root with [`Cause::Shutdown`](ctxprop::Cause): what is left unwinds, and answers 503 unless it
///    answers something else. Response bodies that still flow are cut.
/// 4. It waits until the last connection is closed and no task of the root is left, for at most the limit of
///    [`unwind`](Serve::unwind).
/// 5. What is left then is a straggler: one event for each request, one for each kind of task, with its reason and the place
///    where it was spawned, and [`Drained`] says the same. Its connections are closed. One whose handler never gives its
///    thread back cannot be: the server returns without it, a second later.
///
/// # Cancel safety
///
/// Dropping it closes the listener and all connections but those that were upgraded.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum::{Router, routing::get};
/// use ctxprop_axum::CtxLayer;
/// use tokio::net::TcpListener;
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     let app = Router::new()
///         .route("/", get(|| async { "hello" }))
///         .layer(CtxLayer::edge().default_budget(Duration::from_secs(10)));
///     let listener = TcpListener::bind("127.0.0.1:8080").await?;
///     let drained = ctxprop_axum::serve(listener, app)
///         .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
///         .drain(Duration::from_secs(15))
///         .await;
///     if !drained.is_clean() {
///         eprintln!("{} requests and {} tasks did not end", drained.stragglers().len(), drained.tasks().len());
///     }
///     Ok(())
/// }
/// ```
pub fn serve<L, S>(listener: L, app: S) -> Serve<L, S> {
    let (root, canceller) = Ctx::background().with_cancel();
    Serve { listener, app, root, canceller, signal: None, drain: DRAIN, unwind: UNWIND }
}

/// A server that is not awaited yet: see [`serve`].
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<L, S> {
    listener: L,
    app: S,
    root: Ctx,
    canceller: Canceller,
    signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    drain: Duration,
    unwind: Duration,
}

impl<L, S> Serve<L, S> {
    /// Makes `root` the root of all requests whose layer has no root of its own, in place of one that nobody else has.
    ///
    /// `root` and `canceller` come from [`Ctx::with_cancel`]. The drain cancels `root` with
    /// [`Cause::Shutdown`](ctxprop::Cause) and waits for all its tasks, so background jobs that were spawned under it end
    /// with the server. If `root` ends in any other way, the server does too.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(listener: tokio::net::TcpListener, app: axum::Router, sweep: impl Future<Output = ()> + Send + 'static) {
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (root, canceller) = Ctx::background().with_cancel();
    /// let sweeper = root.spawn(sweep); // ends with the server
    /// let drained = ctxprop_axum::serve(listener, app).under(&root, &canceller).await;
    /// # drop((sweeper, drained));
    /// # }
    /// ```
    pub fn under(mut self, root: &Ctx, canceller: &Canceller) -> Self {
        self.root = root.clone();
        self.canceller = canceller.clone();
        self
    }

    /// Begins to end when `signal` is ready, such as one that waits for SIGTERM.
    pub fn with_graceful_shutdown<F>(mut self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// How long requests may go on once no new ones are taken: 20 seconds unless it is set. What has not ended then is
    /// told to.
    ///
    /// Sessions and endless streams do not end by themselves, so where one is open the drain takes this long.
    pub fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// How long the rest may take to unwind after that: its cleanup, its shields, its detached work. 5 seconds unless it
    /// is set. Both limits together belong below the time after which the process is killed, which is 30 seconds in
    /// Kubernetes.
    pub fn unwind(mut self, limit: Duration) -> Self {
        self.unwind = limit;
        self
    }
}

impl<L, S, B> Serve<L, S>
where
    L: Listener,
    L::Addr: 'static,
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    async fn run(self) -> Drained {
        let Serve { mut listener, app, root, canceller, signal, drain, unwind } = self;
        let server = Server::new(root.clone(), canceller);
        let mut connections = JoinSet::new();
        let mut told = pin!(async {
            match signal {
                Some(signal) => signal.await,
                None => pending().await,
            }
        });
        let mut ended = pin!(root.done());
        'serving: loop {
            // Polled until it is ready: a listener may be at a handshake, which would be lost with it.
            let mut accepting = pin!(listener.accept());
            let (socket, address) = loop {
                tokio::select! {
                    biased;
                    () = &mut told => break 'serving,
                    _ = &mut ended => break 'serving,
                    accepted = &mut accepting => break accepted,
                    // What is over is forgotten. A handler's panic was told as it came.
                    Some(_) = connections.join_next() => {}
                }
            };
            let connection = Connection::new(&server);
            let address = (&address as &dyn Any).downcast_ref::<SocketAddr>().copied();
            let serving =
                connection::serve(Accepted::new(socket), address, app.clone(), connection);
            connections.spawn(serving);
        }
        drop(listener);
        let drained = end(&server, drain, unwind).await;
        // Whoever is still connected is not any more.
        connections.abort_all();
        let closed = async { while connections.join_next().await.is_some() {} };
        if timeout(CLOSE, closed).await.is_err() {
            let left = connections.len();
            tracing::warn!(target: "ctxprop::serve", connections = left, "a handler does not give its thread back");
        }
        drained
    }
}

/// Ends what the server has open.
async fn end(server: &Server, drain: Duration, unwind: Duration) -> Drained {
    let began = Instant::now();
    tracing::info!(target: "ctxprop::serve", connections = server.sockets(), "the server takes no more requests");
    server.stop_taking();
    tokio::select! {
        biased;
        _ = server.root().done() => {}
        () = server.all_closed() => {}
        () = sleep(drain) => {}
    }
    let (cut, tasks) = (server.open().len(), server.live_tasks());
    server.shut_down();
    let unwound = async {
        server.all_closed().await;
        server.idle().await;
    };
    let in_time = timeout(unwind, unwound).await.is_ok();
    let mut drained = Drained::default();
    if !in_time {
        drained.stragglers = server.open().iter().map(Straggler::new).collect();
        drained.tasks = server.list_tasks();
    }
    drained.warn();
    tracing::info!(target: "ctxprop::serve", spent = ?began.elapsed(), cut, tasks, "the server has ended");
    drained
}

impl<L, S, B> IntoFuture for Serve<L, S>
where
    L: Listener,
    L::Addr: 'static,
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = Drained;
    type IntoFuture = Pin<Box<dyn Future<Output = Drained> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L: fmt::Debug, S> fmt::Debug for Serve<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("root", &self.root)
            .field("drain", &self.drain)
            .field("unwind", &self.unwind)
            .finish_non_exhaustive()
    }
}
