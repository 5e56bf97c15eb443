//! 100,000 requests with random headers over keep-alive connections to a real server: each has the answer that
//! its headers deserve, and afterwards nothing is left of any.
//!
//! What they deserve is asked of `wire`, which has tests and fuzz targets of its own; here it is the way there
//! and back that is tested. The client is a bare socket, so that it can send what no client would.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use fastrand::Rng;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

const REQUESTS: usize = 100_000;
const CONNECTIONS: usize = 8;
/// How many requests are under way on one connection.
const AT_ONCE: usize = 25;
/// Budgets below it may pass while a request is under way.
const SHORT: Duration = Duration::from_secs(60);

/// What random headers are made from.
static SEEDS: [(&str, &[&str]); 12] = [
    (
        "traceparent",
        &[
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-later",
            "00-00000000000000000000000000000000-0000000000000000-00",
        ],
    ),
    ("TraceParent", &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"]),
    ("tracestate", &["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a@b=1 , ,c=2", "=,@=@"]),
    ("x-trace-id", &["0af7651916cd43dd8448eb211c80319c"]),
    (
        "baggage",
        &["user.id=7, tenant=acme%20corp;region=eu;flag", "k=a=b;p=%2Cadmin=true,,bad member", ""],
    ),
    ("Baggage", &["tier=gold\t,\tk=%e9%C3%A9;a=1;a=2"]),
    ("x-timeout-ms", &["90000", "0", "18446744073709551616", "-1"]),
    ("x-deadline", &["2026-11-05T12:00:00.123456789Z", "2099-12-31t23:59:60.5+14:00", "soon"]),
    ("grpc-timeout", &["99999999m", "0n", "99999999H", "1.5S"]),
    ("connect-timeout-ms", &["9999999999", "10000000000"]),
    ("x-envoy-expected-rq-timeout-ms", &["90000", "0"]),
    ("x-something-else", &["\u{fffd}", "a b c"]),
];

/// A request, and what it deserves.
struct Sent {
    bytes: Vec<u8>,
    deserves: Deserves,
}

enum Deserves {
    /// The server refuses it before it is a request: a control character in a header.
    BadRequest,
    /// What the handler is to see of it; and whether the budget may pass, or has passed, before.
    Answer { body: String, may_be_late: bool, must_be_late: bool },
}

fn request(rng: &mut Rng) -> Sent {
    let mut bytes = b"GET / HTTP/1.1\r\nhost: x\r\n".to_vec();
    let mut headers = HeaderMap::new();
    let mut is_bad = false;
    for _ in 0..rng.usize(..10) {
        let (name, value) = header(rng);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n");
        match HeaderValue::from_bytes(&value) {
            Ok(value) => {
                let name: HeaderName = name.parse().expect("a name");
                headers.append(name, value);
            }
            Err(_) => is_bad = true,
        }
    }
    bytes.extend_from_slice(b"\r\n");
    let deserves = if is_bad { Deserves::BadRequest } else { deserves(&headers) };
    Sent { bytes, deserves }
}

fn header(rng: &mut Rng) -> (&'static str, Vec<u8>) {
    let (name, seeds) = SEEDS[rng.usize(..SEEDS.len())];
    let mut value = seeds[rng.usize(..seeds.len())].as_bytes().to_vec();
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=value.len());
        match rng.u8(..6) {
            0 => value.insert(at, byte(rng)),
            1 if at < value.len() => value[at] = byte(rng),
            2 => value.truncate(at),
            3 => drop(value.drain(..at)),
            4 => value.extend_from_within(at..),
            _ => {
                let (_, others) = SEEDS[rng.usize(..SEEDS.len())];
                value.extend_from_slice(others[rng.usize(..others.len())].as_bytes());
            }
        }
    }
    (name, value)
}

/// Any, but for those that end a line: what comes behind would be another header. Few are control characters.
fn byte(rng: &mut Rng) -> u8 {
    match rng.u8(..16) {
        0 => match rng.u8(..) {
            b'\r' | b'\n' => 0,
            byte => byte,
        },
        1..4 => b",;=%- \t@0"[rng.usize(..9)],
        _ => rng.u8(b' '..=b'~'),
    }
}

fn deserves(headers: &HeaderMap) -> Deserves {
    let caller = Incoming::from_headers(headers);
    // Without a traceparent the span id of a legacy id is made up.
    let trace = caller.span.as_ref().map(|span| span.trace_id().to_string());
    let baggage = caller.baggage.iter();
    let body = told(trace.as_deref(), caller.budget.is_some(), baggage);
    Deserves::Answer {
        body,
        may_be_late: caller.budget.is_some_and(|budget| budget < SHORT),
        must_be_late: caller.budget == Some(Duration::ZERO),
    }
}

fn told<'a>(
    trace: Option<&str>,
    has_budget: bool,
    baggage: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let baggage: Vec<_> = baggage.collect();
    format!("{} {has_budget} {baggage:?}", trace.unwrap_or("-"))
}

#[propagate]
async fn tell(ctx: Ctx) -> String {
    let trace = ctx.span().parent_id().map(|_| ctx.span().trace_id().to_string());
    told(trace.as_deref(), ctx.remaining().is_some(), ctx.baggage_map().iter())
}

/// How the answers were accounted for.
#[derive(Debug, Default, PartialEq)]
struct Account {
    ok: usize,
    late: usize,
    bad: usize,
    connections: usize,
}

/// One connection after the other, a bad request being the end of each.
async fn strangers(address: SocketAddr, requests: usize, seed: u64) -> Account {
    let (mut rng, mut account, mut left) = (Rng::with_seed(seed), Account::default(), requests);
    let mut sent = Vec::new();
    while left > 0 {
        account.connections += 1;
        let mut connection = Connection::open(address).await;
        let mut is_open = true;
        while is_open && left > 0 {
            sent.clear();
            while sent.len() < AT_ONCE.min(left) && is_open {
                let request = request(&mut rng);
                is_open = !matches!(request.deserves, Deserves::BadRequest);
                sent.push(request);
            }
            left -= sent.len();
            let bytes: Vec<u8> = sent.iter().flat_map(|sent| &sent.bytes).copied().collect();
            connection.stream.write_all(&bytes).await.expect("the server reads");
            for Sent { bytes, deserves } in &sent {
                let (status, head, body) = connection.read().await;
                let row = || format!("{}\n{head}{body}", String::from_utf8_lossy(bytes));
                match deserves {
                    Deserves::BadRequest => {
                        assert_eq!(status, 400, "{}", row());
                        account.bad += 1;
                    }
                    Deserves::Answer { may_be_late: true, .. } if status == 504 => {
                        assert!(head.contains("x-deadline-exceeded: caller"), "{}", row());
                        account.late += 1;
                    }
                    Deserves::Answer { body: told, must_be_late, .. } => {
                        assert!(status == 200 && !must_be_late, "{}", row());
                        assert_eq!(body, *told, "{}", row());
                        account.ok += 1;
                    }
                }
            }
        }
        connection.ends(is_open).await;
    }
    account
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Connection { stream, buffer: Vec::with_capacity(16_384) }
    }

    /// The next answer: its status, its head and its body.
    async fn read(&mut self) -> (u16, String, String) {
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n") {
                break self.take(end + 4);
            }
            self.more().await;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.expect("a length").parse().expect("a number");
        while self.buffer.len() < length {
            self.more().await;
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), head, self.take(length))
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.buffer).await.expect("an open connection");
        assert_ne!(read, 0, "closed before the answer was there");
    }

    fn take(&mut self, length: usize) -> String {
        let taken = self.buffer.drain(..length).collect();
        String::from_utf8(taken).expect("text")
    }

    /// Nothing else came, and it is the server that closes after a bad request.
    async fn ends(mut self, is_open: bool) {
        if !is_open {
            assert_eq!(self.stream.read_buf(&mut self.buffer).await.expect("no reset"), 0);
        }
        assert!(self.buffer.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_random_header_maps() {
    let metrics = Handle::current().metrics();
    let (root, _canceller) = Ctx::background().with_cancel();
    let app = Router::new().route("/", get(tell)).layer(CtxLayer::mesh().under(&root));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let before = metrics.num_alive_tasks();

    let clients: Vec<_> = (0..CONNECTIONS as u64)
        .map(|seed| tokio::spawn(strangers(address, REQUESTS / CONNECTIONS, seed)))
        .collect();
    let mut all = Account::default();
    for client in clients {
        let account = client.await.unwrap();
        all.ok += account.ok;
        all.late += account.late;
        all.bad += account.bad;
        all.connections += account.connections;
    }

    println!("{all:?}");
    assert_eq!(all.ok + all.late + all.bad, REQUESTS, "{all:?}");
    // Each kind is there often enough to say something.
    assert!(all.ok > 50_000 && all.late > 1_000 && all.bad > 1_000, "{all:?}");
    // No connection, context or task is left.
    while metrics.num_alive_tasks() > before || root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    root.idle().await;
    assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
    assert!(!server.is_finished());
}
