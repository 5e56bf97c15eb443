//! `ctxprop ps` against a real service: by its URL, and by the number of its process.

#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![cfg(feature = "cli")]

#[path = "support/service.rs"]
mod service;

use std::process::Output;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ctxprop::{Cancelled, Ctx, propagate};
use service::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

#[propagate]
async fn stuck(ctx: Ctx) -> Result<&'static str, Cancelled> {
    let audit = ctx.detach("audit").with_timeout(Duration::from_secs(60));
    drop(audit.spawn(std::future::pending::<()>())); // audit
    waits().await?; // stuck
    Ok("done")
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending::<()>().await; // waits
    Ok(())
}

fn app() -> Router {
    Router::new().route("/stuck/{id}", get(stuck))
}

async fn service() -> Service {
    let service = Service::start(app()).await;
    drop(service.get("/stuck/1"));
    service.work(|work| work["name"] == "GET /stuck/{id}" && work["awaits"].is_array()).await;
    service
}

async fn ps(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctxprop"));
    command.arg("ps").args(args).env_remove("NO_COLOR").env_remove("COLUMNS");
    command.output().await.unwrap()
}

fn out(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn line(mark: &str) -> u64 {
    service::line(include_str!("ps.rs"), mark)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_url_the_tree_is_written() {
    let service = service().await;
    let text = out(&ps(&[&service.url("")]).await);
    for told in [
        "GET /stuck/{id}".to_owned(),
        format!("tests/ps.rs:{} in ps::stuck", line("// stuck")),
        format!("tests/ps.rs:{} in ps::waits", line("// waits")),
        "detached: audit".to_owned(),
        "left of".to_owned(),
    ] {
        assert!(text.contains(&told), "no `{told}` in\n{text}");
    }
    assert!(!text.contains('\x1b'), "colour is for terminals:\n{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 120, "{widest} columns:\n{text}");
    let whole = out(&ps(&[&service.url("/debug/ctx")]).await);
    assert!(whole.contains("GET /stuck/{id}"));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn by_pid_its_listeners_are_asked() {
    // Another listener of this process, which is no page.
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            drop(stream.read(&mut [0; 1024]).await);
            drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await);
        }
    });
    let _service = service().await;
    let pid = std::process::id().to_string();
    let text = out(&ps(&[&pid]).await);
    assert!(text.contains(&format!("(pid {pid})")) && text.contains("GET /stuck/{id}"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_what_the_page_gives() {
    let service = service().await;
    let text = out(&ps(&[&service.url(""), "--json"]).await);
    let snapshot: ctxprop_live::model::Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(snapshot.version, ctxprop_live::model::VERSION);
    let work = snapshot.live.iter().find(|work| work.name == "GET /stuck/{id}").unwrap();
    assert_eq!(u64::from(work.awaits[1].place.line), line("// waits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_lines_bound_what_is_written() {
    let service = service().await;
    let none = out(&ps(&[&service.url(""), "--filter", "no such route"]).await);
    assert!(none.contains("nothing matches the filter") && !none.contains("/stuck"), "{none}");
    let some =
        out(&ps(&[&service.url(""), "--filter", &format!("ps.rs:{}", line("// waits"))]).await);
    assert!(some.contains("/stuck"), "{some}");
    let zero = out(&ps(&[&service.url(""), "--lines", "0"]).await);
    assert!(zero.contains("more: --lines"), "{zero}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watched_it_is_written_again() {
    let service = service().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctxprop"));
    command.args(["ps", &service.url(""), "--json", "--watch=0.1"]).kill_on_drop(true);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let out = tokio::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = tokio::io::AsyncBufReadExt::lines(out);
    for _ in 0..3 {
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(line.contains("/stuck"), "{line}");
    }
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_says_why() {
    let told = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    // A process that listens on nothing.
    let mut sleeper = Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
    let silent = ps(&[&sleeper.id().unwrap().to_string()]).await;
    assert_eq!(silent.status.code(), Some(1));
    if cfg!(target_os = "linux") {
        assert!(told(&silent).contains("listens on no TCP port"), "{}", told(&silent));
        let nobody = ps(&["4194305"]).await;
        assert!(told(&nobody).contains("there is no process 4194305"), "{}", told(&nobody));
    }
    sleeper.kill().await.unwrap();
    // Something else that speaks HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new()).await });
    let output = ps(&[&other]).await;
    assert!(told(&output).contains("is it mounted there"), "{}", told(&output));
    // Nobody.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let output = ps(&[&address]).await;
    assert!(told(&output).contains("cannot be reached"), "{}", told(&output));
    let output = ps(&["https://example.com"]).await;
    assert!(told(&output).contains("ssh -L"), "{}", told(&output));
    assert_eq!(ps(&[]).await.status.code(), Some(2));
}
