#[propagate]
async fn checkout(mut ctx: Ctx, id: u64) -> Result<(), Cancelled> {
    ctx = ctx.with_timeout(LIMIT);
    let ctx = ctx.with_value(id);
    charge(id).await
}
