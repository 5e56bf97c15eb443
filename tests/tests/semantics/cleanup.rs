//! Cleanup in the arm of a `match`, a fallback or behind a leaf, with the end at every moment: nothing stays reserved
//! (rules 3.2.9, 3.2.39). The clock is tokio's, paused; it also moves where code computes.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::time::Duration;

use ctxprop::{Cancelled, Canceller, Cause, Ctx, propagate};
use tokio::time::{advance, sleep};

use crate::support::{no_hang, root, secs};

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[derive(Default)]
struct Stock {
    reserved: AtomicI32,
    sold: AtomicI32,
}

/// How a reservation takes its time.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// It waits, and may be given up.
    Waits,
    /// It ends in a shield, so that the end may come before the next leaf.
    Shields,
    /// It computes and waits for nothing.
    Computes,
    /// It ends its own context.
    Ends,
}

#[propagate]
async fn reserve(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    match takes {
        Takes::Waits => sleep(millis(5)).await,
        Takes::Shields => Ctx::current().shield(secs(1), sleep(millis(5))).await?,
        Takes::Computes => {
            // The clock goes on as this is polled, as it does where a thread is busy.
            let mut busy = pin!(advance(millis(5)));
            assert!(futures::poll!(busy.as_mut()).is_pending());
        }
        Takes::Ends => end.cancel(),
    }
    stock.reserved.fetch_add(1, SeqCst);
    Ok(())
}

#[propagate]
async fn charge() -> Result<(), Cancelled> {
    sleep(millis(5)).await;
    Ok(())
}

async fn release(stock: &Stock) {
    sleep(millis(3)).await;
    stock.reserved.fetch_sub(1, SeqCst);
}

fn sell(stock: &Stock) {
    stock.reserved.fetch_sub(1, SeqCst);
    stock.sold.fetch_add(1, SeqCst);
}

#[propagate]
async fn in_an_arm(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    reserve(stock, takes, end).await?;
    match charge().await {
        Ok(()) => {
            sell(stock);
            Ok(())
        }
        Err(error) => {
            Ctx::current().shield(secs(2), release(stock)).await?;
            Err(error)
        }
    }
}

#[propagate]
async fn in_an_if(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    reserve(stock, takes, end).await?;
    if let Err(error) = charge().await {
        let ctx = Ctx::current();
        ctx.shield(secs(2), async { release(stock).await }).await?;
        return Err(error);
    }
    sell(stock);
    Ok(())
}

#[propagate]
async fn behind_the_leaf(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    reserve(stock, takes, end).await?;
    let charged = charge().await;
    stock.reserved.fetch_sub(1, SeqCst);
    stock.sold.fetch_add(i32::from(charged.is_ok()), SeqCst);
    charged
}

#[propagate]
async fn of_a_join(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    reserve(stock, takes, end).await?;
    let (charged, audited) = tokio::join!(charge(), charge());
    match charged.and(audited) {
        Ok(()) => {
            sell(stock);
            Ok(())
        }
        Err(error) => {
            Ctx::current().shield(secs(2), release(stock)).await?;
            Err(error)
        }
    }
}

#[propagate]
async fn of_a_try_join(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    reserve(stock, takes, end).await?;
    if let Err(error) = tokio::try_join!(charge(), charge()) {
        Ctx::current().shield(secs(2), release(stock)).await?;
        return Err(error);
    }
    sell(stock);
    Ok(())
}

#[propagate]
async fn of_a_select(stock: &Stock, takes: Takes, end: &Canceller) -> Result<(), Cancelled> {
    reserve(stock, takes, end).await?;
    let charged = tokio::select! {
        charged = charge() => charged,
        () = sleep(secs(60)) => Err(Cancelled::new(Cause::Cancelled)),
    };
    if charged.is_err() {
        Ctx::current().shield(secs(2), release(stock)).await?;
        return charged;
    }
    sell(stock);
    Ok(())
}

/// When and how a context ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Deadline(u64),
    Cancel(u64),
}

/// Runs what `call` makes under a context that ends at each moment there is, in each way.
async fn at_every_moment<F>(name: &str, call: impl Fn(Ctx, Arc<Stock>, Takes, Canceller) -> F)
where
    F: Future<Output = bool> + Send + 'static,
{
    for takes in [Takes::Waits, Takes::Shields, Takes::Computes, Takes::Ends] {
        let mut sold = 0;
        for end in (0..15).flat_map(|n| [End::Deadline(n), End::Cancel(n)]) {
            let stock = Arc::new(Stock::default());
            let (ctx, canceller) = match end {
                End::Deadline(n) => root().with_timeout(millis(n)).with_cancel(),
                End::Cancel(_) => root().with_cancel(),
            };
            let task = tokio::spawn(call(ctx, Arc::clone(&stock), takes, canceller.clone()));
            if let End::Cancel(n) = end {
                sleep(millis(n)).await;
                canceller.cancel();
            }
            let done = no_hang(task).await.unwrap();
            let seen = (stock.reserved.load(SeqCst), stock.sold.load(SeqCst));
            assert_eq!(seen, (0, i32::from(done)), "{name} {takes:?} {end:?}");
            sold += seen.1;
        }
        assert_eq!(sold > 0, !matches!(takes, Takes::Ends), "{name} {takes:?}: {sold}");
    }
}

macro_rules! at_every_moment {
    ($($test:ident: $call:ident;)*) => { $(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            at_every_moment("scope", |ctx, stock, takes, end| async move {
                $call(&stock, takes, &end).with(&ctx).await.is_ok()
            })
            .await;
            at_every_moment("run", |ctx, stock, takes, end| async move {
                matches!(ctx.run($call(&stock, takes, &end)).await, Ok(Ok(())))
            })
            .await;
        }
    )* };
}

at_every_moment! {
    rule_3_2_9_cleanup_in_an_arm_runs_whenever_the_end_comes: in_an_arm;
    rule_3_2_9_cleanup_in_an_if_runs_whenever_the_end_comes: in_an_if;
    rule_3_2_9_code_behind_a_leaf_runs_whenever_the_end_comes: behind_the_leaf;
    rule_3_2_20_cleanup_after_a_join_runs_whenever_the_end_comes: of_a_join;
    rule_3_2_22_cleanup_after_a_try_join_runs_whenever_the_end_comes: of_a_try_join;
    rule_3_2_23_cleanup_after_a_select_runs_whenever_the_end_comes: of_a_select;
}
