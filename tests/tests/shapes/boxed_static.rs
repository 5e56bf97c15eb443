//! Static methods of `boxed` traits, in every kind of `impl`.

use ctxprop::propagate;

use super::{ctx, marked};

#[propagate(boxed)]
trait Job: Send {
    async fn name() -> String
    where
        Self: Sized;

    async fn run(&self, n: u32) -> u32 {
        n
    }
}

struct Every<T>(T);
struct Of<'a>(&'a str);
struct Both<'a, const N: usize, T: ?Sized>(&'a T);

#[propagate(boxed)]
impl<T: Send> Job for Every<T> {
    async fn name() -> String {
        format!("every {}", marked().await)
    }
}

#[propagate(boxed)]
impl<'a> Job for Of<'a> {
    async fn name() -> String {
        "of".into()
    }

    async fn run(&self, n: u32) -> u32 {
        n + self.0.len() as u32
    }
}

#[propagate(boxed)]
impl<'a, const N: usize, T: ?Sized + Sync> Job for Both<'a, N, T> {
    async fn name() -> String {
        format!("{} {N}", size_of::<&'a T>() > 0)
    }
}

/// A blanket `impl`, whose trait has no other.
trait Named {
    fn named() -> String;
}

#[propagate(boxed)]
trait Described {
    async fn described(prefix: &str) -> String
    where
        Self: Sized;
}

#[propagate(boxed)]
impl<T: Named + Send> Described for T {
    async fn described(prefix: &str) -> String {
        format!("{prefix} {}", Self::named())
    }
}

impl Named for u8 {
    fn named() -> String {
        "u8".into()
    }
}

/// The trait's own generics.
#[propagate(boxed)]
trait Make<'m, T> {
    async fn make(n: u8) -> T;
    async fn borrowed(text: &'m str) -> &'m str;
}

#[propagate(boxed)]
impl<'m, T: From<u8> + Send> Make<'m, Vec<T>> for Every<u8> {
    async fn make(n: u8) -> Vec<T> {
        vec![n.into()]
    }

    async fn borrowed(text: &'m str) -> &'m str {
        text
    }
}

/// In an `impl` without a trait, and with generics of its own.
#[propagate(boxed)]
impl<T: Send> Every<T> {
    async fn keep<U: Send>(kept: T, other: U) -> (T, U) {
        marked().await;
        (kept, other)
    }
}

#[tokio::test]
async fn static_methods() {
    let ctx = ctx();
    assert_eq!(Every::<String>::name().with(&ctx).await, "every conveyed");
    assert_eq!(Every(1).run(2).with(&ctx).await + Every(1).0, 3);
    assert_eq!(Of::name().with(&ctx).await, "of");
    assert_eq!(Of("text").run(1).with(&ctx).await, 5);
    assert_eq!(Both::<3, str>::name().with(&ctx).await, "true 3");
    assert_eq!(Both::<3, str>("").0, "");
    assert_eq!(u8::described("a").with(&ctx).await, "a u8");
    assert_eq!(<Every<u8> as Make<'_, Vec<u32>>>::make(3).with(&ctx).await, [3]);
    assert_eq!(<Every<u8> as Make<'_, Vec<u32>>>::borrowed("b").with(&ctx).await, "b");
    let text = String::from("text");
    assert_eq!(Every::keep(&*text, 1).with(&ctx).await, ("text", 1));
}
