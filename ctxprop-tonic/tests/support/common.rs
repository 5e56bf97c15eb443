//! A real server on loopback, tonic's own clients, and a client that is no more than HTTP/2, so that it can say what no
//! client of tonic's would.
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::expect_used, reason = "it is a test")]

use std::net::SocketAddr;

use bytes::Bytes;
use ctxprop_grpc_probe::{ProbeClient, ProbeServer, Script};
use ctxprop_tonic::{CtxChannel, CtxLayer};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

pub(crate) async fn serve(layer: CtxLayer, script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = Server::builder().layer(layer).add_service(ProbeServer::new(script));
    tokio::spawn(server.serve_with_incoming(incoming(listener)));
    address
}

/// Each message leaves at once, as those that are asked for it do.
pub(crate) fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

/// A service that knows nothing of contexts.
pub(crate) async fn serve_plain(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = Server::builder().add_service(ProbeServer::new(script));
    tokio::spawn(server.serve_with_incoming(incoming(listener)));
    address
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).expect("an address")
}

/// Ours.
pub(crate) fn client(address: SocketAddr) -> ProbeClient<CtxChannel> {
    ProbeClient::new(CtxChannel::lazy(endpoint(address)))
}

/// One that knows nothing of contexts.
pub(crate) fn plain(address: SocketAddr) -> ProbeClient<Channel> {
    ProbeClient::new(endpoint(address).connect_lazy())
}

/// A connection of its own.
pub(crate) struct Raw {
    requests: SendRequest<Bytes>,
}

/// A call over it.
pub(crate) struct RawCall {
    pub(crate) answer: ResponseFuture,
    pub(crate) sends: SendStream<Bytes>,
}

/// How a call ended: what was said in headers or trailers, and how many bytes came before.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<Code>,
    pub(crate) message: String,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: usize,
    /// The reason of a reset, where there was one.
    pub(crate) reset: Option<h2::Reason>,
}

/// An `Ask` with nothing in it, as a message of gRPC.
pub(crate) const NOTHING: &[u8] = &[0, 0, 0, 0, 0];

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let (requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        Raw { requests }
    }

    /// Begins a call, and leaves what it sends open.
    pub(crate) async fn begin(&mut self, method: &str, headers: &[(&str, &str)]) -> RawCall {
        let mut request = Request::post(format!("http://localhost/probe.Probe/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let mut requests = self.requests.clone().ready().await.expect("a connection");
        let (answer, sends) = requests.send_request(request, false).expect("sent");
        RawCall { answer, sends }
    }

    /// A whole call, with one message.
    pub(crate) async fn call(&mut self, method: &str, headers: &[(&str, &str)]) -> End {
        let mut call = self.begin(method, headers).await;
        call.sends.send_data(Bytes::from_static(NOTHING), true).expect("sent");
        call.end().await
    }
}

impl RawCall {
    pub(crate) fn send(&mut self, last: bool) {
        self.sends.send_data(Bytes::from_static(NOTHING), last).expect("sent");
    }

    /// Reads to the end.
    pub(crate) async fn end(self) -> End {
        let (head, mut body) = match self.answer.await {
            Ok(answer) => answer.into_parts(),
            Err(error) => return End::told(HeaderMap::new(), 0, error.reason()),
        };
        let (bytes, reset) = match read(&mut body).await {
            Ok(bytes) => (bytes, None),
            Err(error) => (0, error.reason()),
        };
        let mut headers = head.headers;
        if let Ok(Some(trailers)) = body.trailers().await {
            headers.extend(trailers);
        }
        End::told(headers, bytes, reset)
    }
}

async fn read(body: &mut RecvStream) -> Result<usize, h2::Error> {
    let mut all = 0;
    while let Some(bytes) = body.data().await {
        let bytes = bytes?;
        all += bytes.len();
        body.flow_control().release_capacity(bytes.len())?;
    }
    Ok(all)
}

impl End {
    fn told(headers: HeaderMap, bytes: usize, reset: Option<h2::Reason>) -> End {
        let code = headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()));
        let message = headers.get("grpc-message").and_then(|message| message.to_str().ok());
        let message = message.unwrap_or_default().to_owned();
        End { code, message, headers, bytes, reset }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
