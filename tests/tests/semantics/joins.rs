//! Blocks, closures and joins in `#[propagate]` code: what is inside unwinds before what is around.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ctxprop::{Cancelled, Canceller, Cause, Ctx, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;

use crate::support::{Log, Name, current_name, no_hang, root, secs};

#[propagate]
async fn waits(log: Log, name: &'static str) -> Result<&'static str, Cancelled> {
    let _guard = log.at_drop(name);
    pending::<()>().await;
    Ok(name)
}

/// Spawns `call`, lets it wait, ends its context, and gives what it said.
async fn ended<T: Send + 'static>(
    call: impl ctxprop::Awaitable<Output = T, Future: Send + 'static>,
) -> Result<T, Cancelled> {
    let (ctx, canceller) = root().with_value(Name("request")).with_cancel();
    let task = ctx.spawn(call);
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished(), "it does not wait");
    canceller.cancel_with(Cause::Shutdown);
    no_hang(task).await
}

#[propagate]
async fn tokio_join(log: Log) -> Result<(), Cancelled> {
    let (one, two) = tokio::join!(waits(log.clone(), "one"), waits(log.clone(), "two"));
    log.note(format!("both {}", one.is_err() && two.is_err()));
    one.and(two).map(drop)
}

#[propagate]
async fn futures_join(log: Log) -> Result<(), Cancelled> {
    let (one, two) = futures::join!(waits(log.clone(), "one"), waits(log.clone(), "two"));
    log.note(format!("both {}", one.is_err() && two.is_err()));
    one.and(two).map(drop)
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_20_both_branches_of_a_join_unwind_before_the_join() {
    let log = Log::default();
    for outcome in [ended(tokio_join(log.clone())).await, ended(futures_join(log.clone())).await] {
        assert!(outcome.unwrap().is_err());
    }
    let notes = log.taken();
    for notes in [&notes[..3], &notes[3..]] {
        // tokio's join starts with another branch at each poll.
        assert!(notes[..2] == ["one", "two"] || notes[..2] == ["two", "one"], "{notes:?}");
        assert_eq!(notes[2], "both true");
    }
}

#[propagate]
async fn join_with_a_foreign_future(log: Log) -> Result<(), Cancelled> {
    let foreign = {
        let log = log.clone();
        async move {
            let _guard = log.at_drop("foreign");
            pending::<()>().await;
        }
    };
    let ours = async {
        let outcome = waits(log.clone(), "ours").await;
        log.note("ours unwound");
        outcome
    };
    let _ = tokio::join!(foreign, ours);
    log.note("never");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_20_a_join_gives_up_what_is_pending_after_the_rest_has_unwound() {
    let log = Log::default();
    assert!(ended(join_with_a_foreign_future(log.clone())).await.unwrap().is_err());
    assert_eq!(log.taken(), ["ours", "ours unwound", "foreign"]);
}

#[propagate]
async fn try_join(log: Log) -> Result<(), Cancelled> {
    let outcome = tokio::try_join!(waits(log.clone(), "one"), waits(log.clone(), "two"));
    log.note("after");
    outcome.map(drop)
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_22_try_join_gives_the_first_error_that_unwinds() {
    let log = Log::default();
    let error = ended(try_join(log.clone())).await.unwrap().unwrap_err();
    assert_eq!(error.cause(), &Cause::Shutdown);
    let mut notes = log.taken();
    notes.sort_unstable();
    assert_eq!(notes, ["after", "one", "two"]);
}

// The future of each element is boxed, so that they are of one type.
type Element = std::pin::Pin<Box<dyn Future<Output = Result<&'static str, Cancelled>> + Send>>;

#[propagate]
async fn unordered_boxed(log: Log) -> Result<usize, Cancelled> {
    let mut all: FuturesUnordered<Element> = FuturesUnordered::new();
    for name in ["one", "two"] {
        let log = log.clone();
        all.push(Box::pin(async move { waits(log, name).await }));
    }
    let mut errors = 0;
    loop {
        let outcome = all.next().await;
        match outcome {
            Some(outcome) => errors += usize::from(outcome.is_err()),
            None => break,
        }
    }
    Ok(errors)
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_27_blocks_in_a_futures_unordered_unwind() {
    let log = Log::default();
    // The first one to unwind ends the leaf with a value, and the next leaf finds the end.
    assert!(ended(unordered_boxed(log.clone())).await.unwrap().is_err());
    let mut notes = log.taken();
    notes.sort_unstable();
    assert_eq!(notes, ["one", "two"]);
}

#[propagate]
async fn blocks_and_closures(log: Log) -> Result<(), Cancelled> {
    let block = async { current_name() };
    let moved = async move { current_name() };
    let closure = |name: &'static str| async move { (name, current_name()) };
    let asynchronous = async |name: &'static str| (name, current_name());
    let boxed: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
        Box::pin(async { current_name() });
    let elsewhere = tokio::task::unconstrained(async { current_name() });
    assert_eq!(block.await, Some("request"));
    assert_eq!(moved.await, Some("request"));
    assert_eq!(closure("a").await, ("a", Some("request")));
    assert_eq!(asynchronous("b").await, ("b", Some("request")));
    assert_eq!(boxed.await, Some("request"));
    assert_eq!(elsewhere.await, Some("request"));
    async {
        let inner = waits(log.clone(), "in the block").await;
        log.note(format!("the block saw {}", inner.is_err()));
        // No leaf: the awaits of a block are carried, and the await of the block is one.
        sleep(Duration::from_secs(5)).await;
        log.note("never");
    }
    .await;
    log.note("never");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_31_blocks_carry_the_context_and_are_left_at_their_await() {
    let log = Log::default();
    assert!(ended(blocks_and_closures(log.clone())).await.unwrap().is_err());
    assert_eq!(log.taken(), ["in the block", "the block saw true"]);
}

type Block = std::pin::Pin<Box<dyn Future<Output = Option<&'static str>> + Send>>;

#[allow(clippy::async_yields_async, reason = "DEFECT: clippy is silent on a plain `async fn`")]
#[propagate]
async fn makes_a_block() -> Block {
    Box::pin(async { current_name() })
}

#[tokio::test]
async fn rule_3_2_29_a_block_keeps_its_context_where_it_is_polled_outside_of_it() {
    let ctx = root().with_value(Name("request"));
    let block = makes_a_block().with(&ctx).await;
    assert_eq!(current_name(), None);
    assert_eq!(block.await, Some("request"));
    let block = makes_a_block().with(&ctx).await;
    let other = root().with_value(Name("other"));
    assert_eq!(other.scope(block).await, Some("request"));
    let block = makes_a_block().with(&ctx).await;
    assert_eq!(tokio::spawn(block).await.unwrap(), Some("request"));
}

#[propagate]
async fn with_arguments(n: u32) -> Result<u32, Cancelled> {
    tokio::task::yield_now().await;
    assert_eq!(current_name(), Some("request"));
    Ok(n)
}

#[propagate]
async fn question_marks() -> Result<String, Cancelled> {
    let sum = with_arguments(1).await? + with_arguments(2).await?;
    let (a, b) = tokio::try_join!(with_arguments(3), async { with_arguments(4).await })?;
    let list = vec![with_arguments(5).await?, with_arguments(6).await?];
    assert!(!Ctx::current().is_done());
    Ok(format!("{sum} {a} {b} {list:?} {}", with_arguments(7).await?))
}

#[tokio::test]
async fn rule_3_2_33_macros_are_threaded_inside() {
    let ctx = root().with_value(Name("request")).with_timeout(secs(60));
    assert_eq!(question_marks().with(&ctx).await.unwrap(), "3 3 4 [5, 6] 7");
}

#[propagate]
async fn of_shields(ran: &AtomicUsize, how: u8) -> Result<(), Cancelled> {
    let ctx = Ctx::current();
    let shield = || ctx.shield(secs(9), async { ran.fetch_add(1, Ordering::SeqCst) });
    match how {
        0 => tokio::join!(shield(), shield()).0.map(drop),
        1 => tokio::try_join!(shield(), shield()).map(drop),
        2 => tokio::select! { one = shield() => one.map(drop), two = shield() => two.map(drop) },
        _ => tokio::try_join!(shield(), waits(Log::default(), "never")).map(drop),
    }
}

#[tokio::test]
async fn rule_3_2_21_after_the_end_joins_of_shields_begin_and_others_do_not() {
    for (how, runs) in [(0, 2), (1, 2), (2, 0), (3, 0)] {
        let (ran, (ctx, canceller)) = (AtomicUsize::new(0), root().with_cancel());
        canceller.cancel();
        let outcome = of_shields(&ran, how).with(&ctx).await;
        assert_eq!((outcome.is_ok(), ran.into_inner()), (runs > 0, runs), "{how}");
    }
}

#[propagate]
async fn fails_at_the_end(end: &Canceller) -> Result<(), Cancelled> {
    end.cancel();
    Err(Cancelled::new(Cause::Finished))
}

#[propagate]
async fn begins(begun: &AtomicUsize) -> Result<(), Cancelled> {
    begun.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

#[propagate]
async fn decided_at_once(how: u8, end: &Canceller, begun: &AtomicUsize) -> Result<(), Cancelled> {
    match how {
        0 => tokio::try_join!(biased; fails_at_the_end(end), begins(begun)).map(drop),
        _ => tokio::select! {
            biased;
            failed = fails_at_the_end(end) => failed,
            begun = begins(begun) => begun,
        },
    }
}

#[tokio::test]
async fn rule_3_2_22_and_for_a_select_what_has_not_begun_when_it_is_decided_does_not_begin() {
    for how in 0..2 {
        let (begun, (ctx, end)) = (AtomicUsize::new(0), root().with_cancel());
        let decided = decided_at_once(how, &end, &begun).with(&ctx).await;
        assert_eq!(decided.unwrap_err().cause(), &Cause::Finished);
        assert_eq!(begun.into_inner(), 0, "{how}");
    }
}

/// Its `select!` has the type of its handlers.
#[propagate]
async fn gives_its_end(log: Log) -> Result<(), Cancelled> {
    let selected = tokio::select! {
        () = pending() => Ok(()),
        done = waits(log.clone(), "never") => done.map(drop),
        () = pending() => Err(Cancelled::new(Cause::Finished)),
    };
    log.note("after");
    selected
}

#[propagate]
async fn cannot_give_it(log: Log) -> Result<(), Cancelled> {
    tokio::select! {
        () = pending() => {}
        () = pending() => {}
    }
    log.note("after");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_a_select_gives_the_end_where_its_type_can_say_it_and_else_the_function_returns()
 {
    let log = Log::default();
    assert!(ended(gives_its_end(log.clone())).await.unwrap().is_err());
    assert_eq!(log.taken(), ["never", "after"]);
    assert!(ended(cannot_give_it(log.clone())).await.unwrap().is_err());
    assert!(log.taken().is_empty());
}
