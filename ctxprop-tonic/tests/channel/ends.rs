//! How a call of ours ends, at both of its ends.

use std::time::Duration;

use ctxprop::{Background, Cancelled, Cause, Ctx};
use ctxprop_grpc_probe::{Answer, Answers, Ask, ProbeClient, Script};
use ctxprop_tonic::{CtxChannel, CtxLayer};
use futures_util::stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::{Code, Request, Response, Status};

use super::common::{client, serve, serve_plain};

/// Tells what the contexts of its calls ended with, and what came of their requests.
fn watched() -> (Script, UnboundedReceiver<String>) {
    fn watch(sender: &UnboundedSender<String>) {
        drop(sender.send("begun".to_owned()));
        let sender = sender.clone();
        let _ = Ctx::current().on_done(move |cause| drop(sender.send(format!("over: {cause}"))));
    }
    let (sender, events) = unbounded_channel();
    let (unary, count, sum, talk) =
        (sender.clone(), sender.clone(), sender.clone(), sender.clone());
    let script = Script::default()
        .unary(move |_| {
            watch(&unary);
            std::future::pending()
        })
        .count(move |_| {
            watch(&count);
            let answers: Answers = Box::pin(stream::pending());
            async { Ok(Response::new(answers)) }
        })
        .sum(move |asks| {
            watch(&sum);
            async {
                let mut asks = asks.into_inner();
                while asks.message().await?.is_some() {}
                Ok(Response::new(Answer::said("whole")))
            }
        })
        .talk(move |asks| {
            watch(&talk);
            let answers: Answers = Box::pin(stream::unfold(asks.into_inner(), async |mut asks| {
                let ask = asks.message().await.transpose()?;
                Some((ask.map(|_| Answer::default()), asks))
            }));
            async { Ok(Response::new(answers)) }
        });
    (script, events)
}

async fn next(events: &mut UnboundedReceiver<String>) -> String {
    events.recv().await.expect("the server lives")
}

/// Calls each method, and waits for it for ever.
async fn call(client: &mut ProbeClient<CtxChannel>, method: &str) -> Status {
    let never = || Request::new(stream::pending::<Ask>());
    let read = async |answers: Result<Response<tonic::Streaming<Answer>>, Status>| {
        answers?.into_inner().message().await
    };
    let answer = match method {
        "unary" => client.unary(Ask::default()).await.map(drop),
        "count" => read(client.count(Ask::default()).await).await.map(drop),
        "sum" => client.sum(never()).await.map(drop),
        _ => read(client.talk(never()).await).await.map(drop),
    };
    answer.expect_err("it waits for ever")
}

const METHODS: [&str; 4] = ["unary", "count", "sum", "talk"];

#[tokio::test]
async fn the_end_of_the_context_ends_its_calls_at_both_ends() {
    for (cause, code) in [(Cause::Cancelled, Code::Cancelled), (Cause::Shutdown, Code::Unavailable)]
    {
        for method in METHODS {
            let (script, mut events) = watched();
            let mut client = client(serve(CtxLayer::mesh(), script).await);
            let (ctx, canceller) = Ctx::background().with_cancel();
            let calling = tokio::spawn(ctx.scope(async move { call(&mut client, method).await }));
            assert_eq!(next(&mut events).await, "begun");
            canceller.cancel_with(cause.clone());
            let status = calling.await.unwrap();
            assert_eq!(status.code(), code, "{method} {status:?}");
            assert_eq!(Cancelled::find_in(&status).unwrap().cause(), &cause);
            assert_eq!(next(&mut events).await, "over: the client disconnected", "{method}");
        }
    }
}

#[tokio::test]
async fn so_does_dropping_the_call() {
    for method in METHODS {
        let (script, mut events) = watched();
        let mut client = client(serve(CtxLayer::mesh(), script).await);
        let calling =
            tokio::spawn(Ctx::background().scope(async move { call(&mut client, method).await }));
        assert_eq!(next(&mut events).await, "begun");
        calling.abort();
        assert_eq!(next(&mut events).await, "over: the client disconnected", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_one_at_both_ends() {
    for method in METHODS {
        let (script, mut events) = watched();
        let mut client = client(serve(CtxLayer::mesh(), script).await);
        let ctx = Ctx::background().with_timeout(Duration::from_millis(250));
        let status = ctx.scope(call(&mut client, method)).await;
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method} {status:?}");
        assert!(Cancelled::try_from(status).unwrap().is_deadline());
        assert_eq!(next(&mut events).await, "begun");
        assert_eq!(next(&mut events).await, "over: the deadline passed", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_deadlines_does_not_hold_us() {
    let answers = || -> Answers { Box::pin(stream::repeat_with(|| Ok(Answer::default()))) };
    let script = Script::default().count(move |_| async move { Ok(Response::new(answers())) });
    let mut client = client(serve_plain(script).await);
    let ctx = Ctx::background().with_timeout(Duration::from_secs(1));
    let answers = ctx.scope(client.count(Ask::default())).await.unwrap();
    // Read elsewhere, where no context is current.
    let mut answers = answers.into_inner();
    assert_eq!(answers.message().await.unwrap(), Some(Answer::default()));
    tokio::time::advance(Duration::from_secs(1)).await;
    let status = loop {
        match answers.message().await {
            Ok(answer) => assert!(answer.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_deadline_and_is_read_after_it_is_too_late_wherever_it_is_read() {
    let script = Script::default().count(|_| async {
        let answers = stream::iter((0..9).map(|number| Ok(Answer::number(number))));
        let answers: Answers = Box::pin(answers);
        Ok(Response::new(answers))
    });
    let mut client = client(serve_plain(script).await);
    let ctx = Ctx::background().with_timeout(Duration::from_secs(1));
    let mut answers = ctx.scope(client.count(Ask::default())).await.unwrap().into_inner();
    // No scope of the call's is around this, and nobody waits: all that it reads is there.
    assert_eq!(answers.message().await.unwrap(), Some(Answer::number(0)));
    tokio::time::advance(Duration::from_secs(2)).await;
    let status = loop {
        // As far as tonic has read ahead.
        match answers.message().await {
            Ok(answer) => assert!(answer.is_some(), "it did not end by itself"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
