//! Shields that are handed on: by value, by `&mut`, in a join, to a function that names its context, through `ctx.run`
//! (rules 3.2.42 to 3.2.44).

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use ctxprop::{Cancelled, Ctx, NeedsCtx, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use crate::shields::Boxed;
use crate::support::{Log, no_hang, root, secs};

type Outcome = Result<(), Cancelled>;
type Shields = FuturesUnordered<Boxed<Outcome>>;
type Done = Arc<AtomicUsize>;

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn three(ctx: &Ctx, done: &Done) -> Shields {
    let shield = |n| -> Boxed<Outcome> {
        let done = Arc::clone(done);
        let work = async move {
            sleep(millis(n)).await;
            done.fetch_add(1, SeqCst);
        };
        Box::pin(ctx.shield(secs(10), work).into_future())
    };
    [2, 20, 40].into_iter().map(shield).collect()
}

#[propagate]
async fn first(mut all: Shields) -> Result<Shields, Cancelled> {
    if let Some(done) = all.next().await {
        done?;
    }
    Ok(all)
}

#[propagate]
async fn rest(mut all: Shields) -> Outcome {
    while let Some(done) = all.next().await {
        done?;
    }
    Ok(())
}

#[propagate]
async fn drain(all: &mut Shields) -> Outcome {
    while let Some(done) = all.next().await {
        done?;
    }
    Ok(())
}

#[propagate]
async fn drain_named(ctx: &Ctx, all: &mut Shields) -> Outcome {
    while let Some(done) = all.next().await {
        done?;
    }
    ctx.value::<u8>().map_or(Ok(()), |_| Ok(()))
}

/// It cannot say `Cancelled`.
#[propagate]
async fn drain_all(all: &mut Shields) -> usize {
    let mut n = 0;
    while let Some(done) = all.next().await {
        n += usize::from(done.is_ok());
    }
    n
}

#[propagate]
async fn drain_one_by_one(all: &mut Shields) -> Outcome {
    while !all.is_empty() {
        one_of(all).await?;
    }
    Ok(())
}

#[propagate]
async fn one_of(all: &mut Shields) -> Outcome {
    all.next().await.unwrap_or(Ok(()))
}

#[propagate]
async fn ready() -> Outcome {
    Ok(())
}

/// Ends the context at each of several moments from the first poll on; all shields complete.
async fn all_complete<F>(name: &str, call: impl Fn(Done) -> NeedsCtx<F>)
where
    F: Future<Output = Outcome> + Send + 'static,
{
    for (n, at) in [1, 3, 10, 19, 21, 30, 39, 41].into_iter().enumerate() {
        let (done, (ctx, canceller)) = (Done::default(), root().with_cancel());
        let call = call(Arc::clone(&done));
        let task = match n % 2 {
            0 => tokio::spawn(async move { drop(call.with(&ctx).await) }),
            _ => tokio::spawn(async move { drop(ctx.spawn(call).await) }),
        };
        sleep(millis(at)).await;
        canceller.cancel();
        no_hang(task).await.unwrap();
        assert_eq!(done.load(SeqCst), 3, "{name}, ended after {at} ms");
    }
}

macro_rules! all_complete {
    ($test:ident($done:ident); $($how:ident { $($body:tt)* })*) => {
        #[tokio::test(start_paused = true)]
        async fn $test() {
            $({
                #[propagate]
                async fn $how($done: Done) -> Outcome { $($body)* }
                all_complete(stringify!($how), $how).await;
            })*
        }
    };
}

all_complete! {
    rule_3_2_42_shields_that_are_handed_on_complete(done);
    inline {
        let mut all = three(&Ctx::current(), &done);
        while let Some(done) = all.next().await {
            done?;
        }
        Ok(())
    }
    given_back {
        let mut all = first(three(&Ctx::current(), &done)).await?;
        while let Some(done) = all.next().await {
            done?;
        }
        Ok(())
    }
    by_value {
        let all = first(three(&Ctx::current(), &done)).await?;
        rest(all).await
    }
    by_reference {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        drain(&mut all).await
    }
    one_after_the_other {
        let mut all = three(&Ctx::current(), &done);
        drain_one_by_one(&mut all).await
    }
    joined {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        let (one, two) = tokio::join!(drain(&mut all), ready());
        one.and(two)
    }
    tried {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        tokio::try_join!(async { Ok::<_, Cancelled>(()) }, drain(&mut all)).map(drop)
    }
    selected {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        tokio::select! {
            drained = drain(&mut all) => drained,
            () = std::future::pending() => Ok(()),
        }
    }
    named {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        drain_named(&Ctx::current(), &mut all).await
    }
    run {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        Ctx::current().run(drain(&mut all)).await?
    }
    run_under_a_child {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        Ctx::current().with_timeout(secs(9)).run(drain(&mut all)).await?
    }
    in_a_block {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        async { drain(&mut all).await }.await
    }
    carried {
        let mut all = three(&Ctx::current(), &done);
        let _ = all.next().await;
        assert!(drain_all(&mut all).await <= 2);
        Ok(())
    }
    out_of_a_join {
        let ((all, other), _) = (tokio::join!(first(three(&Ctx::current(), &done)), ready()), ());
        other?;
        rest(all?).await
    }
}

#[propagate]
async fn waits() -> Outcome {
    sleep(secs(60)).await;
    Ok(())
}

/// Unwinds, and tells which of its later leaves began.
#[propagate]
async fn sibling(log: &Log, began: &str) -> Outcome {
    let waited = waits().await;
    for _ in 0..3 {
        if ready().await.is_ok() {
            log.note(began);
        }
    }
    waited
}

#[propagate]
async fn beside(log: Log, done: Done) -> Outcome {
    let mut all = three(&Ctx::current(), &done);
    let (drained, other) = tokio::join!(drain(&mut all), sibling(&log, "the sibling went on"));
    drained?;
    other
}

#[propagate]
async fn beside_what_it_takes(log: Log, done: Done) -> Outcome {
    let all = three(&Ctx::current(), &done);
    let (all, other) = tokio::join!(first(all), sibling(&log, "the sibling went on"));
    // The branch is over: what it left is the function's own now.
    rest(all?).await?;
    other
}

// Fails where a sibling's next leaf inherits shields that are not its own.
#[tokio::test(start_paused = true)]
async fn rule_3_2_43_a_branch_does_not_go_on_for_the_shields_of_another() {
    for n in 0..2 {
        let (log, done) = (Log::default(), Done::default());
        let (ctx, canceller) = root().with_cancel();
        let task = match n {
            0 => ctx.spawn(beside(log.clone(), Arc::clone(&done))),
            _ => ctx.spawn(beside_what_it_takes(log.clone(), Arc::clone(&done))),
        };
        sleep(millis(1)).await;
        canceller.cancel();
        assert!(no_hang(task).await.unwrap().is_err());
        assert_eq!((log.taken(), done.load(SeqCst)), (Vec::new(), 3), "{n}");
    }
}

#[propagate]
async fn tries_on(log: Log) -> Outcome {
    let waited = waits().await;
    log.note(format!("given up: {}", waited.is_err()));
    if ready().await.is_ok() {
        log.note("a leaf began after the limit");
    }
    waited
}

/// A shield inside of code that holds another.
#[propagate]
async fn inner_limit(log: Log) -> Outcome {
    let ctx = Ctx::current();
    let mut all = Shields::new();
    all.push(Box::pin(ctx.shield(secs(60), async { sleep(secs(50)).await }).into_future()));
    all.push(Box::pin(async { Ok(()) }));
    let _ = all.next().await;
    let inner = ctx.shield(secs(2), tries_on(log.clone())).await?;
    assert!(inner.unwrap_err().is_deadline());
    log.note("inner over");
    drain(&mut all).await
}

// Fails where code inside of a shield goes on beyond its limit, because a shield around is active.
#[tokio::test(start_paused = true)]
async fn rule_3_2_44_inside_of_a_shield_its_limit_is_the_end() {
    let (log, ctx, start) = (Log::default(), root().with_timeout(secs(1)), Instant::now());
    // The leaf after the last shield finds the end.
    let outcome = no_hang(inner_limit(log.clone()).with(&ctx)).await;
    assert_eq!(outcome.unwrap_err().budget(), Some(secs(1)));
    assert_eq!(log.taken(), ["given up: true", "inner over"]);
    assert_eq!(start.elapsed(), secs(50));
}
