//! Functions that somebody's `macro_rules` wrote, and names that generated code uses too.

use ctxprop::{Cancelled, Ctx, propagate};

use super::{add_one, ctx, marked};

macro_rules! of_fragments {
    ($name:ident, $ctx:ty, $ty:ty, $awaited:expr, $pat:pat_param, $path:path) => {
        #[propagate]
        async fn $name(ctx: $ctx, $pat: ($ty, $ty)) -> Result<$ty, $path> {
            let _ = &ctx;
            let n = $awaited.await;
            Ok(n)
        }
    };
}

of_fragments!(by_value, Ctx, usize, async { marked().await.len() }, (_, _), Cancelled);
of_fragments!(by_reference, &Ctx, usize, async { marked().await.len() }, _, Cancelled);

macro_rules! of_tokens {
    ($($body:tt)*) => {
        #[propagate]
        async fn of_tokens() -> Option<u32> {
            $($body)*
        }
    };
}

of_tokens! {
    let n = add_one(1).await.ok()?;
    Some(n + 1)
}

macro_rules! of_an_item {
    ($item:item) => {
        #[propagate]
        $item
    };
}

of_an_item! {
    async fn of_an_item(n: u32) -> u32 {
        add_one(n).await.unwrap_or(0)
    }
}

/// None of them is the macro's.
#[propagate]
async fn names(how: u32, end: u32, select: u32, (value, returned): (u32, u32)) -> Option<u32> {
    let output = add_one(how).await.ok()?;
    let (joined0, exempt0) = tokio::join!(add_one(end), add_one(select));
    let selected = tokio::select! {
        value = add_one(value) => value.ok()?,
        end = std::future::pending::<u32>() => end,
    };
    Some(output + joined0.ok()? + exempt0.ok()? + selected + returned)
}

#[propagate(budget = "1h")]
async fn more_names(ctx: &Ctx, derived: u32, arg0: u32, (arg1,): (u32,), _: u32) -> u32 {
    assert!(ctx.remaining().is_some());
    add_one(derived).await.unwrap_or(0) + arg0 + arg1
}

#[propagate(span, fields(r#fn))]
async fn r#match(r#fn: u32) -> u32 {
    add_one(r#fn).await.unwrap_or(0)
}

#[tokio::test]
async fn generated() {
    let ctx = ctx();
    assert_eq!(by_value(ctx.clone(), (1, 2)).await.unwrap(), 8);
    assert_eq!(by_reference(&ctx, (1, 2)).await.unwrap(), 8);
    assert_eq!(of_tokens().with(&ctx).await, Some(3));
    assert_eq!(of_an_item(1).with(&ctx).await, 2);
    assert_eq!(names(1, 2, 3, (4, 5)).with(&ctx).await, Some(2 + 3 + 4 + 5 + 5));
    assert_eq!(more_names(&ctx, 1, 2, (3,), 4).await, 7);
    assert_eq!(r#match(1).with(&ctx).await, 2);
}
