//! How a call ends at the server: at its deadline, when its caller goes, when the process goes down.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Raw, plain, serve};
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_grpc_probe::{Answer, Answers, Ask, Script};
use ctxprop_tonic::CtxLayer;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::{Code, Request, Response, Status, Streaming};

type Events = UnboundedSender<String>;

async fn next(events: &mut UnboundedReceiver<String>) -> String {
    events.recv().await.expect("the server lives")
}

async fn all(events: &mut UnboundedReceiver<String>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(next(events).await);
    }
    seen.sort();
    seen
}

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

fn endless() -> Answers {
    Box::pin(stream::unfold(0, async |n| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok(Answer::number(n)), n + 1))
    }))
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
