//! Closures that may leave the function borrow no context, also where a name or an `.await` stands beside them; calls that are
//! given a context by hand keep what they were given.

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::future::join_all;
use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Marker, ctx, plain, work};

type Numbers = BoxStream<'static, u32>;

/// As the body of a request: it wants to own the stream.
struct Body(Numbers);

impl Body {
    fn wrap(stream: impl Stream<Item = u32> + Send + 'static) -> Body {
        Body(stream.boxed())
    }

    async fn send(self) -> Vec<u32> {
        self.0.collect().await
    }
}

async fn sends(body: Body) -> Vec<u32> {
    body.send().await
}

/// In what is awaited, handed to who knows what.
#[propagate]
async fn in_an_await(sender: mpsc::Sender<Numbers>, limit: Duration) -> u32 {
    sender.send(stream::iter([1]).then(|n| plain(n)).boxed()).await.unwrap();
    let sent = Body::wrap(stream::iter([2]).then(|n| plain(n))).send().await;
    let others = sends(Body::wrap(stream::iter([3]).then(|n| plain(n)))).await;
    let timed = timeout(limit, sends(Body::wrap(stream::iter([4]).then(|n| plain(n))))).await;
    let bound = stream::iter([5]).then(|n| plain(n));
    sender.send(bound.boxed()).await.unwrap();
    sent[0] + others[0] + timed.unwrap()[0]
}

/// One of that name stays, the other does not.
#[propagate]
async fn by_one_name() -> Numbers {
    let numbers = stream::iter([1]).then(|n| plain(n));
    assert_eq!(numbers.collect::<Vec<_>>().await, [1]);
    let numbers = stream::iter([2]).then(|n| plain(n));
    Box::pin(numbers)
}

/// What stays may borrow, whatever it is put into.
#[propagate]
async fn that_stay(ids: Vec<u32>) -> u32 {
    let numbers = stream::iter(&ids).then(|n| work(*n));
    let mut numbers = Box::pin(numbers);
    let mut sum = 0;
    while let Some(n) = numbers.next().await {
        sum += n;
    }
    let all = ids.iter().map(|n| work(*n)).collect::<FuturesUnordered<_>>();
    if all.is_empty() {
        return sum;
    }
    all.fold(sum, |sum, n| async move { sum + n }).await
}

/// Closures that use nothing of the function take its context along.
#[propagate]
async fn that_use_nothing(first: u32) -> impl Stream<Item = u32> + Send + 'static {
    let last = first + 1;
    stream::unfold((first, last), |(first, last)| async move {
        let next = work(first).await;
        let shown = format!("{next} of {first}");
        (first <= last && !shown.is_empty()).then_some((next, (first + 1, last)))
    })
}

#[propagate]
async fn bound_and_boxed(list: Vec<u32>) -> Numbers {
    let numbers = stream::unfold((list, Vec::new()), |(mut list, mut seen)| async {
        let next = list.pop()?;
        seen.extend_from_slice(&[next]);
        let borrowed = &mut seen;
        borrowed.push(work(next).await);
        Some((borrowed.last().copied()?, (list, seen)))
    });
    Box::pin(numbers)
}

#[propagate]
async fn calls_alone(ids: Vec<u32>) -> Numbers {
    stream::iter(ids).then(|id| work(id)).boxed()
}

/// What uses something of the function is left as it was: these do not say `move`, so they borrow.
#[propagate]
async fn that_use_something(ids: Vec<u32>, more: u32) -> Vec<u32> {
    let named = stream::iter(&ids).then(|id| async move { work(id + more).await });
    let first: Vec<_> = named.collect().await;
    let many = &ids;
    let shown =
        stream::iter(first).map(|id| async move { format!("{id} {more}").len() + many.len() });
    let lengths: Vec<_> = shown.buffered(2).collect().await;
    lengths.into_iter().map(|length| u32::try_from(length).unwrap() + more).collect()
}

/// A closure with a name may be used twice.
#[propagate]
async fn used_twice() -> u32 {
    let twice = |n: u32| async move { work(n).await };
    let sums = stream::iter([1]).then(twice).collect::<Vec<_>>().await;
    let others = stream::iter([2]).then(twice).collect::<Vec<_>>().await;
    sums[0] + others[0]
}

#[tokio::test]
async fn what_uses_nothing_takes_its_context_along() {
    let ctx = ctx();
    let stream = that_use_nothing(1).with(&ctx).await;
    let boxed = bound_and_boxed(vec![2, 1]).with(&ctx).await;
    let calls = calls_alone(vec![1, 2]).with(&ctx).await;
    // where no context is current
    let (sent, boxed, calls) = tokio::spawn(async move {
        (
            stream.collect::<Vec<_>>().await,
            boxed.collect::<Vec<_>>().await,
            calls.collect::<Vec<_>>().await,
        )
    })
    .await
    .unwrap();
    assert_eq!((sent, boxed, calls), (vec![101, 102], vec![101, 102], vec![101, 102]));
    assert_eq!(that_use_something(vec![1, 2], 1).with(&ctx).await.len(), 2);
    assert_eq!(used_twice().with(&ctx).await, 203);
}

/// The name of the context is assigned while they live.
#[propagate]
async fn beside_an_assignment(mut ctx: Ctx) -> Option<Marker> {
    let numbers = stream::iter([1]).then(|n| plain(n));
    let mut numbers = Box::pin(numbers);
    while let Some(n) = numbers.next().await {
        ctx = ctx.with_value(Marker(n));
    }
    assert_eq!(work(1).await, 2);
    ctx.value::<Marker>().copied()
}

#[tokio::test]
async fn what_may_leave_borrows_no_context() {
    let ctx = ctx();
    let (sender, mut receiver) = mpsc::channel(2);
    assert_eq!(in_an_await(sender, Duration::from_secs(60)).with(&ctx).await, 9);
    let mut received = Vec::new();
    while let Some(numbers) = receiver.recv().await {
        received.extend(numbers.collect::<Vec<_>>().await);
    }
    assert_eq!(received, [1, 5]);
    assert_eq!(by_one_name().with(&ctx).await.collect::<Vec<_>>().await, [2]);
    assert_eq!(that_stay(vec![1, 2]).with(&ctx).await, 406);
    assert_eq!(beside_an_assignment(ctx).await.map(|marker| marker.0), Some(1));
}

#[propagate]
async fn given_by_hand(ctx: &Ctx, ids: Vec<u32>) -> Result<u32, Cancelled> {
    let other = ctx.with_value(Marker(1_000));
    let calls = vec![work(1), work(2)];
    let mut sum: u32 = join_all(calls.into_iter().map(|call| call.with(&other))).await.iter().sum();
    let calls = ids.iter().map(|id| work(*id));
    sum += join_all(calls.map(|call| call.with(&other))).await.iter().sum::<u32>();
    let stream = stream::iter(ids).map(|id| work(id)).map(|call| call.with(&other));
    sum += stream.buffer_unordered(2).fold(0, |sum, n| async move { sum + n }).await;
    Ok(sum)
}

#[tokio::test]
async fn what_is_given_a_context_keeps_it() {
    assert_eq!(given_by_hand(&ctx(), vec![3, 4]).await, Ok(6_017));
}

/// A call that has a name before it is put where it is awaited.
#[propagate]
async fn put_by_name() -> u32 {
    let mut list = Vec::new();
    let all = FuturesUnordered::new();
    let named = work(1);
    list.push(named);
    list.push(work(2));
    let other = work(3);
    all.push(other);
    all.push(work(4));
    let sum: u32 = join_all(list).await.iter().sum();
    all.fold(sum, |sum, n| async move { sum + n }).await
}

#[tokio::test]
async fn what_is_put_by_its_name_carries_its_context() {
    assert_eq!(put_by_name().with(&ctx()).await, 410);
}
