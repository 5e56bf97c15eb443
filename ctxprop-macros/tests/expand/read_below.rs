//! Another attribute below, on the function or on the `impl` around it, may want to see an `async fn`; those that are known mean
//! the same on what gives a future.

#[propagate]
#[exported]
impl Service {
    async fn load(&self, ctx: &Ctx) -> u32 {
        1
    }
}

#[propagate]
#[exported]
async fn load(ctx: &Ctx) -> u32 {
    1
}

#[propagate]
#[must_use]
async fn add(ctx: &Ctx) -> u32 {
    1
}
