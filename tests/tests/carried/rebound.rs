//! Where the function binds the name of its context to another, each combinator's closures and calls carry that one (3.2.50).

use std::sync::Mutex;
use std::time::Duration;

use ctxprop::{Background, Ctx, propagate};
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{Marker, Repository, ctx, work};

/// A context that does not descend from the function's.
fn other(n: u32) -> Ctx {
    Ctx::background().with_value(Marker(n))
}

#[propagate(ctx = ctx)]
async fn streams(ctx: Ctx, other: Ctx) -> Vec<u32> {
    let mut all = vec![work(0).await];
    {
        let ctx = other;
        let _ = &ctx;
        let repository = Repository { step: 1 };
        all.extend(stream::iter(1..3).map(|n| work(n)).buffered(2).collect::<Vec<_>>().await);
        all.extend(stream::iter(1..3).then(|n| work(n)).collect::<Vec<_>>().await);
        all.extend(
            stream::iter([1])
                .map(|id| repository.get(id))
                .buffered(1)
                .map(Result::unwrap)
                .collect::<Vec<_>>()
                .await,
        );
        let seen = Mutex::new(Vec::new());
        stream::iter(1..2)
            .for_each_concurrent(2, |n| {
                let seen = &seen;
                async move {
                    let n = work(n).await;
                    seen.lock().unwrap().push(n);
                }
            })
            .await;
        all.extend(seen.into_inner().unwrap());
    }
    let _ = ctx;
    all.push(work(9).await);
    all
}

#[propagate(ctx = ctx)]
async fn single(ctx: Ctx, other: Ctx, limit: Duration) -> Vec<u32> {
    let _ = ctx;
    let ctx = other;
    let _ = &ctx;
    let cell = OnceCell::new();
    let mut all = vec![*cell.get_or_init(|| work(1)).await];
    all.push(timeout(limit, work(2)).await.unwrap());
    all.push(work(3).then(|n| work(n)).await);
    let bound = work(4);
    all.push(bound.await);
    let makes: Vec<_> = (5..7).map(|n| move || async move { work(n).await }).collect();
    for make in makes {
        all.push(make().await);
    }
    all
}

#[tokio::test]
async fn rule_3_2_50_combinators_carry_what_the_name_means() {
    let all = streams(ctx(), other(200)).await;
    assert_eq!(all, [100, 201, 202, 201, 202, 201, 201, 109]);
    // `work` of what `work` gave: both under the same context.
    assert_eq!(
        single(ctx(), other(200), Duration::from_secs(60)).await,
        [201, 202, 403, 204, 205, 206]
    );
}
