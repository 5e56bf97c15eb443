//! Real servers on loopback that tell what they were sent, and a clock that stands still.
#![allow(dead_code, unreachable_pub, reason = "each suite uses its part")]
#![allow(clippy::expect_used, reason = "it is a test")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::serve::Listener;
use ctxprop_reqwest::{Client, ClientBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|it| it.to_str().expect("text"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The host it was meant for, without the port.
    pub fn host(&self) -> &str {
        let host = self.header("host").or(self.uri.host()).expect("a host");
        host.rsplit_once(':').map_or(host, |(host, _)| host)
    }

    pub fn millis(&self) -> u64 {
        self.header("x-timeout-ms").and_then(|it| it.parse().ok()).expect("a budget")
    }

    /// The ids of the trace and of the span that sent it.
    pub fn trace(&self) -> (String, String) {
        let parts: Vec<_> = self.header("traceparent").expect("a trace").split('-').collect();
        (parts[1].to_owned(), parts[2].to_owned())
    }
}

/// A server, and what it saw.
pub struct Server {
    pub address: SocketAddr,
    pub port: u16,
    connections: Arc<AtomicUsize>,
    seen: UnboundedReceiver<Seen>,
}

impl Server {
    /// A server that gives each request, whatever its host, the answer that `answer` says.
    pub async fn start<F, R>(answer: F) -> Server
    where
        F: Fn(Seen) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Server::behind(Counting, answer).await
    }

    /// The same, on connections of this kind.
    pub async fn behind<L, F, R>(
        kind: impl FnOnce(TcpListener, Arc<AtomicUsize>) -> L,
        answer: F,
    ) -> Server
    where
        L: Listener<Addr = SocketAddr>,
        F: Fn(Seen) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let (sender, seen) = unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let listener = kind(listener, Arc::clone(&connections));
        let app = Router::new().fallback(move |request: Request| {
            let (sender, answer) = (sender.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
                let seen = Seen {
                    method: parts.method,
                    uri: parts.uri,
                    headers: parts.headers,
                    body: String::from_utf8(body.to_vec()).expect("text"),
                };
                drop(sender.send(seen.clone()));
                answer(seen).await
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Server { address, port: address.port(), connections, seen }
    }

    /// A server that answers 200.
    pub async fn ok() -> Server {
        Server::start(|_| async { status(200) }).await
    }

    /// A server that redirects with this status from `/`, to where the text says once `PORT` in it is the
    /// server's, and answers 200 else.
    pub async fn redirecting(code: u16, location: &'static str) -> Server {
        Server::start(move |seen| async move {
            match seen.uri.path() {
                "/" => redirect(code, location.replace("PORT", &port_of(&seen))),
                _ => status(200),
            }
        })
        .await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A URL under which it is reached by the client of [`Server::client`].
    pub fn at(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }

    /// A client for which all names lead here.
    pub fn client(&self) -> ClientBuilder {
        let names = [
            "shop.example",
            "shop.example.",
            "evil.example",
            "evil.example.",
            "users.corp.example",
            "notcorp.example",
            "payments",
            "db.internal",
            "evil.example.local.attacker.com",
            "localhost.evil.example",
            "10.0.0.1.evil.example",
            "payments.",
            "xn--bcher-kva.example",
        ];
        names
            .iter()
            .fold(Client::builder().no_proxy(), |client, name| client.resolve(name, self.address))
    }

    /// How many connections it accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The next request that came.
    pub async fn next(&mut self) -> Seen {
        self.seen.recv().await.expect("the server runs")
    }

    /// The requests that came and were not asked for yet.
    pub fn all(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }
}

pub fn port_of(seen: &Seen) -> String {
    let host = seen.header("host").expect("a host");
    host.rsplit_once(':').expect("a port").1.to_owned()
}

pub fn status(code: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(code).expect("a status");
    response
}

pub fn redirect(code: u16, location: impl AsRef<[u8]>) -> Response<Body> {
    let mut response = status(code);
    let location = axum::http::HeaderValue::from_bytes(location.as_ref()).expect("a header");
    response.headers_mut().insert("location", location);
    response
}

/// Connections as they come.
pub struct Counting(pub TcpListener, pub Arc<AtomicUsize>);

impl Listener for Counting {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Ok(accepted) = self.0.accept().await {
                self.1.fetch_add(1, Ordering::SeqCst);
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Keeps the paused clock from moving by itself while sockets are waited for: it moves when nothing else
/// is to do. Under it time passes only where a test says so.
pub fn hold_the_clock() {
    tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
}
