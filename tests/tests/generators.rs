//! Attributes of other crates that write an `impl` of a `#[propagate]` trait: mockall's `#[automock]` and `mock!`, and
//! `#[enum_dispatch]`.

use ctxprop::{Background, Ctx, propagate};
use enum_dispatch::enum_dispatch;
use mockall::automock;

/// A root with a value that shows whether it got somewhere.
fn ctx() -> Ctx {
    Ctx::background().with_value(Marker("carried"))
}

#[derive(Clone, Copy)]
struct Marker(&'static str);

/// What proves that the context got here.
fn here() -> &'static str {
    Ctx::current().value::<Marker>().map_or("lost", |marker| marker.0)
}

#[propagate]
#[automock]
trait Store {
    async fn get(&self, key: &str) -> Option<u32>;
    async fn named(&self, ctx: &Ctx, n: u32) -> u32;
    fn plain(&self) -> u32;

    async fn both(&self, key: &str) -> (Option<u32>, u32) {
        (self.get(key).await, self.plain())
    }
}

#[propagate(boxed)]
#[automock]
trait Boxed: Send + Sync {
    async fn fetch(&self, key: &str, n: u32) -> &'static str;
    async fn put(&mut self, key: String) -> Result<u32, std::io::Error>;
}

#[propagate]
#[cfg_attr(test, automock)]
trait InTests {
    async fn get(&self) -> u32;
}

#[propagate(local)]
#[automock]
trait Local {
    async fn get(&self, n: u32) -> u32;
}

#[propagate]
async fn total(store: &impl Store) -> u32 {
    store.get("a").await.unwrap_or(0) + store.get("b").await.unwrap_or(0) + store.plain()
}

#[tokio::test]
async fn automock_of_a_trait() {
    let mut store = MockStore::new();
    store.expect_get().withf(|key| key == "a").times(1).returning(|_| {
        assert_eq!(here(), "carried", "an expectation runs under the context of the call");
        Some(1)
    });
    store.expect_get().returning(|_| None);
    store.expect_plain().return_const(5_u32);
    store.expect_named().returning(|ctx, n| n + u32::from(ctx.is_done()));
    store.expect_both().returning(|_| (None, 9));
    assert_eq!(total(&store).with(&ctx()).await, 6);
    assert_eq!(store.named(&ctx(), 3).await, 3);
    assert_eq!(store.both("c").with(&ctx()).await, (None, 9));
}

#[tokio::test]
async fn automock_of_a_boxed_trait() {
    let mut mock = MockBoxed::new();
    mock.expect_fetch().returning(|_, _| here());
    mock.expect_put().returning(|key| Ok(key.len() as u32));
    let mut boxed: Box<dyn Boxed> = Box::new(mock);
    assert_eq!(boxed.fetch("a", 1).with(&ctx()).await, "carried");
    assert_eq!(boxed.put("abc".to_owned()).with(&ctx()).await.ok(), Some(3));
}

#[tokio::test]
async fn automock_in_tests_and_local() {
    let mut mock = MockInTests::new();
    mock.expect_get().returning(|| 1);
    let mut local = MockLocal::new();
    local.expect_get().returning(|n| n);
    assert_eq!(mock.get().with(&ctx()).await + local.get(2).with(&ctx()).await, 3);
}

/// mockall copies what stands below `#[automock]`, but for an attribute of this name.
mod above {
    use ctxprop::propagate as async_trait;
    use mockall::automock;

    use super::{ctx, here};

    #[automock]
    #[async_trait]
    trait Above {
        async fn get(&self, n: u32) -> u32;
    }

    #[automock]
    #[async_trait(boxed)]
    trait BoxedAbove {
        async fn fetch(&self) -> &'static str;
    }

    #[tokio::test]
    async fn automock_above() {
        let (mut mock, mut boxed) = (MockAbove::new(), MockBoxedAbove::new());
        mock.expect_get().returning(|n| n + here().len() as u32);
        boxed.expect_fetch().returning(here);
        let boxed: Box<dyn BoxedAbove> = Box::new(boxed);
        assert_eq!(mock.get(1).with(&ctx()).await, 8);
        assert_eq!(boxed.fetch().with(&ctx()).await, "carried");
    }
}

/// `mock!` copies an attribute to where only inert ones may stand, unless it is called so.
mod written {
    use ctxprop::propagate as async_trait;
    use mockall::mock;

    use super::{Boxed, Store, ctx, here};

    mock! {
        pub Both {}

        #[async_trait]
        impl Store for Both {
            async fn get(&self, key: &str) -> Option<u32>;
            async fn named(&self, ctx: &ctxprop::Ctx, n: u32) -> u32;
            fn plain(&self) -> u32;
        }

        #[async_trait(boxed)]
        impl Boxed for Both {
            async fn fetch(&self, key: &str, n: u32) -> &'static str;
            async fn put(&mut self, key: String) -> Result<u32, std::io::Error>;
        }
    }

    #[tokio::test]
    async fn by_hand() {
        let mut plain = MockBoth::new();
        plain.expect_plain().return_const(1_u32);
        plain.expect_put().returning(|_| Ok(here().len() as u32));
        let boxed: &mut dyn Boxed = &mut plain;
        assert_eq!(boxed.put(String::new()).with(&ctx()).await.ok(), Some(7));
        assert_eq!(plain.plain(), 1);
    }
}

#[propagate]
#[enum_dispatch]
trait Shape {
    async fn area(&self, scale: u32) -> u32;
    async fn grow(&mut self, ctx: &Ctx, by: u32) -> u32;
    fn name(&self) -> String;

    async fn half(&self) -> u32 {
        self.area(1).await / 2
    }
}

#[propagate(boxed)]
#[enum_dispatch(Any)]
trait Describe {
    async fn describe(&self, prefix: &str) -> String;
}

struct Square(u32);
struct Line;

#[enum_dispatch(Shape)]
enum Any {
    Square(Square),
    Line(Line),
}

#[propagate]
impl Shape for Square {
    async fn area(&self, scale: u32) -> u32 {
        assert_eq!(here(), "carried");
        self.0 * self.0 * scale
    }

    async fn grow(&mut self, ctx: &Ctx, by: u32) -> u32 {
        assert!(!ctx.is_done());
        self.0 += by;
        self.0
    }

    fn name(&self) -> String {
        "square".into()
    }
}

#[propagate]
impl Shape for Line {
    async fn area(&self, _scale: u32) -> u32 {
        0
    }

    async fn grow(&mut self, _ctx: &Ctx, _by: u32) -> u32 {
        0
    }

    fn name(&self) -> String {
        "line".into()
    }
}

#[propagate(boxed)]
impl Describe for Square {
    async fn describe(&self, prefix: &str) -> String {
        format!("{prefix} {}", self.area(1).await)
    }
}

#[propagate(boxed)]
impl Describe for Line {
    async fn describe(&self, prefix: &str) -> String {
        prefix.to_owned()
    }
}

#[tokio::test]
async fn enum_dispatch() {
    let ctx = ctx();
    let mut any = Any::from(Square(2));
    assert_eq!(any.area(3).with(&ctx).await, 12);
    assert_eq!(any.half().with(&ctx).await, 2);
    assert_eq!(any.grow(&ctx, 1).await, 3);
    assert_eq!(any.describe("of").with(&ctx).await, "of 9");
    assert_eq!(any.name(), "square");
    assert_eq!(Any::from(Line).area(1).with(&ctx).await, 0);
}
