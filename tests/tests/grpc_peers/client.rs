//! grpcio as the client of our server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ctxprop::{Background, Cancelled, Canceller, Cause, Ctx, propagate};
use ctxprop_grpc_probe::{Answer, Answers, Ask, ProbeServer, Script};
use ctxprop_tonic::CtxLayer;
use futures::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::python::{Peer, interpreter};

/// What all handlers share.
struct House {
    events: UnboundedSender<String>,
    waiting: Semaphore,
    adding: Semaphore,
    canceller: Canceller,
}

impl House {
    /// Tells how the call that runs here ends.
    fn watch(&self, method: &'static str) {
        let events = self.events.clone();
        let _ =
            Ctx::current().on_done(move |cause| drop(events.send(format!("{method}: {cause}"))));
    }
}

#[propagate(budget = "100ms")]
async fn a_part() -> Result<(), Cancelled> {
    pends().await
}

#[propagate]
async fn pends() -> Result<(), Cancelled> {
    std::future::pending().await
}

async fn until(said: &Semaphore) -> Result<(), Status> {
    let permit = said.acquire().await.map_err(|_| Status::internal("closed"))?;
    permit.forget();
    Ok(())
}

#[propagate]
async fn unary(house: Arc<House>, request: Request<Ask>) -> Result<Response<Answer>, Status> {
    let ctx = Ctx::current();
    match request.get_ref().what.as_str() {
        "tell" => {
            let left = ctx.remaining().unwrap_or_default();
            assert!(left <= Duration::from_secs(5) && left > Duration::from_secs(4), "{left:?}");
            let tenant = ctx.baggage_map().get("tenant").unwrap_or_default();
            let said = format!("{} {tenant}", ctx.span().trace_id());
            let mut answer = Response::new(Answer::said(said));
            if let Some(bytes) = request.metadata().get_bin("bytes-bin") {
                answer.metadata_mut().insert_bin("bytes-bin", bytes.clone());
            }
            return Ok(answer);
        }
        "wait at most" => a_part().await?,
        "until waiting" => until(&house.waiting).await?,
        "until adding" => until(&house.adding).await?,
        "go down" => house.canceller.cancel_with(Cause::Shutdown),
        what => {
            house.watch("unary");
            if what == "wait" {
                house.waiting.add_permits(1);
            }
            pends().await?;
        }
    }
    Ok(Response::new(Answer::default()))
}

async fn sum(house: Arc<House>, asks: Request<Streaming<Ask>>) -> Result<Response<Answer>, Status> {
    house.watch("sum");
    let mut asks = asks.into_inner();
    let mut read = 0;
    loop {
        match asks.message().await {
            Ok(Some(_)) => read += 1,
            Ok(None) => break,
            Err(status) => {
                drop(house.events.send(format!("sum: read {read}, then {:?}", status.code())));
                return Err(status);
            }
        }
        if read == 1 {
            house.adding.add_permits(1);
        }
    }
    drop(house.events.send(format!("sum: read {read}, whole")));
    Ok(Response::new(Answer::said(read.to_string())))
}

/// In a task of its own, which the end of the call does not take away before it has told what it saw.
async fn sum_apart(
    house: Arc<House>,
    asks: Request<Streaming<Ask>>,
) -> Result<Response<Answer>, Status> {
    let ctx = Ctx::current();
    let summing = tokio::spawn(async move { ctx.scope(sum(house, asks)).await });
    summing.await.map_err(|_| Status::internal("panicked"))?
}

async fn serve() -> (SocketAddr, UnboundedReceiver<String>, Ctx) {
    let (root, canceller) = Ctx::background().with_cancel();
    let (events, seen) = unbounded_channel();
    let house = Arc::new(House {
        events,
        waiting: Semaphore::new(0),
        adding: Semaphore::new(0),
        canceller,
    });
    let (unaries, counts, sums, talks) =
        (Arc::clone(&house), Arc::clone(&house), Arc::clone(&house), house);
    let script = Script::default()
        .unary(move |request| {
            let call = unary(Arc::clone(&unaries), request);
            async move { call.with(&Ctx::current()).await }
        })
        .count(move |_| {
            counts.watch("count");
            let answers: Answers = Box::pin(stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok(Answer::said("again")), ()))
            }));
            async { Ok(Response::new(answers)) }
        })
        .sum(move |asks| sum_apart(Arc::clone(&sums), asks))
        .talk(move |asks| {
            talks.watch("talk");
            let answers: Answers =
                Box::pin(asks.into_inner().map(|ask| ask.map(|ask| Answer::said(ask.what))));
            async { Ok(Response::new(answers)) }
        });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = Server::builder()
        .layer(CtxLayer::mesh().under(&root))
        .add_service(ProbeServer::new(script));
    drop(tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener))));
    (address, seen, root)
}

#[tokio::test]
async fn grpcio_is_a_client_like_ours() {
    let Some(python) = interpreter() else { return };
    let (address, mut seen, root) = serve().await;
    let mut peer = Peer::start(&python, "grpc_client.py", &[&address.to_string()]);
    let mut told = serde_json::Map::new();
    while let Some(mut scene) = peer.next().await {
        let name = scene["scene"].take();
        told.insert(name.as_str().expect("a name").to_owned(), scene);
    }
    peer.end().await;
    root.idle().await;

    let trace = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(told["metadata"]["said"], format!("{trace} acme"));
    assert_eq!(told["metadata"]["back"], serde_json::json!([0, 1, 254, 255]));
    assert_eq!(told["deadline"]["code"], "DEADLINE_EXCEEDED");
    assert_eq!(told["theirs"]["code"], "DEADLINE_EXCEEDED");
    assert_eq!(told["theirs"]["whose"], "server");
    assert_eq!(told["cancelled"]["code"], "CANCELLED");
    assert_eq!(told["stream"]["code"], "DEADLINE_EXCEEDED");
    assert!(told["stream"]["came"].as_u64().expect("a number") > 0, "{told:?}");
    assert_eq!(told["left"]["code"], "CANCELLED");
    assert_eq!(told["sum"]["said"], "3");
    assert_eq!(told["half"]["code"], "CANCELLED");
    assert_eq!(told["talk"]["code"], "DEADLINE_EXCEEDED");
    assert_eq!(told["talk"]["came"], 1);
    assert_eq!(told["shutdown"]["code"], "UNAVAILABLE");
    assert_eq!(told["shutdown"]["details"], "the process is shutting down");

    let mut all = Vec::new();
    while let Ok(event) = seen.try_recv() {
        all.push(event);
    }
    all.retain(|event| !event.ends_with("the request is over"));
    // grpcio resets a stream at its deadline, and rounds up what it says of it, so either may be seen first.
    let deadline = |method: &str| [format!("{method}: the deadline passed"), gone(method)];
    let one_of = |wanted: &[String]| all.iter().any(|event| wanted.contains(event));
    for method in ["unary", "count", "talk"] {
        assert!(one_of(&deadline(method)), "{method} {all:?}");
    }
    for wanted in [
        gone("unary"),
        gone("count"),
        gone("sum"),
        "sum: read 1, then Aborted".to_owned(),
        "sum: read 3, whole".to_owned(),
        "unary: the process is shutting down".to_owned(),
    ] {
        assert!(all.contains(&wanted), "{wanted} {all:?}");
    }
    assert_eq!(all.iter().filter(|event| event.ends_with("whole")).count(), 1, "{all:?}");
}

fn gone(method: &str) -> String {
    format!("{method}: the client disconnected")
}
