#[propagate(unwind)]
#[tracing::instrument(skip(id))]
#[doc = "Docs."]
async fn load(id: u64) -> Result<String, AppError> {
    find(id).await
}
