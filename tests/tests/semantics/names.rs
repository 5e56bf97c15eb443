//! What is carried is what the name means (rule 3.2.50): a function that binds the name of its context anew, and closures that
//! are called later.

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::StreamExt;

use crate::support::{root, secs};

#[propagate]
async fn seen() -> Result<Option<u8>, Cancelled> {
    Ok(Ctx::current().value::<u8>().copied())
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[propagate]
async fn bound_in_a_block(ctx: Ctx) -> Result<Vec<Option<u8>>, Cancelled> {
    let mut all = vec![seen().await?];
    {
        let ctx = ctx.with_value(1_u8);
        all.push(seen().await?);
        let ctx = ctx.with_value(2_u8);
        all.push(seen().await?);
        drop(ctx);
        all.push(seen().await?);
    }
    all.push(seen().await?);
    Ok(all)
}

#[propagate]
async fn bound_in_patterns(ctx: &Ctx) -> Result<Vec<Option<u8>>, Cancelled> {
    let mut all = Vec::new();
    match Some(ctx.with_value(1_u8)) {
        Some(ctx) if !ctx.is_done() => all.push(seen().await?),
        _ => unreachable!(),
    }
    if let Some(ctx) = Some(ctx.with_value(2_u8))
        && !ctx.is_done()
    {
        all.push(seen().await?);
    }
    for ctx in [ctx.with_value(3_u8), ctx.with_value(4_u8)] {
        let _ = &ctx;
        all.push(seen().await?);
    }
    let mut one = Some(ctx.with_value(5_u8));
    while let Some(ctx) = one.take() {
        let _ = &ctx;
        all.push(seen().await?);
    }
    let (ctx, _) = (&ctx.with_value(6_u8), ());
    all.push(seen().await?);
    let _ = ctx;
    Ok(all)
}

#[propagate]
async fn assigned(mut ctx: Ctx) -> Result<Vec<Option<u8>>, Cancelled> {
    let mut all = Vec::new();
    for n in 0..2_u8 {
        all.push(seen().await?);
        ctx = ctx.with_value(n);
    }
    all.push(seen().await?);
    Ok(all)
}

/// Among others, in one assignment.
#[propagate]
async fn assigned_among_others(mut ctx: Ctx) -> Result<Vec<Option<u8>>, Cancelled> {
    let mut all = Vec::new();
    let mut n = 0_u8;
    (ctx, n) = (ctx.with_value(n + 1), n + 1);
    all.push(seen().await?);
    [(_, ctx), _] = [(n, ctx.with_value(2_u8)), (n, ctx.clone())];
    all.push(seen().await?);
    let _ = ctx;
    Ok(all)
}

#[propagate]
async fn of_another_type(ctx: Ctx) -> Result<Option<u8>, Cancelled> {
    let _ = ctx;
    let ctx = 7;
    let _ = ctx;
    seen().await
}

#[propagate]
async fn in_joins_and_blocks(ctx: Ctx) -> Result<Vec<Option<u8>>, Cancelled> {
    let ctx = ctx.with_value(1_u8);
    let (one, two) = tokio::join!(seen(), async { seen().await });
    let (three, four) = tokio::try_join!(seen(), seen())?;
    let five = tokio::select! { seen = seen() => seen? };
    let block = async move {
        let ctx = ctx.with_value(2_u8);
        let _ = &ctx;
        seen().await
    };
    let made = || async { seen().await };
    Ok(vec![one?, two?, three, four, five, block.await?, made().await?])
}

#[propagate]
async fn its_end_is_seen(ctx: Ctx, joins: bool) -> Result<bool, Cancelled> {
    let outer = ctx.clone();
    let ctx = ctx.with_timeout(Duration::from_millis(5));
    let ended = match joins {
        true => tokio::join!(waits(), waits()).0,
        false => waits().await,
    };
    assert!(ended.unwrap_err().is_deadline());
    // What begins now is refused, though the context of the function lasts.
    assert!(seen().await.unwrap_err().is_deadline());
    Ok(ctx.is_done() && !outer.is_done())
}

#[propagate]
async fn returned_with_its_end(ctx: Ctx) -> Result<(), Cancelled> {
    let ctx = ctx.with_timeout(Duration::ZERO);
    let _ = ctx;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_50_what_is_threaded_is_what_the_name_means() {
    let ctx = root().with_timeout(secs(60));
    let seen = bound_in_a_block(ctx.clone()).await;
    assert_eq!(seen.unwrap(), [None, Some(1), Some(2), Some(2), None]);
    let all: Vec<_> = (1..=6).map(Some).collect();
    assert_eq!(bound_in_patterns(&ctx).await.unwrap(), all);
    assert_eq!(assigned(ctx.clone()).await.unwrap(), [None, Some(0), Some(1)]);
    assert_eq!(assigned_among_others(ctx.clone()).await.unwrap(), [Some(1), Some(2)]);
    assert_eq!(of_another_type(ctx.with_value(3_u8)).await.unwrap(), Some(3));
    let one = Some(1);
    let all = [one, one, one, one, one, Some(2), one];
    assert_eq!(in_joins_and_blocks(ctx.clone()).await.unwrap(), all);
    assert!(its_end_is_seen(ctx.clone(), false).await.unwrap());
    assert!(its_end_is_seen(ctx.clone(), true).await.unwrap());
    assert!(returned_with_its_end(ctx).await.unwrap_err().is_deadline());
}

type Handler = Box<dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = Option<u8>> + Send>> + Send>;

#[propagate]
async fn makes_handlers() -> [Handler; 2] {
    let asks = move || async move { seen().await.unwrap() };
    let calls = move || seen().in_current();
    [
        Box::new(move || Box::pin(asks())),
        Box::new(move || {
            let call = calls();
            Box::pin(async move { call.await.unwrap() })
        }),
    ]
}

#[tokio::test]
async fn rule_3_2_32_a_closure_runs_under_the_context_that_is_current_where_it_is_called_or_else_its_own()
 {
    let handlers = makes_handlers().with(&root().with_value(1_u8)).await;
    for handler in handlers {
        assert_eq!(handler().await, Some(1), "nothing is current");
        let request = root().with_value(2_u8);
        assert_eq!(request.sync_scope(&handler).await, Some(2), "called in a request");
    }
}

#[propagate]
async fn handed_to_combinators(ids: Vec<u8>) -> Result<Vec<Option<u8>>, Cancelled> {
    let calls = futures::stream::iter(ids).map(|_| seen().in_current()).buffered(2);
    let all: Vec<_> = calls.collect().await;
    let joined = futures::future::join_all([seen().in_current(), seen().in_current()]).await;
    all.into_iter().chain(joined).collect()
}

#[tokio::test]
async fn a_call_takes_the_context_along() {
    let ctx = root().with_value(9_u8);
    let all = handed_to_combinators(vec![1, 2]).with(&ctx).await.unwrap();
    assert_eq!(all, [Some(9); 4]);
    assert_eq!(ctx.sync_scope(|| seen().in_current()).await.unwrap(), Some(9));
}

/// As a router: it keeps what it is given for as long as the program runs.
fn keep<F: Fn() -> R + 'static, R: Future<Output: Send> + Send + 'static>(make: F) -> F {
    make
}

#[propagate]
async fn makes_what_asks_for_nothing() -> &'static str {
    let (greets, wraps) = (keep(|| async { "hello" }), keep(|| async { Some(7) }));
    assert_eq!(wraps().await, Some(7));
    greets().await
}

#[tokio::test]
async fn a_block_that_asks_for_nothing_captures_nothing() {
    assert_eq!(makes_what_asks_for_nothing().with(&root()).await, "hello");
}
