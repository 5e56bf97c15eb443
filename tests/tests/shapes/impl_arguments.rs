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
