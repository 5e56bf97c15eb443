//! Methods of traits, one by one and by the trait; as `impl Future` and boxed.

// In the prelude since edition 2024; this file is compiled in 2021 too.
#[allow(unused_imports)]
use std::future::Future;
use std::sync::Arc;

use ctxprop::{Ctx, NeedsCtx, propagate};

use super::{AppResult, add_one, ctx, marked, unit};

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
    assert_eq!(English.greet("you").with(&ctx()).await, "hello you, conveyed.");
    assert_eq!(English.twice("a").with(&ctx()).await, "hello a, conveyed.hello a, conveyed.");
    assert_eq!(ctx().spawn(spawnable(&English)).await.unwrap(), "hello generic, conveyed.");
}

/// By the trait: all of it is `Send`, the bodies that it gives too.
#[propagate]
trait Counts {
    async fn count(&mut self, by: u32) -> u32;

    async fn twice(&mut self, by: u32) -> AppResult<u32> {
        self.count(by).await;
        add_one(self.count(by).await).await
    }

    async fn named(&self, ctx: &Ctx, (n, _): (u32, u32)) -> u32 {
        assert!(!ctx.is_done());
        add_one(n).await.unwrap_or(0)
    }

    async fn owned(self, ctx: Ctx) -> u32
    where
        Self: Sized;

    fn plain(&self) -> u32 {
        3
    }
}

struct Counter(u32);

#[propagate]
impl Counts for Counter {
    async fn count(&mut self, by: u32) -> u32 {
        marked().await;
        self.0 += by;
        self.0
    }

    async fn owned(self, ctx: Ctx) -> u32 {
        drop(ctx);
        marked().await;
        self.0
    }
}

/// Generic code can spawn them.
async fn spawned<C: Counts + Send + Sync + 'static>(mut counts: C) -> u32 {
    let ctx = ctx();
    let child = ctx.clone();
    let twice = async move { counts.twice(1).with(&child).await.map(|n| (n, counts)) };
    let (n, counts) = ctx.spawn(twice).await.unwrap().unwrap();
    let child = ctx.clone();
    let named = async move { counts.named(&child, (n, 0)).await + counts.plain() };
    ctx.spawn(named).await.unwrap()
}

#[tokio::test]
async fn by_the_trait() {
    assert_eq!(spawned(Counter(0)).await, 7);
    assert_eq!(Counter(1).owned(ctx()).await, 1);
}

#[propagate(boxed)]
trait Store: Send + Sync {
    async fn get(&self, key: &str) -> AppResult<String>;
    async fn put(&mut self, key: String, value: &str) -> Option<&str>;
    async fn size(&self) -> u32;
    async fn nothing() -> u32
    where
        Self: Sized;
    async fn named(&self, ctx: &Ctx, key: &str) -> bool;
    async fn shared(self: Arc<Self>) -> u32;
    async fn both<'a>(&self, one: &'a str, two: &str) -> &'a str {
        marked().await;
        if two.is_empty() { "" } else { one }
    }
    async fn generic<T: Send + Into<u32>>(&self, n: T) -> u32
    where
        Self: Sized;
}

struct Memory(Vec<(String, String)>);

#[propagate(boxed)]
impl Store for Memory {
    async fn get(&self, key: &str) -> AppResult<String> {
        add_one(1).await?;
        let found = self.0.iter().find(|entry| entry.0 == key);
        Ok(found.map(|entry| entry.1.clone()).unwrap_or_default())
    }

    async fn put(&mut self, key: String, value: &str) -> Option<&str> {
        marked().await;
        self.0.push((key, value.to_owned()));
        self.0.last().map(|entry| entry.1.as_str())
    }

    async fn size(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    async fn nothing() -> u32 {
        marked().await;
        0
    }

    async fn named(&self, ctx: &Ctx, key: &str) -> bool {
        assert!(!ctx.is_done());
        matches!(self.get(key).await, Ok(value) if !value.is_empty())
    }

    async fn shared(self: Arc<Self>) -> u32 {
        marked().await;
        self.size().await
    }

    async fn generic<T: Send + Into<u32>>(&self, n: T) -> u32 {
        n.into() + self.size().await
    }
}

#[tokio::test]
async fn boxed() {
    let ctx = ctx();
    let mut store: Box<dyn Store> = Box::new(Memory(Vec::new()));
    assert_eq!(store.put("a".to_owned(), "b").with(&ctx).await, Some("b"));
    assert_eq!(store.get("a").with(&ctx).await.unwrap(), "b");
    assert!(store.named(&ctx, "a").await && !store.named(&ctx, "b").await);
    assert_eq!(store.both("one", "two").with(&ctx).await, "one");
    assert_eq!(Memory::nothing().with(&ctx).await, 0);
    assert_eq!(Memory(Vec::new()).generic(3_u32).with(&ctx).await, 3);
    let store: Arc<dyn Store> = Arc::from(store);
    assert_eq!(ctx.spawn(Arc::clone(&store).shared()).await.unwrap(), 1);
    assert_eq!(ctx.spawn(async move { store.size().with(&super::ctx()).await }).await.unwrap(), 1);
}

/// What the trait is generic over lives as long as the future too.
#[propagate(boxed)]
trait Keeps<'k, K>: Sync {
    async fn keep(&self, key: K, other: &'k str) -> (K, usize);
}

struct Keeper<T>(T);

#[propagate(boxed)]
impl<'k, K: Send, T: Sync + AsRef<str>> Keeps<'k, K> for Keeper<T> {
    async fn keep(&self, key: K, other: &'k str) -> (K, usize) {
        marked().await;
        (key, other.len() + self.0.as_ref().len())
    }
}

/// An implementation for more types than the trait knows of.
#[propagate(boxed)]
trait Finds: Send + Sync {
    async fn find(&self, id: u32) -> AppResult<Option<u32>>;

    async fn first(&self) -> Option<u32> {
        self.find(0).await.ok().flatten()
    }
}

#[propagate(boxed)]
impl Finds for u32 {
    async fn find(&self, id: u32) -> AppResult<Option<u32>> {
        Ok((add_one(id).await? == *self).then_some(id))
    }
}

#[propagate(boxed)]
impl<F: Finds + ?Sized> Finds for Arc<F> {
    async fn find(&self, id: u32) -> AppResult<Option<u32>> {
        (**self).find(id).await
    }
}

#[tokio::test]
async fn boxed_for_all() {
    let finds: Arc<dyn Finds> = Arc::new(1);
    assert_eq!(Arc::new(finds).first().with(&ctx()).await, Some(0));
}

#[tokio::test]
async fn boxed_and_generic() {
    let text = String::from("text");
    let keeper: &dyn Keeps<'_, &str> = &Keeper("two");
    assert_eq!(keeper.keep(&text, &text).with(&ctx()).await, ("text", 7));
}

/// What a trait gives that does not touch `self` asks nothing of it.
#[propagate]
trait Listens {
    async fn on_message(&self, n: u32) -> AppResult<u32> {
        add_one(n).await
    }

    async fn on_close(&mut self) {
        unit().await;
    }

    async fn named(&self, ctx: &Ctx) -> bool {
        ctx.is_done()
    }

    /// It only passes on what another one gives.
    async fn on_text(&self, text: String, n: u32, _binary: bool) -> AppResult<u32> {
        self.on_both(text, n).await
    }

    async fn on_both(&self, text: String, n: u32) -> AppResult<u32> {
        add_one(n + text.len() as u32).await
    }
}

/// It is not `Sync`.
struct Unshared(std::cell::Cell<u32>);

impl Listens for Unshared {}

async fn listens<L: Listens>(listener: &mut L) -> u32 {
    listener.on_close().with(&ctx()).await;
    assert!(!listener.named(&ctx()).await);
    let text = listener.on_text("a".to_owned(), 1, true);
    assert_eq!(text.with(&ctx()).await.unwrap(), 3);
    listener.on_message(1).with(&ctx()).await.unwrap()
}

#[tokio::test]
async fn defaults_that_do_not_touch_self() {
    let mut counter = Unshared(std::cell::Cell::new(0));
    assert_eq!(listens(&mut counter).await + counter.0.get(), 2);
}
