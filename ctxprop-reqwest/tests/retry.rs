//! Retries against real servers: connections that break, and servers that come back.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Server, status};
use ctxprop::{Background, Ctx};
use ctxprop_reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that breaks this many connections once it has read their request, and then answers.
async fn breaks(times: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") {
                read.push(stream.read_u8().await.expect("a request"));
            }
            if count.fetch_add(1, Ordering::SeqCst) >= times {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                stream.write_all(answer).await.expect("sent");
            }
        }
    });
    (url, came)
}

fn ctx() -> Ctx {
    Ctx::background().with_timeout(Duration::from_secs(60)).child_span()
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    for (method, broken, retries, came, succeeds) in [
        (Method::GET, 2, 2, 3, true),
        (Method::GET, 2, 1, 2, false),
        (Method::GET, 1, 0, 1, false),
        (Method::DELETE, 1, 1, 2, true),
        (Method::POST, 1, 3, 1, false),
    ] {
        let (url, count) = breaks(broken).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.request(method.clone(), url).retry(retries);
        let answer = request.send().with(&ctx()).await;
        let row = format!("{method} {broken} {retries}: {answer:?}");
        assert_eq!((answer.is_ok(), count.load(Ordering::SeqCst)), (succeeds, came), "{row}");
        if let Ok(answer) = answer {
            assert_eq!(answer.text().await.unwrap(), "ok");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_in_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder().no_proxy().build().unwrap();
    let error = client.get(format!("http://{nobody}/")).retry(2).send().with(&ctx()).await;
    assert!(error.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_server_that_comes_back() {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut server = Server::start(move |seen| {
        let asked = Arc::clone(&asked);
        async move {
            assert_eq!(seen.body, "hello");
            status([503, 502, 204][asked.fetch_add(1, Ordering::SeqCst).min(2)])
        }
    })
    .await;
    let client = server.client().build().unwrap();
    let ctx = ctx();
    let request = client.put(server.url("/")).body("hello").retry(3);
    let copy = request.try_clone().unwrap();
    assert_eq!(request.send().with(&ctx).await.unwrap().status(), 204);
    let seen = server.all();
    let mut spans: Vec<_> = seen.iter().map(common::Seen::trace).collect();
    let trace = ctx.span().trace_id().to_string();
    assert!(spans.iter().all(|(id, _)| *id == trace));
    spans.sort();
    spans.dedup();
    assert_eq!((seen.len(), spans.len()), (3, 3));
    assert!(seen.windows(2).all(|pair| pair[1].millis() <= pair[0].millis()));
    assert_eq!(copy.send().with(&ctx).await.unwrap().status(), 204);
}
