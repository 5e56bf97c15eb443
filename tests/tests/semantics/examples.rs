//! The code blocks of `docs/semantics.md`, word for word (`semantics_page.rs`), each run to see what the page says of it.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ctxprop::{Cancelled, Cause, Ctx, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;

use crate::support::{no_hang, root, secs};

type AppResult<T, E = std::io::Error> = Result<T, E>;

#[propagate]
async fn waits() -> AppResult<()> {
    pending::<()>().await; // a leaf, since `std::io::Error` is `From<Cancelled>`
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_5_an_alias_with_a_default_can_say_it() {
    let waited = no_hang(waits().with(&root().with_timeout(secs(1)))).await;
    assert_eq!(waited.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

#[derive(Default)]
struct Stock(AtomicUsize);

impl Stock {
    async fn reserve(&self) -> Result<(), Cancelled> {
        self.0.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::ZERO).await;
        Ok(())
    }

    async fn release(&self) {
        sleep(Duration::from_millis(5)).await;
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[propagate]
async fn charge() -> Result<(), Cancelled> {
    sleep(Duration::from_millis(20)).await;
    Ok(())
}

#[propagate]
async fn order(stock: &Stock) -> Result<(), Cancelled> {
    stock.reserve().await?;
    match charge().await {
        Ok(()) => Ok(()),
        // Also where the context ended between the two, and `charge` never began.
        Err(error) => {
            Ctx::current().shield(Duration::from_secs(2), stock.release()).await?;
            Err(error)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_9_the_arm_of_a_match_runs_at_the_end() {
    let stock = Stock::default();
    let ordered = order(&stock).with(&root().with_timeout(Duration::from_millis(10)));
    assert!(no_hang(ordered).await.unwrap_err().is_deadline());
    assert_eq!(stock.0.load(Ordering::Relaxed), 0);
}

#[propagate]
async fn naps() -> Result<&'static str, Cancelled> {
    tokio::time::sleep(Duration::from_secs(60)).await; // gives `()`: at the end `naps` returns here
    Ok("awake")
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_10_a_sleep_makes_the_function_return() {
    let napped = naps().with(&root().with_timeout(secs(1)));
    assert!(no_hang(napped).await.unwrap_err().is_deadline());
}

#[propagate]
async fn never() -> Result<u8, Cancelled> {
    pending().await
}

#[propagate]
async fn ignores_the_end(tries: &AtomicUsize) -> Result<(), Cancelled> {
    loop {
        tries.fetch_add(1, Ordering::Relaxed);
        let _ = never().await; // given up at the end, then refused eight times; the next time the function returns
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_12_the_ninth_refused_leaf_returns() {
    let tries = AtomicUsize::new(0);
    let ignored = ignores_the_end(&tries).with(&root().with_timeout(secs(1)));
    assert!(no_hang(ignored).await.unwrap_err().is_deadline());
    // One that was pending at the end, and nine that did not begin.
    assert_eq!(tries.load(Ordering::Relaxed), 10);
}

#[propagate]
async fn counts(rows: &AtomicUsize) -> usize {
    let loaded = waits().await; // unwinds at the end, and `counts` goes on
    rows.fetch_add(1, Ordering::Relaxed);
    pending::<()>().await; // is dropped here
    usize::from(loaded.is_ok())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_16_what_cannot_say_it_goes_on_until_it_is_pending() {
    let rows = AtomicUsize::new(0);
    let ctx = root().with_timeout(secs(1));
    assert!(no_hang(ctx.run(counts(&rows))).await.unwrap_err().is_deadline());
    assert_eq!(rows.load(Ordering::Relaxed), 1);
}

#[propagate]
async fn ready_at_once() -> Result<u8, Cancelled> {
    Ok(7)
}

#[propagate]
async fn both() -> Result<(Result<u8, Cancelled>, Result<u8, Cancelled>), Cancelled> {
    Ok(tokio::join!(ready_at_once(), never())) // at the end: `(Ok(7), Err(..))`
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_20_each_part_of_a_join_has_its_own_value() {
    let (one, two) = no_hang(both().with(&root().with_timeout(secs(1)))).await.unwrap();
    assert_eq!(one, Ok(7));
    assert!(two.unwrap_err().is_deadline());
}

#[propagate]
async fn holds(released: &AtomicUsize) -> Result<usize, Cancelled> {
    let waited = never().await;
    let release = async {
        sleep(secs(1)).await;
        released.fetch_add(1, Ordering::Relaxed);
    };
    Ctx::current().shield(secs(2), release).await?;
    waited.map(usize::from)
}

#[propagate]
async fn first(released: &AtomicUsize) -> Result<usize, Cancelled> {
    let ctx = Ctx::current();
    tokio::select! {
        biased;
        // Ready at the end. The handler runs when `holds` has released.
        _cause = ctx.done() => Ok(released.load(Ordering::Relaxed)),
        held = holds(released) => held,
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_the_handler_runs_once_the_others_have_unwound() {
    let released = AtomicUsize::new(0);
    let (ctx, canceller) = root().with_cancel();
    let ends = async {
        sleep(secs(1)).await;
        canceller.cancel_with(Cause::Shutdown);
    };
    let (seen, ()) = no_hang(async { tokio::join!(first(&released).with(&ctx), ends) }).await;
    assert_eq!(seen, Ok(1));
}

#[propagate]
async fn around_a_block(seen: &AtomicUsize) -> Result<(), Cancelled> {
    async {
        let waited = waits().await; // the function `waits` unwinds at the end
        seen.fetch_add(usize::from(waited.is_err()), Ordering::Relaxed);
        pending::<()>().await; // no leaf
    }
    .await; // a leaf: the block is given up here
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_31_a_block_goes_on_until_it_is_pending() {
    let seen = AtomicUsize::new(0);
    let around = around_a_block(&seen).with(&root().with_timeout(secs(1)));
    assert!(no_hang(around).await.unwrap_err().is_deadline());
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

type Shields = FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>;

#[propagate]
async fn drains(mut all: Shields) -> Result<(), Cancelled> {
    all.next().await;
    rest(&mut all).await // begins after the end, since shields are active
}

#[propagate]
async fn rest(all: &mut Shields) -> Result<(), Cancelled> {
    while all.next().await.is_some() {}
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_42_a_function_that_is_given_the_rest_drains_it() {
    let (ctx, done) = (root().with_timeout(secs(1)), Arc::new(AtomicUsize::new(0)));
    let all: Shields = (2..5).map(|n| shielded(ctx.clone(), n, Arc::clone(&done))).collect();
    let drained = no_hang(drains(all).with(&ctx)).await;
    assert_eq!(done.load(Ordering::Relaxed), 3, "{drained:?}");
}

fn shielded(ctx: Ctx, n: u64, done: Arc<AtomicUsize>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let work = async { done.fetch_add(1, Ordering::Relaxed) };
        let slow = async {
            sleep(secs(n)).await;
            work.await
        };
        assert!(ctx.shield(secs(60), slow).await.is_ok());
    })
}
