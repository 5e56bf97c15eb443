//! How a call ends at the server: at its deadline, when its caller goes, when the process goes down.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "end/events.rs"]
mod events;
#[path = "end/streams.rs"]
mod streams;

use std::time::Duration;

use common::{Raw, plain, serve};
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_grpc_probe::{Answer, Answers, Ask, Script};
use ctxprop_tonic::CtxLayer;
use events::{Events, all, next};
use futures_util::StreamExt;
use streams::endless;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::{Code, Response, Status};

/// Tells how the call went: what its context ended with, and what its code saw.
#[propagate]
async fn reserves(ctx: Ctx, events: Events) -> Result<Response<Answer>, Status> {
    let on_done = events.clone();
    let _ = ctx.on_done(move |cause| drop(on_done.send(format!("ended: {cause}"))));
    drop(events.send("reserved".to_owned()));
    if let Err(cancelled) = waits().await {
        let released = ctx.shield(Duration::from_secs(60), release(events.clone())).await;
        drop(events.send(format!("unwound: {cancelled}, shield: {released:?}")));
        return Err(cancelled.into());
    }
    Ok(Response::new(Answer::default()))
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

async fn release(events: Events) -> &'static str {
    // Longer than tonic's own timer would wait, in more than one poll.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(events.send("released".to_owned()));
    "done"
}

fn reserving() -> (Script, UnboundedReceiver<String>) {
    let (sender, events) = unbounded_channel();
    let script = Script::default().unary(move |_| reserves(Ctx::current(), sender.clone()));
    (script, events)
}

#[tokio::test(start_paused = true)]
async fn at_the_callers_deadline_the_answer_waits_for_no_shield() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (script, mut events) = reserving();
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let began = tokio::time::Instant::now();
    let end = Raw::connect(address).await.call("Unary", &[("grpc-timeout", "250m")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(end.header("x-deadline-exceeded"), Some("caller"));
    assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(
        all(&mut events, 4).await,
        [
            "ended: the deadline passed",
            "released",
            "reserved",
            "unwound: the deadline passed: the budget was 250ms, shield: Ok(\"done\")",
        ]
    );
    root.idle().await;
    assert_eq!(root.live_children(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_the_servers_own_the_handler_has_its_say() {
    let script = Script::default().unary(|_| {
        let ctx = Ctx::current();
        async move {
            ctx.done().await;
            ctx.shield(Duration::from_secs(9), async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(Response::new(Answer::said("what there was")))
            })
            .await
            .map_err(Status::from)?
        }
    });
    let layer = CtxLayer::mesh().max_budget(Duration::from_millis(250));
    let address = serve(layer, script).await;
    let end = Raw::connect(address).await.call("Unary", &[("grpc-timeout", "9S")]).await;
    assert_eq!(end.code, Some(Code::Ok), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_knows_nothing_of_contexts_is_dropped_at_the_deadline() {
    let script = Script::default().unary(|_| std::future::pending());
    let layer = CtxLayer::mesh().default_budget(Duration::from_millis(250));
    let address = serve(layer, script).await;
    let mut raw = Raw::connect(address).await;
    let end = raw.call("Unary", &[]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(end.header("x-deadline-exceeded"), Some("server"));
    let end = raw.call("Unary", &[("grpc-timeout", "100m")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(end.header("x-deadline-exceeded"), Some("caller"));
}

#[tokio::test]
async fn a_caller_that_vanishes_lets_the_handler_unwind_and_its_shields_complete() {
    tokio::time::pause();
    let (root, _canceller) = Ctx::background().with_cancel();
    let (script, mut events) = reserving();
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut raw = Raw::connect(address).await;
    let mut call = raw.begin("Unary", &[]).await;
    call.send(true);
    assert_eq!(next(&mut events).await, "reserved");
    call.sends.send_reset(h2::Reason::CANCEL);
    assert_eq!(
        all(&mut events, 3).await,
        [
            "ended: the client disconnected",
            "released",
            "unwound: the client disconnected, shield: Ok(\"done\")",
        ]
    );
    root.idle().await;
    assert_eq!(root.live_children(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_over_with_its_trailers() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let script = Script::default().unary(move |_| {
        let on_done = sender.clone();
        let _ = Ctx::current().on_done(move |cause| drop(on_done.send(format!("over: {cause}"))));
        async { Ok(Response::new(Answer::said("done"))) }
    });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    assert_eq!(plain(address).unary(Ask::default()).await.unwrap().into_inner().said, "done");
    assert_eq!(next(&mut events).await, "over: the request is over");
    assert_eq!(root.live_children(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_goes_down_is_unavailable() {
    let (root, canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let at_unary = sender.clone();
    let script = Script::default()
        .unary(move |_| {
            drop(at_unary.send("unary".to_owned()));
            std::future::pending()
        })
        .count(|_| async { Ok(Response::new(endless())) })
        .talk(move |asks| {
            drop(sender.send("talk".to_owned()));
            let answers: Answers =
                Box::pin(asks.into_inner().map(|ask| ask.map(|ask| Answer::number(ask.number))));
            async { Ok(Response::new(answers)) }
        });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut raw = Raw::connect(address).await;
    let mut unary = raw.begin("Unary", &[]).await;
    unary.send(true);
    assert_eq!(next(&mut events).await, "unary");
    let mut talk = raw.begin("Talk", &[]).await;
    talk.send(false);
    assert_eq!(next(&mut events).await, "talk");
    let mut counting = plain(address).count(Ask::default()).await.unwrap().into_inner();
    assert_eq!(counting.message().await.unwrap(), Some(Answer::number(0)));

    canceller.cancel_with(Cause::Shutdown);
    let end = unary.end().await;
    assert_eq!(end.code, Some(Code::Unavailable), "{end:?}");
    let end = talk.end().await;
    assert_eq!(end.code, Some(Code::Unavailable), "{end:?}");
    // What was on its way still comes.
    let status = loop {
        if let Err(status) = counting.message().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the process is shutting down");
    // What comes now is not begun.
    let end = raw.call("Unary", &[]).await;
    assert_eq!(end.code, Some(Code::Unavailable), "{end:?}");
    assert!(events.try_recv().is_err());
    root.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_ends_its_call() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let script = Script::default().unary(move |_| {
        let on_done = sender.clone();
        let _ = Ctx::current().on_done(move |cause| drop(on_done.send(format!("over: {cause}"))));
        async { panic!("on purpose") }
    });
    let address = serve(CtxLayer::mesh().under(&root), script).await;
    let mut raw = Raw::connect(address).await;
    let end = raw.call("Unary", &[]).await;
    assert!(end.reset.is_some(), "{end:?}");
    assert_eq!(next(&mut events).await, "over: the request is over");
    assert_eq!(root.live_children(), 0);
}
