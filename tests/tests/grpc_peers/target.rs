//! `grpc-target`, asked by grpcio.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::python::{Peer, interpreter};

#[tokio::test]
async fn any_client_may_be_pointed_at_it() {
    let Some(python) = interpreter() else { return };
    let mut target = Command::new(env!("CARGO_BIN_EXE_grpc-target"))
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let output = target.stdout.take().expect("it is piped");
    let line = BufReader::new(output).lines().next_line().await.expect("text").expect("a line");
    let address = line.strip_prefix("listening on ").expect("an address");
    let mut peer = Peer::start(&python, "health_client.py", &[address]);
    let told = peer.next().await.expect("it tells");
    peer.end().await;
    assert_eq!(told["check"], true);
    assert_eq!(told["late"], "DEADLINE_EXCEEDED");
    assert_eq!(told["watch"], serde_json::json!([30, "OK"]));
    assert_eq!(told["watch late"][1], "DEADLINE_EXCEEDED");
    assert!(told["watch late"][0].as_u64().is_some_and(|came| came < 30), "{told}");
    target.kill().await.expect("it runs");
}
