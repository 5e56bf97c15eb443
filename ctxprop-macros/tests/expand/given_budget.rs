#[propagate(budget = "250ms")]
async fn charge(ctx: &Ctx, id: u64) -> Result<(), AppError> {
    pay(id).await
}
