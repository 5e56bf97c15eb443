//! What no gRPC library would send, over Python's h2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ctxprop_grpc_probe::{Answer, ProbeServer, Script};
use ctxprop_tonic::CtxLayer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Response};

use super::python::{Peer, interpreter};

#[tokio::test]
async fn what_is_no_timeout_never_reaches_the_handler() {
    let Some(python) = interpreter() else { return };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let script = Script::default().unary(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(Response::new(Answer::default())) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = Server::builder().layer(CtxLayer::mesh()).add_service(ProbeServer::new(script));
    drop(tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener))));
    let mut peer = Peer::start(&python, "raw_h2.py", &[&address]);
    let mut call = async |call: Value| {
        peer.say(&call).await;
        peer.next().await.expect("it runs")
    };

    for timeout in [
        "-1S",
        "+1S",
        "1.5S",
        "100",
        "S",
        "",
        "abc",
        "123456789n",
        "1SS",
        "1 S",
        "1s",
        "1h",
        "0x1S",
        "1e3m",
        "١S",
        "ÿ1S",
        "NaNS",
        "1_0S",
        "1S,1S",
        "1S;1S",
        "９S",
        "\u{e9}S",
    ] {
        // h2 sends bytes: what is beyond Latin-1 goes as its UTF-8.
        let bytes: String = timeout.bytes().map(char::from).collect();
        let end = call(json!({"timeout": [bytes]})).await;
        assert_eq!(end["status"], Code::InvalidArgument as i32, "{timeout:?} {end}");
    }
    for twice in [["1S", "1S"], ["1S", ""], ["abc", "1S"], ["0n", "1S"]] {
        let end = call(json!({"timeout": twice})).await;
        assert_eq!(end["status"], Code::InvalidArgument as i32, "{twice:?} {end}");
    }
    for over in ["0n", "0H", "00000000m", "1n"] {
        let end = call(json!({"timeout": [over]})).await;
        assert_eq!(end["status"], Code::DeadlineExceeded as i32, "{over:?} {end}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);

    // Valid ones, on the same connection; what comes after the call began changes nothing of it.
    for timeout in ["1H", "99999999H", "00000060S", "99999999u"] {
        let end = call(json!({"timeout": [timeout]})).await;
        assert_eq!(end["status"], Code::Ok as i32, "{timeout:?} {end}");
    }
    for late in ["0n", "abc", "1S"] {
        let end = call(json!({"timeout": ["60S"], "trailers": [late]})).await;
        assert_eq!(end["status"], Code::Ok as i32, "{late:?} {end}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 7);

    // More metadata than the transport takes is refused by it, and the next call is not hurt.
    let end = call(json!({"size": 15 * 1024})).await;
    assert_eq!(end["status"], Code::Ok as i32, "{end}");
    let end = call(json!({"size": 16 * 1024})).await;
    assert!(end["status"].is_null(), "{end}");
    let end = call(json!({})).await;
    assert_eq!(end["status"], Code::Ok as i32, "{end}");
    peer.end().await;
}
