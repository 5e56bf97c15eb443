//! At the end of a context each sibling releases what it holds, whatever joins them (rules 3.2.20 to 3.2.25).

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use ctxprop::{Cancelled, Ctx, NeedsCtx, propagate};
use futures::FutureExt;
use tokio::time::sleep;

use crate::support::{Log, no_hang, root, secs};

type Outcome = Result<(), Cancelled>;

#[propagate]
async fn waits() -> Outcome {
    sleep(secs(60)).await;
    Ok(())
}

/// Waits, and releases under a shield.
#[propagate]
async fn holds(log: &Log) -> Outcome {
    let waited = waits().await;
    Ctx::current().shield(secs(9), released(log)).await?;
    waited
}

async fn released(log: &Log) {
    sleep(secs(1)).await;
    log.note("released");
}

/// Holds a shield from its beginning on.
#[propagate]
async fn in_a_shield(log: &Log) -> Outcome {
    Ctx::current().shield(secs(9), released(log)).await
}

/// Ends the context of `call` while it waits, and looks at what was released. Many times, since `select!` is random.
async fn each_releases<F>(name: &str, expected: &[&str], call: impl Fn(Log) -> NeedsCtx<F>)
where
    F: Future<Output = Outcome> + Send + 'static,
{
    for n in 0..40 {
        let (log, (ctx, canceller)) = (Log::default(), root().with_cancel());
        let call = call(log.clone());
        let task = match n % 3 {
            0 => tokio::spawn(async move { call.with(&ctx).await.is_err() }),
            1 => tokio::spawn(async move { ctx.run(call).await.is_err_and(|_| true) }),
            _ => tokio::spawn(async move { matches!(ctx.spawn(call).await, Ok(Err(_))) }),
        };
        sleep(Duration::from_millis(1)).await;
        canceller.cancel();
        let _ = no_hang(task).await.unwrap();
        assert_eq!(log.taken(), expected, "{name}, {n}");
    }
}

macro_rules! each_releases {
    ($test:ident($log:ident) gives $expected:expr; $($how:ident { $($joined:tt)* })*) => {
        #[tokio::test(start_paused = true)]
        async fn $test() {
            $({
                #[propagate]
                async fn $how($log: Log) -> Outcome {
                    let $log = &$log;
                    $($joined)*
                }
                each_releases(stringify!($how), &$expected, $how).await;
            })*
        }
    };
}

each_releases! {
    rule_3_2_20_a_part_of_a_join_that_holds_something_releases_it(log) gives ["released"];
    tokio_first { let joined = tokio::join!(holds(log), waits()); joined.0.and(joined.1) }
    tokio_second { let joined = tokio::join!(waits(), holds(log)); joined.0.and(joined.1) }
    futures_first { let joined = futures::join!(holds(log), waits()); joined.0.and(joined.1) }
    futures_second { let joined = futures::join!(waits(), holds(log)); joined.0.and(joined.1) }
    biased { let joined = tokio::join!(biased; waits(), holds(log)); joined.0.and(joined.1) }
    shield { let joined = tokio::join!(in_a_shield(log), waits()); joined.0.and(joined.1) }
}

each_releases! {
    rule_3_2_22_a_part_of_a_try_join_that_holds_something_releases_it(log) gives ["released"];
    tokio_first { tokio::try_join!(holds(log), waits()).map(drop) }
    tokio_second { tokio::try_join!(waits(), holds(log)).map(drop) }
    biased { tokio::try_join!(biased; waits(), holds(log)).map(drop) }
    futures_first { futures::try_join!(holds(log), waits()).map(drop) }
    futures_second { futures::try_join!(waits(), holds(log)).map(drop) }
    shield_first { tokio::try_join!(in_a_shield(log), waits()).map(drop) }
    shield_second { tokio::try_join!(waits(), in_a_shield(log)).map(drop) }
    bare_shield {
        tokio::try_join!(Ctx::current().shield(secs(9), released(log)), waits()).map(drop)
    }
    block { tokio::try_join!(waits(), async { holds(log).await }).map(drop) }
    nested { tokio::try_join!(waits(), async { waits().await }, holds(log)).map(drop) }
}

each_releases! {
    rule_3_2_22_each_of_several_releases_its_own(log) gives ["released"; 3];
    three { tokio::try_join!(holds(log), holds(log), waits(), in_a_shield(log)).map(drop) }
}

each_releases! {
    rule_3_2_23_a_branch_of_a_select_that_holds_something_releases_it(log) gives ["released"];
    tokio_random { tokio::select! { held = holds(log) => held, waited = waits() => waited } }
    tokio_biased {
        tokio::select! { biased; waited = waits() => waited, held = holds(log) => held }
    }
    shield { tokio::select! { waited = waits() => waited, held = in_a_shield(log) => held } }
    bare_shield {
        tokio::select! {
            biased;
            waited = waits() => waited,
            held = Ctx::current().shield(secs(9), released(log)) => held,
        }
    }
    done {
        tokio::select! {
            biased;
            cause = async { Ctx::current().done().await } => Err(Cancelled::new(cause)),
            held = holds(log) => held,
        }
    }
    fused {
        let ctx = Ctx::current();
        let mut one = Box::pin(holds(log).with(&ctx).fuse());
        let mut two = Box::pin(waits().with(&ctx).fuse());
        futures::select! { held = one => held, waited = two => waited }
    }
    fused_biased {
        let ctx = Ctx::current();
        let mut one = Box::pin(waits().with(&ctx).fuse());
        let mut two = Box::pin(holds(log).with(&ctx).fuse());
        futures::select_biased! { waited = one => waited, held = two => held }
    }
}

#[propagate]
async fn handler_after_the_others(log: Log) -> Outcome {
    let waited = tokio::select! {
        biased;
        waited = waits() => { log.note("handler"); waited }
        held = holds(&log) => held,
    };
    log.note("after");
    waited
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_the_handler_comes_after_what_the_others_release() {
    each_releases("select", &["released", "handler", "after"], handler_after_the_others).await;
}

#[propagate]
async fn fails(after: u64) -> Outcome {
    sleep(secs(after)).await;
    Err(Cancelled::new(ctxprop::Cause::Finished))
}

// Before the end a `try_join!` is that of tokio: the others are cut short.
#[tokio::test(start_paused = true)]
async fn rule_3_2_22_an_error_before_the_end_cuts_the_others_short() {
    #[propagate]
    async fn joined(log: &Log) -> Outcome {
        tokio::try_join!(fails(1), in_a_shield_for(2, log)).map(drop)
    }
    let log = Log::default();
    assert!(joined(&log).with(&root()).await.is_err());
    sleep(secs(9)).await;
    assert_eq!(log.taken(), Vec::<String>::new());
}

#[propagate]
async fn in_a_shield_for(seconds: u64, log: &Log) -> Outcome {
    let work = async {
        sleep(secs(seconds)).await;
        log.note("released");
    };
    Ctx::current().shield(secs(99), work).await
}

// The first error is the value, also where a later one comes while others unwind.
#[tokio::test(start_paused = true)]
async fn rule_3_2_22_the_first_error_is_the_value() {
    #[propagate]
    async fn own(log: &Log) -> std::io::Result<()> {
        tokio::try_join!(failing(log, 2, "second"), failing(log, 1, "first")).map(drop)
    }
    async fn fails_later(log: &Log, after: u64, name: &'static str) -> std::io::Result<()> {
        sleep(secs(after)).await;
        log.note(name);
        Err(std::io::Error::other(name))
    }
    #[propagate]
    async fn failing(log: &Log, after: u64, name: &'static str) -> std::io::Result<()> {
        Ctx::current().shield(secs(99), fails_later(log, after, name)).await?
    }
    let (log, ctx) = (Log::default(), root().with_timeout(Duration::from_millis(1)));
    let error = no_hang(own(&log).with(&ctx)).await.unwrap_err();
    assert_eq!(
        (error.to_string(), log.taken()),
        ("first".to_owned(), vec!["first".to_owned(), "second".to_owned()])
    );
}

/// A value that cannot be sent, and so cannot be kept.
#[propagate]
async fn gives_an_rc() -> Rc<u8> {
    let _ = waits().await;
    Rc::new(7)
}

#[propagate]
async fn selects_an_rc(log: &Log) -> Result<u8, Cancelled> {
    tokio::select! {
        biased;
        value = gives_an_rc() => Ok(*value),
        held = holds(log) => held.map(|()| 0),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_24_a_winner_that_is_not_send_cuts_the_others_short() {
    let (log, ctx) = (Log::default(), root().with_timeout(secs(1)));
    assert_eq!(no_hang(selects_an_rc(&log).with(&ctx)).await, Ok(7));
    sleep(secs(9)).await;
    assert_eq!(log.taken(), Vec::<String>::new());
}

#[propagate]
async fn selects_a_guard(lock: &std::sync::Mutex<u8>) -> Result<u8, Cancelled> {
    let guard = async {
        tokio::task::yield_now().await;
        lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let value = tokio::select! {
        guard = guard => *guard,
        () = pending() => 0,
    };
    tokio::task::yield_now().await;
    Ok(value)
}

#[tokio::test]
async fn rule_3_2_24_a_select_of_a_guard_is_send_as_with_tokio() {
    let lock: &'static std::sync::Mutex<u8> = Box::leak(Box::default());
    *lock.lock().unwrap() = 5;
    assert_eq!(root().spawn(selects_a_guard(lock)).await, Ok(Ok(5)));
}

// As it is: a function that cannot say `Cancelled` joins as tokio does; its async blocks, and those of others, do not.
#[tokio::test(start_paused = true)]
async fn rule_3_2_25_joins_of_functions_that_cannot_say_so_are_those_of_tokio_and_of_blocks_are_not()
 {
    #[propagate]
    async fn cannot_say(log: Log) -> Option<()> {
        tokio::try_join!(waits(), holds(&log)).ok().map(drop)
    }
    #[propagate]
    async fn in_a_block(log: Log) -> Outcome {
        async { tokio::try_join!(waits(), holds(&log)).map(drop) }.await
    }
    #[propagate]
    async fn around(log: Log) -> Outcome {
        cannot_say(log).await.ok_or_else(|| Cancelled::new(ctxprop::Cause::Cancelled))
    }
    #[propagate]
    async fn selected_in_a_block(log: Log) -> Outcome {
        async {
            tokio::select! { biased; waited = waits() => waited, held = holds(&log) => held }
        }
        .await
    }
    each_releases("a block", &["released"], in_a_block).await;
    each_releases("a block", &["released"], selected_in_a_block).await;
    each_releases("a function", &[], around).await;
}
