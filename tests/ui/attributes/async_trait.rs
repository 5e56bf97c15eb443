//! `boxed` does what `async_trait` does.

use async_trait::async_trait;
use ctxprop::{Ctx, propagate};

#[propagate]
#[async_trait]
trait Below {
    async fn load(&self, id: u64) -> u64;
}

#[async_trait]
#[propagate]
trait Above {
    async fn load(&self, id: u64) -> u64;
    async fn named(&self, ctx: &Ctx) -> u64;
}

struct Store;

#[async_trait]
impl Above for Store {
    #[propagate]
    async fn load(&self, id: u64) -> u64 {
        id
    }

    #[propagate]
    async fn named(&self, ctx: &Ctx) -> u64 {
        u64::from(ctx.is_done())
    }
}

#[propagate]
#[async_trait]
impl Above for u8 {
    async fn load(&self, id: u64) -> u64 {
        id
    }

    async fn named(&self, ctx: &Ctx) -> u64 {
        u64::from(ctx.is_done())
    }
}

#[propagate(boxed)]
#[async_trait]
impl Above for u16 {
    async fn load(&self, id: u64) -> u64 {
        id
    }

    async fn named(&self, ctx: &Ctx) -> u64 {
        u64::from(ctx.is_done())
    }
}

#[async_trait]
#[propagate]
impl Above for u32 {
    async fn load(&self, id: u64) -> u64 {
        id
    }

    async fn named(&self, ctx: &Ctx) -> u64 {
        u64::from(ctx.is_done())
    }
}

#[propagate]
fn by_hand(id: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

fn main() {
    let _ = by_hand(1);
}
