//! What knows of active shields keeps nothing alive (`shield.rs`, invariant 3).

use std::future::pending;
use std::sync::Arc;

use ctxprop::Ctx;

use crate::support::{poll_once, root, secs};

// Fails where the list is emptied when the outermost scope is left; where a blocking thread runs an
// executor of its own inside `sync_scope` or `spawn_blocking`, that is never, and the list grows with each poll.
#[test]
fn rule_3_2_a_shield_polled_by_an_executor_inside_sync_scope_is_not_kept_alive() {
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
fn rule_3_2_a_shield_polled_outside_of_scopes_is_not_kept_alive_by_its_thread() {
    let value = Arc::new(());
    let ctx = root().with_value(Arc::clone(&value));
    let mut shield = Box::pin(async move { ctx.shield(secs(60), pending::<()>()).await });
    assert!(poll_once(shield.as_mut()).is_pending());
    // It moves on to another thread, as tasks do, and ends there.
    std::thread::spawn(move || drop(shield)).join().unwrap();
    assert_eq!(Arc::strong_count(&value), 1, "this thread still holds its context");
}
