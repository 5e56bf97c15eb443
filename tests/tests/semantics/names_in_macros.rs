//! Names of contexts that come to mean another one in macros (rule 3.2.50): in the handlers of `select!`, among expressions, and
//! by macros of the user's own. Each function gives `Some(2)` where what is awaited runs under what the name means.

use ctxprop::{Ctx, propagate};
use futures::FutureExt;

use crate::support::root;

#[propagate]
async fn seen() -> Option<u8> {
    Ctx::current().value::<u8>().copied()
}

macro_rules! bind {
    ($name:ident = $value:expr) => {
        let $name = $value;
    };
}

macro_rules! set {
    ($name:ident = $value:expr) => {
        $name = $value;
    };
}

#[propagate(ctx = ctx)]
async fn in_a_handler(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    tokio::select! {
        () = std::future::ready(()) => {
            let ctx = two;
            let _ = &ctx;
            seen().await
        }
    }
}

#[propagate(ctx = ctx)]
async fn by_a_branch(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    tokio::select! {
        ctx = std::future::ready(two) => {
            let _ = &ctx;
            seen().await
        }
    }
}

#[propagate(ctx = ctx)]
async fn by_a_branch_that_may_not_match(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    tokio::select! {
        Some(ctx) = std::future::ready(Some(two)), if !ctx.is_done() => { let _ = &ctx; seen().await }
        else => None,
    }
}

#[propagate(ctx = ctx)]
async fn by_a_branch_of_futures(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let mut ready = std::future::ready(two).fuse();
    futures::select! {
        ctx = ready => {
            let _ = &ctx;
            seen().await
        }
    }
}

#[propagate(ctx = ctx)]
async fn in_a_block_inside(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    async {
        tokio::select! { ctx = std::future::ready(two) => { let _ = &ctx; seen().await } }
    }
    .await
}

#[propagate(ctx = ctx)]
async fn in_a_list(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let mut all = vec![{
        let ctx = two;
        let _ = &ctx;
        seen().await
    }];
    all.push(seen().await);
    assert_eq!(all.pop(), Some(None));
    all.pop().flatten()
}

#[propagate(ctx = ctx)]
async fn in_matches(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    matches!(&two, ctx if seen().await == ctx.value().copied()).then_some(2)
}

#[propagate(ctx = ctx)]
async fn by_a_macro(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    bind!(ctx = two);
    let _ = &ctx;
    seen().await
}

#[propagate(ctx = ctx)]
async fn assigned_by_a_macro(mut ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    set!(ctx = two);
    let _ = &ctx;
    seen().await
}

#[propagate(ctx = ctx)]
async fn lent_to_a_macro(mut ctx: Ctx, two: Ctx) -> Option<u8> {
    macro_rules! replace {
        ($old:expr, $new:expr) => {
            drop(std::mem::replace($old, $new))
        };
    }
    assert_eq!(ctx.value::<u8>(), None);
    replace!(&mut ctx, two);
    seen().await
}

#[propagate(ctx = ctx)]
async fn changed_by_a_handler(mut ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    tokio::select! {
        () = std::future::ready(()) => ctx = two.with_value(1_u8),
    }
    assert_eq!(seen().await, ctx.value().copied());
    tokio::select! {
        () = std::future::ready(()) => ctx.clone_from(&two),
    }
    seen().await
}

#[propagate(ctx = ctx)]
async fn in_a_closure_of_a_handler(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    tokio::select! {
        () = std::future::ready(()) => {
            let mut all = Vec::new();
            for ctx in [two.with_value(1_u8), two] {
                let makes = || async { seen().await };
                assert_eq!(makes().await, ctx.value().copied());
                all.push(seen().await);
            }
            all.pop().flatten()
        }
    }
}

#[propagate(ctx = ctx)]
async fn in_a_branch_of_a_join(ctx: Ctx, two: Ctx) -> Option<u8> {
    let branch = async {
        let ctx = two;
        assert!(!ctx.is_done());
        seen().await
    };
    let (one, both) = tokio::join!(seen(), branch);
    assert_eq!(one, ctx.value().copied());
    both
}

#[tokio::test]
async fn rule_3_2_50_a_name_that_means_another_context_by_a_macro_is_followed() {
    let (ctx, two) = (root(), root().with_value(2_u8));
    macro_rules! follow {
        ($($name:ident)*) => {
            $(assert_eq!($name(ctx.clone(), two.clone()).await, Some(2), stringify!($name));)*
        };
    }
    follow!(
        in_a_handler by_a_branch by_a_branch_that_may_not_match by_a_branch_of_futures in_a_block_inside
        in_a_list in_matches by_a_macro assigned_by_a_macro lent_to_a_macro changed_by_a_handler
        in_a_closure_of_a_handler in_a_branch_of_a_join
    );
}
