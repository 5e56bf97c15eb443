#[propagate]
async fn handler(ctx: Ctx, Path(id): Path<u64>) -> Result<String, AppError> {
    load(id).await
}
