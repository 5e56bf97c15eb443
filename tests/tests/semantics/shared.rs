//! Shared work, and the names of tasks (`docs/semantics.md`, 3.3.14 and 3.3.15).

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use ctxprop::wire::Incoming;
use ctxprop::{Cancelled, Cause, Ctx, propagate};
use tokio::sync::OnceCell;
use tokio::time::{Instant, advance, sleep};

use crate::support::{Name, current_name, no_hang, root, secs};

#[tokio::test(start_paused = true)]
async fn rule_3_3_14_each_waiter_has_its_own_end_and_the_work_none_of_them() {
    let server = root();
    let (leaves, canceller) = server.with_value(Name("first")).with_cancel();
    let patient = server.with_timeout(secs(60));
    let cell = Arc::new(OnceCell::new());
    let begun = Arc::new(AtomicUsize::new(0));
    let ask = |ctx: &Ctx| {
        let (cell, begun) = (Arc::clone(&cell), Arc::clone(&begun));
        ctx.shared("everybody's", secs(5), async move {
            let value = cell.get_or_init(|| async move {
                begun.fetch_add(1, Ordering::Relaxed);
                sleep(secs(2)).await;
                current_name()
            });
            *value.await
        })
    };
    let first = tokio::spawn(ask(&leaves));
    tokio::task::yield_now().await;
    let other = tokio::spawn(ask(&patient));
    advance(secs(1)).await;
    canceller.cancel();
    let began = Instant::now();
    assert_eq!(first.await.unwrap().unwrap_err().cause(), &Cause::Cancelled);
    assert_eq!(began.elapsed(), secs(0), "it is told of its own end at once");
    assert_eq!(other.await.unwrap(), Ok(Some("first")), "with the values of who came first");
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    no_hang(server.idle()).await;
    assert!(began.elapsed() <= secs(1));
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_14_it_ends_at_its_limit_and_with_the_server() {
    let (server, shutdown) = root().with_cancel();
    let (request, _finish) = server.with_incoming(Incoming::from_headers(&http::HeaderMap::new()));
    let late = request.shared("everybody's", secs(5), pending::<()>()).await.unwrap_err();
    assert!(late.is_deadline() && !request.is_done(), "{late}");
    let waits = tokio::spawn(request.detach("waits on").shared("x", secs(5), pending::<()>()));
    tokio::task::yield_now().await;
    shutdown.cancel_with(Cause::Shutdown);
    assert_eq!(waits.await.unwrap().unwrap_err().cause(), &Cause::Shutdown);
    no_hang(server.idle()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_14_what_is_ready_at_once_is_no_task_and_what_comes_too_late_does_not_begin() {
    let (ctx, canceller) = root().with_cancel();
    let mut hit = pin!(ctx.shared("everybody's", secs(5), async { 7 }));
    let polled = poll_fn(|cx| Poll::Ready(hit.as_mut().poll(cx))).await;
    assert_eq!(polled, Poll::Ready(Ok(7)));
    let began = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&began);
    let late =
        ctx.shared("everybody's", secs(5), async move { counted.fetch_add(1, Ordering::Relaxed) });
    canceller.cancel();
    assert_eq!(late.await.unwrap_err().cause(), &Cause::Cancelled);
    assert_eq!(began.load(Ordering::Relaxed), 0);
}

/// Its first poll is in the task of who asked, and must not count as a part of that.
#[tokio::test(start_paused = true)]
async fn rule_3_3_14_a_shield_in_it_does_not_hold_who_waits() {
    #[propagate]
    async fn holds() -> Result<(), Cancelled> {
        Ctx::current().shield(secs(100), sleep(secs(50))).await
    }
    #[propagate]
    async fn asks(ctx: Ctx) -> Result<(), Cancelled> {
        ctx.shared("everybody's", secs(100), holds()).await?
    }
    let server = root();
    let began = Instant::now();
    let cancelled = asks(server.with_timeout(secs(1))).await.unwrap_err();
    assert!(cancelled.is_deadline());
    assert_eq!(began.elapsed(), secs(1));
    server.idle().await;
    assert_eq!(began.elapsed(), secs(50));
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_14_a_panic_resumes_where_somebody_waits() {
    let ctx = root();
    let at_once = tokio::spawn(ctx.shared("x", secs(5), async { panic!("at once") }));
    assert!(at_once.await.unwrap_err().is_panic());
    let later = tokio::spawn(ctx.shared("x", secs(5), async {
        sleep(secs(1)).await;
        panic!("later")
    }));
    assert!(later.await.unwrap_err().is_panic());
    no_hang(ctx.idle()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_15_a_root_names_its_tasks() {
    let server = root();
    let (request, canceller) = server.child_span().with_cancel();
    let attached = request.spawn(pending::<()>());
    let here = line!() - 1;
    let mail = request.detach("the receipt is mailed").with_timeout(secs(9)).spawn(pending::<()>());
    let flight = tokio::spawn(request.shared("a price is everybody's", secs(9), pending::<()>()));
    drop(request.defer(secs(9), pending::<()>()));
    tokio::task::yield_now().await;
    canceller.cancel();
    let tasks = server.list_tasks();
    let find = |reason: Option<&str>| {
        let mut found = tasks.iter().filter(move |task| task.reason() == reason);
        let one = found.next().unwrap();
        assert!(found.next().is_none() && one.trace_id() == request.span().trace_id());
        assert!(one.spawned_at().file().ends_with("shared.rs"), "{one}");
        one
    };
    assert_eq!(find(None).cause(), Some(&Cause::Cancelled));
    assert_eq!(find(None).spawned_at().line(), here);
    for reason in ["the receipt is mailed", "a price is everybody's", "deferred"] {
        assert_eq!(find(Some(reason)).cause(), None, "{reason}");
    }
    assert_eq!(tasks.len(), 4);
    assert!(attached.await.is_err() && flight.await.unwrap().is_err());
    mail.abort();
    server.idle().await;
    assert!(server.list_tasks().is_empty() && server.live_tasks() == 0);
}

/// Blocking code and those of a set are on the list too, and leave it from whatever thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_3_15_all_kinds_of_tasks_come_and_go() {
    let server = root();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let blocking = server.detach("blocks").spawn_blocking(move |_| wait.recv().is_err());
    let mut set = server.detach("a set").task_set();
    for _ in 0..3 {
        set.spawn(pending::<()>());
    }
    let many: Vec<_> = (0..1_000).map(|_| server.spawn(tokio::task::yield_now())).collect();
    for task in many {
        task.await.unwrap();
    }
    let mut reasons: Vec<_> = server.list_tasks().iter().filter_map(|task| task.reason()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["a set", "a set", "a set", "blocks"]);
    drop((go, set));
    assert_eq!(blocking.await, Ok(true));
    server.idle().await;
    assert!(server.list_tasks().is_empty());
}
