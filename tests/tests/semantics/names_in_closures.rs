//! Closures in functions that bind the name of their context anew (rule 3.2.50): they carry what the name means where they
//! are made, unless they are called under another context than the function's.

use std::pin::Pin;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::{StreamExt, stream};

use crate::support::root;

#[propagate]
async fn seen() -> Option<u8> {
    Ctx::current().value::<u8>().copied()
}

/// Carries a context that does not descend from the function's.
struct Other(Ctx);

fn other(n: u8) -> Other {
    Other(root().with_value(n))
}

#[propagate]
async fn of_a_block(ctx: Ctx, other: Other) -> Vec<Option<u8>> {
    let _ = ctx;
    let before = || async { seen().await };
    let ctx = other.0;
    let borrows = || async { seen().await };
    let moves = move |n: u8| async move { (n, seen().await).1 };
    let asynchronous = async |n: u8| (n, seen().await).1;
    let _ = &ctx;
    let mut all = vec![borrows().await, moves(1).await, asynchronous(2).await];
    // Made where the name meant the function's own: it is awaited under what the name means here.
    all.push(before().await);
    all
}

type Makes = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<u8>> + Send>> + Send>;

#[propagate]
async fn in_an_inner_block(ctx: &Ctx, others: [Other; 2]) -> Vec<Option<u8>> {
    let mut all = Vec::new();
    let mut made: Vec<Makes> = Vec::new();
    for other in others {
        let ctx = other.0;
        let makes = move || async move { seen().await };
        let _ = ctx;
        for _ in 0..2 {
            all.push(makes().await);
        }
        made.push(Box::new(move || Box::pin(makes())));
    }
    // Out here the name means the function's context, but each of them was made under its own.
    for make in &made {
        all.push(make().await);
    }
    let _ = ctx;
    all.push(seen().await);
    all
}

#[propagate]
async fn in_a_match(ctx: Ctx, other: Option<Other>) -> Option<u8> {
    match other.map(|other| other.0) {
        Some(ctx) => {
            let makes = || async { seen().await };
            let _ = ctx;
            makes().await
        }
        None => {
            let _ = ctx;
            None
        }
    }
}

#[propagate]
async fn of_calls(ctx: Ctx, other: Other, ids: Vec<u8>) -> Vec<Option<u8>> {
    let _ = ctx;
    let ctx = other.0;
    let _ = ctx;
    let calls = stream::iter(ids.clone()).map(|_| seen()).buffer_unordered(2);
    let mut all: Vec<_> = calls.collect().await;
    let calls: Vec<_> = ids.iter().map(|_| seen()).collect();
    all.extend(futures::future::join_all(calls).await);
    let mut stream = stream::iter(ids).map(move |_| seen()).buffer_unordered(2);
    while let Some(value) = stream.next().await {
        all.push(value);
    }
    all
}

#[propagate]
async fn of_another_type(ctx: Ctx) -> Option<u8> {
    let _ = ctx;
    let ctx = "not a context";
    let makes = move || async move { (ctx, seen().await).1 };
    makes().await
}

#[propagate]
async fn assigned(mut ctx: Ctx, other: Other) -> (Option<u8>, Option<u8>) {
    let _ = &ctx;
    let makes = move || async move { seen().await };
    let before = makes().await;
    ctx = other.0;
    let _ = &ctx;
    let makes = move || async move { seen().await };
    (before, makes().await)
}

type Handler = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<u8>> + Send>> + Send>;

/// What a router would keep.
#[propagate]
async fn makes_a_handler(ctx: Ctx, other: Other) -> Result<Handler, Cancelled> {
    ctx.check()?;
    let ctx = other.0;
    let _ = ctx;
    let handler = move || async move { seen().await };
    Ok(Box::new(move || Box::pin(handler())))
}

#[tokio::test]
async fn rule_3_2_50_a_closure_carries_what_the_name_means_where_it_is_made() {
    let ctx = root().with_value(1_u8);
    let (own, two, three) = (Some(1), Some(2), Some(3));
    assert_eq!(of_a_block(ctx.clone(), other(2)).await, [two, two, two, own]);
    let inner = in_an_inner_block(&ctx, [other(2), other(3)]).await;
    assert_eq!(inner, [two, two, three, three, two, three, own]);
    assert_eq!(in_a_match(ctx.clone(), Some(other(2))).await, two);
    assert_eq!(in_a_match(ctx.clone(), None).await, None);
    assert_eq!(of_calls(ctx.clone(), other(2), vec![0; 3]).await, [two; 9]);
    assert_eq!(of_another_type(ctx.clone()).await, own);
    assert_eq!(assigned(ctx, other(2)).await, (own, two));
}

#[tokio::test]
async fn rule_3_2_50_a_closure_that_is_called_under_another_context_runs_under_that() {
    let ctx = root().with_value(1_u8);
    let handler = makes_a_handler(ctx.clone(), other(2)).await.unwrap();
    assert_eq!(handler().await, Some(2), "nothing is current");
    for request in [root().with_value(4_u8), ctx.with_value(4_u8)] {
        assert_eq!(request.sync_scope(&handler).await, Some(4), "called in a request");
        assert_eq!(request.scope(async { handler().await }).await, Some(4));
    }
}

/// As a router: it keeps what it is given for as long as the program runs.
fn keep<F: Fn() -> R + Send + 'static, R: Future + Send + 'static>(make: F) -> F {
    make
}

/// It compiles as a plain `async fn` does: what is kept forever captures nothing that is not, and a name that is assigned may
/// be assigned while calls are made in a closure.
#[propagate]
async fn compiles(mut ctx: Ctx, other: Other) -> Option<u8> {
    let _ = ctx;
    ctx = other.0;
    let _ = &ctx;
    let kept = keep(move || async move { seen().await });
    let ids: Vec<_> = [1, 2].into_iter().map(|n| n + 1).collect();
    ctx = ctx.with_value(5_u8);
    let _ = (&ctx, ids);
    kept().await
}

#[tokio::test]
async fn rule_3_2_50_closures_borrow_nothing_that_plain_code_does_not() {
    let task = tokio::spawn(compiles(root().with_value(1_u8), other(2)));
    assert_eq!(
        task.await.unwrap(),
        Some(5),
        "the context that is awaited under descends from its own"
    );
}

/// What the closure binds itself is what the name means in there.
#[propagate]
async fn bound_inside(ctx: Ctx, ids: Vec<u8>) -> Vec<Option<u8>> {
    let calls = ids.iter().map(|id| {
        let ctx = ctx.with_value(*id);
        let _ = &ctx;
        seen()
    });
    let mut all = futures::future::join_all(calls).await;
    let base = ctx;
    let blocks = ids.iter().map(|id| match base.with_value(*id + 10) {
        ctx if ctx.is_done() => unreachable!(),
        ctx => {
            let _ = ctx;
            async { seen().await }
        }
    });
    all.extend(futures::future::join_all(blocks.collect::<Vec<_>>()).await);
    let given = |ctx: &Ctx| {
        let _ = ctx;
        async { seen().await }
    };
    all.push(given(&base.with_value(20_u8)).await);
    let of_another_type = |id: u8| {
        let ctx = id;
        let _ = ctx;
        async { seen().await }
    };
    all.push(of_another_type(1).await);
    all
}

#[tokio::test]
async fn rule_3_2_50_what_a_closure_binds_itself_counts_wherever_it_is_called() {
    let all = bound_inside(root().with_value(9_u8), vec![1, 2]).await;
    assert_eq!(all, [Some(1), Some(2), Some(11), Some(12), Some(20), Some(9)]);
}
