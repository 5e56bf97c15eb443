//! Typed values: they go down the chain, by type, and the last one hides those above.

use std::sync::Arc;

use ctxprop::Ctx;

use crate::support::{Name, root, secs};

#[derive(Debug, PartialEq, Eq)]
struct Other(u32);

#[test]
fn the_last_value_of_a_type_hides_those_above_for_its_own_descendants_only() {
    let outer = root().with_value(Name("outer"));
    let inner = outer.with_value(Other(1)).with_value(Name("inner"));
    let sibling = outer.with_value(Other(2));
    assert_eq!(outer.value(), Some(&Name("outer")));
    assert_eq!(inner.value(), Some(&Name("inner")));
    assert_eq!(sibling.value(), Some(&Name("outer")));
    assert_eq!((inner.value(), sibling.value()), (Some(&Other(1)), Some(&Other(2))));
    assert_eq!(outer.value::<Other>(), None, "a child never affects its parent");
}

#[test]
fn types_are_told_apart_exactly() {
    let ctx = root().with_value(1_u8).with_value("text").with_value(String::from("owned"));
    assert_eq!(ctx.value::<u8>(), Some(&1));
    assert_eq!(ctx.value::<i8>(), None);
    assert_eq!(ctx.value::<&str>(), Some(&"text"));
    assert_eq!(ctx.value::<String>().map(String::as_str), Some("owned"));
    assert_eq!(ctx.with_value(()).value::<()>(), Some(&()));
}

#[tokio::test(start_paused = true)]
async fn values_pass_through_every_kind_of_child_and_outlive_its_end() {
    let ctx = root().with_value(Name("kept"));
    let (cancelled, canceller) = ctx.with_cancel();
    let deep = cancelled
        .with_timeout(secs(5))
        .child_span()
        .with_value(Other(9))
        .detach("a test")
        .with_budget_share(0.5)
        .with_cancel()
        .0;
    canceller.cancel();
    assert_eq!(deep.value(), Some(&Name("kept")));
    assert_eq!(deep.value(), Some(&Other(9)));
    assert_eq!(cancelled.value(), Some(&Name("kept")), "an ended context keeps its values");
    assert_eq!(cancelled.with_value(Other(3)).value(), Some(&Other(3)));
}

#[test]
fn values_are_found_at_depth_1000_under_values_nodes_and_both() {
    let first = root().with_value(Name("deep"));
    let grow: [fn(&Ctx) -> Ctx; 4] = [
        |ctx| ctx.with_value(Other(0)),
        |ctx| ctx.with_cancel().0,
        |ctx| ctx.child_span().with_value(Other(1)),
        |ctx| ctx.detach("a test"),
    ];
    for grow in grow {
        let deep = (0..1_000).fold(first.clone(), |ctx, _| grow(&ctx));
        assert_eq!(deep.value(), Some(&Name("deep")));
        assert_eq!(deep.value::<String>(), None);
    }
}

#[test]
fn a_value_is_dropped_with_the_last_context_that_can_see_it() {
    let value = Arc::new(());
    let ctx = root().with_value(Arc::clone(&value));
    let child = ctx.with_value(1_u8).detach("a test").with_cancel();
    drop(ctx);
    assert_eq!(Arc::strong_count(&value), 2);
    drop(child);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_value_that_is_hidden_is_kept_for_those_who_see_it() {
    let (one, two) = (Arc::new(1), Arc::new(2));
    let outer = root().with_value(Arc::clone(&one));
    let inner = outer.with_value(Arc::clone(&two));
    assert_eq!((outer.value::<Arc<i32>>(), inner.value::<Arc<i32>>()), (Some(&one), Some(&two)));
    drop(inner);
    assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (2, 1));
}
