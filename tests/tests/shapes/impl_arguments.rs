//! Lifetimes that are left out inside of `impl Trait` arguments, as an `async fn` may leave them out.

use std::borrow::Cow;

use ctxprop::{Ctx, propagate};

use super::{ctx, marked};

#[propagate]
async fn sum(numbers: impl Iterator<Item = &u8>) -> u8 {
    marked().await;
    numbers.sum()
}

#[propagate]
async fn both(
    first: impl IntoIterator<Item = &str> + Send,
    second: impl Into<Cow<'_, str>>,
    called: impl Fn(&u8) -> &u8,
) -> String {
    let first: Vec<&str> = first.into_iter().collect();
    format!("{} {} {}", first.concat(), second.into(), called(&3))
}

#[propagate]
async fn longest<'a>(words: &mut impl Iterator<Item = &'a str>, other: &'a str) -> &'a str {
    words.chain([other]).max_by_key(|word| word.len()).unwrap_or(other)
}

#[propagate]
async fn named(ctx: Ctx, numbers: impl Iterator<Item = &u8>) -> u8 {
    drop(ctx);
    sum(numbers).await
}

#[propagate]
trait Sums {
    async fn sum(&self, numbers: impl Iterator<Item = &u8> + Send) -> u8;
    async fn sum_of(&self, ctx: &Ctx, numbers: impl Iterator<Item = &u8> + Send) -> u8;
}

#[propagate]
impl Sums for u8 {
    async fn sum(&self, numbers: impl Iterator<Item = &u8> + Send) -> u8 {
        marked().await;
        numbers.sum::<u8>() + self
    }

    async fn sum_of(&self, ctx: &Ctx, numbers: impl Iterator<Item = &u8> + Send) -> u8 {
        assert!(!ctx.is_done());
        self.sum(numbers).await
    }
}

#[propagate(boxed)]
async fn boxed(numbers: impl Iterator<Item = &u8> + Send) -> u8 {
    numbers.sum()
}

trait Loader: Send {
    fn push(&mut self, number: u8);
}

impl Loader for Vec<u8> {
    fn push(&mut self, number: u8) {
        self.push(number);
    }
}

/// The lifetime of a boxed future is one bound more, which a reference takes in parentheses alone.
#[propagate(boxed)]
trait Importer: Sized {
    async fn load(self, loader: &mut impl Loader) -> usize;
    async fn all(self, from: &[u8], loader: &mut (impl Loader + ?Sized), by: &impl Offset) -> u8;
}

trait Offset: Sync {
    fn offset(&self) -> u8;
}

impl Offset for u8 {
    fn offset(&self) -> u8 {
        *self
    }
}

struct Numbers(Vec<u8>);

#[propagate(boxed)]
impl Importer for Numbers {
    async fn load(self, loader: &mut impl Loader) -> usize {
        let count = self.0.len();
        let numbers = self.0.clone();
        self.all(&numbers, loader, &1).await;
        count
    }

    async fn all(self, from: &[u8], loader: &mut (impl Loader + ?Sized), by: &impl Offset) -> u8 {
        assert_eq!(marked().await, "conveyed");
        from.iter().for_each(|number| loader.push(number + by.offset()));
        by.offset()
    }
}

#[propagate(boxed)]
async fn boxed_and_borrowed(loader: &mut impl Loader, numbers: &(impl AsRef<[u8]> + Sync)) {
    numbers.as_ref().iter().for_each(|number| loader.push(*number));
}

#[tokio::test]
async fn impl_arguments_behind_references_of_boxed_functions() {
    let ctx = ctx();
    let mut loaded = Vec::new();
    assert_eq!(Numbers(vec![1, 2]).load(&mut loaded).with(&ctx).await, 2);
    boxed_and_borrowed(&mut loaded, &[7]).with(&ctx).await;
    assert_eq!(loaded, [2, 3, 7]);
}

#[tokio::test]
async fn impl_arguments() {
    let ctx = ctx();
    let numbers = [1, 2];
    assert_eq!(sum(numbers.iter()).with(&ctx).await, 3);
    assert_eq!(boxed(numbers.iter()).with(&ctx).await, 3);
    assert_eq!(named(ctx.clone(), numbers.iter()).await, 3);
    assert_eq!(1.sum(numbers.iter()).with(&ctx).await, 4);
    assert_eq!(1.sum_of(&ctx, numbers.iter()).await, 4);
    assert_eq!(both(["a", "b"], "c", |n| n).with(&ctx).await, "ab c 3");
    assert_eq!(longest(&mut ["a", "bc"].into_iter(), "d").with(&ctx).await, "bc");
}
