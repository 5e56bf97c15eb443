//! How streams end at the server, in either direction.

use std::time::Duration;

use bytes::Bytes;
use ctxprop::{Background, Ctx};
use ctxprop_grpc_probe::{Answer, Answers, Ask, Script};
use ctxprop_tonic::CtxLayer;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::unbounded_channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::common::{Raw, plain, serve};
use super::events::{Events, all, next};

pub(crate) fn endless() -> Answers {
    Box::pin(stream::unfold(0, async |n| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok(Answer::number(n)), n + 1))
    }))
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_deadline_with_trailers() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let script = Script::default().count(|_| async { Ok(Response::new(endless())) });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let end = Raw::connect(address).await.call("Count", &[("grpc-timeout", "1050m")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(end.header("x-deadline-exceeded"), Some("caller"));
    // Ten messages, of five bytes and a number: the first of them has none.
    assert_eq!(end.bytes, 10 * 5 + 9 * 2);
    assert_eq!(root.live_children(), 0);
}

#[tokio::test(start_paused = true)]
async fn so_does_one_that_is_always_ready() {
    let script = Script::default().count(|_| async {
        let answers: Answers = Box::pin(stream::repeat_with(|| Ok(Answer::number(1))));
        Ok(Response::new(answers))
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let call = tokio::spawn(async move {
        Raw::connect(address).await.call("Count", &[("grpc-timeout", "1S")]).await
    });
    // The clock stands still while there is something to do, as there is without end.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let end = call.await.unwrap();
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert!(end.bytes > 0);
}

#[tokio::test(start_paused = true)]
async fn and_one_that_nobody_reads_is_dropped() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let script = Script::default().count(|_| async {
        let answers: Answers =
            Box::pin(stream::repeat_with(|| Ok(Answer::said("x".repeat(9_000)))));
        Ok(Response::new(answers))
    });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut raw = Raw::connect(address).await;
    let mut call = raw.begin("Count", &[("grpc-timeout", "1S")]).await;
    call.send(true);
    let answer = call.answer.await.unwrap();
    assert_eq!(root.live_children(), 1);
    // Its window is full, and nobody opens it.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(root.live_children(), 0);
    drop(answer);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_why_it_ends_is_believed() {
    let script = Script::default().count(|_| async {
        let ctx = Ctx::current();
        let answers: Answers = Box::pin(stream::once(async move {
            ctx.done().await;
            Err(Status::resource_exhausted("in its own words"))
        }));
        Ok(Response::new(answers))
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let end = Raw::connect(address).await.call("Count", &[("grpc-timeout", "1S")]).await;
    assert_eq!(end.code, Some(Code::ResourceExhausted), "{end:?}");
}

/// Adds up what comes, as any handler of tonic's does, and tells how that ended.
async fn adds(asks: Request<Streaming<Ask>>, events: Events) -> Result<Response<Answer>, Status> {
    let mut asks = asks.into_inner();
    let mut sum = 0;
    let read = loop {
        match asks.message().await {
            Ok(Some(_)) => sum += 1,
            Ok(None) => break "whole".to_owned(),
            Err(status) => break format!("{:?}", status.code()),
        }
        drop(events.send(format!("read {sum}")));
    };
    drop(events.send(format!("ended: {read}")));
    Ok(Response::new(Answer::number(sum)))
}

#[tokio::test(start_paused = true)]
async fn a_client_stream_ends_at_its_deadline() {
    let (sender, mut events) = unbounded_channel();
    // In a task of its own, which no context ends.
    let script = Script::default().sum(move |asks| {
        let adding = tokio::spawn(adds(asks, sender.clone()));
        async { adding.await.map_err(|_| Status::internal("panicked"))? }
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let mut raw = Raw::connect(address).await;
    let mut call = raw.begin("Sum", &[("grpc-timeout", "1S")]).await;
    call.send(false);
    assert_eq!(next(&mut events).await, "read 1");
    let end = call.answer.await.unwrap();
    assert_eq!(end.headers()["grpc-status"], "4");
    assert_eq!(next(&mut events).await, "ended: DeadlineExceeded");
}

#[tokio::test]
async fn half_of_a_client_stream_is_not_taken_for_all_of_it() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let handler = sender.clone();
    let script = Script::default().sum(move |asks| {
        let on_done = sender.clone();
        let _ = Ctx::current().on_done(move |cause| drop(on_done.send(format!("over: {cause}"))));
        // In a task of its own, which no context ends.
        let adding = tokio::spawn(adds(asks, handler.clone()));
        async { adding.await.map_err(|_| Status::internal("panicked"))? }
    });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut raw = Raw::connect(address).await;
    for reset in [true, false] {
        let mut call = raw.begin("Sum", &[]).await;
        call.send(false);
        assert_eq!(next(&mut events).await, "read 1");
        if reset {
            call.sends.send_reset(h2::Reason::CANCEL);
        } else {
            drop(call);
        }
        assert_eq!(
            all(&mut events, 2).await,
            ["ended: Aborted", "over: the client disconnected"],
            "reset {reset}"
        );
    }
    // And where the connection goes as a whole.
    let mut call = raw.begin("Sum", &[]).await;
    call.send(false);
    assert_eq!(next(&mut events).await, "read 1");
    drop((call, raw));
    let seen = all(&mut events, 2).await;
    assert_eq!(seen, ["ended: Aborted", "over: the client disconnected"]);
    root.idle().await;
    assert_eq!(root.live_children(), 0);
}

#[tokio::test(start_paused = true)]
async fn so_does_one_that_leaves_a_stream() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let script = Script::default().count(move |_| {
        let on_done = sender.clone();
        let _ = Ctx::current().on_done(move |cause| drop(on_done.send(format!("over: {cause}"))));
        async { Ok(Response::new(endless())) }
    });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut answers = plain(address).count(Ask::default()).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap(), Some(Answer::number(0)));
    drop(answers);
    assert_eq!(next(&mut events).await, "over: the client disconnected");
    root.idle().await;
}

#[tokio::test(start_paused = true)]
async fn both_directions_of_a_talk_end_together() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let script = Script::default().talk(|asks| async {
        let answers: Answers =
            Box::pin(asks.into_inner().map(|ask| ask.map(|ask| Answer::number(ask.number))));
        Ok(Response::new(answers))
    });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut raw = Raw::connect(address).await;
    let mut call = raw.begin("Talk", &[("grpc-timeout", "1S")]).await;
    call.send(false);
    call.send(false);
    let mut answer = call.answer.await.unwrap();
    let mut came = 0;
    while let Some(bytes) = answer.body_mut().data().await {
        came += bytes.unwrap().len();
    }
    assert_eq!(came, 10, "both answers came");
    let trailers = answer.body_mut().trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "4");
    // The server wants no more of it.
    let reset = std::future::poll_fn(|cx| call.sends.poll_reset(cx)).await.unwrap();
    assert_eq!(reset, h2::Reason::NO_ERROR);
    assert!(call.sends.send_data(Bytes::new(), true).is_err());
    assert_eq!(root.live_children(), 0);
}
