//! Every way in which a name comes to mean another context (rule 3.2.50): each function here gives `Some(2)` where what is
//! awaited runs under what the name means. What cannot be followed does not compile (`ui/names`).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::{FutureExt, StreamExt, stream};

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
async fn cloned_from(mut ctx: Ctx, two: Ctx) -> Option<u8> {
    ctx.clone_from(&two);
    seen().await
}

#[propagate(ctx = ctx)]
async fn bound_first_and_assigned_later(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let ctx;
    ctx = two;
    let _ = &ctx;
    seen().await
}

#[propagate(ctx = ctx)]
async fn assigned_in_a_block_alone(ctx: Ctx, two: Ctx) -> Option<u8> {
    let outer = ctx;
    let ctx = two;
    {
        let ctx;
        ctx = outer;
        assert_eq!(seen().await, None);
        drop(ctx);
    }
    let _ = &ctx;
    seen().await
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
    let all = vec![{
        let ctx = two;
        let _ = &ctx;
        seen().await
    }];
    all.first().copied().flatten()
}

#[propagate(ctx = ctx)]
async fn in_a_guard(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    match Some(two) {
        Some(ctx) if seen().await == Some(2) => ctx.value().copied(),
        _ => None,
    }
}

#[propagate(ctx = ctx)]
async fn in_matches(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    matches!(&two, ctx if seen().await == ctx.value().copied()).then_some(2)
}

#[propagate(ctx = ctx)]
async fn in_a_condition(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let mut all = vec![two];
    while let Some(ctx) = all.pop()
        && seen().await == Some(2)
    {
        if let Some(ctx) = Some(&ctx)
            && seen().await == ctx.value().copied()
        {
            return seen().await;
        }
    }
    None
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

/// The type of the parameter is told by what comes later.
#[propagate(ctx = ctx)]
async fn by_a_parameter_without_a_type(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let makes = move |ctx| async move { (ctx, seen().await) };
    let (_, seen): (Ctx, _) = makes(two).await;
    seen
}

#[propagate(ctx = ctx)]
async fn by_a_parameter_of_a_known_type(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let makes = |ctx| async move { (ctx, seen().await).1 };
    Some(two).map(makes)?.await
}

#[propagate(ctx = ctx)]
async fn by_a_parameter_of_an_async_closure(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let makes = async |ctx| (seen().await, ctx).0;
    makes(&two).await
}

#[propagate(ctx = ctx)]
async fn by_a_pattern_of_a_parameter(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let makes = |(ctx, n)| async move { (ctx, n, seen().await).2 };
    let all: Vec<_> = stream::iter([(two, 1)]).then(makes).collect().await;
    all.first().copied().flatten()
}

#[propagate(ctx = ctx)]
async fn of_a_call_in_a_closure(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let mut calls = stream::iter([two]).map(|ctx| seen()).buffer_unordered(2);
    calls.next().await?
}

#[propagate(ctx = ctx)]
async fn assigned_in_the_closure_that_binds_it(ctx: Ctx, two: Ctx) -> Option<u8> {
    let makes = |mut ctx: Ctx| {
        assert_eq!(ctx.value::<u8>(), None);
        ctx = two.clone();
        async move { (ctx, seen().await).1 }
    };
    makes(ctx).await
}

#[propagate(ctx = ctx)]
async fn assigned_in_a_block_that_has_its_own(mut ctx: Ctx, two: Ctx) -> Option<u8> {
    let block = async move {
        assert_eq!(ctx.value::<u8>(), None);
        ctx = two;
        (seen().await, ctx).0
    };
    block.await
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
            for ctx in [two] {
                let makes = || async { seen().await };
                assert_eq!(makes().await, ctx.value().copied());
                return seen().await;
            }
            None
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

#[propagate(ctx = ctx)]
async fn by_more_patterns(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    let either: Result<Ctx, Ctx> = Err(two);
    match &either {
        Ok(ctx) | Err(ctx) => assert_eq!(seen().await, ctx.value().copied()),
    }
    let Err(ctx @ _) = either else { return seen().await };
    assert!(!ctx.is_done());
    seen().await
}

#[propagate(ctx = ctx, budget = "5s")]
async fn under_a_budget(ctx: Ctx, two: Ctx) -> Option<u8> {
    assert!(ctx.remaining().is_some());
    let ctx = two;
    assert!(!ctx.is_done());
    seen().await
}

/// Pointers mean what they point at.
#[propagate(ctx = ctx)]
async fn by_pointers(ctx: &Ctx, two: Ctx) -> Option<u8> {
    assert_eq!(ctx.value::<u8>(), None);
    for ctx in &[&two] {
        assert_eq!(seen().await, ctx.value().copied());
    }
    {
        let ctx = Rc::new(two.clone());
        assert_eq!(seen().await, ctx.value().copied());
    }
    {
        let ctx = Arc::new(two.clone());
        assert_eq!(seen().await, ctx.value().copied());
    }
    let mut ctx = Box::new(ctx.clone());
    assert_eq!(seen().await, None);
    *ctx = two;
    seen().await
}

#[tokio::test]
async fn rule_3_2_50_however_the_name_comes_to_mean_another_context_it_is_followed() {
    let (ctx, two) = (root(), root().with_value(2_u8));
    macro_rules! follow {
        ($($name:ident)*) => {
            $(assert_eq!($name(ctx.clone(), two.clone()).await, Some(2), stringify!($name));)*
        };
    }
    follow!(
        cloned_from bound_first_and_assigned_later in_a_handler by_a_branch by_a_branch_that_may_not_match
        by_a_branch_of_futures in_a_block_inside in_a_list in_a_guard in_matches in_a_condition by_a_macro
        assigned_by_a_macro by_a_parameter_without_a_type by_a_parameter_of_a_known_type
        by_a_parameter_of_an_async_closure by_a_pattern_of_a_parameter of_a_call_in_a_closure
        assigned_in_the_closure_that_binds_it assigned_in_a_block_that_has_its_own assigned_in_a_block_alone
        changed_by_a_handler in_a_closure_of_a_handler in_a_branch_of_a_join by_more_patterns under_a_budget
    );
    assert_eq!(by_pointers(&ctx, two).await, Some(2));
}

fn push(to: &mut Vec<u8>) {
    to.push(1);
}

/// Lent and assigned in every way that a context is not.
#[propagate]
async fn of_another_type(ctx: Ctx) -> Result<Option<u8>, Cancelled> {
    ctx.check()?;
    let mut ctx = Vec::new();
    push(&mut ctx);
    let lent = &mut ctx;
    seen().await;
    lent.push(2);
    let ref mut again = ctx;
    again.push(3);
    let mut add = |n| ctx = vec![n];
    add(4);
    async { ctx.push(5) }.await;
    async { ctx = vec![6] }.await;
    assert_eq!(std::mem::take(&mut ctx), [6]);
    let mut ctx: HashMap<u8, u8> = HashMap::new();
    let entry = ctx.entry(1);
    seen().await;
    entry.or_insert(1);
    for ctx in ctx.values_mut() {
        *ctx = 2;
        seen().await;
    }
    assert_eq!([1_u8].iter().map(|ctx| ctx + 1).sum::<u8>(), 2);
    let makes = |ctx: u8| async move { (ctx, seen().await).1 };
    assert_eq!(makes(1).await, seen().await);
    let ctx = Some(ctx);
    match ctx {
        Some(ctx) if seen().await.is_some() && ctx.len() == 1 => Ok(seen().await),
        _ => Ok(None),
    }
}

/// What a macro or a handler takes away is not asked for what it means.
#[propagate]
async fn moved(ctx: Ctx) -> Option<u8> {
    macro_rules! takes {
        ($given:expr) => {
            drop($given)
        };
    }
    let ctx = ctx.with_value(2_u8);
    let other = ctx.clone();
    takes!(ctx);
    tokio::select! {
        ctx = std::future::ready(other) => {
            drop(ctx);
            seen().await
        }
    }
}

#[tokio::test]
async fn rule_3_2_50_a_name_of_another_type_stays_what_it_is() {
    let ctx = root().with_value(2_u8);
    assert_eq!(of_another_type(ctx.clone()).await.unwrap(), Some(2));
    assert_eq!(moved(ctx).await, Some(2));
}
