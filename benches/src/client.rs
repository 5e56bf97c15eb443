//! What a client adds to a request and its answer, beside others: counted on the client's thread, over reqwest and hyper
//! but not the kernel, with a server in a thread of its own that reads a request and writes the same answer each time.
//! The peer is reqwest alone, and a row of another client is for comparison.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::mem::size_of_val;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx, propagate};
use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::future::FutureExt as _;
use http::{HeaderMap, HeaderValue};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::instructions::{Case, allocations, instructions};
use crate::peers::otel;
use crate::report::{Goal, Part, Report, Runs};
use crate::served::baggage;

const ROUNDS: [u64; 2] = [100, 300];
const BODY: &str = "hello, world";
const LONG: Duration = Duration::from_secs(3_600);
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Answers each request on each connection, one connection after the other.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            connection.set_nodelay(true).expect("an option");
            let mut read = [0; 4_096];
            let mut length = 0;
            while let Ok(more @ 1..) = connection.read(&mut read[length..]) {
                length += more;
                if read[..length].ends_with(b"\r\n\r\n") {
                    length = 0;
                    connection.write_all(answer.as_bytes()).expect("a client");
                }
            }
        }
    });
    address
}

/// The headers of a request that came in: a trace and three entries of baggage.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(PARENT));
    headers.insert("baggage", HeaderValue::try_from(baggage(3)).expect("a value"));
    headers
}

/// In a task, as handlers are. What `block_on` polls has a waker that is another one each time it is compared.
fn block_on<F: Future<Output = ()> + 'static>(future: impl FnOnce(String) -> F) {
    let url = format!("http://{}/", server());
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let task = LocalSet::new();
    let ran = task.spawn_local(future(url));
    runtime.block_on(task);
    runtime.block_on(ran).expect("no panic");
}

/// reqwest, with what `with` adds to each request.
fn plain(rounds: u64, with: impl Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder + 'static) {
    block_on(move |url: String| async move {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        for _ in 0..rounds {
            let answer = with(client.get(&url)).send().await.expect("an answer");
            assert_eq!(answer.bytes().await.expect("a body"), BODY);
        }
    });
}

fn ours(rounds: u64, deadline: bool) {
    block_on(move |url: String| async move {
        let client = ctxprop_reqwest::Client::builder().no_proxy().build().expect("a client");
        let (mut ctx, _canceller) =
            Ctx::background().with_incoming(Incoming::from_headers(&headers()));
        if deadline {
            ctx = ctx.with_timeout(LONG);
        }
        requests(&client, &url, rounds).with(&ctx).await.expect("answers");
    });
}

#[propagate]
async fn requests(
    client: &ctxprop_reqwest::Client,
    url: &str,
    rounds: u64,
) -> Result<(), ctxprop_reqwest::Error> {
    for _ in 0..rounds {
        let answer = client.get(url).send().await?.bytes().await?;
        assert_eq!(answer, BODY);
    }
    Ok(())
}

/// Drops all spans.
struct Nowhere;

impl Reporter for Nowhere {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}

fn fastrace(rounds: u64) {
    fastrace::set_reporter(Nowhere, Config::default());
    block_on(move |url: String| async move {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        for _ in 0..rounds {
            let root = Span::root("request", SpanContext::random());
            let answer = async {
                let headers = fastrace_reqwest::traceparent_headers();
                client.get(&url).headers(headers).send().await
            };
            let answer = answer.in_span(root).await.expect("an answer");
            assert_eq!(answer.bytes().await.expect("a body"), BODY);
        }
    });
}

fn opentelemetry(rounds: u64) {
    let context = otel::extract(&headers());
    plain(rounds, move |request| {
        let (headers, context) = otel::client_headers(&context);
        drop(context);
        request.headers(headers)
    });
}

const BARE: Case = ("client, reqwest", |rounds| plain(rounds, |request| request));
const THREE: Case = ("client, three static headers", |rounds| {
    plain(rounds, |request| {
        let request = request.header("traceparent", HeaderValue::from_static(PARENT));
        let request = request.header("tracestate", HeaderValue::from_static("congo=t61rcWkgMzE"));
        request.header("baggage", HeaderValue::from_static("user.id=7,tenant=acme,plan=gold"))
    });
});
const TIMEOUT: Case = ("client, timeout and four static headers", |rounds| {
    plain(rounds, |request| {
        let request = request.header("traceparent", HeaderValue::from_static(PARENT));
        let request = request.header("x-timeout-ms", HeaderValue::from_static("3599999"));
        let request =
            request.header("x-deadline", HeaderValue::from_static("2026-11-05T12:00:00Z"));
        let request = request.header("baggage", HeaderValue::from_static("user.id=7,tenant=acme"));
        request.timeout(LONG)
    });
});
const OURS: Case = ("client, ours", |rounds| ours(rounds, false));
const OURS_DEADLINE: Case = ("client, ours with a deadline", |rounds| ours(rounds, true));
const FASTRACE: Case = ("client, fastrace", fastrace);
const OTEL: Case = ("client, OpenTelemetry", opentelemetry);

/// This file's part.
pub const PART: Part = Part {
    name: "client",
    runs: Runs::Cheap,
    cases: &[BARE, THREE, TIMEOUT, OURS, OURS_DEADLINE, FASTRACE, OTEL],
    measure,
};

fn measure(report: &mut Report) -> Result<(), String> {
    let (ours, theirs) = sizes();
    report.counted("send()'s future, bytes", ours, Some(theirs), Goal::AtMost(64.0));
    if !report.valgrind {
        return Ok(());
    }
    let bare = instructions(BARE, ROUNDS)?;
    report.measured("reqwest, a request and its answer, instructions", bare, None, Goal::None);
    for (what, ours, peer, most) in [
        ("Client, peer three static headers", OURS, THREE, 6_500.0),
        ("Client with a deadline, peer timeout and four headers", OURS_DEADLINE, TIMEOUT, 9_000.0),
    ] {
        let peer = instructions(peer, ROUNDS)? - bare;
        let over = instructions(ours, ROUNDS)? - bare;
        let name = format!("{what}, over reqwest, instructions");
        report.counted(&name, over, Some(peer), Goal::AtMost(most));
    }
    for (what, case) in [("fastrace-reqwest", FASTRACE), ("OpenTelemetry", OTEL)] {
        let over = instructions(case, ROUNDS)? - bare;
        report.measured(&format!("{what}, over reqwest, instructions"), over, None, Goal::None);
    }
    let bare = allocations(BARE, ROUNDS)?;
    for (what, case) in [("Client", OURS), ("Client with a deadline", OURS_DEADLINE)] {
        let over = allocations(case, ROUNDS)? - bare;
        report.counted(&format!("{what}, over reqwest, allocations"), over, None, Goal::None);
    }
    Ok(())
}

/// Of our future, and of reqwest's.
fn sizes() -> (f64, f64) {
    let url = "http://localhost/";
    // What an await in a `#[propagate]` body holds.
    let ours = size_of_val(&ctxprop_reqwest::Client::new().get(url).send());
    let theirs = size_of_val(&reqwest::Client::new().get(url).send());
    (ours as f64, theirs as f64)
}
