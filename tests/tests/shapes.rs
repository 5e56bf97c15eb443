//! Every shape of function that `#[propagate]` takes, compiled and run. The crate `edition-2021` runs the same
//! file in that edition.

use std::fmt::Display;
// In the prelude since edition 2024; this file is compiled in 2021 too.
#[allow(unused_imports)]
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ctxprop::{Background, Cancelled, Ctx, NeedsCtx, propagate};

type AppResult<T, E = io::Error> = Result<T, E>;

fn ctx() -> Ctx {
    Ctx::background().with_value(Marker("threaded"))
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Marker(&'static str);

/// What proves that the context got here.
fn here() -> &'static str {
    Ctx::current().value::<Marker>().map_or("lost", |marker| marker.0)
}

#[propagate]
async fn marked() -> &'static str {
    tokio::task::yield_now().await;
    here()
}

#[propagate]
async fn add_one(n: u32) -> AppResult<u32> {
    assert_eq!(marked().await, "threaded");
    Ok(n + 1)
}

#[propagate]
async fn given(ctx: Ctx, n: u32) -> AppResult<u32> {
    assert_eq!(ctx.value(), Some(&Marker("threaded")));
    add_one(n).await
}

#[propagate]
async fn given_by_reference(ctx: &Ctx, n: u32) -> AppResult<u32> {
    assert_eq!(ctx.value(), Some(&Marker("threaded")));
    add_one(n).await
}

#[propagate]
async fn given_unnamed(_: Ctx, n: u32) -> AppResult<u32> {
    add_one(n).await
}

type Context = Ctx;

#[propagate(ctx = context)]
async fn given_under_another_name(context: Context, n: u32) -> AppResult<u32> {
    drop(context);
    add_one(n).await
}

#[propagate(budget = "1h")]
async fn given_a_budget(mut ctx: Ctx) -> AppResult<Duration> {
    assert_eq!(
        ctx.remaining(),
        Ctx::current().remaining(),
        "the name means the context of the body"
    );
    ctx = ctx.with_budget_share(1.0);
    ctx.remaining().ok_or_else(|| io::Error::other("no budget"))
}

#[propagate(budget = "50%", unwind)]
async fn with_half_of_it() -> AppResult<Duration> {
    Ctx::current().remaining().ok_or_else(|| io::Error::other("no budget"))
}

#[tokio::test(start_paused = true)]
async fn both_forms() {
    assert_eq!(given(ctx(), 1).await.unwrap(), 2);
    assert_eq!(given_by_reference(&ctx(), 2).await.unwrap(), 3);
    assert_eq!(given_unnamed(ctx(), 3).await.unwrap(), 4);
    assert_eq!(given_under_another_name(ctx(), 4).await.unwrap(), 5);
    assert_eq!(add_one(5).with(&ctx()).await.unwrap(), 6);
    assert_eq!(given_a_budget(ctx()).await.unwrap(), Duration::from_secs(3600));
    let two_seconds = ctx().with_timeout(Duration::from_secs(2));
    assert_eq!(with_half_of_it().with(&two_seconds).await.unwrap(), Duration::from_secs(1));
}

struct Store<T> {
    items: Vec<T>,
}

impl<T: Clone + Display + Send + Sync> Store<T> {
    #[propagate]
    async fn first<'a>(&'a self, fallback: &'a T) -> &'a T {
        marked().await;
        self.items.first().unwrap_or(fallback)
    }

    #[propagate]
    async fn push(&mut self, item: T) -> usize {
        marked().await;
        self.items.push(item);
        self.items.len()
    }

    #[propagate]
    async fn shared(self: Arc<Self>) -> String {
        marked().await;
        self.items.iter().map(T::to_string).collect()
    }

    #[propagate]
    async fn owned(mut self, ctx: &Ctx, item: T) -> Vec<T> {
        assert!(!ctx.is_done());
        marked().await;
        self.items.push(item);
        self.items
    }

    #[propagate]
    async fn unused_self(self) -> usize {
        marked().await.len()
    }
}

#[tokio::test]
async fn methods() {
    let mut store = Store { items: vec![1, 2] };
    assert_eq!(*store.first(&0).with(&ctx()).await, 1);
    assert_eq!(store.push(3).with(&ctx()).await, 3);
    let store = Arc::new(store);
    assert_eq!(Arc::clone(&store).shared().with(&ctx()).await, "123");
    assert_eq!(Store { items: vec![1] }.owned(&ctx(), 2).await, [1, 2]);
    assert_eq!(Store { items: vec![1] }.unused_self().with(&ctx()).await, 8);
}

trait Greets {
    /// A method of a trait, in the form that the attribute gives it.
    #[propagate]
    async fn greet(&self, name: &str) -> String;

    #[propagate]
    async fn twice(&self, name: &str) -> String
    where
        Self: Sync,
    {
        let once = self.greet(name).await;
        format!("{once}{once}")
    }
}

struct English;

impl Greets for English {
    #[propagate]
    async fn greet(&self, name: &str) -> String {
        format!("hello {name}, {}.", marked().await)
    }
}

fn spawnable<G: Greets + Sync + 'static>(
    greets: &'static G,
) -> NeedsCtx<impl Future<Output = String> + Send> {
    greets.greet("generic")
}

#[tokio::test]
async fn traits() {
    assert_eq!(English.greet("you").with(&ctx()).await, "hello you, threaded.");
    assert_eq!(English.twice("a").with(&ctx()).await, "hello a, threaded.hello a, threaded.");
    assert_eq!(ctx().spawn(spawnable(&English)).await.unwrap(), "hello generic, threaded.");
}

#[propagate]
async fn elided<'a>(one: &'a str, _two: &str) -> &'a str {
    marked().await;
    one
}

#[propagate]
async fn several<'a, 'b: 'a>(one: &'a str, two: &'b str) -> (&'a str, &'b str) {
    marked().await;
    (one, two)
}

#[propagate]
async fn generic<T, const N: usize>(items: [T; N]) -> usize
where
    T: Into<u64> + Copy,
{
    marked().await;
    items.iter().map(|item| (*item).into()).sum::<u64>() as usize + N
}

#[propagate]
async fn impl_trait(make: impl Fn(u32) -> String, show: impl Display) -> impl Display {
    let show = |prefix: String| async move { format!("{prefix}{show}{}", marked().await.len()) };
    show(make(1)).await
}

#[propagate]
async fn patterns(
    (one, mut two): (u32, u32),
    [first, ..]: [u32; 3],
    _: u8,
    _unused: String,
) -> u32 {
    marked().await;
    two += 1;
    one + two + first
}

#[propagate]
async fn lazily(mut count: u32, ref name: String) -> u32 {
    count += name.len() as u32;
    count
}

#[tokio::test]
async fn arguments() {
    let text = String::from("text");
    assert_eq!(elided(&text, "other").with(&ctx()).await, "text");
    assert_eq!(several(&text, "b").with(&ctx()).await, ("text", "b"));
    assert_eq!(generic([1_u32, 2, 3]).with(&ctx()).await, 9);
    assert_eq!(impl_trait(|n| n.to_string(), 'x').with(&ctx()).await.to_string(), "1x8");
    assert_eq!(patterns((1, 2), [3, 4, 5], 0, String::new()).with(&ctx()).await, 7);
    assert_eq!(lazily(1, text).with(&ctx()).await, 5);
}

/// Arguments drop as those of an `async fn` do: after the body, the last first, whether used or not.
#[tokio::test]
async fn drop_order() {
    type Log = Arc<std::sync::Mutex<Vec<&'static str>>>;
    struct Told(Log, &'static str);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    #[propagate]
    async fn ours(log: Log, one: Told, _: Told, (two, _): (Told, Told), _unused: Told) {
        let _local = Told(log, "local");
        marked().await;
        let _ = (&one.1, &two.1);
    }
    async fn plain(log: Log, one: Told, _: Told, (two, _): (Told, Told), _unused: Told) {
        let _local = Told(log, "local");
        tokio::task::yield_now().await;
        let _ = (&one.1, &two.1);
    }
    let (a, b) = (Log::default(), Log::default());
    let told = |log: &Log, name| Told(Arc::clone(log), name);
    let pair = |log: &Log| (told(log, "two"), told(log, "rest"));
    ours(Arc::clone(&a), told(&a, "one"), told(&a, "wild"), pair(&a), told(&a, "unused"))
        .with(&ctx())
        .await;
    plain(Arc::clone(&b), told(&b, "one"), told(&b, "wild"), pair(&b), told(&b, "unused")).await;
    assert_eq!(*a.lock().unwrap(), *b.lock().unwrap());
}

#[propagate]
async fn flow(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    let Some(rest) = text.strip_prefix("n=") else {
        return Err(format!("no number, {}", marked().await).into());
    };
    let number: u32 = rest.parse()?;
    let found = 'outer: loop {
        for step in 0..10 {
            match add_one(step).await? {
                n if n == number && marked().await == "threaded" => break 'outer n,
                n if n > 9 => break 'outer 0,
                _ => continue,
            }
        }
    };
    if let Ok(one) = add_one(0).await {
        assert_eq!(one, 1);
    }
    let both = (add_one(1).await?, add_one(2).await?);
    Ok(found + both.0.min(both.1) - 2)
}

#[tokio::test]
async fn control_flow() {
    assert_eq!(flow("n=7").with(&ctx()).await.unwrap(), 7);
    assert_eq!(flow("n=70").with(&ctx()).await.unwrap(), 0);
    assert!(flow("n=x").with(&ctx()).await.unwrap_err().is::<std::num::ParseIntError>());
    assert_eq!(flow("").with(&ctx()).await.unwrap_err().to_string(), "no number, threaded");
}

#[propagate]
async fn blocks(ctx: Ctx) -> AppResult<Vec<&'static str>> {
    let local = String::from("borrowed");
    let borrows = async { (marked().await, local.len()) };
    let owned: std::pin::Pin<Box<dyn Future<Output = &'static str> + Send>> =
        Box::pin(async move { marked().await });
    let spawned = ctx.spawn(async { marked().await });
    let nested = async { async { marked().await }.await };
    let typed = async {
        let n = add_one(1).await?;
        Ok::<_, io::Error>(n)
    };
    assert_eq!(typed.await?, 2);
    Ok(vec![borrows.await.0, owned.await, spawned.await?, nested.await])
}

#[propagate]
async fn closures(ctx: Ctx) -> AppResult<u32> {
    let offset = 10;
    let borrows = |n| async move { add_one(n).await.map(|n| n + offset) };
    let owns = move |n: u32| async move { add_one(n).await };
    let plain = |n: u32| n * 2;
    let lends = |n: u32| add_one(n).with(&ctx);
    let nested = move |n: u32| move |m: u32| async move { add_one(n + m).await };
    let mut sum =
        borrows(1).await? + owns(1).await? + plain(1) + lends(1).await? + nested(1)(1).await?;
    for result in futures::future::join_all((0..3).map(|n| async move { add_one(n).await })).await {
        sum += result?;
    }
    let task = ctx.spawn(owns(1));
    Ok(sum + task.await??)
}

#[propagate]
async fn async_closures() -> AppResult<u32> {
    let base = 1;
    let borrows = async |n: u32| add_one(base + n).await;
    let owns = async move |n: u32| -> AppResult<u32> {
        let n = add_one(base + n).await?;
        Ok(n)
    };
    Ok(borrows(1).await? + owns(2).await?)
}

#[tokio::test]
async fn blocks_and_closures() {
    assert_eq!(blocks(ctx()).await.unwrap(), ["threaded"; 4]);
    assert_eq!(closures(ctx()).await.unwrap(), 12 + 2 + 2 + 2 + 3 + 6 + 2);
    assert_eq!(async_closures().with(&ctx()).await.unwrap(), 7);
}

#[propagate]
async fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * Box::pin(factorial(n - 1).with(&Ctx::current())).await }
}

#[propagate]
async fn nested_items() -> u32 {
    async fn untouched() -> u32 {
        std::future::ready(1).await
    }
    #[propagate]
    async fn own() -> u32 {
        marked().await;
        2
    }
    const fn helper() -> u32 {
        3
    }
    untouched().await + own().await + helper()
}

/// Docs stay.
#[propagate]
#[must_use]
#[allow(clippy::unused_async)]
#[inline]
#[cfg(all())]
async fn attributes(#[cfg(all())] n: u32, #[cfg(any())] absent: u32) -> u32 {
    #[cfg(any())]
    let n = absent().await;
    #[allow(unused_mut)]
    let mut n = n;
    n
}

#[propagate]
async fn unit() {
    marked().await;
}

#[propagate]
fn plain(ctx: &Ctx) -> Option<Duration> {
    ctx.remaining()
}

#[tokio::test]
async fn the_rest() {
    assert_eq!(factorial(10).with(&ctx()).await, 3_628_800);
    assert_eq!(nested_items().with(&ctx()).await, 6);
    assert_eq!(attributes(1).with(&ctx()).await, 1);
    unit().with(&ctx()).await;
    assert_eq!(plain(&ctx()), None);
}

#[propagate]
async fn in_macros() -> AppResult<String> {
    let items = vec![add_one(1).await?, add_one(2).await?];
    let repeated = vec![add_one(1).await?; 2];
    assert_eq!(add_one(0).await?, 1, "in {}", marked().await);
    assert!(matches!(items.first(), Some(2)));
    println!("{} {name}", marked().await, name = marked().await);
    Ok(format!("{items:?} {repeated:?} {}", add_one(9).await?))
}

#[propagate]
async fn joins() -> AppResult<(u32, u32)> {
    let (one, two) = tokio::join!(add_one(1), async { add_one(2).await });
    let (three, four) = tokio::try_join!(add_one(3), add_one(4))?;
    let (five, six) = futures::join!(add_one(5), std::future::ready(7));
    let (seven, _) = futures::try_join!(add_one(7), async { Ok::<_, io::Error>(marked().await) })?;
    tokio::join!(unit(), unit());
    Ok((one? + two? + three + four, five? + six + seven))
}

#[propagate]
async fn selects(take: u32) -> AppResult<u32> {
    let (send, mut receive) = tokio::sync::mpsc::channel(4);
    for n in 0..take {
        send.send(n).await.map_err(io::Error::other)?;
    }
    drop(send);
    let mut sum = 0;
    let mut slow = std::pin::pin!(std::future::pending::<u32>());
    loop {
        tokio::select! {
            biased;
            Some(n) = receive.recv() => sum += add_one(n).await?,
            n = &mut slow, if sum > 100 => return Ok(n),
            else => break,
        }
    }
    let first = tokio::select! {
        n = add_one(sum) => n?,
        _ = std::future::pending::<()>() => { return Ok(0) }
    };
    Ok(first)
}

#[propagate]
async fn selects_without_unwinding() -> u32 {
    tokio::select! {
        n = add_one(1) => n.unwrap_or(0),
        () = std::future::pending() => 0,
    }
}

#[tokio::test]
async fn macros() {
    assert_eq!(in_macros().with(&ctx()).await.unwrap(), "[2, 3] [2, 2] 10");
    assert_eq!(joins().with(&ctx()).await.unwrap(), (2 + 3 + 4 + 5, 6 + 7 + 8));
    assert_eq!(selects(3).with(&ctx()).await.unwrap(), 7);
    assert_eq!(selects_without_unwinding().with(&ctx()).await, 2);
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[propagate]
async fn not_send() -> u32 {
    let local = std::rc::Rc::new(1);
    marked().await;
    *local
}

/// A function is `Send` exactly when the `async fn` would be; that `not_send` is not is a ui test.
#[tokio::test]
async fn send_is_inferred() {
    is_send(selects(1).with(&ctx())).await.unwrap();
    is_send(joins().with(&ctx())).await.unwrap();
    is_send(closures(ctx())).await.unwrap();
    is_send(blocks(ctx())).await.unwrap();
    assert_eq!(not_send().with(&ctx()).await, 1);
}

/// Look-alikes of what the rules refuse: none of them is ours or tokio's.
mod look_alikes {
    use super::*;

    struct Ctx;
    impl Ctx {
        fn background() -> u32 {
            1
        }
        fn todo() -> u32 {
            2
        }
    }
    struct Pool;
    impl Pool {
        fn spawn(&self, n: u32) -> u32 {
            n
        }
    }
    mod task {
        pub(super) fn spawn(n: u32) -> u32 {
            n
        }
    }
    fn spawn(n: u32) -> u32 {
        n
    }

    #[propagate]
    async fn none_of_them() -> u32 {
        marked().await;
        Ctx::background() + Ctx::todo() + Pool.spawn(1) + task::spawn(1) + spawn(1)
    }

    #[tokio::test]
    async fn are_let_through() {
        assert_eq!(none_of_them().with(&ctx()).await, 6);
    }
}

#[propagate(allow(detached_task, detached_context, reason = "a test of the escape"))]
async fn allowed() -> bool {
    let root = Ctx::background();
    tokio::spawn(async {}).await.is_ok() && root.deadline().is_none()
}

#[tokio::test]
async fn the_escape() {
    assert!(allowed().with(&ctx()).await);
}

#[propagate]
async fn cancelled_itself() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[tokio::test]
async fn cancelled_is_an_error_of_its_own() {
    let (ctx, canceller) = ctx().with_cancel();
    let task = ctx.spawn(cancelled_itself());
    canceller.cancel();
    assert!(task.await.is_err());
}
