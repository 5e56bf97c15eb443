//! What peers say that no library would, and what it does to a call: nothing, or a status, and never to the next one.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use common::{NOTHING, Raw, client, serve};
use ctxprop::{Background, Cancelled, Ctx};
use ctxprop_grpc_probe::{Answer, Ask, Script};
use ctxprop_tonic::CtxLayer;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// How a connection goes once its call was answered.
enum Then {
    /// All that was said arrives.
    Closes,
    Vanishes,
}

/// A server that is no more than HTTP/2: `answer` has its way with the call of each connection, which goes with it.
async fn peer<F>(answer: impl Fn(SendResponse<Bytes>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = Then> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            let (_, respond) = connection.accept().await.expect("a call").expect("a whole one");
            let then = tokio::select! {
                then = answer(respond) => then,
                _ = poll_fn(|cx| connection.poll_closed(cx)) => Then::Vanishes,
            };
            if let Then::Closes = then {
                connection.graceful_shutdown();
                // Whichever way: it is the client's to close.
                drop(poll_fn(|cx| connection.poll_closed(cx)).await);
            }
        }
    });
    address
}

fn head() -> http::Response<()> {
    http::Response::builder().header("content-type", "application/grpc").body(()).expect("valid")
}

#[tokio::test]
async fn half_of_a_servers_stream_is_not_taken_for_all_of_it() {
    let read = Arc::new(Notify::new());
    let was_read = Arc::clone(&read);
    let address = peer(move |mut respond| {
        let was_read = Arc::clone(&was_read);
        async move {
            let mut sends = respond.send_response(head(), false).expect("sent");
            sends.send_data(Bytes::from_static(NOTHING), false).expect("sent");
            was_read.notified().await;
            Then::Vanishes
        }
    })
    .await;
    let ctx = Ctx::background().child_span();
    let mut client = client(address);
    for _ in 0..2 {
        let mut answers = ctx.scope(client.count(Ask::default())).await.expect("it begins");
        let answers = answers.get_mut();
        assert_eq!(answers.message().await.expect("a message"), Some(Answer::default()));
        read.notify_one();
        let status = answers.message().await.expect_err("it vanished");
        assert!(!ctx.is_done() && Cancelled::find_in(&status).is_none(), "{status:?}");
        assert_ne!(status.code(), Code::Ok);
    }
}

#[tokio::test]
async fn trailers_beyond_the_limit_and_those_that_are_none_fail_their_own_call_only() {
    let trailers: [(&str, Vec<u8>); 4] = [
        ("x-large", vec![b'x'; 32 * 1024]),
        ("grpc-status", b"not a number".to_vec()),
        ("grpc-status-details-bin", b"%%%".to_vec()),
        ("grpc-message", b"%ff%fe%".to_vec()),
    ];
    for (name, value) in trailers {
        let value = Arc::new(value);
        let address = peer(move |mut respond| {
            let value = Arc::clone(&value);
            async move {
                let mut sends = respond.send_response(head(), false).expect("sent");
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("5"));
                let value = HeaderValue::from_bytes(&value).expect("a value");
                trailers.insert(HeaderName::from_static(name), value);
                sends.send_trailers(trailers).expect("sent");
                Then::Closes
            }
        })
        .await;
        let ctx = Ctx::background();
        let mut client = client(address);
        for _ in 0..2 {
            let status = ctx.scope(client.unary(Ask::default())).await.expect_err(name);
            assert_ne!(status.code(), Code::Ok, "{name} {status:?}");
            if name.ends_with("-bin") {
                // tonic alone would panic here.
                assert_eq!((status.code(), status.details()), (Code::NotFound, &[][..]));
            }
            assert!(Cancelled::find_in(&status).is_none(), "{name} {status:?}");
        }
    }
}

/// Answers with what became of the metadata that came.
fn tells() -> Script {
    Script::default().unary(|request: Request<Ask>| async move {
        let bytes = request.metadata().get_bin("x-bytes-bin").map(|value| value.to_bytes());
        let bytes = bytes.map(|bytes| bytes.map(|bytes| bytes.to_vec()).map_err(drop));
        let ctx = Ctx::current();
        let said = format!("{bytes:?} {} {}", ctx.span().trace_id(), ctx.baggage_map().len());
        Ok(Response::new(Answer::said(said)))
    })
}

#[tokio::test]
async fn metadata_of_the_reserved_kind_and_bytes_that_are_none_hurt_nothing() {
    let address = serve(CtxLayer::mesh().echo_trace_id(), tells()).await;
    let mut raw = Raw::connect(address).await;
    for headers in [
        &[("grpc-status", "4"), ("grpc-message", "%00"), ("grpc-status-details-bin", "%%")][..],
        &[("x-deadline-exceeded", "caller"), ("x-trace-id", "not an id")],
        &[("grpc-encoding", "identity"), ("grpc-accept-encoding", "nonsense,,")],
        &[("grpc-trace-bin", "AAAA"), ("traceparent-bin", "AAAA"), ("baggage-bin", "%")],
        &[("x-bytes-bin", "no base64!"), ("x-bytes-bin", "AAE"), ("x-bytes-bin", "")],
        &[("grpc-tags-bin", ""), ("grpc-previous-rpc-attempts", "-1")],
        &[("baggage", "\u{1}"), ("baggage", "a=%ff%00,=,;"), ("tracestate", "=,=")],
    ] {
        let mut all = vec![("traceparent", PARENT)];
        // A control character is no header, which HTTP/2 would not send.
        all.extend(headers.iter().filter(|(_, value)| HeaderValue::from_str(value).is_ok()));
        let end = raw.call("Unary", &all).await;
        assert_eq!(end.code, Some(Code::Ok), "{headers:?} {end:?}");
        assert_eq!(end.header("x-deadline-exceeded"), None, "{headers:?}");
        assert_eq!(end.header("x-trace-id"), Some(&PARENT[3..35]), "{headers:?}");
    }
}

#[tokio::test]
async fn a_handler_cannot_say_with_metadata_what_only_the_layer_says() {
    let script = Script::default().unary(|request: Request<Ask>| async move {
        let mut answer = Response::new(Answer::default());
        let mut status = Status::not_found("nothing");
        for metadata in [answer.metadata_mut(), status.metadata_mut()] {
            metadata.insert("x-deadline-exceeded", "server".parse().expect("text"));
        }
        if request.metadata().contains_key("fail") { Err(status) } else { Ok(answer) }
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let mut raw = Raw::connect(address).await;
    let end = raw.call("Unary", &[("fail", "1")]).await;
    assert_eq!((end.code, end.header("x-deadline-exceeded")), (Some(Code::NotFound), None));
}

#[tokio::test]
async fn a_timeout_that_comes_after_the_call_began_changes_nothing() {
    let address = serve(CtxLayer::mesh(), tells()).await;
    let mut raw = Raw::connect(address).await;
    for late in ["0n", "abc", "1H"] {
        let mut call = raw.begin("Unary", &[("grpc-timeout", "1H")]).await;
        call.send(false);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-timeout", late.parse().expect("text"));
        trailers.insert("traceparent", PARENT.parse().expect("text"));
        call.sends.send_trailers(trailers).expect("sent");
        let end = call.end().await;
        assert_eq!(end.code, Some(Code::Ok), "{late} {end:?}");
    }
}

#[tokio::test]
async fn metadata_beyond_what_the_transport_takes_fails_its_own_call_only() {
    let address = serve(CtxLayer::mesh(), tells()).await;
    let mut client = client(address);
    let ctx = Ctx::background();
    for (size, fails) in [(15, false), (17, true), (64, true), (1, false)] {
        let mut request = Request::new(Ask::default());
        let large = "x".repeat(size * 1024).parse().expect("text");
        request.metadata_mut().insert("x-large", large);
        let answer = ctx.scope(client.unary(request)).await;
        assert_eq!(answer.is_err(), fails, "{size} KiB: {answer:?}");
    }
}
