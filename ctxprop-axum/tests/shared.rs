//! Single flight: what one request starts and others wait for, with moka and tokio's `OnceCell`. The first one's end is its own.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ctxprop::{Background, Cancelled, Ctx, propagate};
use moka::future::Cache;
use tokio::sync::OnceCell;

/// Counts how often it is begun, and takes a second.
#[propagate]
async fn price(begun: Arc<AtomicUsize>) -> Result<u64, Cancelled> {
    begun.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(100)
}

#[propagate]
async fn through_moka(
    cache: Cache<&'static str, u64>,
    begun: Arc<AtomicUsize>,
) -> Result<u64, Cancelled> {
    let shared =
        Ctx::current().detach("a price is everybody's").with_timeout(Duration::from_secs(5));
    let own = shared.clone();
    let filled =
        shared.spawn(async move { cache.try_get_with("book", price(begun).with(&own)).await });
    filled.await?.map_err(|error| Cancelled::clone(&error))
}

#[propagate]
async fn through_a_cell(
    cell: Arc<OnceCell<u64>>,
    begun: Arc<AtomicUsize>,
) -> Result<u64, Cancelled> {
    let shared =
        Ctx::current().detach("a price is everybody's").with_timeout(Duration::from_secs(5));
    let own = shared.clone();
    let filled = shared
        .spawn(async move { cell.get_or_try_init(|| price(begun).with(&own)).await.copied() });
    filled.await?
}

fn callers() -> [Ctx; 3] {
    let root = Ctx::background();
    let (leaves, canceller) = root.with_cancel();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        canceller.cancel();
    });
    [
        root.with_timeout(Duration::from_millis(10)),
        leaves,
        root.with_timeout(Duration::from_secs(60)),
    ]
}

#[tokio::test(start_paused = true)]
async fn with_moka_each_caller_has_its_own_end() {
    let begun = Arc::new(AtomicUsize::new(0));
    let cache = Cache::new(10);
    let [late, leaves, patient] = callers();
    let ask = |ctx: &Ctx| through_moka(cache.clone(), Arc::clone(&begun)).with(ctx);
    let (one, two, three) = tokio::join!(ask(&late), ask(&leaves), ask(&patient));
    assert!(one.expect_err("its time was up").is_deadline());
    assert!(!two.expect_err("it left").is_deadline());
    assert_eq!(three, Ok(100));
    assert_eq!(cache.get("book").await, Some(100));
    assert_eq!(begun.load(Ordering::SeqCst), 1, "what was begun for who left is not lost");
}

#[tokio::test(start_paused = true)]
async fn with_a_once_cell_too() {
    let begun = Arc::new(AtomicUsize::new(0));
    let cell = Arc::new(OnceCell::new());
    let [late, leaves, patient] = callers();
    let ask = |ctx: &Ctx| through_a_cell(Arc::clone(&cell), Arc::clone(&begun)).with(ctx);
    let (one, two, three) = tokio::join!(ask(&late), ask(&leaves), ask(&patient));
    assert!(one.expect_err("its time was up").is_deadline());
    assert!(!two.expect_err("it left").is_deadline());
    assert_eq!(three, Ok(100));
    assert_eq!(cell.get(), Some(&100));
    assert_eq!(begun.load(Ordering::SeqCst), 1, "what was begun for who left is not lost");
}

/// Nobody leaves, and nothing is begun twice.
#[tokio::test(start_paused = true)]
async fn while_all_wait_it_is_computed_once() {
    let begun = Arc::new(AtomicUsize::new(0));
    let cache = Cache::new(10);
    let cell = Arc::new(OnceCell::new());
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60));
    let moka = || through_moka(cache.clone(), Arc::clone(&begun)).with(&ctx);
    let (one, two) = tokio::join!(moka(), moka());
    assert_eq!((one, two), (Ok(100), Ok(100)));
    assert_eq!(begun.swap(0, Ordering::SeqCst), 1);
    let cell = || through_a_cell(Arc::clone(&cell), Arc::clone(&begun)).with(&ctx);
    let (one, two) = tokio::join!(cell(), cell());
    assert_eq!((one, two), (Ok(100), Ok(100)));
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}
