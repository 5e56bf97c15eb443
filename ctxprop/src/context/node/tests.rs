//! Chains of nodes: how they are dropped, and how an end gets through a long one.

use std::sync::Arc;
use std::thread;

use crate::{Background, Ctx};

/// Runs `f` in a thread whose stack holds some hundred frames, no more.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(128 * 1_024).spawn(f);
    thread.unwrap().join().unwrap();
}

fn chain(depth: usize, step: impl Fn(&Ctx) -> Ctx) -> Ctx {
    (0..depth).fold(Ctx::background(), |ctx, _| step(&ctx))
}

#[test]
fn a_chain_of_a_million_is_dropped_without_recursion() {
    let ctx = chain(1_000_000, |ctx| ctx.with_value(1_u8));
    on_a_small_stack(move || drop(ctx));
}

// Each of them has a link that leads back to it.
#[test]
fn so_is_one_each_of_which_has_a_callback() {
    let ctx = chain(20_000, |ctx| {
        let child = ctx.detach("a test").with_cancel().0;
        child.on_done(|_| {});
        child
    });
    on_a_small_stack(move || drop(ctx));
}

#[test]
fn what_else_holds_a_part_of_a_chain_keeps_that_part() {
    let value = Arc::new(());
    let low = chain(1_000, |ctx| ctx.with_value(Arc::clone(&value)));
    let high = (0..1_000).fold(low.clone(), |ctx, _| ctx.with_value(Arc::clone(&value)));
    on_a_small_stack(move || drop(high));
    assert_eq!(Arc::strong_count(&value), 1_001);
    assert!(low.value::<Arc<()>>().is_some());
    drop(low);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_deep_child_inherits_through_all_that_are_above() {
    let (top, canceller) = Ctx::background().with_cancel();
    let mut all = vec![top];
    for n in 0..3_000 {
        let next = all[n].with_cancel().0;
        all.push(next);
    }
    canceller.cancel_with(crate::Cause::Shutdown);
    assert_eq!(all[3_000].cause(), Some(crate::Cause::Shutdown));
    assert!(all.iter().all(|ctx| ctx.node().end.is_set()), "each has it by now");
}
