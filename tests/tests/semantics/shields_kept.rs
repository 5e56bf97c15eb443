//! What knows of active shields keeps nothing alive (`shield.rs`, invariant 3).

use std::future::{Future, IntoFuture, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ctxprop::{Cancelled, Canceller, Ctx, Scope, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;

use crate::shields::Boxed;
use crate::support::{Forever, poll_once, root, secs};

// Fails where the list is emptied when the outermost scope is left; where a blocking thread runs an
// executor of its own inside `sync_scope` or `spawn_blocking`, that is never, and the list grows with each poll.
#[test]
fn rule_3_2_48_a_shield_polled_by_an_executor_inside_sync_scope_is_not_kept_alive() {
    let value = Arc::new(());
    root().sync_scope(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            for _ in 0..3 {
                let ctx = root_of_a_request(&value);
                let work = ctx.shield(secs(60), tokio::task::yield_now());
                assert!(ctx.run(work).await.is_ok());
            }
        });
        assert_eq!(Arc::strong_count(&value), 1, "the contexts of three requests are kept");
    });
}

fn root_of_a_request(value: &Arc<()>) -> Ctx {
    std::thread::scope(|scope| {
        let made = scope.spawn(|| root().with_value(Arc::clone(value)));
        made.join().unwrap()
    })
}

// Fails where invariant 3 of `shield.rs`: a shield that is polled outside of any scope stays on the list
// of that thread, and so does its context with all values, for as long as no scope runs there.
#[test]
fn rule_3_2_48_a_shield_polled_outside_of_scopes_is_not_kept_alive_by_its_thread() {
    let value = Arc::new(());
    let ctx = root().with_value(Arc::clone(&value));
    let mut shield = Box::pin(async move { ctx.shield(secs(60), pending::<()>()).await });
    assert!(poll_once(shield.as_mut()).is_pending());
    // It moves on to another thread, as tasks do, and ends there.
    std::thread::spawn(move || drop(shield)).join().unwrap();
    assert_eq!(Arc::strong_count(&value), 1, "this thread still holds its context");
}

type Drained = FuturesUnordered<Boxed<()>>;

#[propagate]
async fn takes_the_first(mut all: Drained) -> Result<Drained, Cancelled> {
    all.next().await;
    Ok(all)
}

/// Keeps the rest without a leaf that could take over what the one before had seen.
#[propagate]
async fn keeps_the_rest(all: Drained) -> usize {
    let rest = takes_the_first(all).await;
    pending::<()>().await;
    rest.map_or(0, |rest| rest.len())
}

/// Polls a call whose leaf hands an active shield over on this thread, and which waits on with no other leaf.
fn handed_over_to_nobody(ctx: &Ctx) -> Pin<Box<Scope<impl Future<Output = usize> + Send + use<>>>> {
    let all = Drained::new();
    let (go, gone) = oneshot::channel::<()>();
    all.push(Box::pin(drop_output(ctx.shield(secs(60), pending::<()>()).into_future())));
    all.push(Box::pin(drop_output(gone)));
    let mut call = Box::pin(keeps_the_rest(all).with(ctx));
    assert!(poll_once(call.as_mut()).is_pending());
    drop(go);
    assert!(poll_once(call.as_mut()).is_pending());
    call
}

async fn drop_output<T>(future: impl Future<Output = T>) {
    drop(future.await);
}

// Fails where what a leaf hands over stays on the thread's list if no leaf takes it in that poll.
#[tokio::test]
async fn rule_3_2_48_a_shield_handed_over_to_nobody_is_not_kept_alive_by_its_thread() {
    let value = Arc::new(());
    let call = handed_over_to_nobody(&root().with_value(Arc::clone(&value)));
    std::thread::spawn(move || drop(call)).join().unwrap();
    assert_eq!(Arc::strong_count(&value), 1, "this thread still holds its context");
}

#[propagate]
async fn ends_and_waits(canceller: Canceller, forever: Forever) -> Result<(), Cancelled> {
    canceller.cancel();
    forever.await;
    Ok(())
}

// Fails where the same: the next task on that thread takes it over, and begins what it should not.
#[tokio::test]
async fn rule_3_2_41_a_shield_handed_over_to_nobody_holds_no_other_task() {
    let call = handed_over_to_nobody(&root());
    let ((ctx, canceller), (forever, polls)) = (root().with_cancel(), Forever::new());
    let mut other = pin!(ends_and_waits(canceller, forever).with(&ctx));
    assert!(poll_once(other.as_mut()).is_ready(), "held by the shield of a stranger");
    assert_eq!(polls.load(Ordering::SeqCst), 0);
    drop(call);
}
