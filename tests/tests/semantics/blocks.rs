//! Which context an async block runs under: rules 3.2.29 and 3.2.30.

use std::time::Duration;

use ctxprop::{Cancelled, Canceller, Ctx, propagate};
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use crate::support::{no_hang, root, secs};

/// Whether it was let run, and under which context.
#[propagate]
async fn released() -> Result<Option<Duration>, Cancelled> {
    yield_now().await;
    Ok(Ctx::current().remaining())
}

#[propagate]
async fn cleans_up(ctx: Ctx, canceller: Canceller) -> Vec<Option<Duration>> {
    canceller.cancel();
    let limit = secs(3);
    let audit = ctx.detach("tells the auditor").with_timeout(limit);
    let block = async { released().await };
    let closure = || async { released().await };
    let asynchronous = async || released().await;
    let seen = [
        ctx.shield(limit, async move { released().await }).await,
        ctx.shield(limit, block).await,
        ctx.shield(limit, closure()).await,
        ctx.shield(limit, asynchronous()).await,
        ctx.shield(limit, async { async { released().await }.await }).await,
        ctx.shield(limit, futures::future::join_all([async { released().await }]))
            .await
            .map(|mut all| all.remove(0)),
        audit.run(async { released().await }).await,
        audit.spawn(async { released().await }).await,
        Ok(audit.scope(async { released().await }).await),
    ];
    seen.into_iter().map(|seen| seen.unwrap().unwrap()).collect()
}

// Fails where a block carries its context into a shield or a detached task: what the shield is for is never done.
#[tokio::test(start_paused = true)]
async fn rule_3_2_30_a_block_runs_under_the_context_that_it_is_given_to() {
    let (ctx, canceller) = root().with_cancel();
    let seen = no_hang(cleans_up(ctx, canceller)).await;
    assert_eq!(seen, [Some(secs(3)); 9]);
}

#[propagate]
async fn under_children(ctx: Ctx) -> Vec<Option<u8>> {
    let value = || Ctx::current().value::<u8>().copied();
    let parent = || async { value() };
    let with_value = ctx.with_value(2_u8);
    let made_with_value = with_value.scope(makes_a_block()).await;
    vec![
        with_value.scope(parent()).await,
        with_value.with_cancel().0.scope(parent()).await,
        // under an ancestor, and under one that has the same node and not the value
        ctx.scope(made_with_value).await,
    ]
}

#[allow(clippy::async_yields_async, reason = "the block is given to others")]
#[propagate]
async fn makes_a_block() -> BoxFuture<'static, Option<u8>> {
    Box::pin(async { Ctx::current().value::<u8>().copied() })
}

#[tokio::test]
async fn rule_3_2_30_a_block_runs_under_a_child_and_keeps_its_own_under_a_parent() {
    let seen = under_children(root().with_value(1_u8)).await;
    assert_eq!(seen, [Some(2), Some(2), Some(2)]);
}

#[propagate]
async fn sends_a_block(ctx: Ctx, queue: mpsc::Sender<BoxFuture<'static, bool>>) {
    let made_under = ctx.span().trace_id();
    let block = async move { Ctx::current().span().trace_id() == made_under };
    let _ = queue.send(Box::pin(block)).await;
}

#[tokio::test]
async fn rule_3_2_29_a_block_keeps_its_own_context_under_that_of_a_stranger() {
    let (queue, mut jobs) = mpsc::channel(1);
    sends_a_block(root().child_span(), queue).await;
    let worker = root().child_span();
    assert!(worker.scope(async { jobs.recv().await.unwrap().await }).await);
}

#[propagate]
async fn waits(ctx: Ctx) -> bool {
    let mut block = std::pin::pin!(async {
        yield_now().await;
        released().await.is_ok()
    });
    // polled first, and given to others later
    assert!(futures::poll!(&mut block).is_pending());
    let (ended, canceller) = ctx.with_cancel();
    canceller.cancel();
    ended.scope(block).await
}

#[tokio::test]
async fn rule_3_2_30_a_block_keeps_the_context_that_it_has_begun_with() {
    assert!(waits(root()).await);
}

#[propagate]
async fn name() -> Result<Option<u8>, Cancelled> {
    Ok(Ctx::current().value::<u8>().copied())
}

#[propagate]
async fn closures() -> Result<Vec<Option<u8>>, Cancelled> {
    let borrows = || async { name().await };
    let moves = move || async move { name().await };
    let asynchronous = async || name().await;
    let taken: BoxFuture<'static, _> = Box::pin(moves());
    Ok(vec![borrows().await?, asynchronous().await?, root().scope(taken).await?])
}

#[tokio::test]
async fn rule_3_2_32_closures_carry_the_context_where_they_are_made() {
    let ctx = root().with_value(7_u8);
    assert_eq!(closures().with(&ctx).await, Ok(vec![Some(7); 3]));
    let task = ctx.spawn(closures());
    assert_eq!(task.await, Ok(Ok(vec![Some(7); 3])));
}
