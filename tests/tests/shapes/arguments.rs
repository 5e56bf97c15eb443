//! Lifetimes, generics and patterns.

use std::fmt::Display;

use ctxprop::{Ctx, propagate};

use super::{ctx, marked};

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

#[propagate]
async fn given_patterns(
    (one, mut two): (u32, u32),
    ctx: &Ctx,
    [first, .., _]: [u32; 3],
    _: u8,
    ref text: String,
    Point { x, y: mut down }: Point,
) -> u32 {
    assert!(!ctx.is_done());
    marked().await;
    two += 1;
    down += x;
    one + two + first + down + text.len() as u32
}

struct Point {
    x: u32,
    y: u32,
}

#[propagate(boxed)]
async fn given_boxed<'a, T: Send + 'a>(
    ctx: &Ctx,
    (one, _): (u32, T),
    text: &'a str,
    other: &str,
) -> (u32, &'a str) {
    assert!(!ctx.is_done());
    marked().await;
    (one + other.len() as u32, text)
}

/// The lifetimes that a path or a nested reference hides.
#[propagate]
async fn nested<'a>(
    texts: &[&'a str],
    cow: std::borrow::Cow<'_, str>,
    ask: &(dyn Fn(&str) -> bool + Sync),
) -> Option<&'a str> {
    marked().await;
    texts.iter().copied().find(|text| **text == *cow && ask(text))
}

#[tokio::test]
async fn more_arguments() {
    let ctx = ctx();
    let point = Point { x: 1, y: 2 };
    let sum = given_patterns((1, 2), &ctx, [3, 4, 5], 0, "four".to_owned(), point).await;
    assert_eq!(sum, 1 + 3 + 3 + 3 + 4);
    let text = String::from("text");
    assert_eq!(given_boxed(&ctx, (1, 'x'), &text, "other").await, (6, "text"));
    let spawned = given_boxed_static(ctx.clone(), 1);
    assert_eq!(ctx.spawn(spawned).await.unwrap(), 1);
    let found = nested(&["a", &text], "text".into(), &|text| text.len() == 4).with(&ctx).await;
    assert_eq!(found, Some("text"));
}

#[propagate(boxed)]
async fn given_boxed_static(ctx: Ctx, n: u32) -> u32 {
    drop(ctx);
    marked().await;
    n
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
