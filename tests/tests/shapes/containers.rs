//! `impl` blocks and modules: the attribute goes to each function inside that it can mean.

use ctxprop::{Cancelled, Ctx, propagate};

use super::{ctx, marked};

struct Shop {
    name: &'static str,
}

#[propagate(budget = "1h")]
impl Shop {
    const LIMIT: usize = 9;

    async fn carried(&self) -> usize {
        assert!(Ctx::current().remaining().is_some());
        marked().await.len() + self.name.len()
    }

    async fn named(&self, ctx: Ctx) -> usize {
        assert!(ctx.remaining().is_some());
        self.carried().await
    }

    /// Its own attribute says something else.
    #[propagate(unwind)]
    async fn own(&self) -> Result<bool, Cancelled> {
        marked().await;
        Ok(Ctx::current().remaining().is_none())
    }

    #[propagate(skip)]
    async fn skipped(&self) -> usize {
        std::future::ready(Self::LIMIT).await
    }

    fn plain(&self) -> usize {
        self.name.len()
    }

    fn plain_named(&self, ctx: &Ctx) -> bool {
        ctx.is_done()
    }
}

#[tokio::test]
async fn an_impl_block() {
    let (shop, ctx) = (Shop { name: "books" }, ctx());
    assert_eq!(shop.carried().with(&ctx).await, 13);
    assert_eq!(shop.named(ctx.clone()).await, 13);
    assert!(shop.own().with(&ctx).await.unwrap());
    assert_eq!(shop.skipped().await, 9);
    assert_eq!(shop.plain(), 5);
    assert!(!shop.plain_named(&ctx));
}

#[propagate]
mod handlers {
    #![allow(dead_code, reason = "an inner attribute, which stays")]

    use ctxprop::Ctx;

    use super::super::{ctx, marked};

    pub(super) struct Cart(pub(super) u32);

    pub(super) async fn free() -> usize {
        marked().await.len()
    }

    pub(super) async fn named(ctx: &Ctx) -> usize {
        assert!(!ctx.is_done());
        free().await
    }

    impl Cart {
        pub(super) async fn method(&mut self) -> u32 {
            self.0 += u32::try_from(free().await).unwrap_or(0);
            self.0
        }
    }

    #[propagate(boxed)]
    pub(super) trait Loads: Sync {
        async fn load(&self) -> u32;
    }

    #[propagate(boxed)]
    impl Loads for Cart {
        async fn load(&self) -> u32 {
            deep::deeper(self.0).await
        }
    }

    /// Of a trait that knows nothing of contexts.
    #[propagate(skip)]
    impl super::Foreign for Cart {
        async fn foreign(&self) -> u32 {
            std::future::ready(self.0).await
        }
    }

    mod deep {
        pub(super) async fn deeper(n: u32) -> u32 {
            super::free().await;
            n
        }
    }

    /// Entry points make their context themselves.
    #[tokio::test]
    async fn an_entry_point_stays_one() {
        assert_eq!(free().with(&ctx()).await, 8);
    }
}

trait Foreign {
    async fn foreign(&self) -> u32;
}

#[tokio::test]
async fn a_module() {
    use handlers::Loads;

    let ctx = ctx();
    assert_eq!(handlers::free().with(&ctx).await, 8);
    assert_eq!(handlers::named(&ctx).await, 8);
    let mut cart = handlers::Cart(1);
    assert_eq!(cart.method().with(&ctx).await, 9);
    let loads: &dyn Loads = &cart;
    assert_eq!(loads.load().with(&ctx).await, 9);
    assert_eq!(cart.foreign().await, 9);
}
