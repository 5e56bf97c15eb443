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

const LIMIT: Duration = Duration::from_secs(5);

#[propagate]
async fn through_moka(
    cache: Cache<&'static str, u64>,
    begun: Arc<AtomicUsize>,
) -> Result<u64, Cancelled> {
    let flight = async move { cache.try_get_with("book", price(begun).in_current()).await };
    let filled = Ctx::current().shared("a price is everybody's", LIMIT, flight).await?;
    filled.map_err(|error| Cancelled::clone(&error))
}

#[propagate]
async fn through_a_cell(
    cell: Arc<OnceCell<u64>>,
    begun: Arc<AtomicUsize>,
) -> Result<u64, Cancelled> {
    let flight = async move { cell.get_or_try_init(|| price(begun).in_current()).await.copied() };
    Ctx::current().shared("a price is everybody's", LIMIT, flight).await?
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

/// What is there at once needs no task: a hit costs what the cache costs, and an allocation.
#[tokio::test(start_paused = true)]
async fn a_value_that_is_there_costs_no_task() {
    let begun = Arc::new(AtomicUsize::new(0));
    let cache = Cache::new(10);
    let ctx = Ctx::background();
    let ask = || through_moka(cache.clone(), Arc::clone(&begun)).with(&ctx);
    assert_eq!(ask().await, Ok(100));
    ctx.idle().await;
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    let mut hit = std::pin::pin!(ask());
    let at_once = std::future::poll_fn(|cx| std::task::Poll::Ready(hit.as_mut().poll(cx))).await;
    assert!(matches!(at_once, std::task::Poll::Ready(Ok(100))), "{at_once:?}");
    assert_eq!((ctx.live_tasks(), tasks.num_alive_tasks()), (0, before));
}

/// All who wait are told of an error of the computation, and the next who asks tries again.
#[tokio::test(start_paused = true)]
async fn an_error_is_everybodys_and_is_not_kept() {
    #[propagate]
    async fn fails(cache: Cache<u8, u8>) -> Result<Result<u8, Arc<String>>, Cancelled> {
        let flight = async move {
            cache
                .try_get_with(1, async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Err::<u8, _>("no prices today".to_owned())
                })
                .await
        };
        Ctx::current().shared("a price is everybody's", LIMIT, flight).await
    }
    let cache = Cache::new(10);
    let ctx = Ctx::background();
    let ask = || fails(cache.clone()).with(&ctx);
    let (one, other) = tokio::join!(ask(), ask());
    let text = |answer: Result<Result<u8, Arc<String>>, Cancelled>| {
        answer.expect("it did not end").expect_err("it fails")
    };
    assert_eq!(*text(one), "no prices today");
    assert_eq!(*text(other), "no prices today");
    assert_eq!(cache.get(&1).await, None);
}
