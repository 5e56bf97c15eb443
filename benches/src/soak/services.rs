//! The three services. Each has its root and its layer, and calls the next one with the client.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Canceller, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::{Client, Error};
use futures::{StreamExt as _, stream};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::catch_panic::CatchPanicLayer;

/// The budget of a request that brings none.
pub const BUDGET: Duration = Duration::from_millis(400);
/// How long the last service works for what is to be slow.
const SLOW: Duration = Duration::from_millis(60);
/// How long an audit is written that outlives its request.
const AUDIT: Duration = Duration::from_millis(5);

/// Whom a service calls: the last one nobody.
type Next = State<Arc<Option<(Client, String)>>>;

/// A service that is being served.
#[derive(Debug)]
pub struct Service {
    /// What all of its requests are children of.
    pub root: Ctx,
    /// Ends them.
    pub canceller: Canceller,
    /// Where it is.
    pub address: SocketAddr,
    /// What accepts its connections.
    pub server: JoinHandle<io::Result<()>>,
}

/// Starts all three, the front first.
///
/// # Errors
///
/// No port, or no client.
pub async fn start() -> Result<[Service; 3], String> {
    let back = service(None, CtxLayer::mesh()).await?;
    let middle = service(Some(&back), CtxLayer::mesh()).await?;
    let front = service(Some(&middle), CtxLayer::edge().accept_baggage(["tenant"])).await?;
    Ok([front, middle, back])
}

async fn service(next: Option<&Service>, layer: CtxLayer) -> Result<Service, String> {
    let client = |next: &Service| {
        let client = Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        Ok::<_, String>((client, format!("http://{}", next.address)))
    };
    let next = Arc::new(next.map(client).transpose()?);
    let (root, canceller) = Ctx::background().with_cancel();
    let app = Router::new()
        .route("/work", get(work))
        .route("/slow", get(slow))
        .route("/spawns", get(spawns))
        .route("/panic", get(panics))
        .route("/stream", get(streams))
        .route("/flood", get(floods))
        .route("/ws", get(upgrades))
        .with_state(next)
        .layer(layer.under(&root).default_budget(BUDGET))
        .layer(CatchPanicLayer::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(Service { root, canceller, address, server })
}

/// What goes wrong: the end, or a hop.
struct Failure(StatusCode);

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Failure(cancelled.http_status())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled(cancelled) => cancelled.into(),
            _ => Failure(StatusCode::BAD_GATEWAY),
        }
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// The same of the service behind this one.
#[propagate]
async fn hop(next: &Option<(Client, String)>, path: &str) -> Result<(), Failure> {
    if let Some((client, base)) = next {
        let answer = client.get(format!("{base}{path}")).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        if !status.is_success() {
            return Err(Failure(status));
        }
    }
    Ok(())
}

#[propagate]
async fn work(ctx: Ctx, State(next): Next) -> Result<&'static str, Failure> {
    ctx.check()?;
    let (first, second) = tokio::join!(hop(&next, "/work"), tokio::task::yield_now());
    let () = second;
    first?;
    Ok("done")
}

#[propagate]
async fn slow(ctx: Ctx, State(next): Next) -> Result<&'static str, Failure> {
    let done = match &*next {
        Some(_) => hop(&next, "/slow").await,
        None => nap().await.map_err(Failure::from),
    };
    // Compensation, for who had left as for who had not.
    ctx.shield(Duration::from_secs(1), tokio::task::yield_now()).await?;
    done?;
    Ok("done")
}

#[propagate]
async fn nap() -> Result<(), Cancelled> {
    tokio::time::sleep(SLOW).await;
    Ok(())
}

#[propagate]
async fn spawns(ctx: Ctx, State(next): Next) -> Result<&'static str, Failure> {
    let behind = Arc::clone(&next);
    let attached = ctx.spawn(async move { hop(&behind, "/work").with(&Ctx::current()).await });
    // It ends with the request.
    drop(ctx.spawn(std::future::pending::<()>()));
    let audit = ctx.detach("the audit is written whatever happens");
    drop(audit.with_timeout(Duration::from_secs(1)).spawn(tokio::time::sleep(AUDIT)));
    attached.await??;
    Ok("done")
}

#[propagate]
async fn panics(ctx: Ctx) -> Result<&'static str, Failure> {
    drop(ctx.spawn(std::future::pending::<()>()));
    tokio::task::yield_now().await;
    panic!("as a handler does now and then");
}

fn frames() -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 4_096])))
}

async fn streams() -> Body {
    let frames = frames().take(16).then(async |frame| {
        tokio::task::yield_now().await;
        frame
    });
    Body::from_stream(frames)
}

/// Without an end of its own, always ready.
async fn floods() -> Body {
    Body::from_stream(frames())
}

/// Echoes, until the client hangs up or the context ends.
async fn upgrades(ctx: Ctx, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        // The end comes by the context where the client does not hang up.
        let _: Result<(), Cancelled> = ctx.run(echo(socket)).await;
    })
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let data = matches!(message, Message::Text(_) | Message::Binary(_));
        if data && socket.send(message).await.is_err() {
            return;
        }
    }
}

impl Service {
    /// Ends what is left, and waits until nothing is.
    pub async fn stop(&self) {
        self.canceller.cancel_with(Cause::Shutdown);
        self.root.idle().await;
    }
}
