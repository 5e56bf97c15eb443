use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::{Found, HERE, Kept, NEVER, QUIET, ended, is_refused, is_set, poll_scope, refuse, seen};
use crate::run::frame::{FrameKind, refuses};
use crate::{Background, Ctx};

fn has_news() -> bool {
    HERE.with(|here| here.news.get()) != QUIET
}

fn polled<R>(ctx: &Ctx, seen: bool, f: impl FnOnce() -> R) -> R {
    let found =
        Found { end: ctx.header().nearest_end(), covered: false, ended: seen, seen, asked: NEVER };
    poll_scope(ctx, Waker::noop(), FrameKind::Scope, found, &mut Kept::default(), f)
}

#[test]
fn contexts_nest_and_go_also_when_the_code_inside_panics() {
    let (outer, end_outer) = Ctx::background().with_value(1_u8).with_cancel();
    let inner = outer.with_value(2_u8).with_cancel().0;
    let value = || Ctx::current().value::<u8>().copied();
    assert!(!is_set() && !ended() && !has_news());
    outer.sync_scope(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            polled(&inner, true, || {
                assert_eq!(value(), Some(2));
                assert!(has_news() && seen());
                panic!("inside");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(value(), Some(1));
        assert!(!has_news() && !refuses());
        end_outer.cancel();
        assert!(refuses() && ended());
    });
    assert!(!is_set() && !ended() && !has_news());
}

#[test]
fn what_is_refused_is_refused_once_and_only_inside() {
    let ctx = Ctx::background().with_cancel().0;
    polled(&ctx, false, || {
        refuse();
        assert!(has_news());
        polled(&ctx, false, || assert!(!has_news(), "it is the outer scope's"));
        assert!(is_refused());
        assert!(!is_refused() && !has_news());
        refuse();
    });
    assert!(!has_news());
}

#[test]
fn what_is_current_may_be_the_last_handle() {
    let ctx = Ctx::background().with_cancel().0;
    let kept = ctx.sync_scope(Ctx::current);
    drop(ctx);
    kept.sync_scope(|| assert!(is_set() && !has_news()));
}

/// As between the two steps of a `cancel` on another thread: the end is recorded, and not counted yet.
#[test]
fn leaves_see_an_end_that_somebody_was_told_of() {
    let asks: [fn(&Ctx) -> bool; 2] = [Ctx::is_done, |ctx| ctx.cause().is_some()];
    for (asks, of_top) in asks.into_iter().flat_map(|asks| [(asks, true), (asks, false)]) {
        let top = Ctx::background().with_cancel().0;
        let middle = top.with_cancel().0;
        let low = middle.with_cancel().0;
        low.sync_scope(|| {
            assert!(!ended());
            top.header().end_uncounted();
            assert!(asks(if of_top { &top } else { &middle }) && ended());
        });
    }
}
